"""``kxrecon lint`` and the verbs that show its findings, as people and pipelines see them."""

from __future__ import annotations

import json

import pytest

from kxrecon import cli
from kxrecon.lint import rules
from tests.lint.case import Case

TAKE = {"export": {"query": "Events | take 10"}}
WRONG = {"export": {"query": "Events | project Level, Timestamp"}}


@pytest.fixture
def run(tmp_path, call, monkeypatch):
    monkeypatch.setenv("KXRECON_VAR_password", "x")
    monkeypatch.chdir(tmp_path)

    def run(verb, data, *argv):
        Case(data).spec(tmp_path)
        return call(verb, "spec.yaml", *argv)

    return run


def silence(**more):
    return {**TAKE, "spec": {"silence": [{"rule": "KX112", **more, "reason": "a sample is what they want"}]}}


def test_a_silence_has_a_reason_and_stays_visible(run):
    code, out, _ = run("lint", silence(entity="Telemetry/Job"), "--strict")
    assert code == 0 and "silenced KX112: Telemetry/Job" in out and "(a sample is what they want)" in out
    assert "no findings, 1 silenced." in out
    assert run("lint", silence(entity="Telemetry/Other"), "--strict")[0] == 1
    assert run("lint", silence(), "--strict")[0] == 0


def test_the_verb_fails_on_errors_only(run):
    code, out, _ = run("lint", TAKE)
    assert code == 0 and "spec.yaml:" in out and "warning KX112: Telemetry/Job" in out and "1 warning." in out
    assert run("lint", TAKE, "--strict")[0] == 1
    code, out, _ = run("lint", WRONG, "--json")
    document = json.loads(out)
    assert code == 1 and document["findings"][0]["code"] == "KX101" and document["findings"][0]["line"] > 1
    assert document["unchecked"] == []
    assert "| error KX101 |" in run("lint", WRONG, "--markdown")[1]


def test_the_list_in_other_forms(capsys):
    assert cli.main(["lint", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["rules"]
    assert [one["code"] for one in found] == [one.code for one in rules()]
    assert {"code": "KX117", "connected": True}.items() <= found[[one["code"] for one in found].index("KX117")].items()
    assert cli.main(["lint", "--list", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "|---|---|---|---|" and len(lines) == 2 + len(found)


def test_the_list(capsys):
    assert cli.main(["lint", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(rules())
    assert cli.main(["lint"]) == 1


def test_validate_shows_the_findings_and_fails_on_errors(run):
    code, out, _ = run("validate", TAKE)
    assert code == 0 and "warning: Telemetry/Job: KX112" in out and "valid" in out and "1 warning" in out
    code, out, err = run("validate", WRONG)
    assert code == 1 and "error: Telemetry/Job: KX101" in out and "kxrecon: 1 error" in err
    assert run("validate", {**WRONG, "spec": {"silence": [{"rule": "KX101", "reason": "known"}]}})[0] == 0


def test_validate_tells_of_a_fact_table_without_ingestion_times(run):
    data = {"spec": {"databases": {"Telemetry": {"tables": {"Events": {"ingestionTimePolicy": False}}}}}}
    code, out, _ = run("validate", data)
    assert code == 1 and "KX110 fact table 'Events' keeps no ingestion times" in out


def test_validate_as_json_says_what_is_an_error(run):
    code, out, _ = run("validate", WRONG, "--json")
    document = json.loads(out)
    assert code == 1 and document["valid"] is False
    assert [one["severity"] for one in document["problems"]] == ["error"]


def test_a_plan_knows_what_is_on_the_cluster(run):
    """Offline a table of another tool is no finding; a plan has read what is there."""
    data = {"export": {"query": "union Events, Nowhere"}}
    assert run("validate", data)[0] == 0
    code, out, _ = run("plan", data, "--sandbox")
    assert code == 0 and "KX102 'Nowhere' is neither a table nor a function of Telemetry" in out
    assert "1 wrong" in out and "Wrong (the service would refuse it" in out
