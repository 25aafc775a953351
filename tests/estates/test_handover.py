"""What a pipeline may not write is handed over as commands that, when their owners run them, make the plan whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from kxrecon import cli
from kxrecon.derive import Derivation
from kxrecon.lookups import in_shell, is_lookup, told
from kxrecon.model import Change, Deferred, Entity, Ref, State, Unknown
from kxrecon.scope import Scope
from kxrecon.withheld import _in_order
from tests.witness.grammar.watch import printed

from .test_ownership import drop, spec

MANAGE = "manage: {{ kusto: {}, arm: {} }}"


def test_what_is_withheld_is_written_for_its_owners(run):
    path = spec("ours", "A", more="manage: { arm: check }")
    code, out, err = run("plan", path, "--handover", "todo")
    assert code == 0, err
    scripts = ["todo/arm-cluster.sh", "todo/arm-22222222-2222-4222-8222-222222222222.sh"]
    assert f"for others to run, in this order: {', '.join(scripts)}" in out
    cluster = Path("todo/arm-cluster.sh").read_text()
    assert (
        "# cluster_identity system: create is left to its owner (manage: arm: check); needed by Telemetry/A" in cluster
    )
    body = re.search(r"--body '(.*)'", cluster)[1]
    assert json.loads(body) == {"identity": {"type": "SystemAssigned"}}
    role = Path("todo/arm-22222222-2222-4222-8222-222222222222.sh").read_text()
    assert 'az role assignment create --assignee-object-id "$principalId_of_system"' in role and "<" not in role
    assert "--role ba92f5b4-2d11-453d-a403-e96b0029c9fe" in role and "--description kxrecon/ours" in role


def test_the_scripts_of_kusto_make_the_plan_whole_when_they_are_run(run):
    assert run("apply", spec("ours"), "--yes")[0] == 0
    path = spec("ours", "A")
    assert run("apply", path, "--yes")[0] == 0
    assert cli.main(["sandbox", "kql", "--database", "Telemetry", ".drop continuous-export A"]) == 0
    assert cli.main(["sandbox", "kql", "--database", "Telemetry", ".drop external table ATable"]) == 0
    run("schema")
    path = spec("ours", "A", more="manage: { kusto: check }")
    code, out, err = run("plan", path, "--handover", "todo", "--json")
    assert code == 0, err
    assert json.loads(out)["actions"] == []
    script = Path("todo/kusto-Telemetry.kql").read_text()
    commands = [line for line in script.splitlines() if line.startswith(".")]
    assert len(commands) == 2
    for command in commands:
        printed(command)
        assert cli.main(["sandbox", "kql", "--database", "Telemetry", command]) == 0
    run("schema")
    code, out, err = run("plan", path, "--json")
    assert not [one for one in json.loads(out)["findings"] if one["kind"] == "handover"]


def test_nobody_looks_at_a_plane_that_is_off(run):
    code, out, err = run("plan", spec("ours", "A", more="manage: { arm: off }"), "--json")
    assert code == 0, err
    kinds = {one["kind"] for one in json.loads(out)["findings"]}
    assert "handover" not in kinds


def test_each_owner_of_every_plane_gets_a_script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    prod = str(Path(__file__).parents[2] / "specs" / "prod.yaml")
    overlay = tmp_path / "checked.yaml"
    overlay.write_text(
        f"version: 1\nextends: [{json.dumps(prod)}]\nmanage: {{ arm: check, adls: check, sql: check, kusto: check }}\n"
    )
    assert cli.main(["plan", str(overlay), "--sandbox", "--handover", "todo", "--brief"]) == 0
    names = {one.name for one in Path("todo").iterdir()}
    assert {
        "adls-contosoprodlake.dfs.core.windows.net.sh",
        "sql-contoso-prod.database.windows.net-Dwh.sql",
        "kusto-Telemetry.kql",
        "arm-cluster.sh",
    } <= names
    sql = Path("todo/sql-contoso-prod.database.windows.net-Dwh.sql").read_text()
    assert "GRANT INSERT ON OBJECT::[dbo].[Errors] TO [exporter]" in sql and "-- " in sql
    acl = Path("todo/adls-contosoprodlake.dfs.core.windows.net.sh").read_text()
    assert "az storage fs access show --file-system restricted --path /audit" in acl
    assert re.search(r'--acl "\$acl,user:\S+:rwx,default:user:\S+:rwx"', acl)


ALL = "manage: { kusto: check, arm: check, adls: check, sql: check }"


def scripts(folder="todo"):
    return {one.name: one.read_text() for one in Path(folder).iterdir()}


def test_each_script_says_on_which_cluster_and_after_which_others_it_is_to_run(run):
    code, out, _ = run("plan", spec("ours", "A", more=ALL), "--handover", "todo")
    names = ["arm-cluster.sh", "arm-22222222-2222-4222-8222-222222222222.sh", "kusto-Telemetry.kql"]
    assert f"in this order: {', '.join(f'todo/{one}' for one in names)}" in out
    cluster, role, kusto = (scripts()[one] for one in names)
    where = "https://telemetry.westeurope.kusto.windows.net"
    assert f"# To run by whoever may write to the cluster {where}\n# Number 1 of 3: before all others\n" in cluster
    assert "subscription 22222222-2222-4222-8222-222222222222\n# Number 2 of 3: after arm-cluster.sh\n" in role
    assert kusto.startswith(
        f"// To run in database Telemetry of {where}\n// Number 3 of 3: after arm-cluster.sh, {names[1]}\n"
    )
    assert all(f"Made by kxrecon plan for the spec ours on {where}" in one for one in scripts().values())
    commands = [line.split()[0:2] for line in kusto.splitlines() if line.startswith(".")]
    assert commands[-1] == [".create-or-alter", "continuous-export"], "what it needs stands before it"


def test_what_goes_is_handed_over_in_the_other_order():
    table = Entity(Ref("external_table", ("T", "X")), {"connections": ()})
    export = Entity(Ref("continuous_export", ("T", "E")), {"to": "X", "query": "Q", "managedIdentity": "exporter"})
    identity = Entity(Ref("cluster_identity", ("exporter",)), {"resourceId": "/x"})
    ones = (identity, export, table)
    gone = _in_order([Change(one.ref, "delete", one, None) for one in ones], Derivation(State()))
    assert gone[0].ref == export.ref
    made = _in_order([Change(one.ref, "create", None, one) for one in ones], Derivation(State()))
    assert made[-1].ref == export.ref


def ran(script, answers, tmp_path):
    """A shell script with an ``az`` that answers by its first words, and notes what it was asked."""
    az = tmp_path / "bin" / "az"
    az.parent.mkdir(exist_ok=True)
    cases = "".join(f"  '{words}'*) echo '{answer}';;\n" for words, answer in answers.items())
    az.write_text(f'#!/bin/sh\necho "$*" >> "{tmp_path}/asked"\ncase "$*" in\n{cases}esac\n')
    az.chmod(0o700)
    (tmp_path / "asked").write_text("")
    path = f"{az.parent}:{os.environ['PATH']}"
    done = subprocess.run(["sh", script], env={"PATH": path}, capture_output=True, text=True, check=False)
    return done, (tmp_path / "asked").read_text().splitlines()


def test_a_script_looks_up_what_is_known_after_apply_and_stops_where_it_is_not_known(run, tmp_path):
    run("plan", spec("ours", "A", more=ALL), "--handover", "todo")
    script = "todo/arm-22222222-2222-4222-8222-222222222222.sh"
    done, asked = ran(script, {"resource show": "who"}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked[0].startswith("resource show --ids /subscriptions/") and "--query identity.principalId" in asked[0]
    assert asked[1].startswith("role assignment create --assignee-object-id who --assignee-principal-type")
    done, asked = ran(script, {}, tmp_path)
    assert done.returncode != 0 and len(asked) == 1
    assert "system has no principalId yet, attach it to the cluster first" in done.stderr
    kusto = scripts()["kusto-Telemetry.kql"]
    assert "// put in for <principalId of system> what this prints: az resource show --ids /subscriptions/" in kusto


def test_an_identity_is_looked_up_once_in_a_script_and_by_its_own_id(run, tmp_path):
    scope = Scope(cluster_id="/c", identities={"my-own": "/subscriptions/1/userAssignedIdentities/own", "system": ""})
    leaf = Unknown(Ref("cluster_identity", ("my-own",)), "principalId")
    lines = list(
        in_shell(["az x '<principalId of my-own>'", 'az y "$acl,user:<principalId of my-own>:rwx"'], [leaf], scope)
    )
    assert lines[0].startswith(
        "principalId_of_my_own=$(az identity show --ids /subscriptions/1/userAssignedIdentities/own"
    )
    assert lines[2:] == ['az x "$principalId_of_my_own"', 'az y "$acl,user:${principalId_of_my_own}:rwx"']
    assert [is_lookup(line) for line in lines] == [True, True, False, False]
    sid = Deferred("sid", (Unknown(Ref("cluster_identity", ("system",)), "clientId"),))
    shown, how = told([sid], scope, "--")
    assert "CONVERT(UNIQUEIDENTIFIER, '<clientId of system>')" in shown and "az ad sp show --id" in how


def test_scripts_of_an_earlier_plan_go_and_those_of_others_stay(run):
    Path("todo").mkdir()
    Path("todo/kusto-mine.kql").write_text("// written by hand\n")
    run("plan", spec("theirs", "B", more=ALL), "--handover", "todo")
    theirs = scripts()
    Path("todo/arm-old.sh").write_text(theirs["arm-cluster.sh"].replace("the spec theirs on", "the spec ours on"))
    code, _, err = run("plan", spec("ours", "A", more=ALL), "--handover", "todo")
    assert code == 1 and "is for another spec, and was left as it is: name another folder" in err
    assert run("apply", spec("ours", "A"), "--yes")[0] == 0
    run("plan", spec("ours", "A", more=ALL), "--handover", "todo")
    assert scripts() == theirs, "of ours nothing is left to run, and what is left is of others"
    assert run("apply", spec("theirs", "B"), "--yes")[0] == 0
    code, out, _ = run("plan", spec("theirs", "B", more=ALL), "--handover", "todo")
    assert code == 0 and "for others to run" not in out
    assert list(scripts()) == ["kusto-mine.kql"]


def test_every_line_of_a_plan_calls_a_role_by_its_name(run):
    assert run("apply", spec("ours", "A"), "--yes")[0] == 0
    path = spec("ours", "A", more=ALL)
    for how in ((), ("--markdown",)):
        code, out, _ = run("plan", spec("other", "A", tables=("A",), more=ALL), *how, "--brief")
        assert "ba92f5b4" not in out.replace("--role ba92f5b4", "")
    drop(run, "A")
    Path(path).write_text(
        Path(spec("ours")).read_text().replace("targets:", "  identities: { system: true }\ntargets:")
    )
    out = run("plan", path)[1]
    assert "role_assignment contosolake/archive Storage Blob Data Contributor system: carries the mark" in out
