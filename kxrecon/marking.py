"""Adopting what is there already: the spec's own mark on grants that it describes and that carry none.

A mark is a principal's Notes or the first words of a role assignment's description. Nothing is deleted and made
again for it, so that nobody is without access in between: Notes are written by adding a principal that is there
once more, a description by a PUT over the same name (learn.microsoft.com, Manage database security roles; Role
Assignments REST API). Whether Notes alone can be changed is not documented: a read afterwards tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kxrecon.kinds import NAMES, World, kind
from kxrecon.model import Change, Entity, FieldChange, Finding, Hazard, Ref, State, Step
from kxrecon.scope import Scope

# The kinds with a place for a mark, and how the service calls it.
PLACES = {"database_role": "notes", "role_assignment": "description"}


def marks(
    desired: State, observed: State, changed: Iterable[Ref], scope: Scope
) -> tuple[tuple[Change, ...], tuple[Finding, ...]]:
    """A ``mark`` for each unmarked grant that ``desired`` (with its derived links) has, and what stays as it is.

    Somebody else's mark is never overwritten: a finding names both. What is changed anyway is left out.
    """
    busy = frozenset(changed)
    found: list[Change] = []
    told: list[Finding] = []
    for ref in sorted(ref for ref in desired.entities if ref.kind in PLACES and ref not in busy):
        seen = observed.entities.get(ref)
        if seen is None or seen.owner == scope.mark:
            continue
        if seen.owner is not None:
            told.append(_claimed(ref, seen.owner, scope))
        elif scope.manages(NAMES[ref.kind]) == "apply":
            found.append(_mark(seen, desired.entities[ref], scope))
    return tuple(found), tuple(told)


def _claimed(ref: Ref, owner: str, scope: Scope) -> Finding:
    message = f"carries the mark {owner}, so it does not get the mark {scope.mark}"
    remedy = f"take it out of one of the two specs, or have {owner.partition('/')[2]} release it first"
    return Finding("blocked", ref, message, remedy)


def _mark(seen: Entity, wanted: Entity, scope: Scope) -> Change:
    """``desired`` is the observed entity with our mark; what somebody wrote there stays behind it."""
    place = PLACES[seen.ref.kind]
    before = str(seen.attributes.get(place) or "")
    after = f"{scope.mark} {before}".rstrip()
    marked = replace(seen, owner=after, reasons=wanted.reasons, path=wanted.path)
    return Change(seen.ref, "mark", seen, marked, (FieldChange(place, before or None, after),))


def steps(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """What to send for one group of marks: the kind's own way where it has one, else as it creates them."""
    asked = kind(changes[0].ref.kind)
    made = getattr(asked, "mark", asked.act)(changes, world)
    hazards = tuple(_rewords(change) for change in changes if change.fields[0].observed)
    return tuple(replace(step, hazards=hazards) for step in made)


def _rewords(change: Change) -> Hazard:
    """Somebody wrote there, and their tool may compare it."""
    place = change.fields[0]
    return Hazard("rewords-note", change.ref, f"{place.field} {place.observed!r}: the mark goes before it")
