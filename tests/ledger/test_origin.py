"""drift: whether somebody changed the cluster or the spec, by the ledger or by a saved plan; and what is ignored."""

from __future__ import annotations

import json

import pytest

from kxrecon import planfile
from kxrecon.errors import UsageError
from kxrecon.ignoring import Ignore, parse
from kxrecon.sandbox.forecast import Event, Rule
from kxrecon.sandbox.store import Store

JOB, EVENTS = "Telemetry/Job", "Telemetry/Events"


def origins(team, *arguments) -> dict[str, list[str]]:
    """Label → drift, pending; as drift says it."""
    told = team.run("drift", "--json", *arguments)
    assert told.code in (0, 2) and not told.writes, told.text
    found: dict[str, list[str]] = {}
    for one in json.loads(told.text)["findings"]:
        if one["kind"] in ("drift", "pending"):
            found.setdefault("/".join(one["ref"]["$ref"][1:]), []).append(one["kind"])
    return found


def alter(team, minutes: int) -> None:
    """Somebody sets another interval."""
    for key, document in team.sandbox._world.store.all("continuous_export"):
        properties = {**document["properties"], "intervalBetweenRuns": minutes * 600_000_000}
        team.sandbox._world.store.put("continuous_export", key, {**document, "properties": properties})


def edit(team, minutes: int) -> None:
    team.database["continuousExports"]["Job"]["intervalBetweenRuns"] = f"{minutes}m"
    team.write()


def test_the_ledger_tells_drift_from_pending(team):
    team.apply()
    alter(team, 5)
    assert origins(team) == {JOB: ["drift"]}
    edit(team, 20)
    assert origins(team) == {JOB: ["drift", "pending"]}
    alter(team, 10)
    assert origins(team) == {JOB: ["pending"]}
    team.apply()
    assert origins(team) == {}

    team.sandbox.kql(".drop function Recent", "Telemetry")
    team.database["functions"]["New"] = {"body": "Events"}
    team.write()
    assert origins(team) == {"Telemetry/Recent": ["drift"], "Telemetry/New": ["pending"]}
    team.apply()

    team.secret("sv=1&sig=second")
    assert origins(team) == {"Telemetry/Out": ["pending"]}
    team.by_hand()
    assert origins(team) == {"Telemetry/Out": ["drift", "pending"]}
    team.secret("sv=1&sig=first")
    assert origins(team) == {"Telemetry/Out": ["drift"]}


def test_columns_that_only_the_cluster_has_are_no_drift(team):
    team.apply()
    team.sandbox.kql(".alter-merge table Events (Extra:string)", "Telemetry")
    assert origins(team) == {}
    team.database["tables"]["Events"]["columns"] += ", More:string"
    team.database["continuousExports"]["Job"]["query"] = "Events | project Timestamp, Level"
    team.write()
    assert origins(team) == {EVENTS: ["drift", "pending"], JOB: ["pending"]}
    team.apply()
    team.database["tables"]["Events"]["columns"] += ", Most:string"
    team.write()
    assert origins(team)[EVENTS] == ["pending"]


def test_exact_roles_and_prune(team):
    team.database["roles"] = {"viewers": {"exact": ["robot", "exporter"]}}
    team.write()
    team.apply()
    team.sandbox.kql(
        ".add database Telemetry viewers ('aadapp=6f0e9c1e-0000-4000-8000-000000000009;contoso.com')", "Telemetry"
    )
    (only,) = origins(team).items()
    assert only[1] == ["drift"]
    team.database["roles"] = {}
    team.database["functions"] = {}
    team.spec["prune"] = {"functions": "owned"}
    team.write()
    assert origins(team)["Telemetry/Recent"] == ["pending"]


def test_a_plan_names_the_drift_that_it_would_overwrite(team):
    team.apply()
    alter(team, 5)
    edit(team, 20)
    found = [one for one in team.plan().findings if one.kind in ("drift", "pending")]
    assert [(one.kind, one.message[:42]) for one in found] == [("drift", "intervalBetweenRuns changed on the cluster")]


def test_people_read_it(team):
    team.apply()
    alter(team, 5)
    edit(team, 20)
    text = team.run("drift").text
    assert "Drift: changed on the cluster\n" in text and "Pending: changed in the spec, not applied yet\n" in text
    assert text.rstrip().endswith("drift: 1 to update, 1 drifted, 1 pending.")


# ---- without a ledger


def without_a_ledger(test):
    return pytest.mark.parametrize("team", [None], indirect=True)(test)


@without_a_ledger
def test_a_plan_that_was_only_saved_shows_no_side(team):
    edit(team, 10)
    team.plan()
    assert origins(team) == {}, "nothing was applied: who is to say"
    team.apply("--reassert")
    alter(team, 5)
    assert origins(team) == {JOB: ["drift"]}
    team.plan()
    assert origins(team) == {JOB: ["drift"]}, "somebody looked at a plan: that moved nothing"
    edit(team, 20)
    team.plan()
    assert origins(team) == {JOB: ["drift", "pending"]}
    alter(team, 10)
    assert origins(team) == {JOB: ["pending"]}


@without_a_ledger
def test_what_a_saved_plan_saw_is_told_where_nothing_was_applied_here(team):
    team.apply()
    (applied,) = (team.sandbox.folder / ".kxrecon" / "applied").iterdir()
    applied.unlink()
    (team.sandbox.folder / ".kxrecon" / "journal.jsonl").unlink()
    team.plan()
    alter(team, 5)
    assert origins(team) == {JOB: ["drift"]}, "it was as the spec says when the plan was made"
    team.plan()
    assert origins(team) == {}, "the plan would mend it, and shows no side"
    alter(team, 7)
    assert origins(team) == {JOB: ["drift"]}, "not as the plan saw it"


@without_a_ledger
def test_an_apply_by_a_plan_or_a_spec_is_remembered_and_one_that_does_not_end_well_is_no_witness(team):
    edit(team, 20)
    team.plan()
    assert team.sandbox.run("apply", "--yes", "--reassert").code == 0
    alter(team, 7)
    assert origins(team) == {JOB: ["drift"]}, "the plan was applied"
    edit(team, 30)
    assert origins(team) == {JOB: ["drift", "pending"]}
    team.apply()
    team.sandbox.weather(Rule(Event("refused", message="no"), ".create-or-alter continuous-export", chance=1))
    edit(team, 40)
    assert team.run("apply", "--yes").code == 1
    team.sandbox.weather()
    assert origins(team) == {}


@without_a_ledger
def test_a_plan_of_something_else_tells_nothing_and_one_that_was_named_is_refused(team, tmp_path):
    team.run("plan")
    saved = tmp_path / "saved.json"
    saved.write_text((team.sandbox.folder / ".kxrecon" / "plan.json").read_text())
    assert team.run("drift", "--plan", str(saved)).code == 2
    team.spec["name"] = "another"
    team.write()
    assert origins(team) == {}
    told = team.run("drift", "--plan", str(saved))
    assert told.code == 1 and "is a plan of ours for" in told.text
    told = team.run("drift", "--plan", str(tmp_path / "none.json"))
    assert told.code == 1 and "no plan is saved" in told.text
    for path in (team.sandbox.folder / ".kxrecon").rglob("*.json"):
        path.write_text("{")
    assert origins(team) == {}


# ---- what is ignored


def test_what_is_ignored_for_one_run_does_not_count_and_is_shown(team):
    team.apply()
    alter(team, 5)
    told = team.run("drift", "--ignore", "Telemetry/Job:intervalBetweenRuns=INC1: on-call, until a = b")
    assert told.code == 0
    assert (
        "Ignored\n    continuous_export Telemetry/Job: intervalBetweenRuns differs, and is left so: INC1" in told.text
    )
    assert "no drift" in told.text
    assert team.run("drift", "--ignore", "continuous_export Telemetry/Job=all of it").code == 0
    assert team.run("drift", "--ignore", "external_table Telemetry/Lake=something else").code == 2
    assert team.changed() != {}, "for drift only"


def test_what_the_spec_ignores_is_left_by_every_verb(team):
    team.apply()
    alter(team, 5)
    team.sandbox.kql(".drop function Recent", "Telemetry")
    team.spec["ignore"] = [
        {"entity": JOB, "field": "intervalBetweenRuns", "reason": "INC1", "until": "2999-12-31"},
        {"entity": "Telemetry/Recent", "kind": "function", "reason": "they will put it back"},
        {"entity": "Telemetry/Old", "reason": "was renamed"},
        {"entity": EVENTS, "reason": "long ago", "until": "2020-01-01"},
    ]
    team.write()
    assert team.changed() == {}
    findings = [(one.kind, one.message) for one in team.plan().findings]
    assert ("ignored", "intervalBetweenRuns differs, and is left so: INC1, until 2999-12-31") in findings
    assert ("ignored", "is missing, and is left so: they will put it back") in findings
    assert ("note", "ignore: Telemetry/Old is about nothing that is there") in findings
    assert ("note", "ignore: Telemetry/Events ended on 2020-01-01: it counts again") in findings
    team.database["continuousExports"]["Job"]["forcedLatency"] = "5m"
    team.write()
    assert team.changed() == {JOB: ["forcedLatency"]}
    team.apply()
    store = Store(team.sandbox.file)
    (export,) = [one for _, one in store.all("continuous_export")]
    store.close()
    assert export["properties"]["intervalBetweenRuns"] == 5 * 600_000_000, "left as it was"
    team.spec["ignore"] = []
    team.write()
    assert team.changed() == {JOB: ["intervalBetweenRuns"], "Telemetry/Recent": []}


def test_a_hidden_field_is_not_lost_by_being_ignored(team):
    """What nobody sees cannot be copied: it stays as the spec says it, or the next definition would drop it."""
    team.spec["ignore"] = [{"entity": "Telemetry/Out", "field": "connections", "reason": "x"}]
    team.database["externalTables"]["Out"]["docString"] = "first"
    team.write()
    team.apply()
    team.database["externalTables"]["Out"]["docString"] = "second"
    team.write()
    assert team.changed() == {"Telemetry/Out": ["docString"]}
    team.apply()
    assert team.changed() == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D/T=why", Ignore("D/T", "why")),
        ("D/T:docString=why", Ignore("D/T", "why", "docString")),
        ("D/T/docString=why", Ignore("D/T", "why", "docString")),
        ("table D/T:docString=why = because", Ignore("D/T", "why = because", "docString", "table")),
        ("D/viewers/aadapp=1;t=why", Ignore("D/viewers/aadapp=1;t", "why")),
        ("D/a:b=why", Ignore("D/a:b", "why")),
        ("D/a:b:query=why", Ignore("D/a:b", "why", "query")),
    ],
)
def test_paths_end_where_an_entity_ends(text, expected):
    assert parse(text, {"D/T", "D/viewers/aadapp=1;t", "D/a:b"}) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [("D/T", "PATH=REASON"), ("D/T=", "why"), ("D/T= ", "why"), ("D/X=y", "no such|such an entity"), ("=y", "such an")],
)
def test_a_path_or_a_reason_that_is_missing_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        parse(text, {"D/T"})


def test_an_entity_that_neither_side_has_is_refused(team):
    told = team.run("drift", "--ignore", "Telemetry/Nobody=gone")
    assert (
        told.code == 1 and "--ignore Telemetry/Nobody: neither the spec nor the cluster has such an entity" in told.text
    )


def test_a_saved_plan_can_hold_what_drift_finds(team, tmp_path):
    team.apply()
    alter(team, 5)
    plan = team.plan()
    planfile.save(plan, tmp_path / "p.json")
    assert planfile.load(tmp_path / "p.json") == plan
