"""Actions as a page tells them: each with its number, or, of several plans, once with the clusters that share it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kxrecon.called import within
from kxrecon.model import Action, Change, Hazard
from kxrecon.report import plan_view as view
from kxrecon.report.html import differences

if TYPE_CHECKING:
    from kxrecon.report.fleet import Row


@dataclass(slots=True)
class Planned:
    """One action: its ``number`` in the only plan, or the names of those whose plans hold it (``at``)."""

    anchor: str
    action: Action
    number: int = 0
    after: Sequence[tuple[str, int]] = ()  # anchors and numbers of the actions that it waits for
    refused: frozenset[str] = frozenset()  # the words that would allow its hazards
    members: list[int] = field(default_factory=list)
    at: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Details:
    """What unfolds below an action."""

    at: Sequence[str]
    reasons: str  # empty if the line tells them all
    hazards: Sequence[tuple[Hazard, str]]  # with the words that allow it; empty if somebody did
    cursor: tuple[str, str] | None
    careful: bool  # whether the cursor's effect is one to look at
    notes: Sequence[str]
    changes: Sequence[tuple[str, Sequence[differences.Row]]]
    names: Sequence[str]  # of the entities that have no fields to show, if the heading has no room for them
    updates: bool
    after: Sequence[tuple[str, int]]
    requests: Sequence[tuple[str, str]]


def planned(rows: Sequence[Row]) -> list[Planned]:
    """All actions of a plan in its order, or those of several plans, equal ones once."""
    if len(rows) == 1:
        return _alone(rows[0])
    found: dict[Hashable, Planned] = {}
    for member, row in enumerate(rows):
        refused = frozenset(one.remedy for one in row.refused)
        for action in row.plan.actions if row.plan else ():
            key = (_told(action), refused & _allowed_by(action))
            one = found.setdefault(key, Planned(f"a{len(found)}", action, refused=refused))
            one.members.append(member)
            one.at.append(row.name)
    return list(found.values())


def _alone(row: Row) -> list[Planned]:
    actions = row.plan.actions if row.plan else ()
    numbers = {action.id: number for number, action in enumerate(actions, 1)}
    refused = frozenset(one.remedy for one in row.refused)
    return [
        Planned(f"a{number}", action, number, _after(action, numbers), refused)
        for number, action in enumerate(actions, 1)
    ]


def _after(action: Action, numbers: dict[str, int]) -> list[tuple[str, int]]:
    found = sorted(numbers[one] for one in action.after if one in numbers)
    return [(f"a{number}", number) for number in found]


def _told(action: Action) -> Hashable:
    """Everything that is told of an action but its place in the order."""
    changes = tuple((change.ref, change.verb, tuple(view.fields(change))) for change in action.changes)
    requests = tuple(map(view.request_text, action.requests))
    said = (action.hazards, action.reasons, action.notes, action.cursor)
    return (action.verb, action.phase, action.refs, changes, requests, *said)


def _allowed_by(action: Action) -> frozenset[str]:
    return frozenset(map(allowing, action.hazards))


def allowing(hazard: Hazard) -> str:
    """The words that allow a hazard."""
    return f"--allow {hazard.hazard}:{hazard.ref.label}"


def reasons(action: Action) -> str:
    """Why an action is there, as short as a line allows."""
    return view.reasons(action.reasons, most=2)


def details(one: Planned) -> Details:
    """What is told of an action, as texts."""
    action, cursor = one.action, one.action.cursor
    return Details(
        one.at,
        whole if (whole := view.reasons(action.reasons)) != reasons(action) else "",
        [(hazard, words if (words := allowing(hazard)) in one.refused else "") for hazard in action.hazards],
        (cursor.label, cursor.reason) if cursor else None,
        cursor is not None and cursor.label != "keeps cursor",
        action.notes,
        [(_name(change, action), differences.rows(change)) for change in action.changes],
        _bare(action),
        any(change.verb in ("update", "mark") for change in action.changes),
        one.after,
        [(view.where(request), view.request_text(request)) for request in action.requests],
    )


def _bare(action: Action) -> list[str]:
    if len(action.refs) < 3:
        return []
    fielded = {change.ref for change in action.changes if differences.rows(change)}
    return [name for ref, name in zip(action.refs, view.names(action), strict=True) if ref not in fielded]


def _name(change: Change, action: Action) -> str:
    """The entity of a change, where an action has several."""
    return within(change.ref) if len(action.changes) > 1 else ""
