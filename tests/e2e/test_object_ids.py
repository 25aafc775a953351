"""An export's identity told by its object id: its links are made as for one with a name, and it is never two."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from kxrecon.inventory import inventory
from kxrecon.model import Ref
from tests.e2e.test_fields import COLUMNS, ESTATE
from tests.ground import EXPORTER, ground, pinned, spec_of

STRANGER = "99999999-aaaa-4aaa-8aaa-999999999999"
KNOWN = EXPORTER[:-1] + "1"  # what the ground gives the first identity


def estate(identity: str) -> dict:
    document = deepcopy(ESTATE)
    database = document["databases"]["Telemetry"]
    jobs = database["continuousExports"]
    jobs["Job"]["managedIdentity"] = identity
    jobs["Rows"] = {
        "over": ["Events"],
        "to": "Sql",
        "query": "Events",
        "managedIdentity": identity,
        "intervalBetweenRuns": "1h",
    }
    document["targets"]["carried"] = {
        "url": "https://contosoexport.blob.core.windows.net/carried",
        "auth": "managedIdentity",
        "identity": identity,
    }
    database["externalTables"]["Carried"] = {
        "kind": "storage",
        "columns": COLUMNS,
        "target": "carried",
        "dataFormat": "csv",
    }
    database["roles"] = {"monitors": {"add": [f"aadapp={identity.upper()}"]}}
    return document


@pytest.mark.parametrize("written", [STRANGER, STRANGER.upper()])
def test_the_links_of_a_stranger_are_made_and_its_exports_run(tmp_path, written):
    document = estate(written)
    document["prune"] = {"identities": "all"}
    spec = spec_of(json.dumps(document), tmp_path)
    with ground(tmp_path, spec, inventory(spec)) as opened:
        assert not opened.converge(spec).actions
        opened.ingest("Events", [["2026-01-01T00:00:00Z", "a", 1.0]])
        assert [
            (run.export, run.succeeded, run.records)
            for run in sorted(opened.tick(minutes=90), key=lambda run: run.export)
        ] == [
            ("Job", True, 1),
            ("Rows", True, 1),
        ]
        assert not opened.plan(spec).actions


def test_whoever_has_a_name_in_the_spec_goes_by_it(tmp_path):
    named, numbered = (spec_of(json.dumps(estate(one)), tmp_path, f"{one}.yaml") for one in ("exporter", KNOWN))
    assert Ref("database_role", ("Telemetry", "monitors", f"aadapp={KNOWN}")) in numbered.desired.entities
    document = estate("exporter")
    document["databases"]["Telemetry"]["roles"] = {"monitors": {"add": ["exporter"]}}
    named = spec_of(json.dumps(document), tmp_path, "named.yaml")
    with ground(tmp_path, named) as opened:
        assert not opened.converge(named).actions
        assert not opened.plan(numbered).actions


def test_one_that_is_not_attached_is_said(tmp_path):
    spec = spec_of(json.dumps(estate(STRANGER)), tmp_path)
    world = pinned(inventory(spec))
    world["clusters"][0].pop("identity")
    with ground(tmp_path, spec, world) as opened:
        found = [one for one in opened.plan(spec).findings if STRANGER in one.message]
    assert {(one.kind, one.ref.label) for one in found} == {("unknown", "Telemetry/Job"), ("unknown", "Telemetry/Rows")}
    assert "is not attached to the cluster" in found[0].message and "cluster.identities" in found[0].remedy
