"""What an apply puts down: beforehand what it is about to write, afterwards what became of it and how it is shown.

The rows of before are what a crash leaves: nobody then knows what the service holds, so what is hidden counts as
changed until an apply has written it and lived to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kxrecon.apply import ALREADY
from kxrecon.diff import compare, completed
from kxrecon.kinds import kind
from kxrecon.ledger.judge import Judge
from kxrecon.ledger.owners import Owners
from kxrecon.ledger.rows import GONE, SAW, TRIED, VOID, WROTE, Entry, Row
from kxrecon.ledger.seal import PLAIN, Seal
from kxrecon.model import Action, Change, Entity, Outcome, Ref, State, Value
from kxrecon.origin import changes

Fate = Literal["wrote", "already", "failed", "not sent"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every row of one apply has: cluster, spec, plan, who; and the run's mark in the services' logs."""

    cluster: str
    spec: str
    plan: str
    who: str
    run: str

    def row(self, at: str, ref: Ref, entry: Entry) -> Row:
        """The row that says what an entry says."""
        return Row(at, self.cluster, entry.spec, entry.event, ref.kind, ref.name, entry.plan, self.who, entry.body())

    def entry(self, at: str, event: str) -> Entry:
        """An entry of this apply with nothing in it."""
        return Entry(self.spec, event, at, self.plan, run=self.run)


def tried(frame: Frame, at: str, actions: Sequence[Action], owners: Owners) -> list[Row]:
    """The rows of before: each entity that may hold something hidden and that is about to be written."""
    rows = []
    for ref, change in changes(actions).items():
        if change.verb != "delete" and getattr(kind(ref.kind), "WRITE_ONLY", False):
            rows.append(frame.row(at, ref, replace(frame.entry(at, TRIED), owns=owners.owns(ref))))
    return rows


def fates(actions: Sequence[Action], outcomes: Sequence[Outcome]) -> dict[Ref, Fate]:
    """What became of each entity that the plan writes, over all actions that touch it."""
    results = {one.action: one for one in outcomes}
    found: dict[Ref, list[Outcome]] = {ref: [] for ref in changes(actions)}
    for action in actions:
        for ref in action.refs:
            if ref in found and action.phase in ("apply", "stop") and action.id in results:
                found[ref].append(results[action.id])
    return {ref: _fate(ones) for ref, ones in found.items() if ones}


def _fate(outcomes: Sequence[Outcome]) -> Fate:
    kinds = {one.result for one in outcomes}
    if kinds == {"done"}:
        return "already" if all(one.message == ALREADY for one in outcomes) else "wrote"
    return "failed" if kinds & {"done", "failed"} else "not sent"


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that the rows of after are made from.

    ``owners`` is the ledger as it was before the apply, ``mark`` the instant of this run's command in a journal,
    ``adopts`` whether what nobody owns becomes this spec's (``--adopt``). ``now`` is what was read when all was done
    (None if nobody could look), ``wanted`` what the spec asks for, with its derived links.
    """

    frame: Frame
    seal: Seal
    owners: Owners
    wanted: State
    now: State | None
    mark: Callable[[Ref], str]
    adopts: bool = False

    def rows(self, at: str, written: Mapping[Ref, Change], fate: Mapping[Ref, Fate]) -> list[Row]:
        """One row for each entity of which there is something new to say."""
        refs = dict.fromkeys((*written, *self.wanted.entities, *self.owners.entries))
        entries = ((ref, self._entry(at, ref, written.get(ref), fate.get(ref))) for ref in refs)
        return [self.frame.row(at, ref, entry) for ref, entry in entries if entry is not None]

    def _entry(self, at: str, ref: Ref, change: Change | None, fate: Fate | None) -> Entry | None:
        """The new entry of one entity; None where the last one still says it."""
        before = self.owners.entry(ref)
        entity = self.wanted.entities.get(ref)
        if change is not None and fate == "wrote":
            if change.verb == "delete":
                return self.frame.entry(at, GONE) if before is not None else None
            return self._wrote(at, change, entity or change.entity)
        if change is not None and fate == "not sent" and change.verb != "delete":
            # Takes back what was said beforehand.
            return self.frame.entry(at, VOID) if before is None else before
        if change is not None and fate != "already":
            return None
        if entity is not None:
            return self._saw(at, entity, before)
        return self.frame.entry(at, GONE) if before is not None and self._is_gone(ref, before) else None

    def _is_gone(self, ref: Ref, before: Entry) -> bool:
        """Whether something of ours was taken away by somebody else; whatever comes after it is not ours."""
        return before.stands and self.now is not None and ref not in self.now.entities and self.now.gap(ref) is None

    def _wrote(self, at: str, change: Change, entity: Entity) -> Entry:
        ref = entity.ref
        seen = None if self.now is None else self.now.entities.get(ref)
        entry = self._sealed(self.frame.entry(at, WROTE), entity, seen)
        owns = change.verb == "create" or self.owners.owns(ref) or (self.adopts and self.owners.is_free(ref))
        return replace(entry, blind=seen is None, owns=owns, journal=self.mark(ref) if entry.shown else "")

    def _sealed(self, entry: Entry, entity: Entity, seen: Entity | None) -> Entry:
        """An entry with the hashes of what the spec says, and of what is shown where that is something else."""
        ref, seal = entity.ref, self.seal
        written = {name: seal.written(ref, name, value) for name, value in entity.fields.items()}
        blank = {name: seal.blank(ref, name, value) for name, value in entity.fields.items()}
        fields = seen.fields if seen is not None else {}
        shown = {
            name: seal.shown(ref, name, fields[name])
            for name, value in entity.fields.items()
            if name in fields and fields[name] != value
        }
        return replace(entry, seal=seal.name, written=_known(written), blank=_known(blank), shown=shown)

    def _saw(self, at: str, entity: Entity, before: Entry | None) -> Entry | None:
        """What an apply found as the spec wants it: where it begins to know, and where it takes over."""
        ref = entity.ref
        seen = None if self.now is None else self.now.entities.get(ref)
        if seen is None or not self._is_as_wanted(entity, seen, before):
            return None
        owns = self.owners.owns(ref) or (self.adopts and seen.owner is None and self.owners.is_free(ref))
        hidden = _differing(entity, seen)
        if before is not None and before.stands:
            same = before.owns == owns and before.spec == self.frame.spec
            if hidden:  # proves itself by the old hashes only, so they stay as they are
                return None if same else replace(before, spec=self.frame.spec, owns=owns)
            if same and not self._is_news(entity, before):
                return None
        plain = {name: value for name, value in entity.fields.items() if name not in hidden}
        return replace(self._sealed(self.frame.entry(at, SAW), replace(entity, fields=plain), seen), owns=owns)

    def _is_news(self, entity: Entity, before: Entry) -> bool:
        """Whether the old hashes, as far as they can be made again, are not those of what the spec says now."""
        seal = self.seal.behind(before.seal)
        if seal is None or (self.seal.keyed and before.seal == PLAIN):
            return seal is not None
        hashes = ((name, seal.written(entity.ref, name, value)) for name, value in entity.fields.items())
        return any(found not in (None, before.written.get(name)) for name, found in hashes)

    def _is_as_wanted(self, entity: Entity, seen: Entity, before: Entry | None) -> bool:
        """Whether nothing of an entity is known to differ; what is merely hidden does not."""
        judge = Judge(lambda _: before, self.seal)
        for name, (value, shown) in _differing(entity, seen).items():
            verdict = compare(value, shown)
            if verdict != "equal" and judge(entity.ref, name, value, shown, verdict).verdict == "changed":
                return False
        return True


def _differing(entity: Entity, seen: Entity | None) -> dict[str, tuple[Value, Value]]:
    """The fields that are not shown as the spec says them, with both values."""
    if seen is None:
        return {}
    full, shown = completed(entity, seen).fields, seen.fields
    pairs = {name: (full[name], shown[name]) for name in entity.fields if name in shown}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _known(hashes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: found for name, found in hashes.items() if found}
