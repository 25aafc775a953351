"""kxrecon history: who applied which plan, when, with what result."""

from __future__ import annotations

import json

import pytest

from kxrecon.sandbox.forecast import Event, Rule

from .conftest import both


@both
def test_every_apply_that_did_something_is_there_with_its_plan_and_its_end(team, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    told = team.run("history")
    assert told.code == 0 and "knows of no apply" in told.text
    first = team.plan()
    team.sandbox.run("apply", "--yes")
    team.secret("sv=1&sig=second")
    monkeypatch.setenv("KXRECON_ACTOR", "grace")
    team.apply()
    team.apply()  # nothing to do
    told = team.run("history", "--json")
    assert not told.writes
    runs = json.loads(told.text)["applies"]
    assert [(run["who"].split(" on ")[0], run["result"], run["done"], run["failed"]) for run in runs] == [
        ("ada", "converged", len(first.actions), 0),
        ("grace", "converged", 1, 0),
    ]
    assert runs[0]["plan"] == first.digest and runs[0]["began"] < runs[0]["ended"] < runs[1]["began"]
    lines = team.run("history").text.splitlines()
    assert lines[0].split() == ["when", "took", "who", "plan", "actions", "result"]
    assert lines[1].split()[4:5] == ["ada"] and first.digest[:12] in lines[1] and "converged" in lines[1]
    assert len(team.run("history", "--last", "1").text.strip().splitlines()) == 2


def test_failures_and_other_specs(team):
    team.sandbox.weather(Rule(Event("refused", message="no"), ".create-or-alter continuous-export", chance=1))
    told = team.run("apply", "--yes")
    assert told.code == 1
    team.sandbox.weather()
    (run,) = json.loads(team.run("history", "--json").text)["applies"]
    assert (run["result"], run["failed"]) == ("failed", 1)
    assert "1 failed" in team.run("history").text
    team.spec["name"] = "theirs"
    team.write()
    assert json.loads(team.run("history", "--json").text)["applies"] == []
    assert [one["spec"] for one in json.loads(team.run("history", "--json", "--all").text)["applies"]] == ["ours"]
    assert "ours" in team.run("history", "--all").text


@pytest.mark.parametrize("team", [None], indirect=True)
def test_a_spec_without_a_ledger_is_told_how_to_get_one(team):
    told = team.run("history")
    assert told.code == 1 and "the spec ours has no ledger (put ledger: { file: PATH }" in told.text
    for wrong in ("0", "x", "-1"):
        assert team.run("history", "--last", wrong).code == 1
