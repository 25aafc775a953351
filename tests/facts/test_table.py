"""The table of facts: every row has both tests, every test exists, every value of every switch is lived through."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from ruamel.yaml import YAML

from kxrecon.probe.catalog import PROBES, UNPROBED
from kxrecon.sandbox.switches import Switches
from tests.witness.tally import tally

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FACTS: list[dict[str, str]] = YAML(typ="safe").load((HERE / "facts.yaml").read_text("utf-8"))
ALWAYS = {"id", "fact", "page", "confidence", "sandbox", "kxrecon"}
OPTIONAL = {"switch", "either", "unprobed"}


def values() -> dict[str, list[str]]:
    """Switch → its values, of every switch that is a choice; ``strict`` is about inventories."""
    types = get_type_hints(Switches)
    choices = {one.name: types[one.name] for one in fields(Switches) if one.name != "strict"}
    found = {name: get_args(kind) for name, kind in choices.items() if get_origin(kind) is Literal}
    found |= {name: (True, False) for name, kind in choices.items() if kind is bool}
    return {name: [str(value) for value in listed] for name, listed in found.items()}


def mistakes(facts: list[Mapping[str, Any]], tests: Collection[str]) -> list[str]:
    """What is wrong with a table, given the names of all tests (below tests/, with their parameters)."""
    known = set(tests) | {test.partition("[")[0] for test in tests}
    wrong = []
    for row in facts:
        name = row.get("id", row)
        wrong += [f"{name}: {field} is missing" for field in sorted(ALWAYS) if not row.get(field)]
        wrong += [f"{name}: {field} is no field" for field in sorted(row.keys() - ALWAYS - OPTIONAL)]
        wrong += [f"{name}: no test {row[side]}" for side in ("sandbox", "kxrecon") if row.get(side, "") not in known]
        unconfirmed = row.get("confidence") == "unconfirmed"
        if unconfirmed != bool(row.get("switch") or row.get("either")):
            wrong.append(f"{name}: an unconfirmed fact, and no other, has a switch or says why either will do")
    ids = [row.get("id") for row in facts]
    return wrong + [f"{one} is there twice" for one in set(ids) if ids.count(one) > 1]


def unlived(facts: list[Mapping[str, Any]], tests: Collection[str], choices: Mapping[str, list[str]]) -> list[str]:
    """Switches that no fact has, and values under which no test of the row's was collected."""
    rows = {row["switch"]: row for row in facts if row.get("switch")}
    wrong = [f"{name}: no such switch" for name in rows.keys() - choices.keys()]
    for name, listed in choices.items():
        row = rows.get(name)
        if row is None:
            wrong.append(f"{name}: no fact has this switch")
            continue
        wrong += [
            f"{name}={value}: kxrecon is not tested under it"
            for value in listed
            if not any(test.startswith(row["kxrecon"] + "[") and f"{name}={value}]" in test for test in tests)
        ]
    return wrong


@pytest.fixture(scope="module")
def tests(request) -> set[str]:
    """The collected tests, below tests/; files that this run did not collect are collected aside."""
    found = {item.nodeid.removeprefix("tests/") for item in request.session.items}
    named = {row[side] for row in FACTS for side in ("sandbox", "kxrecon")}
    plain = {one.partition("[")[0] for one in found} | found
    files = sorted({f"tests/{one.partition('::')[0]}" for one in named if one not in plain or "unconfirmed" in one})
    command = [sys.executable, "-m", "pytest", "--collect-only", *(file for file in files if (ROOT / file).exists())]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout if files else ""
    return found | {line.removeprefix("tests/").strip() for line in told.splitlines() if "::" in line}


def test_every_row_has_a_page_and_two_tests_that_exist(tests):
    assert mistakes(FACTS, tests) == []
    assert len(FACTS) >= 60
    counted = tally("documented facts")
    counted.count("facts with a test of the sandbox and one of kxrecon", len(FACTS))
    counted.count("of them unconfirmed", sum(row["confidence"] == "unconfirmed" for row in FACTS))
    counted.count("values of switches lived through", sum(map(len, values().values())))


def unasked(facts: list[Mapping[str, Any]], asked: Collection[str], reasons: Collection[str]) -> list[str]:
    """Unconfirmed facts that no probe asks and no reason excuses, and probes that ask what is not unconfirmed."""
    wrong = []
    unconfirmed = {row["id"]: row.get("unprobed") for row in facts if row["confidence"] == "unconfirmed"}
    for name, reason in unconfirmed.items():
        if (name in asked) == (reason is not None):
            wrong.append(f"{name}: an unconfirmed fact has a probe, or else a reason why it has none")
        elif reason is not None and reason not in reasons:
            wrong.append(f"{name}: there is no reason {reason!r}")
    return wrong + [f"{name}: a probe asks it, and it is no unconfirmed fact" for name in {*asked} - {*unconfirmed}]


def test_every_unconfirmed_fact_is_probed_or_says_why_not():
    assert unasked(FACTS, {probe.fact for probe in PROBES}, {one.id for one in UNPROBED}) == []
    good = [{"id": "a", "confidence": "unconfirmed"}, {"id": "b", "confidence": "unconfirmed", "unprobed": "r"}]
    assert unasked(good, {"a"}, {"r"}) == []
    assert unasked(good, set(), {"r"}) == ["a: an unconfirmed fact has a probe, or else a reason why it has none"]
    assert unasked(good, {"a", "b"}, {"r"}) == ["b: an unconfirmed fact has a probe, or else a reason why it has none"]
    assert unasked(good, {"a"}, set()) == ["b: there is no reason 'r'"]
    assert unasked([good[1]], {"a"}, {"r"}) == ["a: a probe asks it, and it is no unconfirmed fact"]


def test_every_value_of_every_switch_is_lived_through(tests):
    assert unlived(FACTS, tests, values()) == []


def test_the_checks_would_notice():
    good = {"id": "a", "fact": "f", "page": "p", "confidence": "unconfirmed", "switch": "s", "sandbox": "x.py::t"}
    good["kxrecon"] = "y.py::u"
    collected = {"x.py::t[1]", "y.py::u[s=one]", "y.py::u[s=two]"}
    assert mistakes([good], collected) == []
    assert unlived([good], collected, {"s": ["one", "two"]}) == []
    assert mistakes([{**good, "kxrecon": "y.py::other"}], collected) == ["a: no test y.py::other"]
    assert mistakes([{**good, "sandbox": ""}], collected) == ["a: sandbox is missing", "a: no test "]
    assert mistakes([{**good, "confidence": "documented"}], collected)
    assert mistakes([good, good], collected) == ["a is there twice"]
    assert unlived([good], collected, {"s": ["one", "two", "three"]}) == ["s=three: kxrecon is not tested under it"]
    assert unlived([good], collected, {"s": ["one"], "new": ["x"]}) == ["new: no fact has this switch"]
