"""Two targets with ``grant: acl``, one directory above the other: each export gets what it needs, from one entry."""

from __future__ import annotations

import pytest

from kxrecon.testing import open_sandbox

SPEC = """\
version: 1
name: ours
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: /subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry/providers/Microsoft.Kusto/clusters/telemetry
targets:
  upper: { url: "https://contosolake.dfs.core.windows.net/shared", grant: acl, auth: impersonate }
  lower: { url: "https://contosolake.dfs.core.windows.net/shared/team/x", grant: acl, auth: impersonate }
defaults:
  continuousExports: { managedIdentity: system, intervalBetweenRuns: 10m, over: [Events], query: Events }
  externalTables: { kind: storage, dataFormat: csv, columns: "Timestamp:datetime, Level:string" }
databases:
  Telemetry:
    tables: { Events: { columns: "Timestamp:datetime, Level:string" } }
    externalTables: { One: { target: FIRST }, Two: { target: SECOND } }
    continuousExports: { a: { to: One }, b: { to: Two } }
"""


@pytest.mark.parametrize("order", [("lower", "upper"), ("upper", "lower")])
def test_both_exports_run(tmp_path, order):
    with open_sandbox(tmp_path, root=tmp_path) as sandbox:
        text = SPEC.replace("FIRST", order[0]).replace("SECOND", order[1])
        (tmp_path / "s.yaml").write_text(text)
        assert sandbox.apply("s.yaml").converged
        sandbox.ingest("Events", [["2026-03-01T00:00:00Z", "Info"]])
        runs = sandbox.tick("20m")
        assert sorted((run.export, run.succeeded) for run in runs) == [("a", True), ("b", True)]
        assert sandbox.plan("s.yaml").is_empty
        assert sandbox.run("verify", str(tmp_path / "s.yaml")).code == 0
