"""--reassert: what cannot be read back is written again on request, like any other change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import planfile
from kxrecon.diff import diff
from kxrecon.kinds.kusto import table
from kxrecon.leaves import shown_text
from kxrecon.model import HIDDEN, Entity, Ref, State
from kxrecon.reassert import Reassert
from tests.laws.estates import HEAD

COLUMNS = "Timestamp:datetime, Level:string"
SPEC = {
    **HEAD,
    "name": "again",
    "variables": {"sas": {"secret": True}},
    "targets": {
        **HEAD["targets"],
        "sas": {"url": "https://contosoexport.blob.core.windows.net/events", "auth": "sas", "secret": "${sas}"},
    },
    "databases": {
        "Telemetry": {
            "tables": {"Events": {"columns": COLUMNS}},
            "functions": {"Recent": {"body": "Events | take 10", "view": True}},
            "externalTables": {
                "Out": {"kind": "storage", "columns": COLUMNS, "target": "sas", "dataFormat": "csv"},
                "Lake": {"kind": "storage", "columns": COLUMNS, "target": "blob", "dataFormat": "csv", "path": "p"},
            },
            "continuousExports": {
                "Job": {
                    "over": ["Events"],
                    "to": "Out",
                    "query": 'Events | where Level != h"hush"',
                    "managedIdentity": "exporter",
                    "intervalBetweenRuns": "10m",
                }
            },
        }
    },
}


@pytest.fixture
def sandbox(kxrecon_sandbox, monkeypatch):
    monkeypatch.setenv("KXRECON_VAR_sas", "sv=1&sig=first")
    path = kxrecon_sandbox.folder / "again.yaml"
    path.write_text(json.dumps(SPEC))
    kxrecon_sandbox.switch(export_identity_shown="script", csl_script_lists_exports=False)
    assert kxrecon_sandbox.apply(path).converged
    kxrecon_sandbox.path = str(path)
    return kxrecon_sandbox


def changed(plan):
    return {(ref.kind, ref.label): action for action in plan.actions for ref in action.refs if action.phase == "apply"}


def saved(sandbox):
    return planfile.load(sandbox.folder / ".kxrecon" / "plan.json")


def test_what_cannot_be_verified_is_told_with_what_is_compared_all_the_same(sandbox):
    told = [one.message for one in _findings(sandbox)]
    assert sorted(told) == [
        "connections: uri is as the spec says; auth, identity and secret cannot be read back, so not compared",
        "connections: uri is as the spec says; auth, identity and secret cannot be read back, so not compared",
        "managedIdentity cannot be read back, so it is not compared",
        "query is as the spec says but for its hidden literals, which cannot be read back",
        "view cannot be read back, so it is not compared",
    ]


def _findings(sandbox):
    assert sandbox.plan(sandbox.path).is_empty
    return [one for one in saved(sandbox).findings if one.kind == "unverifiable"]


def test_all_of_it_is_written_again_and_the_labels_are_the_usual_ones(sandbox):
    told = sandbox.run("plan", sandbox.path, "--reassert")
    assert told.code == 0 and not told.writes
    plan = saved(sandbox)
    found = changed(plan)
    assert set(found) == {
        ("function", "Telemetry/Recent"),
        ("external_table", "Telemetry/Out"),
        ("external_table", "Telemetry/Lake"),
        ("continuous_export", "Telemetry/Job"),
    }
    job = found["continuous_export", "Telemetry/Job"]
    assert job.cursor.label == "keeps cursor" and "unconfirmed" in job.cursor.reason
    assert any("--reassert" in note for note in job.notes)
    assert not any(one.kind == "unverifiable" for one in plan.findings)
    out = found["external_table", "Telemetry/Out"]
    fields = {part.field: str(part.desired) for change in out.changes for part in change.fields}
    assert fields["connections[0]['secret']"] == "secret(sas)"
    assert any(action.phase == "disable" for action in plan.actions), "an export stands still while its table changes"


def test_a_saved_plan_is_carried_out_and_is_done_then(sandbox, monkeypatch):
    monkeypatch.setenv("KXRECON_VAR_sas", "sv=1&sig=second")
    assert sandbox.run("plan", sandbox.path, "--reassert", "Telemetry/Out").code == 0
    told = sandbox.run("apply", "--yes")
    assert told.code == 0 and "converged" in told.text
    assert sum("external table" in one.text for one in told.writes) == 1
    assert sandbox.plan(sandbox.path).is_empty


def test_only_what_was_named(sandbox):
    sandbox.run("plan", sandbox.path, "--reassert", "Telemetry/Recent")
    assert set(changed(saved(sandbox))) == {("function", "Telemetry/Recent")}
    told = sandbox.run("apply", sandbox.path, "--reassert=Telemetry/Recent", "--yes")
    assert told.code == 0
    assert [one.text.split()[0] for one in told.writes] == [".create-or-alter"]


def test_a_name_that_the_spec_does_not_have_is_refused(sandbox):
    other = str(Path(sandbox.path).with_name("spec.yaml"))
    told = sandbox.run("plan", sandbox.path, "--reassert", other)
    assert told.code == 1 and not told.writes
    assert "the spec has no such entity" in told.text and "alone, --reassert stands last" in told.text


def test_hazards_are_the_usual_ones(sandbox):
    sandbox.kql(".disable continuous-export Job", "Telemetry")
    document = json.loads(json.dumps(SPEC))
    document["databases"]["Telemetry"]["continuousExports"]["Job"]["isDisabled"] = False
    Path(sandbox.path).write_text(json.dumps(document))
    told = sandbox.run("apply", sandbox.path, "--reassert", "Telemetry/Job", "--yes")
    assert told.code == 1 and "restarts-export" in told.text and not told.writes


def test_a_policy_that_could_not_be_read_is_only_written_where_that_was_asked_for():
    ref = Ref("table", ("D", "T"))
    seen = Entity(ref, {"columns": (), "folder": "a", "docString": None, "ingestionTimePolicy": HIDDEN})
    wanted = Entity(ref, {**seen.fields, "folder": "b", "ingestionTimePolicy": True})
    changes = {
        "other": diff(State({ref: wanted}), State({ref: seen})),
        "asked": diff(State({ref: wanted}), State({ref: seen}), Reassert(frozenset({"D/T"}))),
    }
    sent = {
        name: [shown_text(one.text) for step in table.act(found.changes, None) for one in step.requests]
        for name, found in changes.items()
    }
    assert sent["other"] == [".alter table ['T'] folder \"b\""]
    assert sent["asked"] == [*sent["other"], ".alter table ['T'] policy ingestiontime true"]
