"""Drift or pending: whether somebody changed the cluster, or the spec, since an apply last made the two the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kxrecon.ledger.judge import Foreign, day, nobody
from kxrecon.ledger.owners import Owners
from kxrecon.ledger.rows import TRIED, Entry
from kxrecon.ledger.seal import Seal
from kxrecon.model import Change, Finding, Hidden, Ref, State, Value
from kxrecon.origin import Origin


@dataclass(frozen=True, slots=True)
class Origins:
    """Tells by the ledger. ``stated`` is what the spec says, with its derived links, before anything was adopted."""

    owners: Owners
    seal: Seal
    stated: State
    foreign: Foreign = nobody

    def of(self, change: Change) -> list[Origin]:
        """Why a change is there; empty if the ledger cannot tell."""
        entry = self.owners.entry(change.ref)
        if entry is None:
            return self._unknown(change)
        if entry.event == TRIED:
            return [Origin("pending", f"the apply of {day(entry)} that was about to write it was not seen to end")]
        if change.desired is None:
            return self._deleted(entry)
        if change.observed is None:
            return self._missing(change, entry)
        return list(self._fields(change, entry))

    def _unknown(self, change: Change) -> list[Origin]:
        """What no apply of this spec ever saw as it should be."""
        if not self.owners.entries:
            return []
        if change.desired is None:
            return [Origin("drift", "no apply of this spec made it or saw it")]
        return [Origin("pending", "no apply since it is in the spec")]

    def _deleted(self, entry: Entry) -> list[Origin]:
        if entry.stands:
            return [Origin("pending", f"the spec no longer has it; an apply of {day(entry)} did")]
        return [Origin("drift", f"it was deleted on {day(entry)}, and is there again")]

    def _missing(self, change: Change, entry: Entry) -> list[Origin]:
        if not entry.stands:
            return [Origin("pending", f"it was deleted on {day(entry)}, and is in the spec again")]
        found = [Origin("drift", f"it was there on {day(entry)}, and is gone")]
        changed = [name for name in self._stated(change.ref) if self._spec_changed(change.ref, name, entry)]
        return [*found, Origin("pending", f"the spec's {_listed(changed)} changed since then")] if changed else found

    def _stated(self, ref: Ref) -> Mapping[str, Value]:
        entity = self.stated.entities.get(ref)
        return entity.fields if entity is not None else {}

    def _spec_changed(self, ref: Ref, name: str, entry: Entry) -> bool | None:
        """Whether the spec says another value than the one put down; None if that cannot be told."""
        seal = self.seal.behind(entry.seal) if entry.sound else None
        value = self._stated(ref).get(name)
        now = None if seal is None else seal.written(ref, name, value)
        if now is None:
            return None
        return entry.written.get(name) != now

    def _fields(self, change: Change, entry: Entry) -> Iterator[Origin]:
        assert change.observed is not None
        ref, seen = change.ref, change.observed.fields
        names = dict.fromkeys(part.field.split("[")[0].split(".")[0] for part in change.fields)
        spec = {name: self._spec_changed(ref, name, entry) for name in names}
        cluster = {name: self._cluster_changed(ref, name, seen.get(name), entry) for name in names}
        told = {name for name in names if spec[name] is not None}
        drifted = [name for name in names if cluster[name] or (name in told and not spec[name])]
        pending = [name for name in names if spec[name]]
        if drifted:
            yield Origin("drift", f"{_listed(drifted)} changed on the cluster since {day(entry)}")
        if pending:
            yield Origin("pending", f"{_listed(pending)} changed in the spec since {day(entry)}")

    def _cluster_changed(self, ref: Ref, name: str, seen: Value, entry: Entry) -> bool:
        """Whether the service shows something else than it did."""
        seal = self.seal.behind(entry.seal) if entry.sound else None
        if seal is None:
            return False
        if name in entry.shown:
            return entry.shown[name] != seal.shown(ref, name, seen) or bool(self.foreign(ref, entry))
        if name not in entry.written or isinstance(seen, Hidden):
            return False
        return seal.written(ref, name, seen) != entry.written[name]


def findings(changes: Mapping[Ref, Change], origins: Origins) -> list[Finding]:
    """A finding for each reason that can be told."""
    return [Finding(one.side, ref, one.message) for ref, change in changes.items() for one in origins.of(change)]


def _listed(names: list[str]) -> str:
    return ", ".join(names)
