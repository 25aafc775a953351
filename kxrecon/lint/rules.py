"""The frame of lint rules: what a rule looks at, what it says, and how it becomes one.

A rule is a generator function of an ``Export``, registered under its stable code. It yields (message, remedy)
or (message, remedy, offset into the query). What it cannot know it does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kxrecon.kql_text import Token, significant
from kxrecon.lint.columns import Columns, stages
from kxrecon.model import Entity, Ref, State
from kxrecon.surroundings import Stored, databases_read

Severity = Literal["error", "warning", "note"]
Said = tuple[str, str] | tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding: ``path`` leads into the spec, ``offset`` into the query if it is about a place there."""

    code: str
    severity: Severity
    entity: str
    message: str
    remedy: str
    path: tuple[str | int, ...] = ()
    offset: int | None = None


@dataclass(frozen=True)
class World:
    """Everything as it will be after the plan: the spec over what is there. Without ``observed`` only the spec."""

    desired: State
    observed: State | None = None

    @cached_property
    def stored(self) -> Stored:
        """Stored functions."""
        return Stored(*(state for state in (self.observed, self.desired) if state is not None))

    @cached_property
    def tables(self) -> Mapping[tuple[str, ...], Columns]:
        """Columns by (database, table), of tables whose columns are known."""
        found: dict[tuple[str, ...], Columns] = {}
        for state in (self.observed, self.desired):
            for table in state.of_kind("table") if state is not None else ():
                if table.fields.get("columns"):
                    found[table.ref.name] = tuple(table.fields["columns"])
        return found

    @cached_property
    def writers(self) -> Mapping[tuple[str, str], list[str]]:
        """The labels of the exports that write into each external table, by (database, table)."""
        found: dict[tuple[str, str], list[str]] = {}
        for export in self.exports():
            found.setdefault((export.database, str(export.entity.fields.get("to"))), []).append(export.entity.ref.label)
        return found

    def get(self, ref: Ref) -> Entity | None:
        """One entity, of the spec if it has it."""
        seen = self.observed.entities.get(ref) if self.observed is not None else None
        return self.desired.entities.get(ref) or seen

    def exports(self) -> Iterator[Export]:
        """The spec's exports, in the order of their names."""
        for ref in sorted(ref for ref in self.desired.entities if ref.kind == "continuous_export"):
            yield Export(self, self.desired.entities[ref])


@dataclass(frozen=True)
class Export:
    """What a rule looks at: one export, its external table, and its query taken apart."""

    world: World
    entity: Entity

    @property
    def database(self) -> str:
        """Where it lives."""
        return self.entity.ref.name[0]

    @property
    def query(self) -> str:
        """The query's text."""
        return str(self.entity.fields.get("query") or "")

    @cached_property
    def table(self) -> Entity | None:
        """The external table, if the spec or the cluster has it."""
        return self.world.get(Ref("external_table", (self.database, str(self.entity.fields.get("to")))))

    @cached_property
    def tokens(self) -> list[Token]:
        """The query without blanks and comments."""
        return significant(self.query)

    @cached_property
    def stages(self) -> list[list[Token]]:
        """The query between its pipes; empty if it is more than one statement."""
        return stages(self.tokens) or []

    @cached_property
    def databases(self) -> frozenset[str]:
        """Every database that the query reads."""
        return databases_read(self.entity, self.world.stored)

    @cached_property
    def words(self) -> frozenset[str]:
        """All words of the query and of the stored functions that it calls."""
        functions = self.world.stored.functions(self.database)
        waiting, words = [self.tokens], set[str]()
        while waiting:
            fresh = {part.text for part in waiting.pop() if part.kind == "word"} - words
            words |= fresh
            waiting += [significant(body) for name in fresh if isinstance(body := functions.get(name), str)]
        return frozenset(words)

    @property
    def source_known(self) -> bool:
        """Whether the function that the query starts from, if it does, is known: else nobody knows what it reads."""
        known = self.world.stored.functions(self.database)
        calls = {
            a.text for a, b in zip(self.tokens, self.tokens[1:], strict=False) if a.kind == "word" and b.text == "("
        }
        return not self.tokens or self.tokens[0].text not in calls - known.keys()

    @cached_property
    def forms(self) -> frozenset[str]:
        """The ways in which the external table gets in."""
        if self.table is None:
            return frozenset()
        single = self.table.fields.get("connection")
        connections = [single] if single else self.table.fields.get("connections") or ()
        return frozenset(str(one.get("auth")) for one in connections)


Check = Callable[[Export], Iterator[Said]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule under its code; ``field`` is the part of the export that it speaks of."""

    code: str
    severity: Severity
    title: str
    field: str
    check: Check


RULES: dict[str, Rule] = {}


def rule(code: str, severity: Severity, title: str, field: str = "query") -> Callable[[Check], Check]:
    """Register a rule; codes are never used twice, and never change their meaning."""

    def register(check: Check) -> Check:
        assert code not in RULES, code
        RULES[code] = Rule(code, severity, title, field, check)
        return check

    return register


def run(world: World) -> Iterator[Lint]:
    """Every finding of every rule, export by export."""
    for export in world.exports():
        for code in sorted(RULES):
            one = RULES[code]
            for said in one.check(export):
                offset = said[2] if len(said) == 3 else None
                path = (*export.entity.path, one.field)
                yield Lint(code, one.severity, export.entity.ref.label, said[0], said[1], path, offset)
