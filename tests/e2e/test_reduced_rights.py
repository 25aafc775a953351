"""A caller who sees the cluster's data plane and nothing of Azure: what is not known is told as that, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli
from tests.ground import SPECS

SPEC = str(SPECS / "quickstart.yaml")


@pytest.fixture
def without_arm(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        return cli.main([*argv]), *capsys.readouterr()

    world = json.loads(run("sandbox", "inventory", SPEC)[1])
    caller = {"objectId": "99999999-0000-4000-8000-000000000001", "displayName": "pipeline", "type": "ServicePrincipal"}
    world["caller"] = {**caller, "roles": ["AllDatabasesAdmin"]}
    Path("world.json").write_text(json.dumps(world))
    return lambda verb: run(verb, SPEC, "--sandbox", "--inventory", "world.json")


def test_an_export_waits_for_what_is_blocked_and_says_so(without_arm):
    code, out, _ = without_arm("plan")
    assert code == 0
    assert (
        "continuous_export Telemetry/ArchiveEvents: waits for external_table Telemetry/EventsArchive, which is blocked"
        in out
    )
    assert "handed over" not in out


def test_what_cannot_be_read_is_no_absence(without_arm):
    code, out, _ = without_arm("verify")
    assert code == 2
    assert "the object id of 'system' could not be read (denied: " in out and "has no object id yet" not in out
    assert "not reached: no such export is seen" in out
