"""Rows of tables: inline ingestion and ingestion from a query, so that a demo has something to export."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kxrecon.sandbox.kusto import permissions, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns
from kxrecon.sandbox.kusto.errors import BadRequest, NotImitated
from kxrecon.sandbox.kusto.evaluate import run as evaluate
from kxrecon.sandbox.kusto.query_syntax import check
from kxrecon.sandbox.kusto.session import Session

_FINER = re.compile(r"\.\d{6}0*[1-9]")
INLINE = columns("ExtentId:guid")
APPENDED = columns("ExtentId:guid, OriginalSize:long, ExtentSize:long, ColumnSize:long, IndexSize:long, RowCount:long")


def cell(text: str, kind: str) -> Any:
    """A CSV cell as a value of the column's type; what does not fit is null, as in Kusto.

    NotImitated for what Kusto would keep more exactly than the sandbox can: it would come out as another value.
    """
    if kind == "string":
        return text
    if not text.strip():
        return None
    try:
        return _READ[kind](text)
    except (ValueError, OverflowError, RecursionError):
        return None


def _held(text: str) -> str:
    if _FINER.search(text):
        raise NotImitated(f"times finer than a microsecond ('{text.strip()}')")
    return text


def _dynamic(text: str) -> Any:
    found = json.loads(text)
    json.dumps(found, allow_nan=False)  # Python reads NaN, which is no JSON
    return found


_READ: Mapping[str, Callable[[str], Any]] = {
    "bool": lambda text: {"true": True, "false": False, "1": True, "0": False}.get(text.strip().lower()),
    "datetime": lambda text: values.moment(_held(text)),
    "decimal": values.decimal,
    "dynamic": _dynamic,
    "guid": lambda text: str(uuid.UUID(text.strip())),
    "int": lambda text: values.whole(int(text), "int"),
    "long": lambda text: values.whole(int(text), "long"),
    "real": float,
    "timespan": lambda text: values.clock(values.whole_micros(values.whole(values.ticks(text), "long"))),
}


def ingest(session: Session, given: dict[str, Any]) -> Answer:
    """``.ingest inline into table T <| csv``."""
    permissions.require(session, permissions.INGEST, "TableIngestInline")
    table = session.get("table", given["table"])
    form = given.get("properties", {}).get("format")
    if form is not None and str(form.value).lower() != "csv":
        raise NotImitated(f"inline ingestion of format '{form.value}'")
    rows = []
    for line in csv.reader(io.StringIO(str(given["input"]).strip("\r\n"))):
        cells = [*line, *[""] * len(table["columns"])]
        if line:
            rows.append([cell(text, kind) for text, (_, kind) in zip(cells, table["columns"], strict=False)])
    return answer(INLINE, [[append(session, given["table"], rows)]])


def append(session: Session, table: str, rows: Sequence[Sequence[Any]]) -> str:
    """Store rows under rising sequences; the new extent's id. The version's minor number rises."""
    first = session.next_sequence(max(1, len(rows)))
    moment = values.iso(session.now)
    for offset, row in enumerate(rows):
        key = (session.uri, session.database, table, f"{first + offset:020}")
        session.store.put("rows", key, {"ingested": moment, "values": list(row)})
    session.raise_version(minor=True)
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{session.uri}{session.database}{table}{first}"))


def append_query(session: Session, given: dict[str, Any]) -> Answer:
    """``.append T <| query`` and its relatives; the table is made from the query's columns where that is meant."""
    permissions.require(session, permissions.USE, "TableAppend")
    name, verb = given["table"], given["append"]
    found = session.find("table", name)
    if found is None and verb == "append":
        session.get("table", name)
    if found is not None and verb == "set":
        raise BadRequest(f"Table '{name}' already exists")
    check(str(given["query"]))
    shape, rows = evaluate(session.store, session.uri, session.database, str(given["query"]))
    if found is None:
        session.fresh("table", name)
        document = {"name": name, "columns": [list(c) for c in shape], "folder": "", "docString": ""}
        found = session.put("table", name, {**document, "created": values.iso(session.now)}, "CREATE-TABLE")
    if [kind for _, kind in shape] != [kind for _, kind in found["columns"]]:
        raise BadRequest(f"The query's columns do not fit table '{name}'")
    if verb == "set-or-replace":
        for key, _ in session.store.all("rows", session.uri, session.database, name):
            session.store.delete("rows", *key)
    extent = append(session, name, rows)
    return answer(APPENDED, [[extent, 0, 0, 0, 0, len(rows)]])


COMMANDS = {"rows_ingest": ingest, "rows_append": append_query}
