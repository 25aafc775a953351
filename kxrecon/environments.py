"""Two environments side by side: what one spec asks for and the other does not, or asks for differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kxrecon.diff import explain
from kxrecon.model import Change, Entity, State


@dataclass(frozen=True, slots=True)
class Sides:
    """What differs. ``changes`` read from the first to the second: create is only there, delete only here."""

    changes: tuple[Change, ...]
    equal: int


def compare(first: State, second: State) -> Sides:
    """Compare two desired states by ref, every field that either of them states."""
    changes = tuple(_changes(first, second))
    refs = first.entities.keys() | second.entities.keys()
    return Sides(changes, len(refs) - len(changes))


def _changes(first: State, second: State) -> Iterator[Change]:
    for ref in sorted(first.entities.keys() | second.entities.keys()):
        one, other = first.entities.get(ref), second.entities.get(ref)
        if one is None:
            yield Change(ref, "create", None, other)
        elif other is None:
            yield Change(ref, "delete", one, None)
        elif one.fields != other.fields:
            yield _differing(one, other)


def _differing(one: Entity, other: Entity) -> Change:
    names = [name for name in {**one.fields, **other.fields} if one.fields.get(name) != other.fields.get(name)]
    parts = [part for name in names for part in explain(name, one.fields.get(name), other.fields.get(name))]
    return Change(one.ref, "update", one, other, tuple(parts))
