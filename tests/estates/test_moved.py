"""A spec whose exports get another identity or another place: what is not changed yet keeps what it needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_ownership import deletions, spec

SECOND = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry/providers/Microsoft.ManagedIdentity/userAssignedIdentities/second"


@pytest.fixture
def run(run):
    assert run("apply", spec("ours", "A"), "--yes")[0] == 0
    return run


def edited(*changes, more):
    text = Path(spec("ours", "A", more=more)).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    Path("ours.yaml").write_text(text)
    return "ours.yaml"


def planned(run, path):
    code, out, err = run("plan", path, "--json")
    assert code == 0, err
    return json.loads(out)


def after(plan, start):
    (found,) = (one for one in plan["actions"] if one["id"].startswith(start))
    return found["after"]


def test_a_grant_stays_while_the_export_that_uses_it_waits_for_another_team(run):
    change = (
        ("managedIdentity: system", "managedIdentity: second"),
        ("targets:", f"  identities: {{ second: {SECOND} }}\ntargets:"),
    )
    path = edited(*change, more="prune: { grants: owned }\nmanage: { arm: check }")
    plan = planned(run, path)
    assert deletions(plan) == set()
    told = {one["ref"]["$ref"][0]: one["message"] for one in plan["findings"] if "stays for now" in one["message"]}
    assert set(told) == {"database_role", "role_assignment"}
    assert told["database_role"] == "stays for now: continuous_export Telemetry/A relies on it"
    handed = [one for one in plan["findings"] if one["kind"] == "handover"]
    assert all(one["message"].startswith("create is left to its owner") for one in handed)


def test_a_table_that_moves_says_so_of_its_exports_by_name(run):
    path = edited(("contosolake", "movedlake"), more="prune: { grants: owned }")
    plan = planned(run, path)
    (hazard,) = (one for action in plan["actions"] for one in action["hazards"] if one["hazard"] == "repoints-export")
    assert hazard["ref"]["$ref"] == ["continuous_export", "Telemetry", "A"]
    assert "stays at https://contosolake.blob.core.windows.net/archive/A" in hazard["reason"]
    code, _, err = run("apply", path, "--yes", "--allow", "removes-access")
    assert code == 1 and "--allow repoints-export:Telemetry/A" in err


def test_the_old_place_keeps_its_grant_until_the_table_has_moved_and_the_export_runs_until_the_new_one_has_it(run):
    plan = planned(run, edited(("contosolake", "movedlake"), more="prune: { grants: owned }"))
    table, new = (
        "update:external_table:Telemetry/ATable",
        next(one["id"] for one in plan["actions"] if one["id"].startswith("create:role_assignment")),
    )
    assert table in after(plan, "delete:role_assignment")
    assert new in after(plan, table)
    assert new in after(plan, "update:continuous_export:Telemetry/A:disable")


def test_a_table_does_not_move_where_nobody_has_been_let_in_yet(run):
    plan = planned(run, edited(("contosolake", "movedlake"), more="manage: { arm: check }"))
    assert plan["actions"] == []
    assert any(
        "external_table" in str(one["ref"]) and "waits for role_assignment" in one["message"]
        for one in plan["findings"]
    )
