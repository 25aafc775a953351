"""Whose a thing is by the ledger: what an apply made goes when the spec lets it go; what others made never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon.ledger.owners import Owners
from kxrecon.ledger.rows import Ledger, continued, folded
from kxrecon.model import Entity, Ref, State

from .conftest import COLUMNS, Team, both
from .test_rows import row


def deleted(plan) -> set[str]:
    return {ref.kind for action in plan.actions if action.verb == "delete" for ref in action.refs}


def left(plan) -> dict[str, str]:
    return {finding.ref.kind: finding.remedy for finding in plan.findings if finding.kind == "left-behind"}


EVERYTHING = {"continuousExports": "owned", "externalTables": "owned", "functions": "owned", "tables": "owned"}
MADE = {"continuous_export", "external_table", "function", "table"}


@both
def test_what_an_apply_made_and_the_spec_no_longer_has_goes(team):
    team.database["continuousExports"]["Dwh"] = {
        **team.database["continuousExports"]["Job"],
        "to": "Sql",
        "managedIdentity": "exporter",
    }
    team.database["externalTables"]["Sql"] = {
        "kind": "sql",
        "columns": "Level:string",
        "target": "dwh",
        "table": "dbo.T",
    }
    team.database["continuousExports"]["Dwh"]["query"] = "Events | project Level"
    team.database["externalTables"]["Folder"] = {
        **team.database["externalTables"]["Lake"],
        "target": "folder",
    }
    team.database["continuousExports"]["ToFolder"] = {**team.database["continuousExports"]["Job"], "to": "Folder"}
    team.write()
    team.apply()
    # Somebody else's, of every kind that has no place for a mark.
    team.sandbox.kql(".create table Theirs (A:string)", "Telemetry")
    team.sandbox.kql(".create-or-alter function Theirs2() { 1 }", "Telemetry")
    rest = team.database
    kept = {"Events": rest["tables"].pop("Events")}
    for section in ("functions", "externalTables", "continuousExports"):
        rest[section] = {}
    rest["tables"] = {}
    team.write()
    plan = team.plan()
    assert plan.actions == () and set(left(plan)) >= MADE | {
        "sql_user",
        "sql_grant",
        "acl_entry",
        "managed_identity_policy",
    }
    assert left(plan)["function"] == "prune: { functions: owned } removes it"

    team.spec["prune"] = {**EVERYTHING, "grants": "owned", "identities": "owned"}
    team.write()
    plan = team.plan()
    assert deleted(plan) >= MADE | {"sql_user", "sql_grant", "acl_entry", "managed_identity_policy", "database_role"}
    labels = {ref.label for action in plan.actions for ref in action.refs}
    assert not [one for one in labels if "Theirs" in one]
    allowed = [f"--allow=loses-cursor:Telemetry/{name}" for name in ("Job", "Dwh", "ToFolder")]
    told = team.run("apply", "--yes", "--force", *allowed, "--allow=drops-data", "--allow=removes-access")
    assert told.code == 0, told.text
    names = [one["TableName"] for one in team.sandbox.kql(".show tables", "Telemetry")]
    assert "Theirs" in names and "Events" not in names
    assert [one["Event"] for one in team.rows()].count("gone") >= 8

    rest["tables"] = kept
    team.write()
    assert {change.ref.kind for action in team.plan().actions for change in action.changes} == {"table"}


@pytest.mark.parametrize("team", ["table"], indirect=True)
def test_the_table_of_the_ledger_is_pruned_by_nobody(team):
    team.spec["databases"]["Ops"] = {"tables": {"Runbook": {"columns": COLUMNS}}}
    team.spec["prune"] = {"tables": "all"}
    team.write()
    team.apply()
    assert team.plan().actions == ()
    team.sandbox.kql(".create table KxreconLedger2 (A:string)", "Ops")
    team.spec = {**team.spec, "name": "theirs", "databases": {"Ops": team.spec["databases"]["Ops"]}}
    del team.spec["ledger"], team.spec["targets"]
    team.write()
    (action,) = team.plan().actions
    assert (action.verb, action.refs) == ("delete", (Ref("table", ("Ops", "KxreconLedger2")),)), (
        "the section does prune"
    )


@pytest.mark.parametrize("team", [None], indirect=True)
def test_without_a_ledger_nothing_of_these_kinds_is_owned(team):
    team.apply()
    team.database["functions"] = {}
    team.spec["prune"] = EVERYTHING
    team.write()
    plan = team.plan()
    assert plan.actions == () and left(plan) == {}


def test_what_somebody_took_away_and_made_again_is_not_ours_any_more(team):
    team.apply()
    team.database["functions"] = {}
    team.write()
    team.sandbox.kql(".drop function Recent", "Telemetry")
    team.apply()
    team.sandbox.kql(".create-or-alter function Recent() { Events }", "Telemetry")
    team.spec["prune"] = EVERYTHING
    team.write()
    assert team.plan().actions == () and left(team.plan()) == {}


@both
def test_what_is_there_and_nobodys_becomes_ours_on_request(team):
    shared = team.database["functions"]["Shared"] = {"body": "print 1"}
    team.write()
    team.run("plan")  # makes the sandbox
    team.sandbox.kql(".create-or-alter function Shared() { print 1 }", "Telemetry")
    team.apply()
    team.spec["prune"] = EVERYTHING
    del team.database["functions"]["Shared"]
    team.write()
    assert team.plan().actions == (), "it was there before"
    team.database["functions"]["Shared"] = shared
    team.write()
    notes = [one.message for one in team.plan("--adopt").findings if "--adopt" in one.message]
    assert notes == ["function Telemetry/Shared, which nobody owns, will be this spec's by the ledger (--adopt)"]
    team.apply("--adopt")
    assert not [one for one in team.plan("--adopt").findings if "--adopt" in one.message]
    del team.database["functions"]["Shared"]
    team.write()
    assert deleted(team.plan()) == {"function"}


def test_what_is_left_behind_and_shall_stay_is_ignored_with_its_reason(team):
    team.apply()
    team.database["functions"] = {}
    team.spec["ignore"] = [{"entity": "Telemetry/Recent", "reason": "the dashboards need it"}]
    team.write()
    plan = team.plan()
    assert left(plan) == {}
    (ignored,) = [one for one in plan.findings if one.kind == "ignored"]
    assert ignored.message == "is left behind, and is left so: the dashboards need it"
    team.spec["prune"] = EVERYTHING
    team.write()
    assert team.plan().actions == ()


@both
def test_two_specs_that_claim_the_same_thing_are_an_error_that_names_both(team):
    team.apply()
    other = json.loads(team.path.read_text())
    other["name"] = "theirs"
    team.path.write_text(json.dumps(other))
    for verb in ("plan", "drift"):
        told = team.run(verb)
        assert told.code == 1, told.text
        assert (
            "function Telemetry/Recent is claimed by two specs: theirs states it, and ours wrote it on 2" in told.text
        )
        assert "takesOver: [ours]" in told.text
    assert team.run("apply", "--yes").code == 1
    other["ledger"]["takesOver"] = ["ours"]
    team.path.write_text(json.dumps(other))
    assert team.run("apply", "--yes").code == 0
    told = team.run("plan")
    assert "nothing to do" in told.text and "Cannot be verified" not in told.text, "what the old name knew is known"
    del other["ledger"]["takesOver"]
    other["databases"]["Telemetry"]["functions"] = {}
    other["prune"] = EVERYTHING
    team.path.write_text(json.dumps(other))
    assert "- function" in team.run("plan").text, "taken over, and its own"
    team.write()
    told = team.run("plan")
    assert told.code == 1 and "ours states it, and theirs wrote it" in told.text


def test_grants_may_be_in_several_specs(team):
    team.apply()
    other = json.loads(team.path.read_text())
    other["name"] = "theirs"
    database = other["databases"]["Telemetry"]
    database["continuousExports"] = {"Other": {**database["continuousExports"]["Job"], "to": "Elsewhere"}}
    database["externalTables"] = {"Elsewhere": {**database["externalTables"]["Lake"], "path": "q"}}
    database["functions"], database["tables"] = {}, {}
    path = Path(team.path).with_name("theirs.yaml")
    path.write_text(json.dumps(other))
    told = team.sandbox.run("apply", str(path), "--yes")
    assert told.code == 0, told.text
    plan = team.sandbox.run("plan", str(path)).text
    assert "by the ledger it has the mark kxrecon/ours" in plan
    # Ours lets go: what theirs needs stays.
    team.database["continuousExports"] = {}
    team.spec["prune"] = {**EVERYTHING, "grants": "owned"}
    team.write()
    assert deleted(team.plan()) == {"continuous_export"}


def test_a_mark_on_the_thing_and_another_in_the_ledger_is_said(team):
    team.database["roles"] = {"viewers": {"add": ["robot"]}}
    team.write()
    team.apply()
    with_mark = ".drop database Telemetry viewers ('aadapp=6f0e9c1e-0000-4000-8000-000000000005;contoso.com')"
    team.sandbox.kql(with_mark, "Telemetry")
    again = with_mark.replace(".drop", ".add") + " 'kxrecon/theirs'"
    team.sandbox.kql(again, "Telemetry")
    (finding,) = [one for one in team.plan().findings if one.kind == "blocked"]
    assert "has two marks: it carries kxrecon/theirs, and by the ledger ours made it" in finding.message


def test_the_last_word_counts_whoever_said_it():
    ref = Ref("table", ("D", "T"))

    def owner(*rows):
        owners = Owners(folded(rows, "c"), "ours")
        return "ours" if owners.owns(ref) else None if owners.is_free(ref) else "somebody"

    assert owner() is None
    assert owner(row(1, spec="ours", owns=True)) == "ours"
    assert owner(row(1, spec="ours", owns=True), row(2, spec="theirs", owns=True)) == "somebody"
    assert owner(row(1, spec="theirs", owns=True), row(2, spec="ours", owns=True)) == "ours"
    assert owner(row(1, spec="ours", owns=True), row(2, spec="theirs")) == "ours"
    assert owner(row(1, spec="ours", owns=True), row(2, "T", "gone", "theirs")) is None
    assert owner(row(1, spec="theirs", owns=True), row(2, spec="ours", event="gone")) is None
    assert owner(row(1, spec="ours", event="tried", owns=True)) == "ours"
    assert Owners(folded([row(1, spec="old", owns=True)], "c"), "ours", ["old"]).owns(ref)


def test_marks_of_the_ledger_leave_marks_of_the_things_alone():
    role, table = Ref("database_role", ("D", "viewers", "x")), Ref("table", ("D", "T"))
    rows = [row(1, spec="ours", owns=True)]
    ledger: Ledger = continued(folded(rows, "c"), [], "c")
    state = State({role: Entity(role, {}, owner="kxrecon/a"), table: Entity(table, {})})
    marked = Owners(ledger, "ours").marked(state).entities
    assert (marked[role].owner, marked[table].owner) == ("kxrecon/a", "kxrecon/ours")
    assert Owners(Ledger(), "ours").marked(state) is state


def test_a_spec_without_a_ledger_section_may_not_be_told_to_take_over(kxrecon_sandbox, monkeypatch):
    team = Team(kxrecon_sandbox, monkeypatch, {"takesOver": ["x"]})
    told = team.run("plan")
    assert told.code == 1 and "a ledger needs a file or a database" in told.text
    team.spec["ledger"] = {"file": "a", "database": "b"}
    team.write()
    assert "'database' does not go with file" in team.run("plan").text
