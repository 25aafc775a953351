"""One script of reads and writes by Microsoft's JavaScript SDKs; the Python SDKs then see the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kxrecon.sandbox.embedded import embed
from tests.witness.arm import clients
from tests.witness.javascript import installed
from tests.witness.tally import sections, tally

URI = "https://telemetry.westeurope.kusto.windows.net"
DATABASE = "Telemetry"
CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
FIELDS = "a:string, b:long, c:datetime, d:dynamic, e:timespan, f:bool, g:guid, h:real, i:int"
ROW = 'x,5,2024-01-01T01:02:03.1234560Z,"{""k"":[1]}",1.02:03:04,true,44444444-0000-4000-8000-000000000001,1.5,7'
COMMANDS = [
    f".create-merge table T ({FIELDS})",
    f".ingest inline into table T <| {ROW}",
    ".create-or-alter function F(x:long) { T | where b == x }",
    '.alter-merge database Telemetry policy managed_identity ```[{"ObjectId":"system","AllowedUsages":"AutomatedFlows"}]```',
    f".create-or-alter external table Out ({FIELDS}) kind=storage dataformat=parquet"
    " (h@'https://contosolake.dfs.core.windows.net/archive/t;impersonate') with (folder=@'it''s')",
    ".create-or-alter continuous-export E over (T) to table Out"
    " with (managedIdentity='system', intervalBetweenRuns=10m) <| T",
    ".disable continuous-export E",
    f".add database Telemetry viewers ('aaduser={clients.PERSON}') 'by the script'",
]
READS = [
    ".show tables",
    ".show functions",
    ".show external tables",
    ".show continuous-exports",
    ".show database Telemetry principals",
    ".show database Telemetry policy managed_identity",
    ".show database Telemetry schema as json",
    ".show database Telemetry schema as csl script",
    ".show table * policy ingestiontime",
    ".show database Telemetry journal",
]
GIVEN: dict[str, Any] = {
    "subscription": clients.SUBSCRIPTION,
    "group": "lake",
    "cluster": "telemetry",
    "database": DATABASE,
    "scope": clients.CONTAINER,
    "role": f"/subscriptions/{clients.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}",
    "roleName": "Storage Blob Data Contributor",
    "name": "44444444-0000-4000-8000-000000000001",
    "otherName": "44444444-0000-4000-8000-000000000002",
    "person": clients.PERSON,
    "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {clients.EXPORTER: {}}},
    "commands": COMMANDS,
    "reads": READS,
    "query": "T | take 1",
}


def by_javascript(given: dict[str, Any]) -> dict[str, Any]:
    """What the script answers. Modules are found beside the script, so it runs as a copy."""
    folder = installed.folder()
    script = shutil.copy(Path(__file__).parent / "script.mjs", folder / "script.mjs")
    ran = subprocess.run(["node", script, json.dumps(given)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-4000:]
    return dict(json.loads(ran.stdout))


def by_python(given: dict[str, Any]) -> dict[str, Any]:
    """The same questions asked by the Python SDKs; the script has deleted its role assignment."""
    from azure.kusto.data import KustoClient

    group, cluster, scope = given["group"], given["cluster"], given["scope"]
    with KustoClient(given["kusto"]) as data:

        def table(send: Any, text: str) -> dict[str, Any]:
            [first, *_] = send(DATABASE, text).primary_results
            return {"columns": [[one.column_name, one.column_type] for one in first.columns], "rows": first.raw_rows}

        found: dict[str, Any] = {"tables": {text: table(data.execute_mgmt, text) for text in given["reads"]}}
        found["query"] = table(data.execute_query, given["query"])
        found["queryV1"] = found["query"]  # the Python client knows the second version only
    with clients.kusto(given["arm"]) as kusto, clients.authorization(given["arm"]) as authorization:
        one = kusto.clusters.get(group, cluster)
        block = one.identity
        identity = {
            "type": block.type,
            "principalId": block.principal_id,
            "users": list(block.user_assigned_identities),
        }
        found["cluster"] = [one.name, one.properties.state, one.sku.name, identity]
        found["clusters"] = [each.name for each in kusto.clusters.list_by_resource_group(group)]
        found["databases"] = [[each.name, each.kind] for each in kusto.databases.list_by_cluster(group, cluster)]
        found["members"] = [
            [each.name, each.properties.role, each.properties.aad_object_id]
            for each in kusto.cluster_principal_assignments.list(group, cluster)
        ]
        asked = f"roleName eq '{given['roleName']}'"
        found["definitions"] = [
            [each.name, each.role_name, [part.data_actions for part in each.permissions]]
            for each in authorization.role_definitions.list(scope, filter=asked)
        ]
        found["left"] = list(authorization.role_assignments.list_for_scope(scope, filter="atScope()"))
    return found


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with embed(tmp_path / "sandbox.db", clients.INVENTORY) as opened:
        yield opened


def test_both_see_the_same(sandbox):
    given = {**GIVEN, "kusto": sandbox.kusto[URI], "arm": sandbox.arm}
    seen = by_javascript(given)
    expected = by_python(given)
    grant = [GIVEN["name"], GIVEN["scope"], GIVEN["person"], "User", GIVEN["role"], "from JavaScript"]
    assert seen.pop("assignment") == grant and seen.pop("assignments") == [grant]
    assert seen.pop("refusals") == {
        "syntax": {"status": 400, "code": "BadRequest_SyntaxError"},
        "missing": {"status": 400, "code": "BadRequest_EntityNotFound"},
        "cluster": {"status": 404, "code": "ResourceNotFound"},
        "twice": {"status": 409, "code": "RoleAssignmentExists"},
    }
    assert seen.keys() == expected.keys()
    for name in seen:
        assert seen[name] == expected[name], name
    assert seen["cluster"][3]["users"] == [clients.EXPORTER] and seen["cluster"][3]["principalId"]
    assert all(len(one["rows"]) >= 1 for one in seen["tables"].values())
    counted = tally(installed.TITLE)
    counted.count("writes done by them", len(COMMANDS) + 4)
    counted.count("answers equal to those that the Python SDKs see", len(seen) - 1 + len(READS))
    counted.count("refusals with the service's own codes", 4)


def test_nothing_names_a_registry():
    for name in installed.FILES:
        assert '"resolved"' not in (installed.HERE / name).read_text("utf-8")


@pytest.fixture
def unheard(monkeypatch):
    """What the report would say; it says nothing of what these tests pretend."""
    mine = {}
    monkeypatch.setattr("tests.witness.tally.TALLIES", mine)
    return lambda: [line for _, lines in sections() for line in lines]


@pytest.mark.parametrize("missing", ["node", "npm"])
def test_without_node_the_report_says_so(monkeypatch, unheard, missing):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else found(name) or "/usr/bin/true")
    with pytest.raises(pytest.skip.Exception, match=f"{missing} is not installed"):
        installed.folder()
    assert unheard() == [f"NOT HEARD: {missing} is not installed"]


def test_where_npm_cannot_install_the_report_says_so(monkeypatch, unheard, tmp_path):
    fails = (sys.executable, "-c", "import sys; sys.exit('no network')")
    monkeypatch.setattr(installed, "NPM", fails)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/true")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="could not install"):
        installed.folder()
    assert unheard() == ["NOT HEARD: npm could not install them (no network)"]
    assert list((tmp_path / "share").iterdir()) == []
