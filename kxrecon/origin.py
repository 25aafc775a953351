"""Drift or pending by plans of earlier days: as much as they show, where no ledger knows better.

The plan that was applied last, and after which the cluster was what the spec says, is a witness of both sides: where
what the spec asks for is the same as then, the cluster moved. A plan that was only saved saw one side at one moment:
what it did not plan was then as the spec said, what it planned was as it had read it. Which side a difference that it
planned came from, it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from kxrecon.diff import compare
from kxrecon.model import Action, Change, Entity, Finding, Ref, Value
from kxrecon.plan import Plan, fingerprint
from kxrecon.tagged import canonical

Side = Literal["drift", "pending"]
UNSURE = ("unknown", "handover", "blocked", "unverifiable")


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


def by_plans(now: Plan, applied: Plan | None, saved: Plan | None) -> Iterator[Finding]:
    """A finding for each difference of ``now`` whose origin is shown by a plan of the same spec and cluster: by the one
    ``applied`` last, if it converged and no other apply began since; else by one that was ``saved`` after that."""
    for ref, change in changes(now.actions).items():
        origins = _by_applied(now, change, applied) if applied is not None else []
        if not origins and saved is not None:
            origins = _by_saved(now, change, saved)
        yield from (Finding(one.side, ref, one.message) for one in origins)


def _by_applied(now: Plan, change: Change, applied: Plan) -> list[Origin]:
    planned = changes(applied.actions).get(change.ref)
    gone = Origin("drift", f"was as the spec says when the plan of {_when(applied)} was applied, and no longer is")
    if planned is None:
        return [gone] if _was_equal(change.ref, now, applied) else []
    names = _names(change)
    pending = _stated(planned.desired, names) != _stated(change.desired, names)
    if not pending:
        return [gone]
    found = [Origin("pending", f"changed in the spec since the plan of {_when(applied)} was applied")]
    if _moved(planned.desired, change.observed, names):
        found.insert(0, Origin("drift", f"changed on the cluster since the plan of {_when(applied)} was applied"))
    return found


def _by_saved(now: Plan, change: Change, saved: Plan) -> list[Origin]:
    planned = changes(saved.actions).get(change.ref)
    if planned is None:
        same = _was_equal(change.ref, now, saved)
        told = f"was as the spec says when the plan of {_when(saved)} was made, and no longer is"
        return [Origin("drift", told)] if same else []
    if fingerprint(change.observed) == fingerprint(planned.observed):
        return []
    return [Origin("drift", f"changed on the cluster since the plan of {_when(saved)} was made")]


def _was_equal(ref: Ref, now: Plan, then: Plan) -> bool:
    """Whether a ref that an earlier plan did not write was as the spec of today says."""
    unsure = any(one.ref == ref for one in then.findings if one.kind in UNSURE)
    return then.spec_digest == now.spec_digest and not unsure


def _names(change: Change) -> list[str]:
    """The fields that differ; all that the spec states of what is to be created."""
    if change.fields:
        return sorted({part.field.split("[")[0].split(".")[0] for part in change.fields})
    return sorted(change.entity.fields)


def _stated(entity: Entity | None, names: Iterable[str]) -> bytes:
    fields: Mapping[str, Value] = {} if entity is None else entity.fields
    return b"" if entity is None else canonical({name: fields[name] for name in names if name in fields})


def _moved(then: Entity | None, seen: Entity | None, names: Iterable[str]) -> bool:
    """Whether the cluster shows something else than an apply had made of it, as far as it is shown."""
    if then is None or seen is None:
        return (then is None) != (seen is None)
    both = [name for name in names if name in then.fields and name in seen.fields]
    return any(compare(then.fields[name], seen.fields[name]) == "changed" for name in both)


def _when(plan: Plan) -> str:
    return plan.created[:16].replace("T", " ") + "Z"
