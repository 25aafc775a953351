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
    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml", "--auth", "impersonate") == 0
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

    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml", "--auth", "impersonate") == 0
    assert "0 entries" in capsys.readouterr().err
    assert Path("ours.yaml").read_text() == text


def test_another_cluster_is_refused(folder, capsys):
    assert run("import", "--cluster", "https://other.westeurope.kusto.windows.net", "--merge", "ours.yaml") == 1
    assert "is about https://telemetry" in capsys.readouterr().err
    assert Path("ours.yaml").read_text() == SPEC


def test_what_is_masked_is_not_put_on_a_target_that_says_how_to_get_in(folder, capsys):
    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["added"] and told["authUnknown"] == ["archive", "landing"], told
    text = Path("ours.yaml").read_text()
    assert text.count("auth: unknown") == 2 and "target: archive" in text
    assert run("plan", "ours.yaml", "--json") == 0
    assert json.loads(capsys.readouterr().out)["actions"] == []


BARE = f"version: 1\nname: team\ncluster: {{ uri: '{CLUSTER}' }}\ndatabases: {{}}\n"


def test_the_id_of_the_cluster_goes_with_what_needs_it(folder, capsys):
    Path("m.yaml").write_text(BARE)
    assert run("import", "--cluster", CLUSTER, "--merge", "m.yaml", "--auth", "impersonate") == 0
    text = Path("m.yaml").read_text()
    assert f"resourceId: {CLUSTER_ID}" in text and "exporter:" in text
    capsys.readouterr()
    assert run("plan", "m.yaml", "--detailed-exitcode") == 0, capsys.readouterr().out


def test_options_that_do_not_go_with_a_spec_that_is_there_are_refused(folder, capsys):
    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml", "--name", "other") == 1
    assert "--name is for a new spec" in capsys.readouterr().err
    assert Path("ours.yaml").read_text() == SPEC


def test_without_the_id_of_the_cluster_its_identities_are_unknown_and_nothing_is_sent_for_them(folder, capsys):
    """What is there is recognised all the same, by the identity's own resource."""
    assert run("import", "--cluster", CLUSTER, "--merge", "ours.yaml", "--auth", "impersonate") == 0
    text = Path("ours.yaml").read_text()
    Path("ours.yaml").write_text(text.replace(f"  resourceId: {CLUSTER_ID}\n", "", 1))
    capsys.readouterr()
    for manage in ("apply", "check"):
        Path("how.yaml").write_text(f"extends: [ ours.yaml ]\nname: ours\nmanage: {{ arm: {manage} }}\n")
        assert run("plan", "how.yaml", "--json") == 0
        plan = json.loads(capsys.readouterr().out)
        assert plan["actions"] == [], plan["actions"]
        assert not {one["kind"] for one in plan["findings"]} & {"wrong", "blocked", "handover"}, plan["findings"]
        (told,) = [one["message"] for one in plan["findings"] if one["kind"] == "unknown"]
        assert "the spec has no cluster.resourceId, so nobody can look: state it" in told
