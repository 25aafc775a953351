"""Rows that come in and go out: whatever a cell holds, the table can be queried afterwards, and the answer is JSON."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.sandbox.kusto.evaluate import DUCK
from tests.sandbox.kusto.conftest import Kusto

ODD = (
    "not-a-guid",
    "99999999999999999999",
    "3000000000",
    "-1",
    "0001-01-01",
    "nan",
    "-inf",
    "{",
    "1.10",
    "1d",
)


def strict(body):
    """The body as a client reads it, which knows no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(json.dumps(body), parse_constant=refuse)


def asked(kusto, query):
    status, body = kusto.query(query)
    assert status == 200, body
    return strict(body)[2]["Rows"]


@pytest.mark.parametrize("kind", sorted(DUCK))
def test_a_malformed_cell_is_null_and_not_the_end_of_the_table(kusto, kind):
    kusto.run(f".create table Z (c:{kind})")
    for text in ODD:
        kusto.run(f".ingest inline into table Z <| {text}")
    assert len(asked(kusto, "Z")) == len(ODD)
    assert asked(kusto, "Z | count") == [[len(ODD)]]


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(DUCK)), text=st.text(string.printable.replace("\r", "") + "éß\u2028", min_size=1))
def test_any_cell_can_be_read_back(kind, text):
    kusto = Kusto()
    kusto.run(f".create table Z (c:{kind})")
    status, _ = kusto.send(f".ingest inline into table Z <| {text}")
    assert status in (200, 400)
    asked(kusto, "Z")


def test_numbers_that_are_none_travel_as_texts(kusto):
    kusto.run(".create table Z (c:real)")
    for text in ("nan", "1e999", "-1e999", "1.5"):
        kusto.run(f".ingest inline into table Z <| {text}")
    assert asked(kusto, "Z") == [["NaN"], ["Infinity"], ["-Infinity"], [1.5]]
    status, body = kusto.service.handle_query("Telemetry", "Z", {}, None, version=1)
    assert status == 200 and strict(body)["Tables"][0]["Rows"][0] == ["NaN"]


def test_the_first_moment_keeps_its_four_digits(kusto):
    kusto.run(".create table Z (c:datetime)")
    kusto.run(".ingest inline into table Z <| 0001-01-01")
    assert asked(kusto, "Z") == [["0001-01-01T00:00:00.0000000Z"]]


def test_a_query_with_cursor_functions_is_told_the_cursor(kusto):
    kusto.table()
    kusto.run(".ingest inline into table Events <| 2024-01-01,a,b")
    _, body = kusto.query("Events | where cursor_after('')")
    ((_, key, cursor),) = [row for row in body[1]["Rows"] if row[1] == "Cursor"]
    assert key == "Cursor" and int(cursor) > 0
    _, body = kusto.service.handle_query("Telemetry", "print c=cursor_current()", {}, None, version=1)
    (now,) = body["Tables"][0]["Rows"][0]
    assert {"Cursor": now} in [json.loads(row[0]) for row in body["Tables"][1]["Rows"]]
    _, body = kusto.query("Events")
    assert [row[1] for row in body[1]["Rows"]] == ["Visualization"]


def test_the_frames_of_an_answer_are_those_of_the_documentation(kusto):
    kusto.table()
    _, frames = kusto.query("Events")
    assert frames[0] == {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"}
    assert frames[-1] == {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}
    assert [frame["TableKind"] for frame in frames[1:-1]] == [
        "QueryProperties",
        "PrimaryResult",
        "QueryCompletionInformation",
    ]
    _, body = kusto.service.handle_query("Telemetry", "Events", {}, None, version=1)
    assert [row[1:3] for row in body["Tables"][-1]["Rows"]] == [
        ["QueryResult", "PrimaryResult"],
        ["QueryProperties", "@ExtendedProperties"],
        ["QueryStatus", "QueryStatus"],
    ]
