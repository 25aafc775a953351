"""Where desired and observed differ: two mappings, compared without exceptions.

Everything special happened before: kinds normalised, and what we do not manage was copied into
desired (``adopt``). ``==`` decides first; DeepDiff explains only what is unequal, because it costs
three hundred times as much an entity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, Protocol

from kxrecon.kinds import NAMES, kind
from kxrecon.kql import obfuscated
from kxrecon.model import HIDDEN, Change, Entity, FieldChange, Hidden, Ref, State, Value
from kxrecon.prune import Pruning
from kxrecon.scope import Scope

Verdict = Literal["equal", "changed", "unverifiable"]


class Judged(NamedTuple):
    """A verdict on one field, and in words what it rests on where the two values alone do not show it."""

    verdict: Verdict
    why: str = ""


class Judge(Protocol):
    """Whoever knows more of a field than the two values show: what was written there, or what somebody asked for."""

    def __call__(self, ref: Ref, name: str, desired: Value, observed: Value, verdict: Verdict) -> Judged:
        """The verdict to go by; ``verdict`` is what comparing gave, ``changed`` or ``unverifiable``."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What ``diff`` found: changes, refs with fields that cannot be verified, refs that could not be read; and
    what a judge said of a field, by ref and field."""

    changes: tuple[Change, ...]
    unverifiable: tuple[tuple[Ref, str], ...]
    unknown: tuple[Ref, ...]
    why: Mapping[tuple[Ref, str], str] = field(default_factory=dict)


def compare(desired: Value, observed: Value) -> Verdict:
    """Three-valued: a hidden part makes a value unverifiable, unless another part of it differs."""
    if isinstance(observed, Hidden):
        differs = observed.shown and isinstance(desired, str) and obfuscated(desired) != observed.shown
        return "changed" if differs else "unverifiable"
    if desired == observed:
        return "equal"
    if isinstance(desired, tuple) and isinstance(observed, tuple) and len(desired) == len(observed):
        return _worst(zip(desired, observed, strict=True))
    if isinstance(desired, Mapping) and isinstance(observed, Mapping) and desired.keys() == observed.keys():
        return _worst((value, observed[key]) for key, value in desired.items())
    return "changed"


def _worst(pairs: Iterable[tuple[Value, Value]]) -> Verdict:
    """The verdict on a whole whose parts are compared: one that changed decides."""
    found: Verdict = "equal"
    for desired, observed in pairs:
        verdict = compare(desired, observed)
        if verdict == "changed":
            return verdict
        if verdict == "unverifiable":
            found = verdict
    return found


def adopt(desired: State, observed: State, scope: Scope) -> State:
    """Desired, completed by what we do not manage: whole entities, and the fields that the spec leaves out."""
    result: dict[Ref, Entity] = {}
    observed_entities = observed.entities
    for ref, entity in desired.entities.items():
        seen = observed_entities.get(ref)
        result[ref] = entity if seen is None else completed(entity, seen)
    pruning = Pruning(desired, scope, observed)
    for ref, entity in observed_entities.items():
        if ref in result or pruning.takes(entity):
            continue
        result[ref] = entity
    return State(result, observed.readings, observed.gaps)


def completed(entity: Entity, seen: Entity) -> Entity:
    """A desired entity with the fields that the spec leaves out, as they are observed."""
    specific = _specific(entity.ref.kind)
    if specific is not None:
        entity = specific(entity, seen)
    if entity.fields.items() <= seen.fields.items():
        fields = seen.fields  # nothing differs: one mapping for both
    elif entity.fields.keys() >= seen.fields.keys():
        return entity
    else:
        fields = {**seen.fields, **entity.fields}
    return Entity(entity.ref, fields, entity.attributes, entity.path, entity.reasons, entity.owner)


@cache
def _specific(name: str) -> Callable[[Entity, Entity], Entity] | None:
    """A kind's own way to adopt, if it has one."""
    own: Callable[[Entity, Entity], Entity] | None = getattr(kind(name), "adopt", None)
    return own


def diff(desired: State, observed: State, judge: Judge | None = None) -> Differences:
    """Compare two states by ref. ``desired`` must be adopted, or unmanaged entities count as deletions.

    ``judge`` has the last word on fields that are not plainly equal.
    """
    changes: list[Change] = []
    unverifiable: list[tuple[Ref, str]] = []
    unknown: list[Ref] = []
    why: dict[tuple[Ref, str], str] = {}
    for ref, entity in desired.entities.items():
        seen = observed.entities.get(ref)
        if seen is None:
            if observed.gap(ref):
                unknown.append(ref)
            else:
                changes.append(Change(ref, "create", None, entity))
        elif entity.fields is not seen.fields and entity.fields != seen.fields:
            change, hidden = _compare_fields(entity, seen, judge, why)
            unverifiable.extend((ref, name) for name in hidden)
            if change:
                changes.append(change)
    gone = observed.entities.keys() - desired.entities.keys()
    changes.extend(Change(ref, "delete", observed.entities[ref], None) for ref in gone)
    order = list(NAMES)
    changes.sort(key=lambda change: (order.index(change.ref.kind), change.ref.name, change.verb))
    return Differences(tuple(changes), tuple(sorted(unverifiable)), tuple(sorted(unknown)), why)


def _compare_fields(
    entity: Entity, seen: Entity, judge: Judge | None, why: dict[tuple[Ref, str], str]
) -> tuple[Change | None, list[str]]:
    changed: dict[str, Value] = {}
    hidden: list[str] = []
    for name, value in entity.fields.items():
        before = seen.fields.get(name)
        if value == before:
            continue
        verdict = compare(value, before)
        if judge is not None and verdict != "equal":
            verdict, told = judge(entity.ref, name, value, before, verdict)
            if told:
                why[entity.ref, name] = told
        if verdict == "changed":
            changed[name] = value
        elif verdict == "unverifiable":
            hidden.append(name)
    if not changed:
        return None, hidden
    explained = tuple(part for name, value in changed.items() for part in explain(name, seen.fields.get(name), value))
    return Change(entity.ref, "update", seen, entity, explained), hidden


def explain(name: str, observed: Value, desired: Value) -> list[FieldChange]:
    """Field-level differences inside one unequal field, by DeepDiff where the field is a record or list of records."""
    if not (isinstance(desired, Mapping | tuple) and isinstance(observed, Mapping | tuple)):
        return [FieldChange(name, observed, desired)]
    from deepdiff import DeepDiff

    found = DeepDiff(observed, desired, view="tree", ignore_numeric_type_changes=True, verbose_level=2)
    parts = [
        FieldChange(name + level.path()[len("root") :], _side(level.t1), _side(level.t2))
        for levels in found.values()
        for level in levels
    ]
    shown = [part for part in parts if not isinstance(part.observed, Hidden)]
    # Where all that differs is hidden, it was asked to be written again, or is known to be something else.
    told = shown or [part for part in parts if part.desired is not None]
    return sorted(told, key=lambda part: part.field) or [FieldChange(name, observed, desired)]


def _side(value: Any) -> Value:
    return None if type(value).__name__ == "NotPresent" else value


__all__ = ["HIDDEN", "Differences", "Judge", "Judged", "adopt", "compare", "completed", "diff"]
