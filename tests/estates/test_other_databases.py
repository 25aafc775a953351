"""The identity gets a role on every database that the query reads, by whatever functions, and keeps it."""

from __future__ import annotations

import pytest

from kxrecon.testing import open_sandbox

SPEC = """\
version: 1
name: ours
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: /subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry/providers/Microsoft.Kusto/clusters/telemetry
targets: { lake: { url: "https://contosolake.blob.core.windows.net/archive", auth: impersonate } }
databases:
  Ref: { tables: { R: { columns: "L:string" } } }
  Ref2: { tables: { R: { columns: "L:string" } } }
  Telemetry:
    tables: { Events: { columns: "T:datetime, L:string" } }
    FUNCTIONS
    externalTables:
      Archive: { kind: storage, dataFormat: csv, target: lake, columns: "T:datetime, L:string" }
    continuousExports:
      E: { over: [Events], to: Archive, managedIdentity: system, intervalBetweenRuns: 10m, query: "QUERY" }
"""
G = """functions: { G: { body: 'Events | lookup database("Ref").R on L | project T, L' } }"""


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        yield opened


def spec(sandbox, query, functions=""):
    (sandbox.root / "s.yaml").write_text(SPEC.replace("QUERY", query).replace("FUNCTIONS", functions))


def role_on(database):
    return f"create database_role {database}/viewers/system"


@pytest.mark.parametrize("query", ["G", "['G']()", "G()"])
def test_a_function_without_brackets_or_in_quotes(sandbox, query):
    spec(sandbox, query, G)
    assert role_on("Ref") in sandbox.plan("s.yaml").actions
    assert sandbox.apply("s.yaml").converged
    sandbox.ingest("R", [["x"]], "Ref")
    sandbox.ingest("Events", [["2026-03-01T00:00:00Z", "x"]])
    assert [run.succeeded for run in sandbox.tick("20m")] == [True]


def test_databases_that_only_functions_of_the_cluster_name(sandbox):
    """They are read in the same plan: a role that is there is not planned for ever."""
    spec(sandbox, "Events")
    assert sandbox.apply("s.yaml").converged
    sandbox.kql('.create function F() { database("Ref2").R }', "Ref")
    spec(sandbox, "Events | lookup database('Ref').F() on L | project T, L")
    path = sandbox.root / "s.yaml"
    path.write_text(path.read_text().replace('  Ref2: { tables: { R: { columns: "L:string" } } }\n', ""))
    assert {role_on("Ref"), role_on("Ref2")} <= set(sandbox.plan("s.yaml").actions)
    assert sandbox.apply("s.yaml").converged
    assert sandbox.plan("s.yaml").is_empty
    assert sandbox.run("verify", str(path)).code == 0


def test_what_cannot_be_told_is_said_by_plan_lint_and_verify(sandbox):
    spec(sandbox, "let d = strcat('Re', 'f'); Events | lookup database(d).R on L | project T, L")
    told = "not known: database(d) names no database that can be told here"
    assert f"note: warning KX132: {told}" in sandbox.plan("s.yaml").findings
    sandbox.apply("s.yaml")
    path = str(sandbox.root / "s.yaml")
    assert f"KX132: Telemetry/E: {told}" in sandbox.run("lint", path, "--connected").text
    assert "unknown" in sandbox.run("verify", path, "--whole").text
    assert sandbox.run("verify", path, "--strict").code == 1
