"""Result tables and their JSON: v1 for commands, v2 frames for queries ("learn.microsoft.com, Query response")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite, isnan
from typing import Any

from kxrecon.sandbox.switches import Switches

Columns = tuple[tuple[str, str], ...]
DATA_TYPE = {
    "bool": "SByte",
    "datetime": "DateTime",
    "decimal": "SqlDecimal",
    "dynamic": "Object",
    "guid": "Guid",
    "int": "Int32",
    "long": "Int64",
    "real": "Double",
    "string": "String",
    "timespan": "TimeSpan",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns (name, Kusto type) and rows of JSON values; dynamic cells are plain JSON values."""

    columns: Columns
    rows: list[list[Any]]


def columns(declared: str) -> Columns:
    """Columns from ``"Name:string, Seen:datetime"``."""
    pairs = (part.split(":") for part in declared.split(","))
    return tuple((name.strip(), kind.strip()) for name, kind in pairs)


def answer(declared: Columns, rows: Iterable[Sequence[Any]]) -> Answer:
    """An answer of these columns."""
    return Answer(declared, [list(row) for row in rows])


def mark(text: Any) -> str:
    """Compact JSON text, as Kusto puts it into string columns."""
    return json.dumps(text, separators=(",", ":"), ensure_ascii=False)


def pretty(text: Any) -> str:
    """Indented JSON text, as the columns of continuous exports hold it."""
    return json.dumps(text, indent=2, ensure_ascii=False)


def v1(table: Answer, switches: Switches) -> dict[str, Any]:
    """The answer to a plain command: one table."""
    return {"Tables": [_v1_table("Table_0", table, switches)]}


def v1_query(
    table: Answer, switches: Switches, request_id: str, now: datetime, cursor: str | None = None
) -> dict[str, Any]:
    """The answer to ``.show … | query`` or a query on /v1: data, properties, status, table of contents. ``cursor``:
    what a query with cursor functions is told."""
    told: list[dict[str, Any]] = [{"Visualization": None}, *([{"Cursor": cursor}] if cursor else [])]
    properties = Answer((("Value", "string"),), [[mark(one)] for one in told])
    status = Answer(
        columns(
            "Timestamp:datetime, Severity:int, SeverityName:string, StatusCode:int, StatusDescription:string,"
            "Count:int, RequestId:guid, ActivityId:guid, SubActivityId:guid, ClientActivityId:string"
        ),
        [[now.isoformat(), 4, "Info", 0, "Query completed successfully", 1, NONE, NONE, NONE, request_id]],
    )
    contents = Answer(
        columns("Ordinal:long, Kind:string, Name:string, Id:string, PrettyName:string"),
        [
            [0, "QueryResult", "PrimaryResult", NONE, ""],
            [1, "QueryProperties", "@ExtendedProperties", NONE, ""],
            [2, "QueryStatus", "QueryStatus", NONE, ""],
        ],
    )
    tables = (table, properties, status, contents)
    return {"Tables": [_v1_table(f"Table_{number}", each, switches) for number, each in enumerate(tables)]}


NONE = "00000000-0000-0000-0000-000000000000"


def _v1_table(name: str, table: Answer, switches: Switches) -> dict[str, Any]:
    return {
        "TableName": name,
        "Columns": [
            {"ColumnName": column, "DataType": DATA_TYPE[kind], "ColumnType": kind} for column, kind in table.columns
        ],
        "Rows": _wire(table, switches),
    }


def _wire(table: Answer, switches: Switches) -> list[list[Any]]:
    """Rows with booleans and dynamics in the form that the switches ask for."""
    table = Answer(table.columns, finite(table))
    flags = [i for i, (_, kind) in enumerate(table.columns) if kind == "bool" and switches.bool_wire == "number"]
    texts = [i for i, (_, kind) in enumerate(table.columns) if kind == "dynamic" and switches.dynamic_wire == "text"]
    if not flags and not texts:
        return table.rows
    rows = [list(row) for row in table.rows]
    for row in rows:
        for i in flags:
            row[i] = None if row[i] is None else int(row[i])
        for i in texts:
            row[i] = row[i] if row[i] is None or isinstance(row[i], str) else mark(row[i])
    return rows


def finite(table: Answer) -> list[list[Any]]:
    """Rows as JSON can hold them: of ``real`` cells those that are no number as the texts that Kusto's clients know."""
    reals = [i for i, (_, kind) in enumerate(table.columns) if kind == "real"]
    if all(isfinite(row[i]) for row in table.rows for i in reals if isinstance(row[i], float)):
        return table.rows
    return [[_number(cell) if i in reals else cell for i, cell in enumerate(row)] for row in table.rows]


def _number(cell: Any) -> Any:
    if not isinstance(cell, float) or isfinite(cell):
        return cell
    return "NaN" if isnan(cell) else "Infinity" if cell > 0 else "-Infinity"


def v2(table: Answer, cursor: str | None = None) -> list[dict[str, Any]]:
    """The frames of a query's answer; ``cursor`` as in ``v1_query``."""

    def frame(number: int, kind: str, name: str, content: Answer) -> dict[str, Any]:
        shown = [{"ColumnName": column, "ColumnType": kind} for column, kind in content.columns]
        return {
            "FrameType": "DataTable",
            "TableId": number,
            "TableKind": kind,
            "TableName": name,
            "Columns": shown,
            "Rows": finite(content),
        }

    properties = Answer(columns("TableId:int, Key:string, Value:dynamic"), [[1, "Visualization", None]])
    if cursor:
        properties.rows.append([1, "Cursor", cursor])
    completion = Answer(
        columns("Timestamp:datetime, ClientRequestId:string, Level:int, LevelName:string, StatusCode:int"), []
    )
    return [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        frame(0, "QueryProperties", "@ExtendedProperties", properties),
        frame(1, "PrimaryResult", "PrimaryResult", table),
        frame(2, "QueryCompletionInformation", "QueryCompletionInformation", completion),
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ]
