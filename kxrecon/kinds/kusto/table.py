"""Tables: columns, folder, docstring and the ingestion-time policy that continuous export relies on.

A table is merged into, never shrunk: columns that the spec leaves out stay, and a column never changes its
type, which would null what it holds (learn.microsoft.com, .create-merge table; .alter column; IngestionTime
policy). A table that an export only names in ``over`` need not be in the spec.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kxrecon import kql
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.kusto import _reads
from kxrecon.kinds.kusto._cells import (
    bool_cell,
    cells,
    json_cell,
    needed_cell,
    schema_columns,
    schema_of,
    text_cell,
)
from kxrecon.model import (
    HIDDEN,
    Answer,
    Answers,
    Change,
    Entity,
    Failure,
    Gap,
    Hazard,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    Request,
    State,
    Step,
    Table,
    Value,
)
from kxrecon.scope import Scope

PLANE: Plane = "kusto"
SECTION: tuple[str, ...] = ("databases", "*", "tables", "*")
KIND = "table"
INGESTION_TIME = "ingestiontime"
# Policies on tables that keep exports from reading them; read where the caller may, told as a reading.
ACCESS = ("restricted_view_access", "row_level_security")
policy_read = _reads.table_policy  # a proof asks the same questions


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """``{columns, folder, docString, ingestionTimePolicy}``; what is left out is not managed."""
    database, table = name
    path = ("databases", database, "tables", table)
    fields: dict[str, Value] = {}
    if doc.get("columns"):
        try:
            fields["columns"] = kql.columns(doc["columns"])
        except ValueError as wrong:
            yield Problem(str(wrong), path=(*path, "columns"), entity=f"{database}/{table}")
            return
    for field in ("folder", "docString"):
        if field in doc:
            fields[field] = doc[field] or None
    if doc.get("ingestionTimePolicy") is not None:
        fields["ingestionTimePolicy"] = bool(doc["ingestionTimePolicy"])
    yield Entity(Ref(KIND, name), fields, path=path)


def describe(entity: Entity) -> Any:
    """The entry as a spec holds it; columns as a text, unset properties left out."""
    fields = entity.fields
    doc: dict[str, Any] = {}
    if "columns" in fields:
        doc["columns"] = {column: kind for column, kind in fields["columns"]}
    for field in ("folder", "docString", "ingestionTimePolicy"):
        if field in fields and fields[field] is not HIDDEN:
            doc[field] = fields[field]
    return doc


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """The schema of each database; the policies of all its tables where the spec has tables or exports them."""
    for database in scope.databases:
        yield _reads.schema_json(database)
        exports = _declares("continuousExports", database, scope)
        if exports or _declares("tables", database, scope):
            yield _reads.table_policy(database, INGESTION_TIME)
        if exports:
            yield from (_reads.table_policy(database, policy) for policy in ACCESS)


def _declares(section: str, database: str, scope: Scope) -> bool:
    return ("databases", database, section) in scope.declared


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """All tables of each database."""
    for database in scope.databases:
        answer = answers.get(_reads.schema_json(database))
        if isinstance(answer, Failure):
            yield Gap(KIND, (database,), answer)
            continue
        shown = schema_of(answer, database)
        if shown is not None:
            policies = _policies(answers.get(_reads.table_policy(database, INGESTION_TIME)))
            yield from _entities(database, shown.get("Tables") or {}, policies)
            yield from _beside(database, shown)
            yield Reading(Ref("table_policies", (database,)), _guarded(database, answers))


def _guarded(database: str, answers: Answers) -> dict[str, frozenset[str]]:
    """By access policy the tables on which it is enabled; a policy that could not be read is left out."""
    read = {policy: answers.get(_reads.table_policy(database, policy)) for policy in ACCESS}
    return {
        policy: frozenset(name for name, enabled in _policies(answer).items() if enabled)
        for policy, answer in read.items()
        if isinstance(answer, Table)
    }


def _beside(database: str, shown: Mapping[str, Any]) -> Iterator[Reading]:
    """What is around tables: materialized views, and whether the database only follows another cluster's."""
    yield Reading(Ref("database", (database,)), {"accessMode": str(shown.get("DatabaseAccessMode") or "")})
    for name, view in (shown.get("MaterializedViews") or {}).items():
        yield Reading(Ref("materialized_view", (database, name)), {"columns": schema_columns(view)})


def _entities(database: str, tables: Mapping[str, Mapping[str, Any]], policies: Mapping[str, bool]) -> Iterator[Entity]:
    for name, shown in tables.items():
        fields = {
            "columns": schema_columns(shown),
            "folder": text_cell(shown.get("Folder")),
            "docString": text_cell(shown.get("DocString")),
            "ingestionTimePolicy": policies.get(name, HIDDEN),
        }
        yield Entity(Ref(KIND, (database, name)), fields)


def _policies(answer: Answer | None) -> dict[str, bool]:
    """Table → whether ingestion time is kept; a table that the answer does not name is not told."""
    if not isinstance(answer, Table):
        return {}
    pick = cells(answer, "EntityName", "Policy")
    found: dict[str, bool] = {}
    for row in answer.rows:
        name, cell = pick(row)
        policy = None if cell == "null" else json_cell(cell)
        enabled = policy["IsEnabled"] if isinstance(policy, dict) else policy
        found[needed_cell(name).rpartition("].[")[2].strip("[]'\"")] = bool_cell(enabled)
    return found


def adopt(desired: Entity, observed: Entity) -> Entity:
    """Columns that only the service has stay; where nothing is to be added, its order is the order."""
    if "columns" not in desired.fields or desired.fields["columns"] == observed.fields["columns"]:
        return desired
    wanted = dict(desired.fields["columns"])
    seen = observed.fields["columns"]
    merged = tuple((name, wanted.get(name, kind)) for name, kind in seen)
    there = {name for name, _ in seen}
    added = tuple(column for column in desired.fields["columns"] if column[0] not in there)
    return replace(desired, fields={**desired.fields, "columns": (*merged, *added)})


def needs(entity: Entity) -> Iterable[Need]:
    """Nothing: databases are prerequisites."""
    return ()


def group(change: Change) -> Hashable:
    """Each table by itself."""
    return change.ref.name


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """What differs, property by property; a change of a column's type is left to people."""
    return tuple(_step(change) for change in changes)


def _step(change: Change) -> Step:
    if change.verb == "delete":
        text = f".drop table {kql.identifier(change.ref.name[1])} ifexists"
        hazard = Hazard("drops-data", change.ref, "the table goes with all its rows")
        return Step((_request(change, text),), hazards=(hazard,))
    changed = _retyped(change)
    if changed:
        reason = f"a new type for {', '.join(changed)} would null what is in it"
        note = f"not sent: {reason}; add a column of the new type instead"
        return Step((), hazards=(Hazard("drops-data", change.ref, reason),), notes=(note,))
    if change.observed is None and not change.entity.fields.get("columns"):
        return Step((), notes=("the table does not exist, and the spec has no columns to create it with",))
    commands = _creation(change.entity) if change.observed is None else _alteration(change, change.observed)
    return Step(tuple(_request(change, command) for command in commands))


def _request(change: Change, text: str) -> Request:
    return Request("kusto", change.ref.name[0], (text,))


def _retyped(change: Change) -> list[str]:
    """Columns that would change their type."""
    if change.observed is None:
        return []
    seen = dict(change.observed.fields["columns"])
    return [name for name, kind in change.entity.fields["columns"] if seen.get(name, kind) != kind]


def _creation(entity: Entity) -> Iterator[str]:
    fields = entity.fields
    pairs = (("folder", fields.get("folder")), ("docstring", fields.get("docString")))
    properties = ", ".join(f"{name}={kql.string(value)}" for name, value in pairs if value)
    suffix = f" with ({properties})" if properties else ""
    name = kql.identifier(entity.ref.name[1])
    yield f".create-merge table {name} ({kql.column_list(fields['columns'])}){suffix}"
    if "ingestionTimePolicy" in fields:
        yield _policy(name, fields["ingestionTimePolicy"])


def _policy(name: str, enabled: bool) -> str:
    return f".alter table {name} policy ingestiontime {kql.literal(enabled)}"


def _alteration(change: Change, observed: Entity) -> Iterator[str]:
    desired = change.entity
    name = kql.identifier(desired.ref.name[1])
    differs = {field for field, value in desired.fields.items() if value != observed.fields.get(field)}
    asked = {part.field for part in change.fields}
    if "columns" in differs:
        yield f".create-merge table {name} ({kql.column_list(desired.fields['columns'])})"
    if "folder" in differs:
        yield f".alter table {name} folder {kql.string(desired.fields['folder'] or '')}"
    if "docString" in differs:
        yield f".alter table {name} docstring {kql.string(desired.fields['docString'] or '')}"
    # One that could not be read is only written where that was asked for.
    unread = observed.fields["ingestionTimePolicy"] is HIDDEN and "ingestionTimePolicy" not in asked
    if "ingestionTimePolicy" in differs and not unread:
        yield _policy(name, desired.fields["ingestionTimePolicy"])


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else stands in for a table."""
    return None
