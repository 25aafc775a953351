"""Database cursors and ingestion times in queries: right rows, or "not imitated"."""

from __future__ import annotations

import pytest


@pytest.fixture
def filled(kusto):
    """Three batches of rows, one minute apart; the cursor after each."""
    kusto.table()
    kusto.cursors = []
    for batch in ("a", "b", "c"):
        rows = "\n".join(f"2024-01-01,{batch},{number}" for number in range(3))
        kusto.run(f".ingest inline into table Events <| {rows}")
        kusto.cursors.append(one(kusto, "print cursor_current()"))
        kusto.advance(minutes=1)
    return kusto


def answered(kusto, query):
    status, body = kusto.query(query)
    assert status == 200, body["error"]["@message"]
    primary = next(frame for frame in body if frame.get("TableKind") == "PrimaryResult")
    return primary["Rows"]


def one(kusto, query):
    return answered(kusto, query)[0][0]


def levels(kusto, query):
    return sorted({row[1] for row in answered(kusto, query)})


def test_rows_after_and_up_to_a_cursor(filled):
    first, second, third = filled.cursors
    assert int(first) < int(second) < int(third)
    assert levels(filled, f"Events | where cursor_after('{first}')") == ["b", "c"]
    assert levels(filled, f"Events | where cursor_before_or_at('{second}')") == ["a", "b"]
    assert levels(filled, f"Events | where cursor_after('{first}') and cursor_before_or_at(\"{second}\")") == ["b"]
    assert levels(filled, f"['Events']\n| where Message == '1' | where cursor_after('{second}')") == ["c"]
    assert levels(filled, "Events | where cursor_after('') and cursor_before_or_at(cursor_current())") == [
        "a",
        "b",
        "c",
    ]
    assert levels(filled, "Events | where cursor_after(cursor_current())") == []


def test_the_hidden_columns_stay_hidden(filled):
    (row, *_) = answered(filled, "Events | where cursor_after('') | where Level == 'a'")
    assert len(row) == 3
    assert one(filled, f"Events | where cursor_after('{filled.cursors[0]}') | count") == 6
    union = f"union (Events | where cursor_after('{filled.cursors[1]}')), (Events | where Level == 'a') | count"
    assert one(filled, union) == 6


def test_ingestion_times_bound_rows_and_are_shown_under_a_name(filled):
    times = sorted({row[3] for row in answered(filled, "Events | extend When = ingestion_time()")})
    assert len(times) == 3
    later = f"Events | where ingestion_time() > datetime({times[0]})"
    assert levels(filled, later) == ["b", "c"]
    assert levels(filled, f"{later} and cursor_before_or_at('{filled.cursors[1]}')") == ["b"]
    assert levels(filled, f"let since = datetime({times[1]}); Events | where ingestion_time() > since") == ["c"]


def test_functions_bound_rows_too(filled):
    filled.run(f".create-or-alter function Late() {{ Events | where cursor_after('{filled.cursors[1]}') }}")
    assert levels(filled, "Late()") == ["c"]


@pytest.mark.parametrize(
    "query",
    [
        "Events | summarize count() by Level | where cursor_after('1')",
        "Events | extend ingestion_time()",
        "Events | where cursor_after(strcat('1', '2'))",
        "let Events = datatable(Level:string)['x']; Events | where cursor_after('1')",
        "Events | project Level | extend When = ingestion_time()",
    ],
)
def test_elsewhere_they_are_refused_and_never_guessed(filled, query):
    status, body = filled.query(query)
    assert status == 400 and "not imitated by the sandbox" in body["error"]["@message"], body


def test_a_cursor_needs_ingestion_times_and_digits(filled):
    status, body = filled.query("Events | where cursor_after('yesterday')")
    assert status == 400 and "'yesterday' is not a database cursor" in body["error"]["@message"]
    filled.run(".alter table Events policy ingestiontime false")
    status, body = filled.query("Events | where cursor_after('1')")
    assert status == 400 and "IngestionTime policy" in body["error"]["@message"]


def test_now_is_the_sandboxes_time_in_queries_and_behind_pipes(filled):
    """Days pass at once: a filter on the last hour sees none of the rows, and one on the last week all of them."""
    assert len(answered(filled, "Events | where ingestion_time() > ago(1h)")) == 9
    filled.advance(days=5)
    assert answered(filled, "Events | where ingestion_time() > ago(1h)") == []
    assert len(answered(filled, "Events | where ingestion_time() between (ago(7d) .. now())")) == 9
    assert one(filled, "print now()")[:10] == filled.clock.now().isoformat()[:10]
    assert one(filled, "let f = () { now(-1d) }; print f()") < one(filled, "print now()")
    assert filled.run(".show database Telemetry journal | where EventTimestamp > ago(1h)") == []
    assert len(filled.run(".show database Telemetry journal | where EventTimestamp > ago(7d)")) > 0
