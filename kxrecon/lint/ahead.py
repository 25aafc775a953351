"""A query as the server can judge it before the plan is applied: what the plan changes is put in front of it.

A table that the plan makes or widens becomes an empty one of that name (``let T = datatable(…)[];``), a stored
function that it makes or changes, or that reads such a one, becomes ``let F = (…) {…};``: a name that a query binds
wins over a stored one (learn.microsoft.com, let statement). What cannot be put there is a *doubt*: if the server
refuses the query, that may be why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from kxrecon import kql
from kxrecon.kql_text import Token, database_literals
from kxrecon.lint.columns import Columns
from kxrecon.lint.world import Export
from kxrecon.model import Entity, Hidden, Ref

SCHEMA = "getschema"


@dataclass(frozen=True, slots=True)
class Ahead:
    """The text to ask the server for the result's columns with; ``doubts`` are names that the plan changes and that
    the server sees as they are now."""

    text: str
    doubts: tuple[str, ...] = ()


def ahead(export: Export) -> Ahead:
    """What to ask for an export."""
    doubts = {f"{where}/{name}" for where, name in _changed(export) if where != export.database}
    own = {name for where, name in _changed(export) if where == export.database}
    tables = {name for name in own if name in export.read and name not in export.bodies}
    functions = own & export.bodies.keys()
    doubts |= own - tables - functions
    if own and export.database in _qualified(export):
        doubts |= own
    functions |= _dependents(export, tables | functions)
    parts = {name: _function(export, name) for name in functions}
    parts |= {name: _table(name, export.world.tables[export.database, name]) for name in tables}
    doubts |= {name for name, text in parts.items() if not text}
    ordered = _ordered(export, parts)
    doubts |= parts.keys() - set(ordered)
    head = "".join(parts[name] for name in ordered)
    return Ahead(f"{head}{_body(export)}\n| {SCHEMA}", tuple(sorted(doubts)))


def _body(export: Export) -> str:
    """The query up to its last token that is no semicolon: comments behind it would swallow what is appended."""
    end = next((one.start + len(one.text) for one in reversed(export.tokens) if one.text != ";"), 0)
    return export.query[:end]


def _changed(export: Export) -> list[tuple[str, str]]:
    """(database, name) of what the query may read and the plan makes, changes or deletes."""
    world = export.world
    words = {where: export.words if where == export.database else export.mentioned for where in export.databases}
    names = [(where, name) for where in export.databases for name in world.names.get(where, ()) if name in words[where]]
    gone = [ref.name for ref in world.gone if ref.kind in ("table", "function")]
    return [(where, name) for where, name in names if _differs(export, where, name)] + [
        (ref[0], ref[1]) for ref in gone if ref[1] in words.get(ref[0], ())
    ]


def _differs(export: Export, database: str, name: str) -> bool:
    world = export.world
    wanted = world.desired.entities.get(Ref("function", (database, name)))
    if wanted is not None:
        there = world.seen.entities.get(wanted.ref)
        return there is None or any(_text(wanted, field) != _text(there, field) for field in ("body", "parameters"))
    table = world.seen.entities.get(Ref("table", (database, name)))
    after = world.tables.get((database, name))
    return after is not None and (table is None or tuple(table.fields["columns"]) != tuple(after))


def _text(function: Entity, field: str) -> object:
    value = function.fields.get(field)
    return value.shown if isinstance(value, Hidden) else value


def _qualified(export: Export) -> frozenset[str]:
    """The databases that the query or a function names: such a name means the stored thing, whatever is bound."""
    texts = (export.query, *(export.world.stored.functions(export.database).get(name, "") for name in export.bodies))
    return frozenset().union(*map(database_literals, texts))


def _dependents(export: Export, changed: Iterable[str]) -> set[str]:
    """Stored functions of the query that read what is changed, by others too."""
    known, found = set(changed), set[str]()
    while fresh := {name for name, body in export.bodies.items() if name not in known and _names(body) & known}:
        known |= fresh
        found |= fresh
    return found


def _names(body: Sequence[Token]) -> set[str]:
    return {part.name for part in body if part.kind in ("word", "string")}


def _ordered(export: Export, parts: Mapping[str, str]) -> list[str]:
    """The names so that each stands behind those that it reads; none if they go round in circles."""
    reads = {name: _names(export.bodies[name]) & parts.keys() if name in export.bodies else set() for name in parts}
    try:
        return [name for name in TopologicalSorter(dict(sorted(reads.items()))).static_order() if parts[name]]
    except CycleError:
        return []


def _function(export: Export, name: str) -> str:
    """A stored function as a let statement; empty where its body is not shown."""
    entity = export.world.get(Ref("function", (export.database, name)))
    body = entity.fields.get("body") if entity is not None else None
    if entity is None or not isinstance(body, str):
        return ""
    return f"let {kql.identifier(name)} = {entity.fields.get('parameters') or '()'} {{\n{body}\n}};\n"


def _table(name: str, columns: Columns) -> str:
    """An empty table as a let statement; empty where its columns are not known."""
    return f"let {kql.identifier(name)} = datatable({kql.column_list(columns)})[];\n" if columns else ""
