"""Order by need, and plans as files that cannot be forged by accident."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kxrecon import planfile
from kxrecon.errors import PlanError
from kxrecon.graph import Node, order
from kxrecon.model import (
    HIDDEN,
    Action,
    Allow,
    Change,
    Deferred,
    Entity,
    FieldChange,
    Finding,
    Hazard,
    Ref,
    Request,
    Secret,
    Step,
    Unknown,
)  # fmt: skip
from kxrecon.plan import Plan

IDENTITY = Ref("cluster_identity", ("system",))


def node(name: str) -> Node:
    ref = Ref("table", ("D", name))
    return Node((Change(ref, "create", None, Entity(ref, {})),), (Step(()),))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.randoms())
def test_needs_come_first_and_the_order_is_always_the_same(edges: list[tuple[int, int]], random: object) -> None:
    def build(shuffle: bool) -> list[tuple[int, str]]:
        nodes = [node(f"n{number}") for number in range(10)]
        for one, two in edges:
            if one < two:
                nodes[two].after.append(nodes[one])
        if shuffle:
            random.shuffle(nodes)  # type: ignore[attr-defined]
        return [(wave, item.changes[0].ref.name[1]) for wave, item in order(nodes)]

    result = build(shuffle=False)
    assert build(shuffle=True) == result
    wave = {name: number for number, name in result}
    assert all(wave[f"n{one}"] < wave[f"n{two}"] for one, two in edges if one < two)


def test_a_cycle_is_an_error_that_names_its_members() -> None:
    one, two = node("one"), node("two")
    one.after.append(two)
    two.after.append(one)
    with pytest.raises(PlanError, match="table D/one → table D/two|table D/two → table D/one"):
        list(order([one, two]))


def plan() -> Plan:
    ref = Ref("external_table", ("D", "T"))
    entity = Entity(ref, {"connections": ({"uri": "https://a", "secret": Secret("key")},), "n": 1, "h": HIDDEN})
    observed = replace(entity, fields={**entity.fields, "n": 2})
    change = Change(ref, "update", observed, entity, (FieldChange("n", 2, 1),))
    principal = Unknown(IDENTITY, "principalId")
    request = Request(
        "arm", "s", ("roleAssignments.create",), {"name": Deferred("uuid5", ("s", principal, "r")), "p": [principal]}
    )
    secret = Request("kusto", "D", (".create-or-alter … (h@'https://a;", Secret("key"), "')"))
    action = Action(
        "update:external_table:D/T", (ref,), "apply", "update", (request, secret), ("x",), 1,
        (Hazard("drops-data", ref, "because"),), ("needed by D/E",), ("note",), (change,), ("00ff", ),
    )  # fmt: skip
    return Plan(
        "azure", "https://c", "spec", ("a.yaml",), "d", "2026-01-01T00:00:00+00:00", (action,),
        (Finding("note", ref, "m"),), (Allow("drops-data", "D/T", "2026-12-01", "CHG"),), 3, {"env": "prod"},
    )  # fmt: skip


def test_a_plan_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "plan.json"
    planfile.save(plan(), path)
    back = planfile.load(path)
    assert back.digest == plan().digest
    assert planfile.encode(back) == planfile.encode(plan())
    assert back.actions[0].requests[1].text[1] == Secret("key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["plan.json"]


def test_the_time_of_a_plan_does_not_change_its_digest() -> None:
    assert replace(plan(), created="later").digest == plan().digest
    assert replace(plan(), cluster_uri="https://other").digest != plan().digest


def leaves(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for key, item in enumerate(value) for leaf in leaves(item, (*path, key))]
    return [path]


def test_every_edit_of_a_saved_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    planfile.save(plan(), path)
    document = json.loads(path.read_text())
    places = leaves(document)
    assert len(places) > 40
    for place in places:
        edited = json.loads(json.dumps(document))
        inside = edited
        for key in place[:-1]:
            inside = inside[key]  # type: ignore[index]
        inside[place[-1]] = "other" if inside[place[-1]] != "other" else "x"  # type: ignore[index]
        path.write_text(json.dumps(edited))
        with pytest.raises(PlanError):
            planfile.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"kxreconPlan": 99}', "[" * 100000, '{"kxreconPlan": 1}'])
def test_a_foreign_file_is_an_error_and_not_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(PlanError):
        planfile.load(path)


def test_no_plan_saved_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="kxrecon plan"):
        planfile.load(tmp_path / "none.json")
