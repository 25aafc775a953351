"""Drift or pending, told by a plan that was saved earlier: as much as it shows, where no ledger knows better.

A plan is a witness of one moment. What it did not plan was then as the spec said; what it planned was not yet, unless
it was applied. Of a spec that changed since then it knows only the entities that it planned itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from kxrecon.model import Action, Change, Entity, Finding, Ref
from kxrecon.plan import Plan, fingerprint
from kxrecon.tagged import canonical

Side = Literal["drift", "pending"]


@dataclass(frozen=True, slots=True)
class Origin:
    """One reason for a difference: ``drift`` (somebody changed the cluster) or ``pending`` (the spec changed)."""

    side: Side
    message: str


def changes(actions: Iterable[Action]) -> dict[Ref, Change]:
    """What a plan writes, by ref; an export that only stands still meanwhile is not written."""
    found: dict[Ref, Change] = {}
    for action in actions:
        for change in action.changes:
            if change.verb in ("create", "delete") or (change.verb == "update" and change.fields):
                found.setdefault(change.ref, change)
    return found


def by_plan(now: Plan, saved: Plan, applied: bool) -> Iterator[Finding]:
    """A finding for each difference of ``now`` whose origin a saved plan of the same spec and cluster shows.
    ``applied``: its actions were carried out, all of them."""
    before = changes(saved.actions)
    unsure = {one.ref for one in saved.findings if one.kind in ("unknown", "handover", "blocked", "unverifiable")}
    for ref, change in changes(now.actions).items():
        planned = before.get(ref)
        if planned is not None:
            origins = _planned(change, planned, saved, applied)
        elif saved.spec_digest == now.spec_digest and ref not in unsure:
            origins = [
                Origin("drift", f"was as the spec says when the plan of {_when(saved)} was made, and no longer is")
            ]
        else:
            continue
        yield from (Finding(one.side, ref, one.message) for one in origins)


def _planned(change: Change, planned: Change, saved: Plan, applied: bool) -> list[Origin]:
    """The origin of what the saved plan was to write."""
    same = _fields(change.desired) == _fields(planned.desired)
    if applied:
        if same:
            return [
                Origin("drift", f"was as the spec says when the plan of {_when(saved)} was applied, and no longer is")
            ]
        return [Origin("pending", f"changed in the spec since the plan of {_when(saved)} was applied")]
    found = [Origin("pending", f"planned on {_when(saved)}, not applied yet")]
    if fingerprint(change.observed) != fingerprint(planned.observed):
        found.insert(0, Origin("drift", f"changed on the cluster since the plan of {_when(saved)}"))
    return found


def _fields(entity: Entity | None) -> bytes:
    return b"" if entity is None else canonical(dict(entity.fields))


def _when(plan: Plan) -> str:
    return plan.created[:16].replace("T", " ") + "Z"
