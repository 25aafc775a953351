"""Tables ("learn.microsoft.com, Tables management"): create, merge, alter, rename, drop, show."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from kxrecon.sandbox.kusto import permissions, policies, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, mark
from kxrecon.sandbox.kusto.errors import AlreadyExists, BadRequest, EntityNotFound
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.kusto.values import DOTNET, canonical
from kxrecon.sandbox.store import Document

Schema = Sequence[Sequence[str]]
LIST = columns("TableName:string, DatabaseName:string, Folder:string, DocString:string")
SCHEMA = columns("TableName:string, Schema:string, DatabaseName:string, Folder:string, DocString:string")
DETAILS = columns(
    "TableName:string, DatabaseName:string, Folder:string, DocString:string, TotalExtents:long, TotalExtentSize:real,"
    "TotalOriginalSize:real, TotalRowCount:long, HotExtents:long, HotExtentSize:real, HotOriginalSize:real,"
    "HotRowCount:long, AuthorizedPrincipals:string, RetentionPolicy:string, CachingPolicy:string,"
    "ShardingPolicy:string, MergePolicy:string, StreamingIngestionPolicy:string, IngestionBatchingPolicy:string,"
    "MinExtentsCreationTime:datetime, MaxExtentsCreationTime:datetime, RowOrderPolicy:string, TableId:guid"
)
DROPPED = columns("TableName:string, DatabaseName:string")
ONE = columns(
    "AttributeName:string, AttributeType:string, ExtentSize:long, CompressionRatio:real, IndexSize:long,"
    "IndexSizePercent:real, OriginalSize:long, AttributeId:guid, SharedIndexSize:long, StorageEngineVersion:string"
)


def checked(given: Schema) -> list[list[str]]:
    """Canonical columns; refused when a name repeats."""
    names = [name for name, _ in given]
    if len({*names}) != len(names):
        raise BadRequest("A column name is given twice")
    return [[name, canonical(kind)] for name, kind in given]


def schema_json(name: str, given: Schema, docs: dict[str, str] | None = None) -> str:
    """A schema as the JSON text of column ``Schema``."""
    return mark({"Name": name, "OrderedColumns": ordered(given, docs or {})})


def ordered(given: Schema, docs: dict[str, str]) -> list[dict[str, str]]:
    """Columns as ``OrderedColumns`` lists them."""
    return [
        {"Name": name, "Type": DOTNET[kind], "CslType": kind} | ({"DocString": docs[name]} if name in docs else {})
        for name, kind in given
    ]


def csl(given: Schema) -> str:
    """Columns as ``cslschema`` prints them."""
    return ", ".join(f"{name}:{kind}" for name, kind in given)


def texts(given: dict[str, Any]) -> dict[str, str]:
    """``folder`` and ``docString`` of a property list, as far as given; anything else is refused."""
    known = {"docstring": "docString", "folder": "folder"}
    found = {}
    for name, literal in given.get("properties", {}).items():
        if name.lower() not in known:
            raise BadRequest(f"Property '{name}' is not supported")
        found[known[name.lower()]] = str(literal.value)
    return found


def _new(session: Session, name: str, given: Schema, extra: dict[str, str]) -> Document:
    session.fresh("table", name)
    document = {
        "name": name,
        "columns": checked(given),
        "folder": "",
        "docString": "",
        "created": values.iso(session.now),
        **extra,
    }
    session.put("table", name, document, "CREATE-TABLE")
    permissions.own(session, "table", name)
    return document


def _row(session: Session, document: Document) -> list[Any]:
    docs = document.get("columnDocs") or {}
    schema = schema_json(document["name"], document["columns"], docs)
    return [document["name"], schema, session.database_name, document.get("folder", ""), document.get("docString", "")]


def _one(session: Session, document: Document) -> Answer:
    return answer(SCHEMA, [_row(session, document)])


def _listed(session: Session, documents: Sequence[Document]) -> Answer:
    rows = [[d["name"], session.database_name, d.get("folder") or "", d.get("docString") or ""] for d in documents]
    return answer(LIST, rows)


def create(session: Session, given: dict[str, Any]) -> Answer:
    """An existing name is success and changes nothing, whatever its schema."""
    permissions.require(session, permissions.USE, "TableCreate")
    extra = texts(given)
    columns_given = checked(given["columns"])
    found = session.find("table", given["table"])
    return _one(session, found or _new(session, given["table"], columns_given, extra))


def create_many(session: Session, given: dict[str, Any]) -> Answer:
    """``.create tables``: the same for each."""
    permissions.require(session, permissions.USE, "TablesCreate")
    extra = texts(given)
    made = [session.find("table", n) or _new(session, n, checked(c), extra) for n, c in given["schemas"]]
    return _listed(session, made)


def copy(session: Session, given: dict[str, Any]) -> Answer:
    """``.create table N based-on T``."""
    permissions.require(session, permissions.USE, "TableCreate")
    source = session.get("table", given["name"])
    found = session.find("table", given["table"])
    if found and "ifnotexists" not in given:
        raise AlreadyExists(given["table"], "Table")
    return _one(session, found or _new(session, given["table"], source["columns"], texts(given)))


def _merged(document: Document, given: Schema) -> list[list[str]]:
    """The columns with new ones added at the end; a changed type is refused."""
    known = {name: kind for name, kind in document["columns"]}
    for name, kind in checked(given):
        if known.get(name, kind) != kind:
            raise BadRequest(f"Column '{name}' of table '{document['name']}' is {known[name]}, not {kind}")
    return [*document["columns"], *([n, k] for n, k in checked(given) if n not in known)]


def merge(session: Session, given: dict[str, Any]) -> Answer:
    """``.create-merge table``: create, or add the missing columns."""
    permissions.require(session, permissions.USE, "TableCreateMerge")
    extra = texts(given)
    found = session.find("table", given["table"])
    if found is None:
        return _one(session, _new(session, given["table"], given["columns"], extra))
    permissions.require_entity(session, "table", given["table"], "TableCreateMerge")
    changed = {**found, "columns": _merged(found, given["columns"]), **extra}
    return _one(session, _put(session, changed, found))


def merge_many(session: Session, given: dict[str, Any]) -> Answer:
    """``.create-merge tables``: any mismatch, and nothing is done."""
    permissions.require(session, permissions.USE, "TablesCreateMerge")
    for name, wanted in given["schemas"]:
        found = session.find("table", name)
        _merged(found or {"name": name, "columns": []}, wanted)
    properties = {"properties": given["properties"]} if "properties" in given else {}
    for name, wanted in given["schemas"]:
        merge(session, {"table": name, "columns": wanted, **properties})
    return _listed(session, [session.get("table", name) for name, _ in given["schemas"]])


def _put(session: Session, changed: Document, before: Document, event: str = "ALTER-TABLE") -> Document:
    return before if changed == before else session.put("table", str(changed["name"]), changed, event)


def alter(session: Session, given: dict[str, Any]) -> Answer:
    """Exactly these columns in this order; docstring and folder are overwritten; rows lose dropped columns."""
    found = session.get("table", given["table"])
    permissions.require_entity(session, "table", given["table"], "TableAlter")
    _merged(found, given["columns"])
    extra = {"folder": "", "docString": ""} | texts(given)
    changed = {**found, "columns": checked(given["columns"]), **extra}
    _reshape(session, given["table"], found["columns"], changed["columns"])
    return _one(session, _put(session, changed, found))


def alter_merge(session: Session, given: dict[str, Any]) -> Answer:
    """Adds columns only."""
    found = session.get("table", given["table"])
    permissions.require_entity(session, "table", given["table"], "TableAlterMerge")
    changed = {**found, "columns": _merged(found, given["columns"]), **texts(given)}
    return _one(session, _put(session, changed, found))


def _reshape(session: Session, table: str, old: Schema, new: Schema) -> None:
    names = [name for name, _ in old]
    places = [names.index(name) if name in names else -1 for name, _ in new]
    if places == list(range(len(names))):
        return
    for key, row in session.store.all("rows", session.uri, session.database, table):
        cells = row["values"] + [None] * len(names)
        row["values"] = [cells[place] if place >= 0 else None for place in places]
        session.store.put("rows", key, row)


def text(field: str) -> Any:
    """The command that sets ``folder`` or ``docString`` of a table."""

    def run(session: Session, given: dict[str, Any]) -> Answer:
        found = session.get("table", given["table"])
        permissions.require_entity(session, "table", given["table"], "TableAlter")
        return _one(session, _put(session, {**found, field: given["text"].value}, found))

    return run


def _column_docs(session: Session, given: dict[str, Any], merge_: bool) -> Answer:
    found = session.get("table", given["table"])
    permissions.require_entity(session, "table", given["table"], "TableAlter")
    known = {name for name, _ in found["columns"]}
    for name, _ in given["docs"]:
        if name not in known:
            raise EntityNotFound(name, "Column")
    docs = {**(found.get("columnDocs") or {} if merge_ else {}), **dict(given["docs"])}
    return _one(session, _put(session, {**found, "columnDocs": docs}, found))


def drop_columns(session: Session, given: dict[str, Any]) -> Answer:
    """``.drop table T columns (…)``: irreversible."""
    found = session.get("table", given["table"])
    permissions.require_entity(session, "table", given["table"], "TableColumnsDrop")
    known = [name for name, _ in found["columns"]]
    for name in given["names"]:
        if name not in known:
            raise EntityNotFound(name, "Column")
    left = [column for column in found["columns"] if column[0] not in given["names"]]
    _reshape(session, given["table"], found["columns"], left)
    return _one(session, _put(session, {**found, "columns": left}, found))


def _remove(session: Session, name: str, ifexists: bool) -> None:
    if ifexists and session.find("table", name) is None:
        return
    session.get("table", name)
    permissions.require_entity(session, "table", name, "TableDrop")
    session.remove("table", name, "DROP-TABLE")
    forget(session, "table", name)


def forget(session: Session, kind: str, name: str) -> None:
    """Delete what belonged to a dropped entity: rows, its policies, its roles."""
    places: list[tuple[str, tuple[str, ...]]] = [("role", (session.uri, kind, session.database, name))]
    if kind == "table":
        places += [
            ("rows", (session.uri, session.database, name)),
            ("policy", (session.uri, kind, session.database, name)),
        ]
    for what, prefix in places:
        for key, _ in session.store.all(what, *prefix):
            session.store.delete(what, *key)


def drop(session: Session, given: dict[str, Any]) -> Answer:
    """The answer lists the remaining tables."""
    _remove(session, given["table"], "ifexists" in given)
    return answer(DROPPED, [[d["name"], session.database_name] for d in session.all("table")])


def drop_many(session: Session, given: dict[str, Any]) -> Answer:
    """``.drop tables (…)``."""
    for name in given["tables"]:
        _remove(session, name, "ifexists" in given)
    return answer(DROPPED, [[d["name"], session.database_name] for d in session.all("table")])


def rename(session: Session, given: dict[str, Any]) -> Answer:
    """``.rename table A to B``: continuous exports may miss what moves."""
    return rename_many(session, {"renames": [(given["to"], given["table"], False)]})


def rename_many(session: Session, given: dict[str, Any]) -> Answer:
    """``.rename tables N=O, …``: all at once, so names may be swapped."""
    wanted = [(new, old) for new, old, soft in given["renames"] if not soft or session.find("table", old)]
    moved = {}
    for new, old in wanted:
        document = session.get("table", old)
        permissions.require_entity(session, "table", old, "TableRename")
        moved[new] = ({**document, "name": new}, session.store.all("rows", session.uri, session.database, old))
    for _, old in wanted:
        session.remove("table", old, "RENAME-TABLE")
        forget(session, "table", old)
    for new, (document, rows) in moved.items():
        if session.find("table", new) is not None:
            raise AlreadyExists(new, "Table")
        session.put("table", new, document, "RENAME-TABLE")
        for key, row in rows:
            session.store.put("rows", (session.uri, session.database, new, key[3]), row)
    return _listed(session, session.all("table"))


def _chosen(session: Session, given: dict[str, Any]) -> list[Document]:
    permissions.require(session, permissions.READ, "TablesShow")
    wanted = given.get("tables") or ([given["table"]] if "table" in given else None)
    return [session.get("table", name) for name in wanted] if wanted else session.all("table")


def show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show tables [(…)]``."""
    return _listed(session, _chosen(session, given))


def show_one(session: Session, given: dict[str, Any]) -> Answer:
    """``.show table T``: one row per column."""
    (document,) = _chosen(session, given)
    rows = []
    for name, kind in document["columns"]:
        column = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{document['name']}.{name}"))
        rows.append([name, DOTNET[kind], 0, 0.0, 0, 0.0, 0, column, 0, "10.0.0.0"])
    return answer(ONE, rows)


def as_csl(session: Session, given: dict[str, Any]) -> Answer:
    """``.show table T cslschema``."""
    rows = [[d["name"], csl(d["columns"]), *_row(session, d)[2:]] for d in _chosen(session, given)]
    return answer(SCHEMA, rows)


def as_json(session: Session, given: dict[str, Any]) -> Answer:
    """``.show table T schema as json``."""
    return answer(SCHEMA, [_row(session, d) for d in _chosen(session, given)])


def details(session: Session, given: dict[str, Any]) -> Answer:
    """``.show tables details``: policies are effective ones, inherited from database and cluster."""
    rows = []
    for document in _chosen(session, given):
        name = document["name"]
        count = len(session.store.all("rows", session.uri, session.database, name))
        kept = effective(session, "retention", name)
        hot = effective(session, "caching", name)
        size = [1 if count else 0, 0.0, 0.0, count] * 2
        texts_ = [document.get("folder") or "", document.get("docString") or ""]
        found = session.store.all("role", session.uri, "table", session.database, name)
        people = mark([_authorised(role) for _, role in found])
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{session.uri}{session.database}{name}"))
        rows.append(
            [
                name,
                session.database_name,
                *texts_,
                *size,
                people,
                kept,
                hot,
                *["null"] * 4,
                None,
                None,
                "null",
                identity,
            ]
        )  # noqa: E501
    return answer(DETAILS, rows)


def _authorised(role: Document) -> dict[str, Any]:
    shown = {"User": "AAD User", "Group": "AAD Group"}.get(role["type"], "AAD Application")
    return {
        "Type": shown,
        "DisplayName": role["displayName"],
        "ObjectId": role["objectId"],
        "FQN": role["fqn"],
        "Notes": role.get("notes") or "",
    }


def effective(session: Session, policy: str, table: str) -> str:
    """A policy as it applies to the table: its own, the database's, the cluster's."""
    found = policies.read(session, "table", policy, table) or policies.read(session, "database", policy)
    if found is None and policy == "retention":
        found = {"SoftDeletePeriod": policies.FOREVER, "Recoverability": "Enabled"}
    return "null" if found is None else mark(found)


COMMANDS = {
    "table_create": create,
    "tables_create": create_many,
    "table_copy": copy,
    "table_merge": merge,
    "tables_merge": merge_many,
    "table_alter": alter,
    "table_alter_merge": alter_merge,
    "table_docstring": text("docString"),
    "table_folder": text("folder"),
    "column_docs": lambda session, given: _column_docs(session, given, False),
    "column_docs_merge": lambda session, given: _column_docs(session, given, True),
    "columns_drop": drop_columns,
    "table_drop": drop,
    "tables_drop": drop_many,
    "table_rename": rename,
    "tables_rename": rename_many,
    "tables_show": show,
    "table_show": show_one,
    "table_csl": as_csl,
    "table_json": as_json,
    "tables_details": details,
}
