"""``rotations:`` names what the spec has, and only what fits together."""

from __future__ import annotations

import pytest

from kxrecon.errors import SpecError
from tests.ground import spec_of

ID = "/subscriptions/1/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
TEXT = f"""\
version: 1
cluster: {{ uri: "https://c.kusto.windows.net", identities: {{ exporter: {ID}/a, exporter-old: {ID}/b }} }}
targets:
  lake: {{ url: "https://a.blob.core.windows.net/c", auth: impersonate }}
  dwh: {{ server: s.database.windows.net, database: D, auth: impersonate }}
databases:
  T:
    tables: {{ E: {{ columns: "a:long" }} }}
    externalTables: {{ X: {{ kind: storage, dataFormat: csv, target: lake, columns: "a:long" }} }}
    continuousExports:
      C: {{ over: [E], to: X, query: E, intervalBetweenRuns: 10m, managedIdentity: exporter-old }}
"""


def problems(tmp_path, rotations):
    try:
        return [str(one) for one in spec_of(f"{TEXT}rotations: {rotations}\n", tmp_path).notes]
    except SpecError as error:
        return [str(one) for one in error.problems]


@pytest.mark.parametrize(
    ("rotations", "told"),
    [
        (
            "{ identities: { exportr: { from: exporter-old } } }",
            "unknown identity 'exportr' (did you mean 'exporter'?)",
        ),
        ("{ identities: { exporter: { from: old } } }", "unknown identity 'old' (name it under cluster.identities)"),
        ("{ targets: { lake: { from: lak } } }", "unknown target 'lak' (did you mean 'lake'?)"),
        ("{ targets: { lake: { from: lake } } }", "it takes its own place"),
        ("{ targets: { lake: { from: dwh } } }", "one of 'lake' and 'dwh' is a SQL target"),
        ("{ identities: { exporter: { runs: 2 } } }", "'from' is missing"),
        ("{ identities: { exporter: { from: exporter-old, runs: 0 } } }", "a whole number from 1 to 100"),
        ("{ identities: { exporter: { from: exporter-old, revoke: some } } }", "'some' is not one of none, owned, all"),
    ],
)
def test_a_mistake_is_said_at_its_place(tmp_path, rotations, told):
    found = problems(tmp_path, rotations)
    assert any(told in one and "spec.yaml:12:" in one for one in found), found


def test_what_still_uses_the_old_one_is_noted(tmp_path):
    (note,) = (
        one for one in problems(tmp_path, "{ identities: { exporter: { from: exporter-old } } }") if "note" in one
    )
    assert "T/C: still uses 'exporter-old', which therefore keeps what it needs for it" in note


def test_the_system_identity_may_take_part_without_being_named(tmp_path):
    assert not any("error" in one for one in problems(tmp_path, "{ identities: { system: { from: exporter-old } } }"))
