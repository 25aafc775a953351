"""How much of an estate a plan touches: what the limits on too much change at once are counted in."""

from __future__ import annotations

from collections.abc import Iterable

from kxrecon.model import Action, Change, Ref, State


def touched(actions: Iterable[Action]) -> set[Ref]:
    """What exists and would be updated or deleted. Not what exports need and bring along, not what somebody else
    answers for (a rotation), not an export that only stands still."""
    changes = (change for action in actions for change in action.changes)
    return {change.ref for change in changes if _counts(change) and not change.entity.reasons}


def managed(stated: State, observed: State, actions: Iterable[Action]) -> int:
    """How many existing entities are the spec's: those it states itself, and those it takes away. Neither derived
    grants nor what others have there: they would make each change look small."""
    there = observed.entities
    own = {ref for ref, entity in stated.entities.items() if ref in there and not entity.reasons}
    return len(own | touched(actions))


def _counts(change: Change) -> bool:
    return change.verb == "delete" or (change.verb == "update" and bool(change.fields))
