"""Values of every type, from inline ingestion to query answers and to files of every format: the same value, or a
refusal, never a neighbour of it."""

from __future__ import annotations

import csv
import io
import json

import duckdb
import pytest

from kxrecon.sandbox.kusto.errors import NotImitated
from kxrecon.sandbox.kusto.rows import cell

COLUMNS = "B:bool, T:datetime, D:decimal, Y:dynamic, G:guid, I:int, L:long, R:real, S:string, P:timespan"
WRITTEN = [
    *("true", "2026-01-01T00:00:00.123456Z", "1.10", '{"a":0.1,"b":9007199254740993}'),
    *("ABCDEF00-0000-4000-8000-0000000000AB", "-2147483648", "9007199254740993", "0.1", 'a "quoted", text', "1.02:03:04.5"),
]  # fmt: skip
EXACT = {
    "B": True,
    "T": "2026-01-01T00:00:00.1234560Z",
    "D": "1.1",
    "Y": {"a": 0.1, "b": 9007199254740993},
    "G": "abcdef00-0000-4000-8000-0000000000ab",
    "I": -2147483648,
    "L": 9007199254740993,
    "R": 0.1,
    "S": 'a "quoted", text',
    "P": "1.02:03:04.5000000",
}


@pytest.fixture
def filled(town):
    """An export of every type, ready to run, with one row that waits for it."""
    town.do(f".create table Facts ({COLUMNS})")
    town.healthy()
    town.do(".drop external table Archive")
    return town


def exported(town, form: str) -> str:
    target = "https://contosolake.dfs.core.windows.net/archive/events;impersonate"
    town.do(f".create external table Archive ({COLUMNS}) kind=storage dataformat={form} (h@'{target}')")
    town.export("Facts", "over (Facts)")
    line = io.StringIO()
    csv.writer(line).writerow(WRITTEN)
    town.do(f".ingest inline into table Facts <| {line.getvalue()}")
    assert town.run().records == 1
    (file,) = town.files()
    return str(file)


def test_queries_over_http_answer_the_value_that_was_ingested(filled):
    exported(filled, "csv")
    status, frames = filled.kusto.handle_query("Telemetry", "Facts", {})
    assert status == 200
    table = frames["Tables"][0] if isinstance(frames, dict) else frames[2]
    assert dict(zip(EXACT, json.loads(json.dumps(table["Rows"]))[0], strict=True)) == EXACT


def test_json_lines_hold_it(filled):
    with open(exported(filled, "json"), encoding="utf-8") as file:
        assert json.load(file) == EXACT


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_delimited_files_hold_it(filled, form, delimiter):
    with open(exported(filled, form), encoding="utf-8", newline="") as file:
        (row,) = csv.reader(file, delimiter=delimiter)
    texts = {**EXACT, "B": "True", "Y": '{"a":0.1,"b":9007199254740993}'}
    assert row == [str(value) for value in texts.values()]


def test_parquet_holds_it(filled):
    file = exported(filled, "parquet")
    with duckdb.connect(":memory:") as connection:
        (row,) = connection.execute(
            f"SELECT * REPLACE (strftime(T, '%Y-%m-%dT%H:%M:%S.%f0Z') AS T) FROM '{file}'"
        ).fetchall()
    found = dict(zip(EXACT, row, strict=True))
    assert {**found, "Y": json.loads(found["Y"])} == EXACT


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("1.10", "1.1"), ("0.1", "0.1"), ("-0.00000000000000001", "-0.00000000000000001"), ("1e3", "1000"), ("-0", "0"),
        ("123456789012345678901.5", "123456789012345678901.5"), ("007", "7"), ("x", None), ("NaN", None), ("", None),
    ],
)  # fmt: skip
def test_decimals_never_pass_through_a_binary_fraction(town, text, exact):
    assert cell(text, "decimal") == exact
    town.do(".create table Facts (D:decimal)")
    town.do(f'.ingest inline into table Facts <| "{text}"')
    status, body = town.kusto.handle_query("Telemetry", "Facts | extend E = D", {})
    assert (status, body[2]["Rows"][0] if isinstance(body, list) else body["Tables"][0]["Rows"][0]) == (
        200,
        [exact] * 2,
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0.123456789012345678", "decimal"), ("1e25", "decimal"),
        ("2026-01-01T00:00:00.1234567Z", "datetime"), ("00:00:00.1234567", "timespan"), ("1tick", "timespan"),
    ],
)  # fmt: skip
def test_what_it_cannot_keep_exactly_is_refused(text, kind):
    with pytest.raises(NotImitated):
        cell(text, kind)


def test_a_decimal_s_literal_is_refused_because_the_evaluation_would_take_a_binary_fraction(town):
    status, body = town.kusto.handle_query("Telemetry", "print X = decimal(0.1) + decimal(0.2)", {})
    assert (status, body["error"]["code"]) == (400, "NotImitated")


@pytest.mark.parametrize("query", ["T | project X / 3", "T | summarize avg(X)", "T | extend Y = tostring(X)"])
def test_what_would_give_a_decimal_other_digits_is_refused(town, query):
    town.do(".create table T (X:decimal, N:long)")
    town.do(".ingest inline into table T <| 1.10,1")
    status, body = town.kusto.handle_query("Telemetry", query, {})
    assert (status, body["error"]["code"]) == (400, "NotImitated")
    assert town.kusto.handle_query("Telemetry", query.replace("X", "N"), {})[0] == 200
