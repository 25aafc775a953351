"""Lanes: one plan, carried out by several identities, each where it may write, in the order that the plan gives.

A lane is a plane (``arm``), or one place on it (``kusto/Telemetry``): what one identity has the rights for. The plan is
one, reviewed once; whoever applies one lane does its actions, looks at those of the others, and leaves what waits for
them to a later apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from kxrecon.errors import UsageError
from kxrecon.handover import owner
from kxrecon.kinds import NAMES
from kxrecon.model import Action, Plane, Ref

FOR_LANE = "for lane "


def lane(ref: Ref) -> str:
    """The narrowest lane that an entity is in: its plane and its place there."""
    return f"{NAMES[ref.kind]}/{owner(ref)}"


def elsewhere(action: Action) -> str:
    """Why an action is not done in the lane that is applied."""
    return FOR_LANE + ", ".join(sorted(set(map(lane, action.refs))))


def meant(action: Action, actions: Sequence[Action]) -> list[Action]:
    """The actions that tell whether one was done: itself; of an export that only stands still meanwhile, whose state is
    the same before and afterwards, what it stands still for."""
    if action.phase not in ("disable", "enable"):
        return [action]
    around = [one for one in actions if action.id in one.after or one.id in action.after]
    return [one for one in around if one.phase == "apply"] or [action]


def lanes(actions: Iterable[Action]) -> list[str]:
    """The narrowest lanes of a plan's actions; waits are in none."""
    return sorted({lane(ref) for action in actions if action.until is None for ref in action.refs})


def check(asked: Sequence[str], actions: Sequence[Action]) -> None:
    """UsageError for a lane that is none. One in which nothing is to be done is no mistake."""
    known = lanes(actions)
    for one in asked:
        plane, _, place = one.partition("/")
        if plane not in get_args(Plane):
            raise UsageError(
                f"'{one}' is no lane: {', '.join(get_args(Plane))}, or one place there, as kusto/Telemetry"
            )
        if place and known and not any(_in(name, one) for name in known):
            raise UsageError(f"this plan does nothing in lane '{one}': its lanes are {', '.join(known)}")


def _in(narrow: str, asked: str) -> bool:
    return narrow.lower() == asked.lower() or narrow.lower().startswith(f"{asked.lower()}/")


def mine(actions: Sequence[Action], asked: Sequence[str]) -> frozenset[str]:
    """The ids of the actions in these lanes (none named: all), and of the waits that one of them waits for."""
    if not asked:
        return frozenset(action.id for action in actions)
    found = {
        action.id
        for action in actions
        if action.until is None and any(_in(lane(ref), one) for ref in action.refs for one in asked)
    }
    for action in reversed(actions):
        if action.until is not None and any(action.id in other.after for other in actions if other.id in found):
            found.add(action.id)
    return frozenset(found)
