"""Every case file of every kind, and the laws that all kinds keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kxrecon.errors import Problem
from kxrecon.kinds import kind
from kxrecon.model import Entity, Hidden, State
from tests.kinds.case import Run, files, load, plain, request_doc, run


def _id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(params=files(), ids=_id)
def ran(request) -> Run:
    return run(load(request.param))


def test_case(ran):
    expect = ran.case.expect
    unknown = set(expect) - set(_CHECKS)
    assert not unknown, f"expect has unknown keys: {unknown}"
    for name, check in _CHECKS.items():
        if name in expect:
            check(ran, expect[name])
    if "problems" not in expect:
        assert not [problem for problem in ran.problems if problem.severity == "error"]


def test_desired_is_what_its_description_says(ran):
    """``desire(describe(e)) == e``, up to what nobody can state: hidden values, none, what only the service knows."""
    module = kind(ran.case.kind_name)
    if not module.SECTION:
        return
    for entity in [*ran.desired.entities.values(), *ran.observed.entities.values()]:
        in_section = getattr(module, "entry_name", lambda ref: ref.name[: module.SECTION.count("*")])
        name = in_section(entity.ref)
        items = list(module.desire(name, module.describe(entity), ran.scope))
        again = [item for item in items if isinstance(item, Entity) and item.ref == entity.ref]
        if _masked(entity.fields):
            continue
        errors = [item for item in items if isinstance(item, Problem) and item.severity == "error"]
        assert again, f"{entity.ref} does not come back: {errors}"
        assert {**entity.fields, **again[0].fields} == dict(entity.fields)


def _masked(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_masked, value.values()))
    return any(map(_masked, value)) if isinstance(value, tuple) else isinstance(value, Hidden)


def _contains(found: Any, expected: Any, where: str) -> None:
    """Mappings hold at least what is expected; everything else is equal."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name, value in expected.items():
            assert name in found, f"{where}.{name} is missing"
            _contains(found[name], value, f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            _contains(one, other, f"{where}[{index}]")
    else:
        assert found == expected, where


def _problems(ran: Run, expected: list[Any]) -> None:
    assert len(ran.problems) == len(expected), list(map(str, ran.problems))
    for problem, part in zip(ran.problems, expected, strict=True):
        wanted = part if isinstance(part, Mapping) else {"message": part}
        assert wanted["message"] in problem.message
        if "path" in wanted:
            assert list(problem.path) == wanted["path"]
        if "remedy" in wanted:
            assert wanted["remedy"] in (problem.remedy or "")


def _desired(ran: Run, expected: Mapping[str, Any]) -> None:
    assert ran.desired.entities, list(map(str, ran.problems))
    _contains(plain(dict(next(iter(ran.desired.entities.values())).fields)), expected, "desired")


def _labelled(state: State) -> dict[str, Entity]:
    return {ref.label: entity for ref, entity in state.entities.items()}


def _observed(ran: Run, expected: Mapping[str, Any]) -> None:
    entities = _labelled(ran.observed)
    for label, fields in expected.items():
        if fields is None:
            assert label not in entities
        else:
            assert label in entities, f"{label} is not among {sorted(entities)}"
            _contains(plain(dict(entities[label].fields)), fields, label)


def _attributes(ran: Run, expected: Mapping[str, Any]) -> None:
    entities = {**_labelled(ran.desired), **_labelled(ran.observed)}
    for label, attributes in expected.items():
        _contains(plain(dict(entities[label].attributes)), attributes, label)


def _readings(ran: Run, expected: Mapping[str, Any]) -> None:
    readings = {ref.label: dict(reading.values) for ref, reading in ran.observed.readings.items()}
    _contains(plain(readings), expected, "readings")


def _verdict(ran: Run, expected: Any) -> None:
    verbs = [change.verb for change in ran.differences.changes]
    assert verbs == ([] if expected == "none" else [expected] if isinstance(expected, str) else expected)


def _changed(ran: Run, expected: list[str]) -> None:
    assert [part.field for change in ran.differences.changes for part in change.fields] == expected


def _requests(ran: Run, expected: list[Any]) -> None:
    found = [request_doc(request) for request in ran.requests]
    assert len(found) == len(expected), found
    for one, wanted in zip(found, expected, strict=True):
        if isinstance(wanted, str):
            assert one["text"] == wanted.strip("\n")
        else:
            _contains(one, wanted, one["text"])


def _notes(ran: Run, expected: list[str]) -> None:
    notes = [note for step in ran.steps for note in step.notes]
    assert len(notes) == len(expected), notes
    assert all(part in note for part, note in zip(expected, notes, strict=True)), notes


def _cursor(ran: Run, expected: list[str]) -> None:
    effects = [f"{step.cursor.label}: {step.cursor.reason}" for step in ran.steps if step.cursor]
    assert len(effects) == len(expected), effects
    assert all(effect.startswith(part) for part, effect in zip(expected, effects, strict=True)), effects


def _equal(read: Any) -> Any:
    def check(ran: Run, expected: Any) -> None:
        assert read(ran) == expected

    return check


_CHECKS = {
    "problems": _problems,
    "desired": _desired,
    "observed": _observed,
    "attributes": _attributes,
    "readings": _readings,
    "gaps": _equal(lambda ran: len(ran.observed.gaps)),
    "verdict": _verdict,
    "changed": _changed,
    "unverifiable": _equal(lambda ran: [name for _, name in ran.differences.unverifiable]),
    "requests": _requests,
    "hazards": _equal(lambda ran: [hazard.hazard for step in ran.steps for hazard in step.hazards]),
    "notes": _notes,
    "cursor": _cursor,
    "phases": _equal(lambda ran: [step.phase for step in ran.steps]),
}
