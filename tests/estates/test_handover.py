"""What a pipeline may not write is handed over as commands that, when their owners run them, make the plan whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kxrecon import cli
from tests.witness.grammar.watch import printed

from .test_ownership import spec

MANAGE = "manage: {{ kusto: {}, arm: {} }}"


def test_what_is_withheld_is_written_for_its_owners(run):
    path = spec("ours", "A", more="manage: { arm: check }")
    code, out, err = run("plan", path, "--handover", "todo")
    assert code == 0, err
    assert "for others to run: todo/arm-22222222-2222-4222-8222-222222222222.sh, todo/arm-cluster.sh" in out
    cluster = Path("todo/arm-cluster.sh").read_text()
    assert (
        "# cluster_identity system: create is left to its owner (manage: arm: check); needed by Telemetry/A" in cluster
    )
    body = re.search(r"--body '(.*)'", cluster)[1]
    assert json.loads(body) == {"identity": {"type": "SystemAssigned"}}
    role = Path("todo/arm-22222222-2222-4222-8222-222222222222.sh").read_text()
    assert "az role assignment create --assignee-object-id '<principalId of system>'" in role
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
    for command in sorted(commands, key=lambda one: "continuous-export" in one):
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
