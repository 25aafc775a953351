"""What runs leave behind: files with exactly the new rows, artifacts, a cursor that never runs ahead."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from itertools import count

import duckdb
import pytest

from kxrecon.sandbox.scheduler import evaluation, sql_writer, writer
from kxrecon.sandbox.store import Store

from .conftest import PRINCIPAL, SCHEMA, SQL_TARGET, TARGET, URI


def messages(town) -> list[str]:
    return [line.rpartition(",")[2] for line in town.lines()]


def listed(town) -> list[tuple[str, int]]:
    return [(one["path"], one["records"]) for _, one in town.store.all("artifact", URI, "Telemetry", "Job")]


def test_only_rows_ingested_after_creation_are_exported_and_each_of_them_once(town):
    town.rows("before")
    town.healthy()
    town.rows("a", "b")
    assert (town.run().records, messages(town)) == (2, ["a", "b"])
    assert town.run().records == 0
    town.rows("c")
    assert town.run().records == 1
    assert messages(town) == ["a", "b", "c"]
    assert listed(town) == [(f"{TARGET}/Job_1.csv", 2), (f"{TARGET}/Job_2.csv", 1)]


def test_a_run_without_new_rows_succeeds_without_files(town):
    run = town.healthy().run()
    assert (run.succeeded, run.files, town.files()) == (True, (), [])
    assert (town.job()["lastRunResult"], town.job()["exportedTo"]) == ("Completed", None)


def test_exported_to_is_the_ingestion_time_of_the_last_row(town):
    town.healthy().rows("a")
    last = town.store.all("rows")[-1][1]["ingested"]
    town.later(hours=1)
    town.run()
    assert town.job()["exportedTo"] == last


def test_exports_run_when_their_interval_has_passed(town):
    town.healthy().rows("a")
    assert town.tick() == []
    town.later(minutes=5)
    assert [run.records for run in town.tick()] == [1]
    assert town.tick() == []
    town.later(minutes=4)
    assert town.tick(cluster_uri=URI.upper() + "/") == []
    town.later(minutes=1)
    assert town.tick(cluster_uri="https://other.kusto.windows.net") == []
    assert len(town.tick(cluster_uri=URI)) == 1


def test_the_export_that_waited_longest_runs_first(town):
    town.healthy()
    town.do(
        f".create-or-alter continuous-export Second over (Other) to table Archive with (managedIdentity='{PRINCIPAL}', intervalBetweenRuns=1m) <| Other"
    )
    town.change("continuous_export", URI, "Telemetry", "Job", lastRunTime=town.clock.now().isoformat())
    assert [run.export for run in town.tick(force=True)] == ["Second", "Job"]


def test_a_disabled_export_does_not_run_and_catches_up_once_enabled(town):
    town.healthy().do(".disable continuous-export Job")
    town.rows("a")
    assert town.tick(force=True) == []
    town.do(".enable continuous-export Job")
    assert town.run().records == 1


def test_forced_latency_holds_young_rows_back(town):
    town.healthy(more=", forcedLatency=10m").rows("a")
    assert town.run().records == 0
    town.later(minutes=6)
    town.rows("b")
    town.later(minutes=5)
    assert town.run().records == 1
    town.later(minutes=10)
    assert town.run().records == 1
    assert messages(town) == ["a", "b"]


def test_dimension_tables_are_read_whole_in_every_run(town):
    town.rows("dim", table="Other", level="warn")
    query = "Events | join kind=inner (Other | project Level, Name = Message) on Level | project Timestamp, Level, Message = Name"
    town.healthy(query=query)
    town.rows("x", level="warn")
    assert town.run().records == 1
    town.rows("y", level="warn")
    assert town.run().records == 1
    assert messages(town) == ["dim", "dim"]


def test_without_over_every_table_of_the_query_is_a_fact_table(town):
    town.rows("old", table="Other")
    town.healthy(query="union Events, Other", over="")
    town.rows("e")
    town.rows("o", table="Other")
    town.run()
    assert sorted(messages(town)) == ["e", "o"]


def test_stored_functions_are_evaluated(town):
    town.do(".create-or-alter function ForLake(minimum:string) { Events | where Level == minimum }")
    town.healthy(query='ForLake("warn")')
    town.rows("a")
    town.rows("b", level="warn")
    assert (town.run().records, messages(town)) == (1, ["b"])


# ---- crashes


class Crash(BaseException):
    """The process dies."""


@pytest.mark.parametrize("kill_at", range(40))
def test_a_crash_between_any_two_steps_neither_loses_nor_lists_rows_twice(town, monkeypatch, kill_at):
    town.healthy()
    town.external(more="partition by (Day:datetime = startofday(Timestamp))|")
    town.rows("a")
    town.rows("b", day=6)
    steps = count()

    def dying(original):
        def step(*arguments, **options):
            if next(steps) == kill_at:
                raise Crash
            return original(*arguments, **options)

        return step

    with monkeypatch.context() as patch:
        for owner, name in ((Store, "put"), (Store, "get"), (writer, "_create"), (evaluation, "rows")):
            patch.setattr(owner, name, dying(getattr(owner, name)))
        try:
            town.tick(force=True)
        except Crash:
            assert town.job()["cursor"] == town.job()["startCursor"]
            assert listed(town) == []
    town.rows("c", day=7)
    town.tick(force=True)
    kept = {path for path, _ in listed(town)}
    by_path = {
        f"https://contosolake.dfs.core.windows.net/{file.relative_to(town.folder / 'contosolake').as_posix()}": file
        for file in town.files()
    }
    assert sorted(line.rpartition(",")[2] for path in kept for line in by_path[path].read_text().splitlines()) == [
        "a",
        "b",
        "c",
    ]


def test_of_two_runs_at_once_the_slower_one_lists_nothing(town, monkeypatch):
    town.healthy().rows("a")
    original = writer.write

    def slow(*arguments):
        monkeypatch.setattr(writer, "write", original)
        assert town.run().succeeded
        original(*arguments)

    monkeypatch.setattr(writer, "write", slow)
    run = town.run()
    assert (run.succeeded, run.link) == (False, "export")
    assert len(listed(town)) == 1


def test_a_full_disk_is_a_failure_and_the_rows_wait(town, monkeypatch):
    town.healthy().rows("a")
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_create", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert "No space left" in town.run().details
    assert town.store.all("failure")[0][1]["kind"] == "Failure"
    assert town.run().records == 1


def test_a_failure_after_the_first_file_is_partial_and_its_file_is_not_listed(town, monkeypatch):
    town.healthy()
    town.external(more="partition by (L:string = Level)|")
    town.rows("a")
    town.rows("b", level="warn")
    original, calls = writer._create, count()
    with monkeypatch.context() as patch:

        def second_fails(*arguments):
            if next(calls):
                raise OSError(28, "No space left on device")
            return original(*arguments)

        patch.setattr(writer, "_create", second_fails)
        town.run()
    assert town.store.all("failure")[0][1]["kind"] == "PartialFailure"
    assert (len(town.files()), listed(town)) == (1, [])
    assert town.run().records == 2
    assert len(town.files()) == 3  # the file of the failed run stays, and is not written over


# ---- formats


def test_csv_headers_in_every_file_or_in_the_first(town):
    town.healthy()
    partition = "partition by (L:string = Level)|"
    town.external(more=f"{partition}with (includeHeaders='All')")
    town.rows("a")
    town.rows("b", level="warn")
    town.run()
    assert [path.read_text().splitlines()[0] for path in town.files()] == ["Timestamp,Level,Message"] * 2
    town.external(f"{TARGET}/first;impersonate", more=f"{partition}with (includeHeaders='FirstFile')")
    town.rows("a")
    town.rows("b", level="warn")
    town.run()
    texts = [path.read_text() for path in town.files() if "first" in path.parts]
    assert sum(text.startswith("Timestamp") for text in texts) == 1


def test_tsv_quotes_and_encoding(town):
    town.healthy()
    town.external(form="tsv", more="|with (encoding='UTF8BOM', fileExtension='.txt', namePrefix='part-')")
    town.rows("tab\there é")
    town.run()
    (file,) = town.files()
    assert file.name == "part-Job_1.txt"
    assert file.read_bytes() == '\ufeff2026-03-05T10:00:00.0000000Z\tinfo\t"tab\there é"\r\n'.encode()


def test_json_lines_compressed(town):
    town.healthy()
    town.external(form="json", more="|with (compressed=true)")
    town.rows("é")
    town.run()
    (file,) = town.files()
    assert file.name == "Job_1.json.gz"
    line = json.loads(gzip.decompress(file.read_bytes()))
    assert line == {"Timestamp": "2026-03-05T10:00:00.0000000Z", "Level": "info", "Message": "é"}


def test_parquet_has_the_types_of_the_table(town):
    town.healthy()
    town.external(form="parquet", more="|with (compressed=true, compressionType='snappy')")
    town.rows("a", "b")
    town.run()
    (file,) = town.files()
    assert file.name == "Job_1.parquet"
    with duckdb.connect(":memory:") as connection:
        read = connection.execute(f"SELECT Message, typeof(Timestamp) FROM '{file}' ORDER BY 1").fetchall()
        codecs = connection.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{file}')").fetchall()
    assert (read, codecs) == ([("a", "TIMESTAMP"), ("b", "TIMESTAMP")], [("SNAPPY",)])


def test_every_type_arrives_as_kusto_writes_it(town):
    kinds = "b:bool, d:datetime, x:dynamic, g:guid, i:int, l:long, r:real, s:string, t:timespan, c:decimal"
    town.do(f".create table Typed ({kinds})")
    town.healthy()
    town.do(f".create-or-alter external table Archive ({kinds}) kind=storage dataformat=csv (h@'{TARGET};impersonate')")
    town.export(query="Typed", over="over (Typed)")
    guid = "6f0e9c1e-0000-4000-8000-000000000001"
    cells = [
        "true",
        "2026-03-05T10:00:00.1234560Z",
        '"{""a"":[1]}"',
        guid,
        "1",
        "1099511627776",
        "1.5",
        "x",
        "1.02:03:04",
        "1.25",
    ]
    town.do(f".ingest inline into table Typed <| {','.join(cells)}")
    town.do(".ingest inline into table Typed <| ,,,,,,,,,")
    run = town.run()
    assert run.succeeded, run.details
    first, second = town.lines()
    assert first.startswith(
        'True,2026-03-05T10:00:00.1234560Z,"{""a"":[1]}",' + guid + ",1,1099511627776,1.5,x,1.02:03:04,1.25"
    )
    assert second == ",,,,,,,,,"
    for form in ("json", "parquet"):
        town.do(
            f".create-or-alter external table Archive ({kinds}) kind=storage dataformat={form} (h@'{TARGET}/{form};impersonate')"
        )
        town.do(".ingest inline into table Typed <| true,2026-03-05,,,,,,x,,")
        assert town.run().succeeded


def test_files_are_split_by_size(town):
    town.healthy()
    town.change(
        "continuous_export", URI, "Telemetry", "Job", properties={"managedIdentity": PRINCIPAL, "sizeLimit": 100}
    )
    town.rows(*(f"message {number}" for number in range(7)))
    town.run()
    assert [len(path.read_text().splitlines()) for path in town.files()] == [3, 3, 1]


def test_several_connections_share_the_files(town):
    town.healthy()
    town.do(
        f".create-or-alter external table Archive {SCHEMA} kind=storage partition by (L:string = Level) "
        f"dataformat=csv (h@'{TARGET};impersonate', h@'https://contosolake.blob.core.windows.net/archive/more;impersonate')"
    )
    town.rows("a")
    town.rows("b", level="warn")
    hosts = {path.rpartition("/")[0].rpartition("/")[0] for path in town.run().files}
    assert hosts == {TARGET, "https://contosolake.blob.core.windows.net/archive/more"}


# ---- SQL


def test_rows_are_inserted_into_the_sql_table_once(town):
    town.healthy()
    town.do(".drop external table Archive")
    town.do(
        f".create-or-alter external table Archive {SCHEMA} kind=sql table=['dbo.Events'] (h@'{SQL_TARGET};') with (sqlDialect='SqlServer')"
    )
    town.give_sql("INSERT", "UPDATE")
    town.rows("a", "b")
    run = town.run()
    assert (run.succeeded, run.records, run.files) == (True, 2, ("contoso.database.windows.net/dwh/dbo.Events",)), (
        run.details
    )
    assert town.run().records == 0
    rows = town.store.all("sql_row", "contoso.database.windows.net", "dwh", "dbo.Events")
    assert [row["values"]["Message"] for _, row in rows] == ["a", "b"]
    assert town.files() == []


def test_a_missing_sql_table_is_created_if_asked(town):
    town.healthy()
    town.do(".drop external table Archive")
    town.do(
        f".create-or-alter external table Archive {SCHEMA} kind=sql table=Fresh (h@'{SQL_TARGET};') with (createIfNotExists=true, primaryKey='Message')"
    )
    town.give_sql("CREATE TABLE", "ALTER", "INSERT", "UPDATE", level="DATABASE", what="")
    town.rows("a")
    assert town.run().succeeded
    tables = town.store.get("sql_database", "contoso.database.windows.net", "dwh")["tables"]
    assert tables["dbo.Fresh"] == [["Timestamp", "datetime2"], ["Level", "nvarchar(max)"], ["Message", "nvarchar(max)"]]


def test_sql_rows_and_cursor_move_together(town, monkeypatch):
    test_rows_are_inserted_into_the_sql_table_once(town)
    town.rows("c")
    original = sql_writer.insert

    def crash(*arguments):
        original(*arguments)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(sql_writer, "insert", crash)
        with pytest.raises(Crash):
            town.run()
    assert town.run().records == 1
    rows = town.store.all("sql_row", "contoso.database.windows.net", "dwh", "dbo.Events")
    assert [row["values"]["Message"] for _, row in rows] == ["a", "b", "c"]


# ---- seven days


def test_seven_days_of_permanent_failure_disable_the_job(town):
    town.healthy().unassign()
    town.rows("a")
    assert not town.run().succeeded
    town.later(days=6, hours=23)
    assert not town.run().disabled
    town.later(hours=2)
    assert town.run().disabled
    assert (town.job()["isDisabled"], town.job()["disabledBy"]) == (True, "service")
    assert town.store.all("journal")[-1][1]["event"] == "ALTER-CONTINUOUS-EXPORT"
    town.assign()
    assert town.tick(force=True) == []
    town.do(".enable continuous-export Job")
    assert town.run().records == 1


def test_a_success_in_between_starts_the_seven_days_anew(town):
    town.healthy().unassign()
    town.run()
    town.later(days=5)
    town.assign()
    assert town.run().succeeded
    town.unassign()
    town.later(days=4)
    assert not town.run().disabled
    assert not town.job()["isDisabled"]


def test_a_grant_that_is_on_its_way_is_no_permanent_failure_and_heals(town):
    town.healthy().unassign()
    town.assign(effectiveAt=(town.clock.now() + timedelta(minutes=10)).isoformat())
    town.rows("a")
    run = town.run()
    assert (run.succeeded, run.link) == (False, "grant")
    assert "takes effect at" in run.details
    assert town.job()["failingSince"] is None
    town.later(minutes=11)
    assert town.run().records == 1


def test_a_stopped_cluster_records_nothing(town):
    town.healthy().change("cluster", URI, state="Stopped")
    assert town.run().link == "cluster"
    assert town.store.all("failure") == []


def test_failures_are_shown_as_the_service_lists_them(town):
    town.healthy().unassign()
    town.run()
    status, body = town.kusto.handle_management("Telemetry", ".show continuous-export Job failures", {})
    (row,) = body["Tables"][0]["Rows"]
    assert status == 200
    assert row[2:5] == ["Job", None, "Failure"]
    assert "AuthorizationPermissionMismatch" in row[5]
    assert (town.job()["lastRunResult"], town.job()["lastSuccess"]) == ("Failed", None)


def test_what_is_not_imitated_fails_and_says_so(town):
    town.healthy(query="Events | evaluate bag_unpack(dynamic({}))")
    run = town.run()
    assert run.details.startswith("not imitated")
    assert town.job()["failingSince"] is None
