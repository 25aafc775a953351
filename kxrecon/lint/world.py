"""What lint rules look at: everything as it will be after the plan, and one export in it with its query taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kxrecon.kinds.kusto import continuous_export as export_kind
from kxrecon.kinds.kusto import table as table_kind
from kxrecon.kql_sources import sources
from kxrecon.kql_text import Token, local, significant
from kxrecon.lint.columns import Columns, flow, on_the_way
from kxrecon.model import Entity, Hidden, Ref, State
from kxrecon.surroundings import Reads, Stored, reads

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class World:
    """Everything as it will be after the plan: the spec over what is there. Without ``observed`` only the spec.

    ``gone`` is what the plan deletes; ``host`` the cluster's own host name, by which a query may call it.
    """

    desired: State
    observed: State | None = None
    gone: frozenset[Ref] = frozenset()
    host: str = ""

    @cached_property
    def seen(self) -> State:
        """What is there and stays."""
        if self.observed is None or not self.gone:
            return self.observed or State()
        kept = {ref: entity for ref, entity in self.observed.entities.items() if ref not in self.gone}
        return State(kept, self.observed.readings, self.observed.gaps)

    @cached_property
    def stored(self) -> Stored:
        """Stored functions."""
        return Stored(self.seen, self.desired, cluster=f"https://{self.host}")

    @cached_property
    def tables(self) -> Mapping[tuple[str, ...], Columns]:
        """Columns by (database, table); none where they are not known."""
        seen = self.seen.entities
        found = {ref.name: entity.fields["columns"] for ref, entity in seen.items() if ref.kind == "table"}
        for table in self.desired.of_kind("table"):
            there = seen.get(table.ref)
            if there is None:
                found[table.ref.name] = table.fields.get("columns") or ()
            elif table.fields.get("columns") != there.fields["columns"]:
                # A table keeps the columns that only the cluster has, in its order.
                found[table.ref.name] = table_kind.adopt(table, there).fields.get("columns") or there.fields["columns"]
        return found

    def keeps_times(self, database: str, table: str) -> bool | None:
        """Whether a table keeps ingestion times after the plan; None if that is not known."""
        ref = Ref("table", (database, table))
        for state in (self.desired, self.seen):
            entity = state.entities.get(ref)
            kept = entity.fields.get("ingestionTimePolicy") if entity is not None else None
            if isinstance(kept, bool):
                return kept
        return None

    @cached_property
    def views(self) -> Mapping[tuple[str, ...], Columns]:
        """Columns by (database, view), of the materialized views that were read."""
        readings = self.seen.readings.values()
        return {one.ref.name: one.values["columns"] for one in readings if one.ref.kind == "materialized_view"}

    @cached_property
    def shapes(self) -> Mapping[tuple[str, ...], Columns]:
        """Columns of tables and materialized views where they are known."""
        return {**self.views, **{name: columns for name, columns in self.tables.items() if columns}}

    def follows(self, database: str) -> bool:
        """Whether a database is known to follow one of another cluster."""
        return self._reading("database", database).get("accessMode") == "ReadOnlyFollowing"

    def policy(self, database: str, name: str) -> frozenset[str] | None:
        """The tables on which an access policy is enabled; None if that is not known."""
        return self._reading("table_policies", database).get(name)

    def _reading(self, kind: str, database: str) -> Mapping[str, Any]:
        reading = self.seen.readings.get(Ref(kind, (database,)))
        return reading.values if reading is not None else NOTHING

    def is_read(self, database: str) -> bool:
        """Whether all tables and functions of a database were read: then what is not among them is not there."""
        return database in self._read

    @cached_property
    def _read(self) -> frozenset[str]:
        hidden = {gap.prefix[:1] for gap in self.seen.gaps if gap.kind in ("table", "function")}
        shown = {ref.name[0] for ref in self.seen.readings if ref.kind == "database"}
        return frozenset() if () in hidden else frozenset(one for one in shown if (one,) not in hidden)

    @cached_property
    def absent(self) -> frozenset[str]:
        """The databases of which the service said that there are none."""
        gaps = (gap for gap in self.seen.gaps if gap.kind == "table" and gap.failure.reason == "absent")
        return frozenset(gap.prefix[0] for gap in gaps if gap.prefix)

    @cached_property
    def names(self) -> Mapping[str, frozenset[str]]:
        """By database the names of its tables, materialized views and functions."""
        functions = [
            ref.name for state in (self.seen, self.desired) for ref in state.entities if ref.kind == "function"
        ]
        found: dict[str, set[str]] = {}
        for database, name in (*self.tables, *self.views, *functions):
            found.setdefault(database, set()).add(name)
        return {database: frozenset(names) for database, names in found.items()}

    @cached_property
    def writers(self) -> Mapping[tuple[str, str], list[str]]:
        """The labels of the exports that write into each external table, by (database, table)."""
        found: dict[tuple[str, str], list[str]] = {}
        for ref in self._exports:
            place = (ref.name[0], str(self.desired.entities[ref].fields.get("to")))
            found.setdefault(place, []).append(ref.label)
        return found

    def get(self, ref: Ref) -> Entity | None:
        """One entity, of the spec if it has it."""
        return self.desired.entities.get(ref) or self.seen.entities.get(ref)

    @cached_property
    def _exports(self) -> list[Ref]:
        return sorted(ref for ref in self.desired.entities if ref.kind == "continuous_export")

    def exports(self) -> Iterator[Export]:
        """The spec's exports, in the order of their names."""
        return (Export(self, self._adopted(self.desired.entities[ref])) for ref in self._exports)

    def _adopted(self, export: Entity) -> Entity:
        """An export with the fact tables that it will have, where the spec leaves them as they are on the cluster."""
        there = self.seen.entities.get(export.ref)
        if there is None or export.fields.get("over"):
            return export
        over = {"over": there.fields.get("over"), **export_kind.adopt(export, there).fields}["over"]
        return replace(export, fields={**export.fields, "over": over}) if over else export


class Export:
    """What a rule looks at: one export, its external table, and its query taken apart.

    ``over`` is empty where every table that is read is a fact table; ``wanted`` are the external table's columns,
    empty if they are not known; ``flow`` is the way of the records through the query and the stored functions
    that it starts from, ``shapes`` the columns of its source and after each step.
    """

    def __init__(self, world: World, entity: Entity) -> None:
        self.world, self.entity, self.fields = world, entity, entity.fields
        self.database = entity.ref.name[0]
        self.query = str(entity.fields.get("query") or "")
        self.over: tuple[str, ...] = entity.fields.get("over") or ()
        self.table = world.get(Ref("external_table", (self.database, str(entity.fields.get("to")))))
        self.target: Mapping[str, Any] = self.table.fields if self.table is not None else NOTHING
        columns = self.target.get("columns")
        self.wanted: Columns = () if columns is None or isinstance(columns, Hidden) else columns
        self.tokens = significant(self.query)
        self.flow = flow(self.tokens, self.database, world.stored)
        self.shapes = on_the_way(self.flow, world.shapes)

    @cached_property
    def databases(self) -> frozenset[str]:
        """Every database that the query reads."""
        return self.reads.databases

    @cached_property
    def reads(self) -> Reads:
        """The same, with what of it cannot be told."""
        return reads(self.entity, self.world.stored)

    @cached_property
    def own(self) -> list[Token]:
        """The query without what is said to lie in another database."""
        return local(self.tokens, self.database)

    @cached_property
    def bodies(self) -> Mapping[str, list[Token]]:
        """The stored functions of its database that the query may call, themselves or by another, as tokens."""
        functions = self.world.stored.functions(self.database)
        waiting, found = [self.own], dict[str, list[Token]]()
        while waiting and functions:
            fresh = {part.text for part in waiting.pop() if part.kind == "word"} & functions.keys() - found.keys()
            found.update((name, local(significant(functions[name]), self.database)) for name in fresh)
            waiting += [found[name] for name in fresh]
        return found

    @cached_property
    def words(self) -> frozenset[str]:
        """All words and quoted names of the query and of the stored functions that it calls, but for those that are
        said to lie in another database."""
        texts = (self.own, *self.bodies.values())
        return frozenset(part.name for parts in texts for part in parts if part.kind in ("word", "string"))

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """The same, with those that are said to lie in another database."""
        functions = self.world.stored.functions(self.database)
        texts = (self.tokens, *(significant(functions[name]) for name in self.bodies))
        return frozenset(part.name for parts in texts for part in parts if part.kind in ("word", "string"))

    @cached_property
    def read(self) -> frozenset[str]:
        """Names of its own database that the query certainly reads from, by stored functions too."""
        names = {one.name for one in sources(self.tokens)}
        waiting, done = sorted(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.bodies and name not in done:
                done.add(name)
                fresh = {one.name for one in sources(self.bodies[name])} - names
                names |= fresh
                waiting += fresh
        return frozenset(names)

    @property
    def facts(self) -> tuple[str, ...]:
        """The tables that are read by cursor: those of ``over``, else every table of its database that is read."""
        if self.over:
            return self.over
        called = self.world.stored.functions(self.database)
        return tuple(sorted(n for n in self.read if (self.database, n) in self.world.tables and n not in called))

    @property
    def source_known(self) -> bool:
        """Whether the function that the query starts from, if it does, is known: else nobody knows what it reads."""
        known = self.world.stored.functions(self.database)
        calls = {a.text for a, b in zip(self.own, self.own[1:], strict=False) if a.kind == "word" and b.text == "("}
        return not self.own or self.own[0].text not in {"(", *calls} - known.keys()

    @cached_property
    def forms(self) -> frozenset[str]:
        """The ways in which the external table gets in, as far as they are known."""
        single = self.target.get("connection")
        connections = [single] if single else self.target.get("connections") or ()
        ways = (one.get("auth") for one in connections)
        return frozenset(str(way) for way in ways if not isinstance(way, Hidden))
