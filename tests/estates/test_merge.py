"""Import into a spec that somebody wrote: what was there stays to the letter, what is added changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli

from .raw import CLUSTER, CLUSTER_ID, EXPORTER, LAKE, Feed
from .test_import_laws import estate_of

SPEC = f"""\
# ours since 2024
version: 1
cluster:
  uri: {CLUSTER}
  resourceId: {CLUSTER_ID}
  identities: {{ writer: {EXPORTER} }}  # everybody writes as it
defaults:
  externalTables: {{ kind: storage, dataFormat: csv, folder: Ours, target: lake }}
  continuousExports: {{ managedIdentity: writer, intervalBetweenRuns: 10m, forcedLatency: 2m }}
targets:
  lake: {{ url: "https://flatlake.blob.core.windows.net/archive", auth: impersonate, resourceId: {LAKE} }}
databases:
  Telemetry:
    tables:
      Events: {{ columns: "Timestamp:datetime, Level:string" }}   # fewer columns than there are
    # nothing is exported yet
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    feeds = [Feed(name="A"), Feed(name="B", data_format="csv", place="acl"), Feed(name="C", place="sql")]
    with estate_of(tmp_path, feeds):
        pass
    (tmp_path / "ours.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*argv):
    return cli.main([*argv, "--sandbox-file", "s.db"])


def test_what_is_added_changes_nothing_and_what_was_there_stays(folder, capsys):
    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml") == 0
    assert "added to ours.yaml: 6 entries" in capsys.readouterr().err
    text = Path("ours.yaml").read_text()
    assert text.startswith("# ours since 2024\n")
    for line in SPEC.splitlines():
        if "#" in line:
            assert line.split("#")[1] in text
    assert 'Events: {columns: "Timestamp:datetime, Level:string"}' in text
    assert run("plan", "ours.yaml", "--json") == 0
    assert json.loads(capsys.readouterr().out)["actions"] == []
    assert "forcedLatency:" in text, "a default that the estate does not have is taken back"
    assert "target: lake" in text.partition("databases:")[0], "the spec's own name for the place is used"
    assert "managedIdentity: writer" in text and "exporter:" not in text

    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml") == 0
    assert "0 entries" in capsys.readouterr().err
    assert Path("ours.yaml").read_text() == text


def test_another_cluster_is_refused(folder, capsys):
    assert run("import", "--cluster", "https://other.westeurope.kusto.windows.net", "--merge", "ours.yaml") == 1
    assert "is about https://telemetry" in capsys.readouterr().err
    assert Path("ours.yaml").read_text() == SPEC
