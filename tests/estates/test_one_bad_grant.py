"""One grant that a service refuses keeps nobody waiting who does not need it."""

from __future__ import annotations

import pytest

from kxrecon.inventory import inventory
from kxrecon.spec import load
from kxrecon.testing import open_sandbox

HEAD = """\
version: 1
name: ours
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: /subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry/providers/Microsoft.Kusto/clusters/telemetry
"""
SQL = """\
targets: { dwh: { server: contoso.database.windows.net, database: Dwh, auth: impersonate } }
defaults:
  continuousExports: { managedIdentity: system, intervalBetweenRuns: 10m, over: [Events], query: Events }
  externalTables: { kind: sql, target: dwh, columns: "T:datetime, L:string" }
databases:
  Telemetry:
    tables: { Events: { columns: "T:datetime, L:string" } }
    externalTables:
      good: { table: dbo.Good }
      fresh: { table: stage.New, createIfNotExists: true, primaryKey: T }
    continuousExports: { Good: { to: good }, Fresh: { to: fresh } }
"""
PEOPLE = """\
principals:
  jo: "aaduser=jo@contoso.com"
  left: "aaduser=left@contoso.com"
databases: { Telemetry: { roles: { viewers: { add: [jo, left] } } } }
"""


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        yield opened


def spec(sandbox, text):
    path = sandbox.root / "s.yaml"
    path.write_text(HEAD + text)
    return inventory(load([str(path)]))


def test_a_schema_that_is_not_there_stops_only_the_export_that_writes_into_it(sandbox):
    document = spec(sandbox, SQL)
    document["sqlServers"][0]["databases"]["Dwh"]["schemas"] = []
    sandbox.stock({**document, "strict": True})
    told = sandbox.apply("s.yaml")
    assert told.code == 1
    assert "Cannot find the schema 'stage'" in told.text and "Next: make it if it is not there" in told.text
    assert [one.name for one in sandbox.exports()] == ["Good"]


def test_the_bare_sandbox_has_the_schema_that_a_spec_addresses(sandbox):
    spec(sandbox, SQL)
    assert sandbox.apply("s.yaml").converged


def test_somebody_whom_the_directory_does_not_know_keeps_nobody_else_out(sandbox):
    document = spec(sandbox, PEOPLE)
    document["principals"] = [one for one in document["principals"] if one.get("upn") != "left@contoso.com"]
    sandbox.stock({**document, "strict": True})
    assert sandbox.apply("s.yaml").code == 1
    shown = str(sandbox.kql(".show database ['Telemetry'] principals", "Telemetry"))
    assert "jo" in shown and "left" not in shown
