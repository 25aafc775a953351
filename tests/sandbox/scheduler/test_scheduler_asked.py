"""``.export to table``: really evaluated, checked link by link, followed as an operation on the sandbox's clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kxrecon.sandbox import switches
from kxrecon.sandbox.kusto.service import KustoService
from kxrecon.sandbox.scheduler import export
from tests.sandbox.scheduler.conftest import ARCHIVE, PRINCIPAL, SQL_TARGET, URI


@pytest.fixture
def asked(town):
    """A town whose ``.export`` writes files; ``send`` gives status and first table as dicts (or the error)."""
    folder = town.folder
    town.kusto = KustoService(town.store, town.clock, URI, lambda session, one: export(session, one, folder))

    def send(command: str, caller=None):
        status, body = town.kusto.handle_management("Telemetry", command, {}, caller)
        if status != 200:
            return status, body["error"]["@message"]
        table = body["Tables"][0]
        names = [column["ColumnName"] for column in table["Columns"]]
        return status, [dict(zip(names, row, strict=True)) for row in table["Rows"]]

    town.send = send
    return town


def started(town, command: str) -> str:
    status, rows = town.send(command)
    assert status == 200, rows
    return rows[0]["OperationId"]


def operation(town, identity: str):
    return town.send(f".show operations {identity}")[1][0]


def test_it_writes_what_the_query_gives(asked):
    asked.external()
    asked.rows("a", "b")
    asked.rows("c", level="error")
    status, rows = asked.send(".export to table Archive <| Events | where Level == 'error'")
    assert status == 200
    assert [(row["ExternalTableName"], row["NumRecords"]) for row in rows] == [("Archive", 1)]
    assert rows[0]["Path"].startswith("https://contosolake.dfs.core.windows.net/archive/events/")
    assert asked.lines() == ["2026-03-05T10:00:00.0000000Z,error,c"]


def test_it_is_bounded_by_cursors_and_ingestion_times(asked):
    asked.external()
    asked.rows("a")
    asked.healthy()
    asked.rows("b")
    start = asked.job()["startCursor"]
    assert asked.send(f".export to table Archive <| Events | where cursor_before_or_at('{start}')")[0] == 200
    assert asked.run().records == 1
    assert sorted(line[-1] for line in asked.lines()) == ["a", "b"]


def test_an_async_export_is_in_progress_until_its_time_is_over(asked):
    asked.external()
    asked.rows("a")
    switches.save(asked.store, replace(switches.load(asked.store), export_seconds=90))
    identity = started(asked, ".export async to table Archive <| Events")
    assert operation(asked, identity)["State"] == "InProgress"
    status, refused = asked.send(f".show operation {identity} details")
    assert status == 400 and "did not complete (state: InProgress)" in refused
    asked.later(seconds=91)
    ended = operation(asked, identity)
    assert (ended["State"], ended["Duration"]) == ("Completed", "00:01:30")
    (row,) = asked.send(f".show operation {identity} details")[1]
    assert (row["ExternalTableName"], row["NumRecords"]) == ("Archive", 1)
    asked.later(hours=7)
    assert asked.send(f".show operations {identity}")[1] == []
    assert len(asked.send(".show operations")[1]) == 1


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("Events | evaluate bag_unpack(Message)", "not imitated"),
        ("Events | where Nothing == 1", "Nothing"),
        ("Events | project Timestamp", "schema does not match"),
        ('cluster("other").database("X").T', "other clusters"),
    ],
)
def test_what_cannot_run_is_a_failed_operation_and_no_row(asked, query, told):
    asked.external()
    asked.rows("a")
    failed = operation(asked, started(asked, f".export async to table Archive <| {query}"))
    assert failed["State"] == "Failed" and told in failed["Status"]
    assert asked.files() == []
    status, refused = asked.send(f".export to table Archive <| {query}")
    assert status == 400 and told in refused


def test_the_caller_writes_where_the_table_impersonates(asked):
    """Somebody with roles needs the role on the data; who may do everything in this sandbox does not."""
    asked.external()
    asked.rows("a")
    somebody = {"objectId": PRINCIPAL, "displayName": "somebody", "type": "User", "roles": ["AllDatabasesAdmin"]}
    asked.store.put("meta", ("caller",), somebody)
    status, refused = asked.send(".export to table Archive <| Events", somebody)
    assert status == 400 and "the caller has no role" in refused
    asked.assign(scope=ARCHIVE)
    assert asked.send(".export to table Archive <| Events", somebody)[0] == 200


def test_a_managed_identity_of_the_table_needs_its_usage_and_its_grant(asked):
    asked.external(f"https://contosolake.dfs.core.windows.net/archive/events;managed_identity={PRINCIPAL}")
    asked.rows("a")
    assert "usage 'ExternalTable'" in asked.send(".export to table Archive <| Events")[1]
    asked.allow("ExternalTable")
    assert "was denied: (403)" in asked.send(".export to table Archive <| Events")[1]
    asked.assign()
    assert asked.send(".export to table Archive <| Events")[0] == 200


def test_it_takes_an_admin_of_the_external_table(asked):
    asked.external()
    asked.viewer(role="users", who="aadapp=99999999-1111-4000-8000-000000000009")
    user = {"objectId": "99999999-1111-4000-8000-000000000009", "displayName": "user", "type": "User", "roles": []}
    status, refused = asked.send(".export to table Archive <| Events", user)
    assert status == 403 and "ExportToTable" in refused


def test_properties_are_those_of_the_documentation(asked):
    asked.external()
    status, refused = asked.send(".export to table Archive with (managedIdentity='system') <| Events")
    assert status == 400 and "'managedIdentity' is not supported" in refused
    assert asked.send(".export to table Archive with (sizeLimit=104857600, distributed=false) <| Events")[0] == 200
    assert asked.send(".export to table Archive with (sizeLimit=5) <| Events")[0] == 400


def test_rows_go_into_a_sql_database_too(asked):
    asked.do(
        f".create external table Sql (Timestamp:datetime, Level:string, Message:string) kind=sql table=Events ('{SQL_TARGET}')"
    )
    asked.rows("a", "b")
    status, rows = asked.send(".export to table Sql <| Events")
    assert (status, [row["NumRecords"] for row in rows]) == (200, [2])
    assert len(asked.store.all("sql_row")) == 2
