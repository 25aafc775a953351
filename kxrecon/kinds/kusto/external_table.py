"""External tables: where exports write, ``kind=storage`` and ``kind=sql``.

Source: learn.microsoft.com, Create and alter Azure Storage external tables; Create and alter SQL
external tables; Show external tables.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from kxrecon import kql
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.kusto import _connections, _layout, _reads, _sql_connection, _table_spec
from kxrecon.kinds.kusto._cells import (
    bool_cell,
    cells,
    json_cell,
    json_key,
    list_cell,
    needed_cell,
    schema_columns,
    schema_section,
    text_cell,
)
from kxrecon.kinds.kusto._draft import Draft, one_of
from kxrecon.model import (
    HIDDEN,
    Answers,
    Change,
    Entity,
    Failure,
    Gap,
    Hazard,
    Hidden,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    Request,
    State,
    Step,
    Table,
    Text,
    Value,
)
from kxrecon.scope import Scope

KIND = "external_table"
PLANE: Plane = "kusto"
SECTION = ("databases", "*", "externalTables", "*")
ABSENT = ("BadRequest_EntityNotFound",)
WRITE_ONLY = True  # what follows the address of its connection strings

_PROPERTIES = {
    "storage": ("compressed", "compressionType", "includeHeaders", "namePrefix", "fileExtension", "encoding"),
    "sql": ("createIfNotExists", "primaryKey", "fireTriggers", "sqlDialect"),
}
_SHARED = ("folder", "docString")


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """The table of one entry of ``externalTables``."""
    database, table = name
    draft = Draft(Ref(KIND, (database, table)), ("databases", database, "externalTables", table))
    _table_spec.read(draft, doc or {}, scope)
    return draft.result()


def describe(entity: Entity) -> Any:
    """The entry of ``externalTables``, with its connections written out."""
    return _table_spec.write(entity)


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """Tables and, because ``.show external tables`` has none, their columns from the database's schema."""
    for database in _databases(scope):
        yield _reads.external_tables(database)
        yield _reads.schema_json(database)


def shown(database: str) -> Read:
    """What shows the external tables of a database."""
    return _reads.external_tables(database)


def _databases(scope: Scope) -> Iterator[str]:
    """Databases whose external tables matter: declared ones, and those that exports write to."""
    for database in scope.databases:
        section = ("databases", database)
        if (*section, "externalTables") in scope.declared or (*section, "continuousExports") in scope.declared:
            yield database


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """External tables of every database that was asked."""
    for database in _databases(scope):
        answer = answers.get(_reads.external_tables(database))
        if isinstance(answer, Failure):
            yield Gap(KIND, (database,), answer)
        elif isinstance(answer, Table):
            schema = schema_section(answers.get(_reads.schema_json(database)), database, "ExternalTables")
            yield from _observed(database, answer, schema, scope)


def _observed(
    database: str, answer: Table, schema: Mapping[str, Mapping[str, Any]] | None, scope: Scope
) -> Iterator[Entity]:
    pick = cells(
        answer,
        *("TableName|Name", "TableType", "Folder", "DocString", "Properties"),
        *("ConnectionStrings", "Partitions", "PathFormat"),
    )
    for row in answer.rows:
        name, kind, folder, doc_string, properties, connections, partitions, path = pick(row)
        fields: dict[str, Value] = {
            "kind": _kind(needed_cell(kind)),
            "columns": HIDDEN if schema is None else schema_columns(schema[name]) if name in schema else HIDDEN,
            "folder": text_cell(folder),
            "docString": text_cell(doc_string),
        }
        if fields["kind"] == "sql":
            fields.update(_sql_fields(properties, connections, scope))
        else:
            path_format = _layout.observed_path(path)
            fields["connections"] = _connections.observed_connections(_strings(connections), scope)
            fields["partitions"] = _layout.observed_partitions(partitions, path_format)
            fields["pathFormat"] = path_format
            fields.update(_storage_fields(json_key(properties)))
        yield Entity(Ref(KIND, (database, needed_cell(name))), fields)


def _kind(table_type: Any) -> str:
    lowered = str(table_type).lower()
    return lowered if lowered in ("sql", "delta") else "storage"


def _strings(cell: Any) -> list[str]:
    if isinstance(cell, str) and cell[:1] not in ("[", '"', ""):
        return [cell]
    found = json_cell(cell)
    return [needed_cell(one) for one in ([found] if isinstance(found, str) else list_cell(found))]


@lru_cache(maxsize=4096)
def _storage_fields(properties: str) -> Mapping[str, Value]:
    """Fields of ``Properties`` JSON; what is not there has the service's default."""
    found = {key.lower(): value for key, value in (json_cell(properties) or {}).items()}
    compressed = bool_cell(found.get("compressed"))
    compression = text_cell(found.get("compressiontype"))
    return {
        "dataFormat": needed_cell(found.get("format")).lower(),
        "compressed": compressed,
        "compressionType": compression.lower() if compression else "gzip" if compressed else None,
        "includeHeaders": _spelled(found.get("includeheaders"), _table_spec.HEADERS, "None"),
        "namePrefix": text_cell(found.get("nameprefix")),
        "fileExtension": text_cell(found.get("fileextension")),
        "encoding": _spelled(found.get("encoding"), _table_spec.ENCODINGS, "UTF8NoBOM"),
    }


def _spelled(value: Any, values: tuple[str, ...], default: str) -> str:
    return one_of(str(value), values) or str(value) if value else default


def _sql_fields(properties: Any, connections: Any, scope: Scope) -> dict[str, Value]:
    found = {key.lower(): value for key, value in (json_cell(properties) or {}).items()}
    text = found.get("targetentityconnectionstring") or next(iter(_strings(connections)), "*")
    dialect = text_cell(found.get("sqldialect"))
    default = dialect is None or dialect.lower().replace(" ", "") in ("sqlserver", "mssql")
    spelled = None if default else one_of(str(dialect), _table_spec.DIALECTS) or dialect
    return {
        "table": _table_spec.table_name(str(found.get("targetentityname") or ""), spelled) or None,
        "connection": _sql_connection.parse(text, scope),
        "createIfNotExists": bool_cell(found.get("createifnotexists")),
        "primaryKey": text_cell(found.get("primarykey")),
        "fireTriggers": bool_cell(found.get("firetriggers")),
        "sqlDialect": spelled,
    }


def needs(entity: Entity) -> Iterable[Need]:
    """The identities that its connections carry, and their permission to be used for that."""
    connections = entity.fields.get("connections") or (entity.fields.get("connection") or {},)
    database = entity.ref.name[0]
    for one in connections:
        symbol = one.get("identity")
        if isinstance(symbol, str):
            yield Need(Ref("cluster_identity", (symbol,)))
            for usage in ("ExternalTable", "All"):
                yield Need(Ref("managed_identity_policy", ("database", database, symbol, usage)))
                yield Need(Ref("managed_identity_policy", ("cluster", symbol, usage)))


def group(change: Change) -> Hashable:
    """Each table on its own."""
    return change.ref


def adopt(desired: Entity, observed: Entity) -> Entity:
    """How its connections get in where the spec leaves that open. Partitions that the spec states bring their own
    path format: an observed one may name others."""
    desired = as_shown(desired, observed)
    fields = desired.fields
    if (
        "partitions" not in fields
        or "pathFormat" in fields
        or fields["partitions"] == observed.fields.get("partitions")
    ):
        return desired
    return replace(desired, fields={**fields, "pathFormat": None})


def as_shown(desired: Entity, observed: Entity) -> Entity:
    """A desired table; where it leaves open how its connections get in, that is as it is observed, masked or not."""
    one, other = desired.fields.get("connections") or (), observed.fields.get("connections") or ()
    single, seen = desired.fields.get("connection"), observed.fields.get("connection")
    if any(map(_connections.is_unstated, one)):
        return replace(desired, fields={**desired.fields, "connections": _connections.completed(one, other)})
    if single is not None and seen is not None and _connections.is_unstated(single):
        return replace(desired, fields={**desired.fields, "connection": _sql_connection.completed(single, seen)})
    return desired


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """One command for each change; two where Kusto cannot alter what changed."""
    return tuple(_step(change, world.scope) for change in changes)


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else can stand in for an external table."""
    return None


def _step(change: Change, scope: Scope) -> Step:
    database, name = change.ref.name
    # Microsoft's grammar does not know the documented ``ifexists``; the error of a missing table means the same.
    drop = Request(PLANE, database, (f".drop external table {kql.identifier(name)}",), accepts=ABSENT)
    if change.desired is None:
        return Step((drop,))
    unreadable = tuple(_unreadable(change))
    if unreadable:
        return Step((), hazards=unreadable)
    create = Request(PLANE, database, _definition(name, change, scope))
    if change.observed is not None and _must_recreate(change):
        reason = "Kusto cannot alter this: the definition is dropped and created again; files and rows stay"
        return Step((drop, create), hazards=(Hazard("recreates-external-table", change.ref, reason),))
    return Step((create,))


def rehearsal(change: Change, scope: Scope) -> Request | str:
    """The command that would make the change, told to check the definition and keep nothing; or why there is none."""
    if change.desired is None or change.desired.fields["kind"] != "storage":
        return "dryRun is documented for storage tables only"
    if any(_unreadable(change)):
        return "what the command would have to repeat is not shown"
    if change.observed is not None and _must_recreate(change):
        return "it has to be dropped first"
    database, name = change.ref.name
    return Request(PLANE, database, _definition(name, change, scope, keep=False))


def _must_recreate(change: Change) -> bool:
    """A SQL table's columns, and the kind of a table, cannot be altered (learn.microsoft.com, SQL external tables)."""
    assert change.observed is not None and change.desired is not None
    one, other = change.observed.fields, change.desired.fields
    if one["kind"] != other["kind"]:
        return True
    return bool(one["kind"] == "sql" and one["columns"] != other["columns"] and one["columns"] != HIDDEN)


def _unreadable(change: Change) -> Iterator[Hazard]:
    """Fields that the command must repeat, that the spec leaves out and that the service does not show."""
    assert change.desired is not None
    fields = change.desired.fields
    foreign = ("connections", "partitions") if fields["kind"] == "sql" else ("connection",)
    for name, value in fields.items():
        if name not in foreign and _has_hidden(value):
            yield Hazard("unreadable-field", change.ref, _unknown(name, change))


def _unknown(name: str, change: Change) -> str:
    if name not in ("connections", "connection"):
        return f"{name} cannot be read back, so altering the table would lose it: state it in the spec"
    target = change.entity.attributes.get("target")
    remedy = f"state auth on the target '{target}'" if target else "state it in the spec"
    if change.observed is None:
        return f"nobody has said how it gets in, so it cannot be made: {remedy}"
    return f"how it gets in cannot be read back, so altering the table would lose it: {remedy}"


def _has_hidden(value: Value) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_hidden, value.values()))
    if isinstance(value, tuple):
        return any(map(_has_hidden, value))
    return isinstance(value, Hidden)


def _definition(name: str, change: Change, scope: Scope, *, keep: bool = True) -> Text:
    assert change.desired is not None
    fields = change.desired.fields
    head = f".create-or-alter external table {kql.identifier(name)} ({kql.column_list(fields['columns'])})"
    if fields["kind"] == "sql":
        table = f" table={kql.identifier(fields['table'])}" if fields.get("table") else ""
        where = kql.command(f" kind=sql{table} (", _sql_connection.render(fields["connection"], scope), ")")
    else:
        layout = _layout.partition_clause(fields.get("partitions") or (), fields.get("pathFormat"))
        inner: list[Any] = []
        for one in fields["connections"]:
            inner += [", "] if inner else []
            inner.append(_connections.render(one, scope))
        where = kql.command(f" kind=storage{layout} dataformat={fields['dataFormat']} (", *inner, ")")
    return kql.command(head, where, _with(fields, change.observed, keep))


def _with(fields: Mapping[str, Value], observed: Entity | None, keep: bool) -> str:
    """The properties that are set; folder and docString also to clear them."""
    seen = observed.fields if observed else {}
    pairs = [(name, fields.get(name)) for name in (*_SHARED, *_PROPERTIES[fields["kind"]])]
    given: list[tuple[str, Value]] = [] if keep else [("dryRun", True)]
    given += [
        (name, "" if value is None else value)
        for name, value in pairs
        if value is not None or (name in _SHARED and seen.get(name))
    ]
    if not given:
        return ""
    return f" with ({', '.join(f'{name}={kql.literal(value)}' for name, value in given)})"
