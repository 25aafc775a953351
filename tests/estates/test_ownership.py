"""Marks: what a spec made it may take away, when nobody needs it any more; what others made it never touches."""

from __future__ import annotations

import json
from pathlib import Path

from kxrecon import cli

CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
HEAD = """\
version: 1
name: {name}
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: /subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry/providers/Microsoft.Kusto/clusters/telemetry
targets:
  lake: {{ url: "https://contosolake.blob.core.windows.net/archive", auth: impersonate }}
{more}
databases:
  Telemetry:
    tables:
      Events: {{ columns: "Timestamp:datetime, Level:string" }}
    externalTables: {{}}
    continuousExports: {{}}
"""
TABLE = '      {name}Table: {{ kind: storage, columns: "Timestamp:datetime, Level:string", target: lake, path: {name}, dataFormat: csv }}\n'
EXPORT = "      {name}: {{ over: [Events], to: {name}Table, query: Events, managedIdentity: system, intervalBetweenRuns: 10m }}\n"


def spec(name, *exports, tables=None, more=""):
    tables = exports if tables is None else tables
    text = HEAD.format(name=name, more=more)
    for section, line, names in (("externalTables", TABLE, tables), ("continuousExports", EXPORT, exports)):
        if names:
            text = text.replace(f"{section}: {{}}\n", f"{section}:\n" + "".join(line.format(name=one) for one in names))
    Path(f"{name}.yaml").write_text(text)
    return f"{name}.yaml"


def drop(run, name):
    assert cli.main(["sandbox", "kql", "--database", "Telemetry", f".drop continuous-export {name}"]) == 0
    run("schema")  # empties what was captured


def planned(run, path):
    code, out, err = run("plan", path, "--json")
    assert code == 0, err
    return json.loads(out)


def deletions(plan):
    return {action["refs"][0]["$ref"][0] for action in plan["actions"] if action["verb"] == "delete"}


def said(plan, kind="left-behind"):
    return {one["ref"]["$ref"][0]: one for one in plan["findings"] if one["kind"] == kind and one["ref"]}


def applied(run, path, *more):
    code, out, err = run("apply", path, "--yes", "--force", *more)
    assert code == 0, out + err


def test_a_removed_export_is_named_at_each_plan_with_its_grants(run):
    applied(run, spec("ours", "A", "B"))
    path = spec("ours", "B", tables=("A", "B"))
    for _ in range(2):
        plan = planned(run, path)
        assert plan["actions"] == []
        left = said(plan)
        assert "writes to ATable of this spec" in left["continuous_export"]["message"]
        assert ".drop continuous-export ['A'] in Telemetry" in left["continuous_export"]["remedy"]
        assert set(left) == {"continuous_export"}, "B still needs the grants"


def test_grants_stay_for_an_export_that_runs_on_and_go_after_it(run):
    applied(run, spec("ours", "A"))
    path = spec("ours", more="prune: { grants: owned }")
    plan = planned(run, path)
    assert plan["actions"] == []
    left = said(plan)
    assert "is kept for Telemetry/A, which this spec does not have" in left["role_assignment"]["message"]
    assert "relies on grants with the mark kxrecon/ours" in left["continuous_export"]["message"]

    drop(run, "A")
    plan = planned(run, path)
    assert deletions(plan) == {"database_role", "role_assignment"}
    assert said(plan) == {}


def test_without_prune_a_grant_that_nobody_needs_is_only_named(run):
    applied(run, spec("ours", "A"))
    drop(run, "A")
    path = Path(spec("ours"))
    path.write_text(path.read_text().replace("targets:", "  identities: { system: true }\ntargets:"))
    plan = planned(run, str(path))
    assert plan["actions"] == []
    left = said(plan)
    assert set(left) == {"database_role", "role_assignment"}
    assert "prune: { grants: owned } removes it" in left["database_role"]["remedy"]


def test_the_last_export_takes_its_grants_with_it_in_order(run):
    applied(run, spec("ours", "A"))
    path = spec("ours", more="prune: { grants: owned, continuousExports: all }")
    plan = planned(run, path)
    assert deletions(plan) == {"continuous_export", "database_role", "role_assignment"}
    export = next(one for one in plan["actions"] if one["refs"][0]["$ref"][0] == "continuous_export")
    for action in plan["actions"]:
        if action is not export:
            assert export["id"] in action["after"]
    applied(run, path, "--allow", "loses-cursor:Telemetry/A", "--allow", "removes-access")
    assert planned(run, path)["actions"] == []


def test_another_specs_grants_are_never_taken(run):
    applied(run, spec("theirs", "A"))
    drop(run, "A")
    plan = planned(run, spec("ours", more="prune: { grants: owned, continuousExports: all }"))
    assert plan["actions"] == [] and said(plan) == {}


def test_a_shared_grant_names_both_specs(run):
    applied(run, spec("theirs", "A"))
    applied(run, spec("ours", "B"))
    notes = [one for one in planned(run, "ours.yaml")["findings"] if "is shared" in one["message"]]
    assert {one["ref"]["$ref"][0] for one in notes} == {"database_role", "role_assignment"}
    assert all("kxrecon/ours needs it, and it carries the mark kxrecon/theirs" in one["message"] for one in notes)
    plan = planned(run, spec("theirs", more="prune: { grants: owned }"))
    assert plan["actions"] == [], "B runs as the same identity, and would stop"
