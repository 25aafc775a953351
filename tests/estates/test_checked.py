"""``grants: check`` reports what nobody makes; what the spec states or another export has made is planned."""

from __future__ import annotations

import pytest

from kxrecon.testing import open_sandbox

GROUP = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry"
HEAD = f"""\
version: 1
name: ours
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: {GROUP}/providers/Microsoft.Kusto/clusters/telemetry
"""
BODY = """\
targets: {{ lake: {{ url: "https://contosolake.{wire}.core.windows.net/archive", auth: impersonate{target} }} }}
defaults:
  continuousExports: {{ managedIdentity: system, intervalBetweenRuns: 10m, over: [Events], to: Archive, query: Events }}
databases:
  Telemetry:
    tables: {{ Events: {{ columns: "Timestamp:datetime, Level:string" }} }}
    externalTables:
      Archive: {{ kind: storage, dataFormat: csv, target: lake, columns: "Timestamp:datetime, Level:string" }}
    continuousExports: {{ {exports} }}
"""
STATED = """\
    managedIdentityPolicy: { system: [AutomatedFlows] }
    roles: { viewers: { add: [system] } }
"""


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        yield opened


def spec(sandbox, exports, *, head="", body="", target="", wire="blob"):
    text = HEAD + head + BODY.format(exports=exports, target=target, wire=wire) + body
    (sandbox.root / "s.yaml").write_text(text)


def withheld(planned):
    assert planned.code == 0, planned.text
    return [one for one in planned.findings if one.startswith(("handover", "blocked"))]


@pytest.mark.parametrize("others", ["First: {}", "Zero: {}, Off: { grants: 'off' }"])
def test_what_another_export_has_made_is_planned(sandbox, others):
    spec(sandbox, f"{others}, Second: {{ grants: check }}")
    assert withheld(sandbox.plan("s.yaml")) == []
    assert sandbox.apply("s.yaml").converged


@pytest.mark.parametrize(
    "stated",
    [STATED, STATED.replace("viewers", "admins"), STATED.replace("AutomatedFlows", "All")],
    ids=["itself", "a wider role", "a wider usage"],
)
def test_what_the_spec_states_is_planned(sandbox, stated):
    spec(sandbox, "A: { grants: check }", head="  identities: { system: true }\n", body=stated, target=", grant: none")
    assert withheld(sandbox.plan("s.yaml")) == []
    assert sandbox.apply("s.yaml").converged


def test_what_nobody_makes_is_reported(sandbox):
    spec(sandbox, "A: { grants: check }", head="  identities: { system: true }\n")
    planned = sandbox.plan("s.yaml")
    found = withheld(planned)
    assert len([one for one in found if "is missing, and Telemetry/A needs it (grants: check)" in one]) == 3
    assert "create cluster_identity system" in planned.actions
    assert not any("continuous_export" in one for one in planned.actions)


def test_an_entry_that_is_too_narrow_is_reported(sandbox):
    """Another directory below gave ``--x`` where this one needs ``rwx``."""
    below = 'a: { url: "https://contosolake.dfs.core.windows.net/archive/x", grant: acl, auth: impersonate }'
    spec(sandbox, "A: {}", target=", grant: acl", wire="dfs")
    path = sandbox.root / "s.yaml"
    text = path.read_text().replace("targets: { lake", f"targets: {{ {below}, lake")
    path.write_text(text.replace("target: lake", "target: a"))
    assert sandbox.apply("s.yaml").converged
    spec(sandbox, "A: { grants: check }", target=", grant: acl", wire="dfs")
    assert any("is not as it has to be, and Telemetry/A needs it" in one for one in withheld(sandbox.plan("s.yaml")))


def test_only_the_export_that_needs_more_of_an_entry_waits(sandbox):
    spec(sandbox, "A: { to: Below }, B: { grants: check }", target=", grant: acl", wire="dfs")
    path = sandbox.root / "s.yaml"
    below = 'a: { url: "https://contosolake.dfs.core.windows.net/archive/x", grant: acl, auth: impersonate }'
    table = 'Below: { kind: storage, dataFormat: csv, target: a, columns: "Timestamp:datetime, Level:string" }'
    text = path.read_text().replace("targets: { lake", f"targets: {{ {below}, lake")
    path.write_text(text.replace("    externalTables:\n", f"    externalTables:\n      {table}\n"))
    planned = sandbox.plan("s.yaml")
    (found,) = withheld(planned)
    assert "acl_entry contosolake.dfs.core.windows.net/archive///system is not as it has to be" in found
    assert "create continuous_export Telemetry/A" in planned.actions
    assert "create continuous_export Telemetry/B" not in planned.actions
