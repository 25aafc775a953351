"""``ignore:`` in the spec and ``drift --ignore``: differences that somebody looked at and leaves, each with a reason.

What is ignored stays as it is on the cluster, as if the spec did not speak of it; a plan says each time that it
does, what it would be and why it is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from kxrecon.diff import compare
from kxrecon.errors import UsageError
from kxrecon.kinds import NAMES
from kxrecon.model import Entity, Finding, Ref, State


@dataclass(frozen=True, slots=True)
class Ignore:
    """One entry: an entity by its label, of one kind or (empty) of any, whole or (named) in one field."""

    entity: str
    reason: str
    field: str = ""
    kind: str = ""
    until: str = ""

    def covers(self, ref: Ref) -> bool:
        """Whether this is about an entity."""
        return ref.label == self.entity and self.kind in ("", ref.kind)

    def __str__(self) -> str:
        return f"{self.kind} {self.entity}{':' if self.field else ''}{self.field}".strip()


def ignores(document: Mapping[str, Any]) -> tuple[Ignore, ...]:
    """The ``ignore:`` of a spec's document."""
    return tuple(
        Ignore(one["entity"], one["reason"], one.get("field", ""), one.get("kind", ""), str(one.get("until", "")))
        for one in document.get("ignore") or ()
    )


def parse(text: str, known: Collection[str]) -> Ignore:
    """``[KIND ]ENTITY[:FIELD]=REASON`` of the command line. Labels may hold ``=`` and ``:``, so ``known`` decides
    where one ends. Raises UsageError."""
    ends = [place for place, letter in enumerate(text) if letter == "="]
    for end in ends:
        found = _path(text[:end], text[end + 1 :].strip(), known)
        if found is not None:
            if not found.reason:
                raise UsageError(f"--ignore {found}: why? say --ignore '{found}=REASON'")
            return found
    if not ends:
        raise UsageError(f"--ignore takes PATH=REASON, not {text!r}")
    raise UsageError(f"--ignore {text[: ends[0]]}: neither the spec nor the cluster has such an entity")


def is_known(text: str, known: Collection[str]) -> bool:
    """Whether it names an entity that is ``known``, or is so wrong that it names none anywhere."""
    ends = [place for place, letter in enumerate(text) if letter == "="]
    return not ends or any(_path(text[:end], "", known) is not None for end in ends)


def _path(path: str, reason: str, known: Collection[str]) -> Ignore | None:
    kind, space, rest = path.partition(" ")
    if not (space and kind in NAMES):
        kind, rest = "", path
    if rest in known:
        return Ignore(rest, reason, kind=kind)
    for mark in (":", "/"):
        entity, _, field = rest.rpartition(mark)
        if entity in known:
            return Ignore(entity, reason, field, kind)
    return None


def left_alone(
    desired: State, observed: State, asked: Sequence[Ignore], today: date
) -> tuple[State, tuple[Finding, ...]]:
    """Desired with what is ignored as it is observed, and a finding for each thing that differs or no longer counts."""
    if not asked:
        return desired, ()
    entities = dict(desired.entities)
    sides = (desired.entities, observed.entities)
    findings: list[Finding] = []
    for one in asked:
        over = _is_over(one, today)
        refs = sorted(ref for ref in desired.entities.keys() | observed.entities.keys() if _is_about(ref, one, sides))
        if over or not refs:
            why = f"ended on {one.until}: it counts again" if over else "is about nothing that is there"
            findings.append(Finding("note", None, f"ignore: {one} {why}", "it can go"))
            continue
        for ref in refs:
            findings += _left(ref, one, entities, observed)
    return replace(desired, entities=entities), tuple(findings)


def left_behind(found: Iterable[Finding], asked: Sequence[Ignore], today: date) -> Iterator[Finding]:
    """The findings, those about what was left behind as ignored where somebody said so of the whole entity."""
    whole = [one for one in asked if not one.field and not _is_over(one, today)]
    for finding in found:
        ref = finding.ref
        one = next((one for one in whole if ref is not None and one.covers(ref)), None)
        is_left = finding.kind == "left-behind" and one is not None
        yield _finding(ref, one, "is left behind") if is_left and ref is not None and one is not None else finding


def _is_over(one: Ignore, today: date) -> bool:
    return bool(one.until) and date.fromisoformat(one.until) < today


def _is_about(ref: Ref, one: Ignore, sides: tuple[Mapping[Ref, Entity], ...]) -> bool:
    if not one.covers(ref):
        return False
    return not one.field or any(one.field in side[ref].fields for side in sides if ref in side)


def _left(ref: Ref, one: Ignore, entities: dict[Ref, Entity], observed: State) -> Iterator[Finding]:
    wanted, seen = entities.get(ref), observed.entities.get(ref)
    if one.field:
        yield from _field_left(ref, one, entities, wanted, seen)
        return
    if seen is None and observed.gap(ref) is not None:
        return
    if seen is None:
        entities.pop(ref, None)
        yield _finding(ref, one, "is missing")
        return
    differing = list(_differing(wanted, seen))
    entities[ref] = seen
    if wanted is None:
        yield _finding(ref, one, "is there, and the spec would have it deleted")
    elif differing:
        yield _finding(ref, one, f"{', '.join(differing)} {'differ' if len(differing) > 1 else 'differs'}")


def _field_left(
    ref: Ref, one: Ignore, entities: dict[Ref, Entity], wanted: Entity | None, seen: Entity | None
) -> Iterator[Finding]:
    if wanted is None or seen is None or one.field not in _differing(wanted, seen):
        return
    entities[ref] = replace(wanted, fields={**wanted.fields, one.field: seen.fields[one.field]})
    yield _finding(ref, one, f"{one.field} differs")


def _differing(wanted: Entity | None, seen: Entity) -> Iterable[str]:
    """Fields that are known to differ; what is merely hidden has to stay as the spec says it, or it would be lost."""
    if wanted is None:
        return ()
    return [
        name
        for name, value in wanted.fields.items()
        if name in seen.fields and compare(value, seen.fields[name]) == "changed"
    ]


def _finding(ref: Ref, one: Ignore, what: str) -> Finding:
    until = f", until {one.until}" if one.until else ""
    return Finding("ignored", ref, f"{what}, and is left so: {one.reason}{until}")
