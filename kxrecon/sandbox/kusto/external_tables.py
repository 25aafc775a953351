"""External tables ("learn.microsoft.com, Create and alter Azure Storage / SQL external tables")."""

from __future__ import annotations

from typing import Any

from kxrecon.sandbox.kusto import connections, permissions, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, mark
from kxrecon.sandbox.kusto.errors import AlreadyExists, BadRequest, EntityNotFound
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.kusto.tables import checked, csl, forget, schema_json
from kxrecon.sandbox.kusto.values import Literal
from kxrecon.sandbox.store import Document

SHOWN = columns(
    "TableName:string, TableType:string, Folder:string, DocString:string, Properties:string,"
    "ConnectionStrings:dynamic, Partitions:dynamic, PathFormat:string"
)
FULL = columns("TableName:string, TableType:string, Folder:string, DocString:string, Schema:string, Properties:string")
SCHEMA = columns("TableName:string, Schema:string, DatabaseName:string, Folder:string, DocString:string")
DETAILS = columns("TableName:string, QueryAccelerationPolicy:string, QueryAccelerationState:string")
ARTIFACTS = columns("Uri:string, Partition:dynamic, Size:long")
TYPES = {"storage": "Blob", "delta": "Delta", "sql": "Sql"}
FORMATS = {
    "multijson": "MultiJson",
    "apacheavro": "ApacheAvro",
    "w3clogfile": "W3CLogFile",
    "azmonstream": "AzMonStream",
    "sohsv": "SOHsv",
}
START = {
    "startofday": "StartOfDay",
    "startofweek": "StartOfWeek",
    "startofmonth": "StartOfMonth",
    "startofyear": "StartOfYear",
    "bin": "Bin",
}
TEXTS = {"folder": "folder", "docstring": "docString"}
STORAGE = {
    "compressed": "compressed",
    "compressiontype": "compressionType",
    "includeheaders": "includeHeaders",
    "nameprefix": "namePrefix",
    "fileextension": "fileExtension",
    "encoding": "encoding",
}
PASSING = {"sampleuris", "filespreview", "validatenotempty", "dryrun"}
SQL = {
    "createifnotexists": "createIfNotExists",
    "primarykey": "primaryKey",
    "firetriggers": "fireTriggers",
    "sqldialect": "sqlDialect",
}
FLAGS = {"compressed", "createifnotexists", "firetriggers"}
CHOICES = {
    "includeheaders": ("All", "FirstFile", "None"),
    "compressiontype": ("gzip", "snappy", "lz4_raw", "brotli", "zstd"),
    "encoding": ("UTF8NoBOM", "UTF8BOM"),
    "sqldialect": ("MySQL", "PostgreSQL", "CosmosDbSql", "SQL", "SqlServer"),
}
LIMIT = 1000


# ---- defining
def _properties(given: dict[str, Literal], known: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Texts (folder, docString) and the kind's own properties; unknown ones are refused."""
    texts: dict[str, str] = {}
    own: dict[str, Any] = {}
    for name, literal in given.items():
        word = name.lower()
        if word in TEXTS:
            texts[TEXTS[word]] = str(literal.value)
        elif word in known:
            own[known[word]] = _value(word, literal)
        elif known is not STORAGE or word not in PASSING:
            raise BadRequest(f"Property '{name}' is not supported by external tables of this kind")
    return texts, own


def _value(word: str, literal: Literal) -> Any:
    if word in FLAGS:
        text = str(literal.value).lower()
        if text not in ("true", "false"):
            raise BadRequest(f"Property '{word}' must be a bool")
        return text == "true"
    for choice in CHOICES.get(word, ()):
        if choice.lower() == str(literal.value).lower():
            return choice
    if word in CHOICES:
        raise BadRequest(f"'{literal.value}' is not a value of property '{word}'")
    return str(literal.value)


def _definition(session: Session, given: dict[str, Any]) -> Document:
    kind = {"blob": "storage", "adl": "storage"}.get(given.get("kind", ""), given.get("kind"))
    kind = kind or ("delta" if "delta" in given else "sql")
    texts, own = _properties(given.get("properties", {}), SQL if kind == "sql" else STORAGE)
    document: Document = {
        "name": given["name"],
        "kind": kind,
        "columns": checked(given.get("columns", [])),
        "folder": "",
        "docString": "",
        "created": values.iso(session.now),
        "properties": own,
        **texts,
    }
    for name, _ in document["columns"]:
        if "*" in name:
            raise BadRequest(f"Column name '{name}' must not contain '*'")
    part = _sql(given, own) if kind == "sql" else _storage(given, document["columns"])
    if own.get("compressionType", "gzip") != "gzip" and part.get("dataFormat", "parquet") != "parquet":
        raise BadRequest(
            f"Compression type '{own['compressionType']}' is for format 'parquet' only; others take 'gzip'"
        )
    return {**document, **part}


def _sql(given: dict[str, Any], own: dict[str, Any]) -> Document:
    connection = connections.sql(given["connection"][0].value)
    if "table" not in given and own.get("sqlDialect") != "CosmosDbSql":
        raise BadRequest("A SQL external table needs the name of its table")
    if own.get("createIfNotExists") and not own.get("primaryKey"):
        raise BadRequest("Property 'createifnotexists' needs property 'primarykey'")
    return {"table": given.get("table", ""), "connection": connection}


def _storage(given: dict[str, Any], columns_: list[list[str]]) -> Document:
    literals = given.get("connections") or given["connection"]
    partitions = given.get("partitions", [])
    types = {name: kind for name, kind in columns_}
    wanted = {"string": "string", "datetime": "datetime", "long": "string"}
    for partition in partitions:
        column = partition["column"]
        if column is not None and types.get(column) != wanted[partition["type"]]:
            raise BadRequest(f"Partition '{partition['name']}' needs a column '{column}' of a fitting type")
    path = [piece for part in given.get("path", []) for piece in (part if isinstance(part[0], list) else [part])]
    _path_checked(path, {partition["name"]: partition["type"] for partition in partitions})
    return {
        "dataFormat": given.get("format", "parquet"),
        "connections": [connections.storage(literal.value) for literal in literals],
        "partitions": partitions,
        "pathFormat": path,
    }


def _path_checked(path: list[list[str]], types: dict[str, str]) -> None:
    """Every partition once, separated by text; datetime_pattern only over datetimes."""
    if not path:
        return
    used = [piece[-1] for piece in path if piece[0] != "text"]
    if sorted(used) != sorted(types):
        raise BadRequest("The path format must use every partition exactly once")
    for piece, following in zip(path, path[1:], strict=False):
        if piece[0] != "text" and following[0] != "text":
            raise BadRequest("Partitions in the path format must be separated by text")
    for piece in path:
        if piece[0] == "datetime_pattern" and types[piece[2]] != "datetime":
            raise BadRequest(f"datetime_pattern needs a datetime partition, '{piece[2]}' is none")


def _allowed(session: Session, document: Document, exists: bool) -> None:
    """Least role: Database User to create, table admin to alter, more where a managed identity is used."""
    if exists:
        permissions.require_entity(session, "external_table", document["name"], "ExternalTableAlter", permissions.QUERY)
    else:
        permissions.require(session, permissions.USE, "ExternalTableCreate")
    if any(c["auth"] == "managed_identity" for c in document.get("connections", [])):
        permissions.require_cluster(session, permissions.CLUSTER_ADMIN, "ExternalTableCreate")
    if document.get("connection", {}).get("auth") == "managed_identity":
        permissions.require(session, permissions.ADMIN, "ExternalTableCreate")


def _write(session: Session, given: dict[str, Any]) -> Document:
    document = _definition(session, given)
    before = session.find("external_table", given["name"])
    _allowed(session, document, before is not None)
    if before is None:
        session.fresh("external_table", given["name"])
        if len(session.all("external_table")) >= LIMIT:
            raise BadRequest(f"A database cannot have more than {LIMIT} external tables")
    elif before["kind"] == "sql" == document["kind"] and before["columns"] != document["columns"]:
        raise BadRequest("The schema of a SQL external table cannot be altered: drop and create it")
    if any(n.lower() == "dryrun" and str(v.value).lower() == "true" for n, v in given.get("properties", {}).items()):
        return document
    event = "ALTER-EXTERNAL-TABLE" if before else "CREATE-EXTERNAL-TABLE"
    session.put("external_table", given["name"], document, event)
    if before is None:
        permissions.own(session, "external_table", given["name"])
    return document


def create(session: Session, given: dict[str, Any]) -> Answer:
    """An existing table is an error."""
    if session.find("external_table", given["name"]) is not None:
        raise AlreadyExists(given["name"], "ExternalTable")
    return answer(SHOWN, [row(session, _write(session, given))])


def alter(session: Session, given: dict[str, Any]) -> Answer:
    """A missing table is an error."""
    session.get("external_table", given["name"])
    return create_or_alter(session, given)


def create_or_alter(session: Session, given: dict[str, Any]) -> Answer:
    """Replaces whatever was there; nothing in storage is touched."""
    document = _write(session, given)
    shown = row(session, document)
    return answer(FULL, [[*shown[:4], csl(document["columns"]), shown[4]]])


def drop(session: Session, given: dict[str, Any]) -> Answer:
    """``.drop external table T [ifexists]``: the dropped table's row."""
    found = session.find("external_table", given["name"])
    if found is None and "ifexists" in given:
        return answer(SHOWN, [])
    found = session.get("external_table", given["name"])
    permissions.require_entity(session, "external_table", given["name"], "ExternalTableDrop", permissions.QUERY)
    session.remove("external_table", given["name"], "DROP-EXTERNAL-TABLE")
    forget(session, "external_table", given["name"])
    return answer(SHOWN, [row(session, found)])


def text(field: str) -> Any:
    """The command that sets ``folder`` or ``docString`` of an external table."""

    def run(session: Session, given: dict[str, Any]) -> Answer:
        found = session.get("external_table", given["name"])
        permissions.require_entity(session, "external_table", given["name"], "ExternalTableAlter", permissions.QUERY)
        changed = {**found, field: given["text"].value}
        return answer(
            SHOWN, [row(session, session.put("external_table", given["name"], changed, "ALTER-EXTERNAL-TABLE"))]
        )

    return run


# ---- showing
def row(session: Session, document: Document) -> list[Any]:
    """An external table as ``.show external tables`` prints it: normalised, masked."""
    head = [document["name"], TYPES[document["kind"]], document["folder"], document["docString"]]
    if document["kind"] == "sql":
        return [*head, mark(_sql_properties(document)), [], [], ""]
    visible = session.switches.impersonate_shown == "visible"
    strings = [connections.shown_storage(c, visible) for c in document["connections"]]
    return [*head, mark(_storage_properties(document)), strings, _partitions(document), path_format(document)]


def _storage_properties(document: Document) -> dict[str, Any]:
    given = document["properties"]
    kind = document["dataFormat"]
    return {
        "Format": FORMATS.get(kind, kind.capitalize()),
        "Compressed": given.get("compressed", False),
        "CompressionType": given.get("compressionType"),
        "FileExtension": given.get("fileExtension"),
        "IncludeHeaders": given.get("includeHeaders", "None"),
        "Encoding": given.get("encoding"),
        "NamePrefix": given.get("namePrefix"),
    }


def _sql_properties(document: Document) -> dict[str, Any]:
    given = document["properties"]
    shown = {
        "TargetEntityKind": "sqltable",
        "TargetEntityName": document["table"],
        "TargetEntityConnectionString": document["connection"]["text"],
        "FireTriggers": given.get("fireTriggers", False),
        "CreateIfNotExists": given.get("createIfNotExists", False),
        "PrimaryKey": given.get("primaryKey"),
    }
    return shown | ({"SqlDialect": given["sqlDialect"]} if "sqlDialect" in given else {})


def _partitions(document: Document) -> list[dict[str, Any]]:
    shown = []
    for ordinal, partition in enumerate(document["partitions"]):
        tail = {"Name": partition["name"], "ColumnName": partition["column"], "Ordinal": ordinal}
        if partition["function"] == "hash":
            shown.append({"Mod": partition["argument"], **tail})
        elif partition["function"] == "bin":
            shown.append({"Function": "Bin", "BinBy": values.clock(partition["argument"]), **tail})
        elif partition["function"]:
            shown.append({"Function": START[partition["function"]], **tail})
        else:
            shown.append(tail)
    return shown


def _quoted(text_: str) -> str:
    escaped = text_.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def path_format(document: Document, space: str = "") -> str:
    """The path format in Kusto's own spacing: none after the comma, one between parts."""
    parts = []
    for piece in document["pathFormat"]:
        if piece[0] == "text":
            parts.append(_quoted(piece[1]))
        elif piece[0] == "name":
            parts.append(piece[1])
        else:
            parts.append(f"datetime_pattern({_quoted(piece[1])},{space}{piece[2]})")
    return " ".join(parts)


def _readable(session: Session) -> None:
    permissions.require(session, permissions.READ, "ExternalTablesShow")


def show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show external tables``."""
    _readable(session)
    return answer(SHOWN, [row(session, document) for document in session.all("external_table")])


def show_one(session: Session, given: dict[str, Any]) -> Answer:
    """``.show external table T``."""
    _readable(session)
    return answer(SHOWN, [row(session, session.get("external_table", given["name"]))])


def details(session: Session, given: dict[str, Any]) -> Answer:
    """``.show external table[s] details``: query acceleration only, never connections."""
    _readable(session)
    found = [session.get("external_table", given["name"])] if "name" in given else session.all("external_table")
    return answer(DETAILS, [[document["name"], "null", "null"] for document in found])


def _schema(session: Session, given: dict[str, Any], text_: Any) -> Answer:
    _readable(session)
    found = session.get("external_table", given["name"])
    return answer(SCHEMA, [[found["name"], text_(found), session.database_name, found["folder"], found["docString"]]])


def artifacts(session: Session, given: dict[str, Any]) -> Answer:
    """``.show external table T artifacts``: the files that exports wrote."""
    permissions.require(session, permissions.USE, "ExternalTableArtifactsShow")
    session.get("external_table", given["name"])
    rows = []
    for export in session.all("continuous_export"):
        if export["externalTable"] == given["name"]:
            found = session.store.all("artifact", session.uri, session.database, export["name"])
            rows += [[d["path"], d.get("partition"), d.get("bytes", 0)] for _, d in found]
    limit = int(str(given["limit"])) if "limit" in given else len(rows)
    return answer(ARTIFACTS, rows[:limit])


def missing(name: str) -> EntityNotFound:
    """The refusal for an external table that a command refers to."""
    return EntityNotFound(name, "ExternalTable")


COMMANDS = {
    "external_create": create,
    "external_alter": alter,
    "external_set": create_or_alter,
    "external_drop": drop,
    "external_docstring": text("docString"),
    "external_folder": text("folder"),
    "externals_show": show,
    "external_show": show_one,
    "externals_details": details,
    "external_details": details,
    "external_csl": lambda session, given: _schema(session, given, lambda d: csl(d["columns"])),
    "external_json": lambda session, given: _schema(session, given, lambda d: schema_json(d["name"], d["columns"])),
    "external_artifacts": artifacts,
}
