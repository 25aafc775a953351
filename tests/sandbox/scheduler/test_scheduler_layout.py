"""Directories of partitions, date patterns, hashes, references of queries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kxrecon.sandbox.kusto.errors import NotImitated
from kxrecon.sandbox.scheduler.layout import directories, pattern
from kxrecon.sandbox.scheduler.references import reads
from kxrecon.sandbox.scheduler.xxhash64 import bucket, digest

from .conftest import TARGET, URI

WHEN = datetime(2026, 3, 5, 14, 7, 9, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("yyyy/MM/dd", "2026/03/05"),
        ("yyyyMMdd", "20260305"),
        ("yy-M-d H:m:s", "26-3-5 14:7:9"),
        ("'year='yyyy'/month='MM", "year=2026/month=03"),
        ("HH'h' hh tt", "14h 02 PM"),
        ("MMM MMMM ddd dddd fff", "Mar March Thu Thursday 123"),
        (r"\d\/", "d/"),
    ],
)
def test_date_patterns(text, shown):
    assert pattern(text, WHEN) == shown


def test_unknown_specifiers_are_not_guessed():
    with pytest.raises(NotImitated):
        pattern("zzz", WHEN)


def test_the_hash_is_the_documented_one():
    assert digest(b"") == 0xEF46DB3751D8E999
    assert digest(b"World") == 1846988464401551951
    assert bucket("World", 100) == 51
    assert bucket(datetime(2015, 1, 1, tzinfo=UTC), 10**19) == 1380966698541616202


def test_the_hash_of_long_input_uses_all_lanes():
    # the published check value of this sentence
    assert digest(b"Nobody inspects the spammish repetition") == 0xFBCEA83C8A378BF1


def partition(name, kind, function=None, column=None, argument=None, of=None):
    return {"name": name, "type": kind, "function": function, "column": column, "argument": argument, "columnType": of}


ROW = {"T": "2026-03-05T14:07:09Z", "S": "a/b c", "N": None, "Dots": "..", "Text": "x", "Empty": ""}


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (partition("P", "datetime", "startofday", "T"), "2026/03/05"),
        (partition("P", "datetime", "startofweek", "T"), "2026/03/01"),
        (partition("P", "datetime", "startofmonth", "T"), "2026/03"),
        (partition("P", "datetime", "startofyear", "T"), "2026"),
        (partition("P", "datetime", "bin", "T", 36_000_000_000), "2026/03/05/14"),
        (partition("P", "datetime", "bin", "T", 864_000_000_000), "2026/03/05"),
        (partition("P", "datetime", "bin", "T", 600_000_000), "2026/03/05/14/07"),
        (partition("P", "string", None, "Text"), "x"),
        (partition("P", "string", None, "S"), "a%2Fb c"),
        (partition("P", "string", None, "Dots"), "%2E%2E"),
        (partition("P", "string", None, "Empty"), "__DEFAULT_PARTITION__"),
        (partition("P", "string", None, "N"), "__DEFAULT_PARTITION__"),
        (partition("P", "datetime", "startofday", "N"), "__DEFAULT_PARTITION__"),
        (partition("P", "long", "hash", "Text", 10), str(bucket("x", 10))),
    ],
)
def test_default_directories(one, shown):
    assert directories([one], None, ROW) == shown


def test_path_formats_join_texts_names_and_patterns():
    parts = [partition("Id", "long", "hash", "Text", 10), partition("Day", "datetime", "startofday", "T")]
    spelled = [["text", "id="], ["name", "Id"], ["text", "/dt="], ["datetime_pattern", "yyyyMMdd", "Day"]]
    assert directories(parts, spelled, ROW) == f"id={bucket('x', 10)}/dt=20260305"
    assert directories(parts, None, ROW) == f"{bucket('x', 10)}/2026/03/05"


def test_virtual_columns_are_not_guessed():
    with pytest.raises(NotImitated):
        directories([partition("P", "string")], None, ROW)


def test_files_lie_where_the_path_format_says(town):
    town.healthy()
    town.external(
        more='partition by (Lvl:string = Level, Day:datetime = startofday(Timestamp)) pathformat=("level=" Lvl "/" datetime_pattern("yyyy/MM/dd", Day))|'
    )
    town.rows("a")
    town.rows("b", day=6)
    town.rows("c", level="warn")
    assert sorted(town.run().files) == [
        f"{TARGET}/level=info/2026/03/05/Job_1.csv",
        f"{TARGET}/level=info/2026/03/06/Job_1.csv",
        f"{TARGET}/level=warn/2026/03/05/Job_1.csv",
    ]
    assert {path.relative_to(town.folder).as_posix() for path in town.files()} == {
        f"contosolake/archive/events/level={rest}/Job_1.csv"
        for rest in ("info/2026/03/05", "info/2026/03/06", "warn/2026/03/05")
    }


@pytest.mark.parametrize("escape", ["/../../../out", "/%2e/../../.."])
def test_no_file_leaves_the_folder(town, escape, tmp_path):
    town.healthy()
    town.external(f"{TARGET}{escape};impersonate")
    town.rows("a")
    run = town.run()
    assert (run.succeeded, run.link) == (False, "export")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_name_prefix_is_no_path(town):
    town.healthy()
    town.external(more="|with (namePrefix='../../x')")
    town.rows("a")
    assert not town.run().succeeded
    assert town.files() == []


@pytest.mark.parametrize(
    ("query", "tables", "databases"),
    [
        ("Events", {("Telemetry", "Events")}, {"Telemetry"}),
        ("['Events'] | take 1", {("Telemetry", "Events")}, {"Telemetry"}),
        ("Events | extend Other = 1", {("Telemetry", "Events")}, {"Telemetry"}),
        ("union Events, Other", {("Telemetry", "Events"), ("Telemetry", "Other")}, {"Telemetry"}),
        ("let Other = 5; Events | where 1 < Other", {("Telemetry", "Events")}, {"Telemetry"}),
        ('// Other\nprint "Other", @"Events"', set(), {"Telemetry"}),
        ('table("Events")', {("Telemetry", "Events")}, {"Telemetry"}),
        (
            'Events | lookup (database("REF").Levels) on Level',
            {("Telemetry", "Events"), ("Ref", "Levels")},
            {"Telemetry", "Ref"},
        ),
        ("database('Ref').['Levels']", {("Ref", "Levels")}, {"Telemetry", "Ref"}),
        ("F()", {("Telemetry", "Events"), ("Ref", "Levels")}, {"Telemetry", "Ref"}),
        ("Loop", set(), {"Telemetry"}),
    ],
)
def test_references(town, query, tables, databases):
    town.do('.create function G() { Events | join (database("Ref").Levels) on Level }')
    town.do(".create function F() { G() }")
    town.do(".create function with (skipvalidation=true) Loop() { Loop() }")
    found = reads(town.store, URI, "Telemetry", query)
    assert (found.tables, found.databases) == (tables, databases)


def test_clusters_and_missing_databases_are_named(town):
    found = reads(town.store, URI, "Telemetry", 'union cluster("x").database("Ref").Levels, database("Gone").T')
    assert (found.clusters, found.missing, found.databases) == ({"x"}, {"Gone"}, {"Telemetry"})
