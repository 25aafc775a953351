"""What a kind collects while it reads one spec entry: fields, and every problem with its exact place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from uuid import UUID

from kxrecon.errors import Problem
from kxrecon.model import Entity, Ref, Value
from kxrecon.scope import SYSTEM, Scope


@dataclass
class Draft:
    """An entity in the making. ``path`` leads to its entry in the merged spec."""

    ref: Ref
    path: tuple[str | int, ...]
    fields: dict[str, Value] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, message: str, *where: str | int, remedy: str | None = None, severity: str = "error") -> None:
        """Note a problem; ``where`` continues the entry's path down to the wrong value."""
        self.problems.append(
            Problem(message, (*self.path, *where), entity=self.ref.label, remedy=remedy, severity=severity)
        )

    def result(self) -> Iterator[Entity | Problem]:
        """The entity, unless it is wrong, and all problems."""
        if all(problem.severity != "error" for problem in self.problems):
            yield Entity(self.ref, self.fields, self.attributes, self.path)
        yield from self.problems

    def text(self, doc: Mapping[str, Any], *names: str) -> None:
        """Copy free texts; an empty one means none."""
        self.fields.update({name: str(doc[name]) or None for name in names if doc.get(name) is not None})

    def flag(self, doc: Mapping[str, Any], *names: str) -> None:
        """Copy booleans."""
        for name in names:
            if isinstance(doc.get(name), bool):
                self.fields[name] = doc[name]
            elif doc.get(name) is not None:
                self.wrong(f"{name} is true or false, not {doc[name]!r}", name)

    def choice(self, doc: Mapping[str, Any], name: str, values: tuple[str, ...]) -> None:
        """Copy one of ``values``, spelled as they are."""
        if doc.get(name) is None:
            return
        found = one_of(str(doc[name]), values)
        if found is None:
            self.wrong(f"{name} is not '{doc[name]}'", name, remedy=nearest(str(doc[name]), values))
        else:
            self.fields[name] = found

    def identity(self, symbol: str, scope: Scope, *where: str | int) -> str | None:
        """An identity of the cluster by its symbol, or by the object id of one that the spec does not name."""
        if symbol == SYSTEM or symbol in scope.identities:
            return symbol
        object_id = guid(symbol)
        if object_id is None:
            known = tuple(scope.identities) or (SYSTEM,)
            self.wrong(f"unknown identity '{symbol}'", *where, remedy=nearest(symbol, known))
            return None
        return scope.directory.symbol(object_id) or object_id


def guid(text: str) -> str | None:
    """A GUID in lower case, or None if ``text`` is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def one_of(text: str, values: tuple[str, ...]) -> str | None:
    """The value that ``text`` spells, letter case ignored."""
    lowered = text.lower()
    return next((value for value in values if value.lower() == lowered), None)


def nearest(text: str, values: tuple[str, ...]) -> str:
    """What to write instead: the nearest of ``values``, or all of them."""
    near = get_close_matches(text, values, 1, 0.5)
    return f"did you mean '{near[0]}'?" if near else f"use one of: {', '.join(values)}"
