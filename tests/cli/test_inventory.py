"""The bare world of a spec: what it addresses exists, what it wants does not."""

from __future__ import annotations

import pytest

from kxrecon.inventory import inventory
from kxrecon.spec import load

SPEC = """
version: 1
variables: { key: { secret: true } }
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: /subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/g/providers/Microsoft.Kusto/clusters/telemetry
  identities:
    system: true
    exporter: /subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter
principals:
  oncall: aadgroup=6f0e9c1e-0000-4000-8000-000000000001;contoso.com
  ann: aaduser=ann@contoso.com
targets:
  lake: { url: "https://contosolake.dfs.core.windows.net/archive/deep", auth: impersonate }
  fresh: { url: "https://contosolake.blob.core.windows.net/fresh", auth: impersonate, createContainer: true }
  dwh: { server: contoso.database.windows.net, database: Dwh, auth: impersonate }
databases:
  Telemetry:
    roles: { viewers: { add: [ oncall ] } }
    tables: { Own: { columns: "A:string" } }
    externalTables:
      Lake: { kind: storage, target: lake, dataFormat: csv, columns: "A:string, B:long" }
      Sql: { kind: sql, target: dwh, table: dbo.Events, columns: "A:string, B:long" }
    continuousExports:
      ToLake: { over: [ Own, Foreign ], to: Lake, query: Foreign, reads: [ Reference ], managedIdentity: exporter, intervalBetweenRuns: 1h }
"""


@pytest.fixture
def world(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return inventory(load([str(path)]))


def test_the_cluster_holds_databases_and_the_tables_of_others(world):
    (cluster,) = world["clusters"]
    assert cluster["uri"] == "https://telemetry.westeurope.kusto.windows.net"
    assert cluster["databases"] == {
        "Telemetry": {"tables": {"Foreign": {"columns": [["A", "string"], ["B", "long"]]}}},
        "Reference": {"tables": {}},
    }
    assert "identity" not in cluster


def test_accounts_exist_with_the_containers_that_nobody_asked_to_create(world):
    (account,) = world["storageAccounts"]
    assert account == {
        "name": "contosolake",
        "resourceId": "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/sandbox"
        "/providers/Microsoft.Storage/storageAccounts/contosolake",
        "hierarchicalNamespace": True,
        "containers": ["archive"],
    }


def test_sql_tables_exist_unless_the_export_makes_them(world):
    assert world["sqlServers"] == [
        {
            "server": "contoso.database.windows.net",
            "databases": {"Dwh": {"tables": {"dbo.Events": {"columns": [["A", "nvarchar(max)"], ["B", "bigint"]]}}}},
        }
    ]


def test_identities_and_people_exist_and_hold_nothing(world):
    assert [one["resourceId"].rsplit("/", 1)[-1] for one in world["identities"]] == ["exporter"]
    people = {one["displayName"]: one for one in world["principals"]}
    assert people["oncall"]["objectId"] == "6f0e9c1e-0000-4000-8000-000000000001"
    assert people["oncall"]["type"] == "Group"
    assert people["ann"]["upn"] == "ann@contoso.com" and len(people["ann"]["objectId"]) == 36
    assert world["roleAssignments"] == []
