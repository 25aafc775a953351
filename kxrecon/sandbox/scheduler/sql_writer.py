"""Inserts a run's rows into the sandbox's SQL database, creating the table where that was asked for.

Rows are kept as ``sql_row`` (server, database, table, number): ``{"values": {column: value}}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kxrecon.sandbox.kusto.values import canonical
from kxrecon.sandbox.scheduler.cells import as_json
from kxrecon.sandbox.scheduler.sql_links import table
from kxrecon.sandbox.scheduler.verdicts import Subject

TYPES = {
    "bool": "bit",
    "datetime": "datetime2",
    "decimal": "decimal(38,19)",
    "guid": "uniqueidentifier",
    "int": "int",
    "long": "bigint",
    "real": "float",
}


def insert(subject: Subject, rows: Sequence[Sequence[Any]]) -> tuple[str, int]:
    """Add the rows; answers the table's address and the bytes inserted. Called inside the run's transaction."""
    store, target = subject.world.store, table(subject)
    columns = [(str(name), canonical(str(kind))) for name, kind in subject.target()["columns"]]
    name = target.full
    if not target.exists:
        document = store.get("sql_database", target.server, target.database) or {}
        made = [[column, TYPES.get(kind, "nvarchar(max)")] for column, kind in columns]
        tables = {**(document.get("tables") or {}), name: made}
        store.put("sql_database", (target.server, target.database), {**document, "tables": tables})
    number = len(store.all("sql_row", target.server, target.database, name))
    size = 0
    for row in rows:
        number += 1
        values = {column: as_json(value) for (column, _), value in zip(columns, row, strict=True)}
        size += len(str(values))
        store.put("sql_row", (target.server, target.database, name, f"{number:020}"), {"values": values})
    return f"{target.server}/{target.database}/{name}", size
