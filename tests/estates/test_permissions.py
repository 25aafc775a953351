"""The least rights by plane and place, and whether the caller has them, asked of the services themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon.sandbox.store import Store

from .test_ownership import spec

LAKE = "https://contosolake.blob.core.windows.net"
CALLER = "99999999-0000-4000-8000-000000000001"


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        return call(*argv)

    return run


def rows(out, verb):
    return {(one["plane"], one["role"]): one.get("has") for one in json.loads(out)["rights"] if one["verb"] == verb}


def test_the_rights_follow_from_what_is_planned(run):
    _, out, _ = run("permissions", spec("ours", "A"), "--json")
    assert set(rows(out, "plan")) == {
        ("kusto", "Database Viewer"),
        ("kusto", "Database Admin"),
        ("kusto", "AllDatabasesMonitor"),
        ("arm", "Reader"),
    }
    assert set(rows(out, "apply")) == {
        ("kusto", "Database Admin"),
        ("kusto", "AllDatabasesAdmin"),
        ("arm", "Contributor"),
        ("arm", "Role Based Access Control Administrator"),
    }


def test_an_account_whose_id_is_not_known_is_told_by_its_address(run):
    path = Path(spec("ours", "A"))
    path.write_text(path.read_text().replace("auth: impersonate", "auth: impersonate, createContainer: true"))
    _, out, _ = run("permissions", str(path), "--json")
    where = {(one["verb"], one["role"]): one["where"] for one in json.loads(out)["rights"] if "lake" in one["where"]}
    assert where == {
        ("plan", "Reader"): LAKE,
        ("apply", "Role Based Access Control Administrator"): f"{LAKE}/archive",
        ("apply", "Storage Account Contributor"): LAKE,
    }


def test_check_finds_the_account_and_asks_about_it(run):
    path = spec("ours", "A")
    as_caller(run, path, roles=["Reader"])
    code, out, _ = run("permissions", path, "--check", "--json", "--sandbox")
    (role,) = [one for one in json.loads(out)["rights"] if one["role"] == "Role Based Access Control Administrator"]
    assert role["where"].startswith("/subscriptions/") and role["where"].endswith("/containers/archive")
    assert (code, role["has"]) == (2, "no")


def test_an_account_that_is_not_shown_is_not_said_to_be_open(run):
    path = spec("ours", "A")
    as_caller(run, path)
    other = path.replace("ours", "other")
    Path(other).write_text(Path(path).read_text().replace("contosolake", "nobodyslake"))
    world = json.loads(Path("world.json").read_text())
    world["storageAccounts"] = []
    Path("world.json").write_text(json.dumps(world))
    _, out, _ = run("permissions", other, "--check", "--json", "--sandbox-file", "n.db", "--inventory", "world.json")
    told = {one["has"]: one["why"] for one in json.loads(out)["rights"] if "nobodyslake" in one["where"]}
    assert told == {"unknown": "no storage account with this address is shown to you"}


def test_a_ledger_in_a_table_needs_its_database(run):
    _, out, _ = run("permissions", spec("ours", "A", more="ledger: { database: Ops }"), "--json")
    rights = [(one["verb"], one["role"]) for one in json.loads(out)["rights"] if one["where"] == "Ops"]
    assert rights == [("plan", "Database Viewer"), ("apply", "Database User")]


def test_a_plane_that_is_only_checked_needs_no_right_to_write(run):
    _, out, _ = run("permissions", spec("ours", "A", more="manage: { arm: check, kusto: off }"), "--json")
    assert rows(out, "apply") == {}
    assert set(rows(out, "plan")) == {("arm", "Reader")}


def test_check_asks_the_services(run):
    path = spec("ours", "A")
    code, out, _ = run("sandbox", "inventory", path)
    world = json.loads(out)
    world["caller"] = {"objectId": CALLER, "displayName": "pipeline", "type": "ServicePrincipal", "roles": ["Reader"]}
    with open("world.json", "w") as file:
        json.dump(world, file)
    code, out, err = run("permissions", path, "--check", "--json", "--sandbox", "--inventory", "world.json")
    assert code == 2, err
    assert rows(out, "plan")["arm", "Reader"] == "yes"
    assert rows(out, "apply")["arm", "Contributor"] == "no"


def as_caller(run, path, **caller):
    world = json.loads(run("sandbox", "inventory", path)[1])
    world["caller"] = {"objectId": CALLER, "displayName": "pipeline", "type": "ServicePrincipal", **caller}
    with open("world.json", "w") as file:
        json.dump(world, file)
    run("plan", path, "--sandbox", "--inventory", "world.json")  # which makes that world
    return world["clusters"][0]["uri"]


def test_kusto_rights_are_the_callers_own_roles(run):
    path = spec("ours", "A")
    as_caller(run, path)
    code, out, _ = run("permissions", path, "--check", "--json", "--sandbox")
    assert code == 0 and set(rows(out, "apply").values()) == {"yes"}, "AllDatabasesAdmin is shown, and implies all"


def test_where_no_role_is_shown_the_rights_are_unknown_not_missing(run):
    path = spec("ours", "A")
    uri = as_caller(run, path, roles=[])
    out = run("permissions", path, "--check", "--json", "--sandbox")[1]
    assert rows(out, "plan")["kusto", "Database Viewer"] == "unknown"
    row = {"objectId": CALLER, "type": "ServicePrincipal", "displayName": "pipeline", "fqn": f"aadapp={CALLER}"}
    store = Store(Path(".kxrecon/sandbox.db"))
    store.put("role", (uri, "database", "Telemetry", "viewers", row["fqn"]), row)
    store.close()
    code, out, _ = run("permissions", path, "--check", "--json", "--sandbox")
    assert rows(out, "plan")["kusto", "Database Viewer"] == "yes"
    assert rows(out, "plan")["kusto", "Database Admin"] == "no"
    assert code == 2
