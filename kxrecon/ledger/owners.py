"""Whose an entity is, where its kind has no place for a mark: of the spec that made it, or took it over, last.

A mark on the thing itself (a principal's Notes, a role assignment's description) is seen by every tool; the ledger
only by those who share it. Where both are there and name two specs, nobody knows whose the thing is: that is an
error which names both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from kxrecon.elsewhere import speaks_for
from kxrecon.fleet import STATED
from kxrecon.ledger.judge import day
from kxrecon.ledger.rows import Entry, Ledger
from kxrecon.marking import PLACES
from kxrecon.model import Entity, Ref, State
from kxrecon.scope import Scope


@dataclass(frozen=True, slots=True)
class Owners:
    """The entries of one cluster, seen from one spec; those of the specs in ``takes_over`` count as its own."""

    ledger: Ledger
    spec: str
    takes_over: Collection[str] = ()
    _own: Mapping[Ref, Entry] = field(init=False)
    _owner: Mapping[Ref, Entry] = field(init=False)

    def __post_init__(self) -> None:
        own: dict[Ref, Entry] = {}
        owner: dict[Ref, Entry] = {}
        for (ref, spec), entry in sorted(self.ledger.entries.items(), key=lambda item: item[1].put):
            if self._is_mine(spec):
                own[ref] = entry
            if entry.owns and entry.stands:
                owner[ref] = entry
            elif ref in owner and not entry.stands:
                del owner[ref]  # deleted, whoever made it
        object.__setattr__(self, "_own", own)
        object.__setattr__(self, "_owner", owner)

    def _is_mine(self, spec: str) -> bool:
        return spec == self.spec or spec in self.takes_over

    @property
    def entries(self) -> Mapping[Ref, Entry]:
        """What this spec knows, by entity."""
        return self._own

    def entry(self, ref: Ref) -> Entry | None:
        """What this spec knows of an entity."""
        return self._own.get(ref)

    def is_free(self, ref: Ref) -> bool:
        """Whether an entity is nobody's by the ledger."""
        return ref not in self._owner

    def owns(self, ref: Ref) -> bool:
        """Whether an entity is this spec's by the ledger."""
        found = self._owner.get(ref)
        return found is not None and self._is_mine(found.spec)

    def left_elsewhere(self, scope: Scope) -> bool:
        """Whether an export that this spec made lies in a database that it no longer names, as far as is known."""
        exports = (ref for ref in self._owner if ref.kind == "continuous_export" and not speaks_for(ref, scope))
        return any(self.owns(ref) for ref in exports)

    def marked(self, observed: State) -> State:
        """The observed state with the ledger's marks, where the things themselves have no place for one."""
        marks: dict[Ref, Entity] = {}
        for ref in self._owner.keys() & observed.entities.keys():
            entity = observed.entities[ref]
            if ref.kind not in PLACES and entity.owner is None:
                spec = self.spec if self.owns(ref) else self._owner[ref].spec
                marks[ref] = replace(entity, owner=_mark(spec))
        return replace(observed, entities={**observed.entities, **marks}) if marks else observed

    def adoptable(self, desired: State, observed: State) -> list[Ref]:
        """What this spec describes, is there and is nobody's, of the kinds without a place for a mark."""
        there = desired.entities.keys() & observed.entities.keys()
        return sorted(ref for ref in there if ref.kind not in PLACES and ref not in self._owner)

    def claims(self, desired: State, observed: State) -> Iterator[str]:
        """A line for each entity that this spec states and another spec made."""
        for ref in sorted(desired.entities.keys() & observed.entities.keys() & self._owner.keys()):
            entry = self._owner[ref]
            if ref.kind in STATED and not self.owns(ref) and not desired.entities[ref].reasons:
                yield (
                    f"{ref} is claimed by two specs: {self.spec} states it, and {entry.spec} wrote it on {day(entry)} "
                    f"(take it out of one of them, or put ledger: {{ takesOver: [{entry.spec}] }} into {self.spec})"
                )

    def doubled(self, desired: State, observed: State) -> Iterator[tuple[Ref, str]]:
        """What this spec states and made by the ledger, and what carries another spec's mark all the same."""
        for ref in sorted(self._owner.keys() & desired.entities.keys() & observed.entities.keys()):
            seen, entry = observed.entities[ref].owner, self._owner[ref]
            if ref.kind in PLACES and seen and not desired.entities[ref].reasons and seen != _mark(entry.spec):
                yield ref, f"has two marks: it carries {seen}, and by the ledger {entry.spec} made it on {day(entry)}"


def _mark(spec: str) -> str:
    return Scope(name=spec).mark
