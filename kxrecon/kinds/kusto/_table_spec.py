"""An external table between spec and entity: what ``desire`` reads, and ``describe`` writes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kxrecon import kql, sql_names
from kxrecon.kinds.kusto import _connections, _layout, _sql_connection
from kxrecon.kinds.kusto._draft import Draft, nearest, one_of
from kxrecon.model import Entity, Hidden, Value
from kxrecon.scope import Scope

EXPORTED = ("csv", "tsv", "json", "parquet")
COMPRESSIONS = ("gzip", "snappy", "lz4_raw", "brotli", "zstd")
HEADERS = ("All", "FirstFile", "None")
ENCODINGS = ("UTF8NoBOM", "UTF8BOM")
DIALECTS = ("MySQL", "PostgreSQL", "CosmosDbSql")
_TEXTS = ("folder", "docString", "namePrefix", "fileExtension", "primaryKey")
_FLAGS = ("compressed", "createIfNotExists", "fireTriggers")
STORAGE_ONLY = (
    *("path", "dataFormat", "partitions", "pathFormat", "compressed", "compressionType"),
    *("includeHeaders", "namePrefix", "fileExtension", "encoding"),
)
SQL_ONLY = ("table", "createIfNotExists", "primaryKey", "fireTriggers", "sqlDialect")


def columns_of(draft: Draft, doc: Mapping[str, Any]) -> kql.Columns:
    """The columns of a spec entry; none, with a problem, if they are missing or wrong."""
    source = doc.get("columns")
    try:
        found = kql.columns(source) if isinstance(source, str | Mapping) else ()
    except ValueError as error:
        draft.wrong(str(error), "columns")
        return ()
    if not found:
        draft.wrong("an external table needs columns", "columns", remedy='such as "Timestamp:datetime, Level:string"')
    draft.fields["columns"] = found
    return found


def read(draft: Draft, doc: Mapping[str, Any], scope: Scope) -> None:
    """Fill the draft from a spec entry."""
    kind = one_of(str(doc.get("kind") or "storage"), ("storage", "sql"))
    if kind is None:
        draft.wrong(f"unknown kind '{doc['kind']}'", "kind", remedy=nearest(str(doc["kind"]), ("storage", "sql")))
        return
    draft.fields["kind"] = kind
    columns = columns_of(draft, doc)
    draft.text(doc, "folder", "docString")
    target = _target(draft, doc, kind, scope)
    if kind == "sql":
        _read_sql(draft, doc, target, scope)
    else:
        _read_storage(draft, doc, target, scope)
        _read_layout(draft, doc, columns)


def _target(draft: Draft, doc: Mapping[str, Any], kind: str, scope: Scope) -> Mapping[str, Any] | None:
    """The entry of ``targets`` that the table names, if it fits the table's kind."""
    name = doc.get("target")
    if doc.get("connections"):
        return None
    if name is None:
        draft.wrong("where to? state target: or connections:", remedy="name an entry of targets:")
        return None
    target = scope.targets.get(str(name))
    if target is None:
        draft.wrong(f"unknown target '{name}'", "target", remedy=nearest(str(name), tuple(scope.targets)))
        return None
    draft.attributes["target"] = str(name)
    if ("server" in target.doc) != (kind == "sql"):
        other = "a SQL" if "server" in target.doc else "a storage"
        draft.wrong(f"'{name}' is {other} target, but the table is kind: {kind}", "target")
        return None
    return target.doc


def _read_storage(draft: Draft, doc: Mapping[str, Any], target: Mapping[str, Any] | None, scope: Scope) -> None:
    found: tuple[_connections.Connection, ...] = ()
    if doc.get("connections"):
        found = _connections.from_strings(draft, doc["connections"], scope)
    elif target is not None:
        one = _connections.from_target(draft, target, str(doc.get("path") or ""), scope)
        found = (one,) if one else ()
    draft.fields["connections"] = found
    if any(one["uri"].startswith(_connections.RETIRED) for one in found) and not doc.get("allowRetired"):
        remedy = "move to Data Lake Storage Gen2 (https://ACCOUNT.dfs.core.windows.net/…), or set allowRetired: true"
        at = "connections" if doc.get("connections") else "target"
        draft.wrong("Azure Data Lake Storage Gen1 (adl://) was retired on 29 February 2024", at, remedy=remedy)
    for name in SQL_ONLY:
        if doc.get(name) is not None:
            draft.wrong(f"{name} belongs to kind: sql", name)


def _read_layout(draft: Draft, doc: Mapping[str, Any], columns: kql.Columns) -> None:
    if doc.get("dataFormat") is None:
        draft.wrong("dataFormat is missing", "dataFormat", remedy=f"use one of: {', '.join(EXPORTED)}")
    draft.choice(doc, "dataFormat", EXPORTED)
    draft.choice(doc, "compressionType", COMPRESSIONS)
    draft.choice(doc, "includeHeaders", HEADERS)
    draft.choice(doc, "encoding", ENCODINGS)
    draft.text(doc, "namePrefix", "fileExtension")
    draft.flag(doc, "compressed")
    fields = draft.fields
    if fields.get("compressionType") not in (None, "gzip") and fields.get("dataFormat") not in (None, "parquet"):
        message = f"compressionType {fields['compressionType']} is for parquet only"
        draft.wrong(message, "compressionType", remedy="gzip")
    partitions = None
    if doc.get("partitions") is not None:
        partitions = fields["partitions"] = _layout.desired_partitions(draft, doc["partitions"], columns)
    if doc.get("pathFormat") is not None:
        fields["pathFormat"] = _layout.desired_path(draft, str(doc["pathFormat"]), partitions)


def _read_sql(draft: Draft, doc: Mapping[str, Any], target: Mapping[str, Any] | None, scope: Scope) -> None:
    if doc.get("connections"):
        draft.fields["connection"] = _sql_connection.from_string(draft, doc["connections"][0], scope)
        if len(doc["connections"]) > 1:
            draft.wrong("a SQL table has one connection", "connections", 1)
    elif target is not None:
        draft.fields["connection"] = _sql_connection.from_target(draft, target, scope)
    draft.choice(doc, "sqlDialect", DIALECTS)
    draft.text(doc, "primaryKey")
    draft.flag(doc, "createIfNotExists", "fireTriggers")
    fields = draft.fields
    if doc.get("table") is not None:
        fields["table"] = table_name(str(doc["table"]), fields.get("sqlDialect"))
    elif fields.get("sqlDialect") != "CosmosDbSql":
        draft.wrong("table is missing: the SQL table to write to", "table", remedy="such as dbo.Events")
    columns = tuple(name for name, _ in fields.get("columns", ()))
    if fields.get("createIfNotExists") and not fields.get("primaryKey"):
        draft.wrong("createIfNotExists needs primaryKey", "createIfNotExists", remedy="primaryKey: COLUMN")
    elif fields.get("primaryKey") and columns and fields["primaryKey"] not in columns:
        message = f"primaryKey '{fields['primaryKey']}' is no column"
        draft.wrong(message, "primaryKey", remedy=nearest(fields["primaryKey"], columns))
    for name in STORAGE_ONLY:
        # ``defaults`` lay dataFormat under every table, so its presence says nothing about this one.
        if name != "dataFormat" and doc.get(name) is not None:
            draft.wrong(f"{name} belongs to kind: storage", name)


def table_name(name: str, dialect: Value) -> str:
    """A table's name in one spelling; only SQL Server's, because quotes mean something else elsewhere."""
    return sql_names.canonical(name) if dialect is None else name


def write(entity: Entity) -> dict[str, Any]:
    """The spec entry of an entity; what could not be read is left out."""
    fields = {name: value for name, value in entity.fields.items() if not isinstance(value, Hidden)}
    doc: dict[str, Any] = {"kind": fields["kind"]}
    if "columns" in fields:
        doc["columns"] = ", ".join(f"{_layout.plain_name(name)}:{kind}" for name, kind in fields["columns"])
    if "connections" in fields:
        doc["connections"] = [_connections.describe(one) for one in fields["connections"]]
        if any(str(one["uri"]).startswith(_connections.RETIRED) for one in fields["connections"]):
            doc["allowRetired"] = True
    if "connection" in fields:
        doc["connections"] = [_sql_connection.describe(fields["connection"])]
    if "partitions" in fields:
        doc["partitions"] = [_layout.describe_partition(one) for one in fields["partitions"]]
    for name in ("dataFormat", "pathFormat", "compressionType", "includeHeaders", "encoding", "table", "sqlDialect"):
        if fields.get(name) is not None:
            doc[name] = fields[name]
    for name in _TEXTS:
        if name in fields:
            doc[name] = fields[name] or ""
    doc.update({name: fields[name] for name in _FLAGS if name in fields})
    return doc
