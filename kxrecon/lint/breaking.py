"""Which findings a plan itself brings about: exports that would run, and fail from then on, because of it.

An export that is broken in the same way already is no matter of this plan: its finding is told, and blocks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kxrecon.lint import server
from kxrecon.lint.pack import Checked, check
from kxrecon.lint.rules import Lint
from kxrecon.model import Action, Hazard, Ref, State

GROUND = frozenset({"table", "function", "external_table"})
_ASKED = frozenset(rule.code for rule in server.RULES)  # nobody asked about what was there before
_OTHER = server.WROTE.code  # no matter of the export


def breaking(
    document: Mapping[str, Any], desired: State, observed: State, checked: Checked, actions: Sequence[Action]
) -> Mapping[str, tuple[Hazard, ...]]:
    """``breaks-export`` by the id of the action that brings it about: the export's own, else one on its ground."""
    refs = {ref.label: ref for ref in desired.entities if ref.kind == "continuous_export"}
    wrong = [one for one in checked.findings if one.severity == "error" and one.entity in refs and one.code != _OTHER]
    if not wrong or not actions:
        return {}
    known = _before(document, desired, observed)
    then = _after(document, desired, observed, actions)
    found: dict[str, list[Hazard]] = {}
    for one in wrong:
        ref = refs[one.entity]
        happens = one.code in _ASKED or (one.code, one.entity) in then
        if (one.code, one.entity) in known or not happens or _rests(ref, desired, observed, actions):
            continue
        action = _bringing(one, ref, actions)
        if action is not None:
            found.setdefault(action.id, []).append(Hazard("breaks-export", ref, f"{one.code} {one.message}"))
    return {name: tuple(hazards) for name, hazards in found.items()}


def _before(document: Mapping[str, Any], desired: State, observed: State) -> set[tuple[str, str]]:
    """Code and export of what is wrong with the spec's exports as they are now."""
    there = observed.entities
    now = State({ref: there[ref] for ref in desired.entities if ref in there}, observed.readings, observed.gaps)
    return {(one.code, one.entity) for one in check(document, now, observed, deep=False).findings}


def _after(
    document: Mapping[str, Any], desired: State, observed: State, actions: Iterable[Action]
) -> set[tuple[str, str]]:
    """Code and export of what will be wrong with them: what the plan withholds stays as it is, and breaks nothing."""
    there = observed.entities
    made = {ref for action in actions if action.phase == "apply" for ref in action.refs}
    stays = {ref: there[ref] for ref in desired.entities if ref in there and ref not in made}
    mixed = {
        ref: replace(stays[ref], attributes=one.attributes, path=one.path) if ref in stays else one
        for ref, one in desired.entities.items()
    }
    then = State(mixed, observed.readings, observed.gaps)
    return {(one.code, one.entity) for one in check(document, then, observed, deep=False).findings}


def _rests(ref: Ref, desired: State, observed: State, actions: Iterable[Action]) -> bool:
    """Whether an export stands still after the plan: then nothing fails."""
    if any(ref in action.refs and action.phase == "enable" for action in actions):
        return False
    sides = (desired.entities[ref], observed.entities.get(ref))
    said = (side.fields["isDisabled"] for side in sides if side is not None and "isDisabled" in side.fields)
    return next(said, False) is True


def _bringing(one: Lint, ref: Ref, actions: Sequence[Action]) -> Action | None:
    making = [action for action in actions if action.phase in ("apply", "enable") and action.until is None]
    own = [action for action in making if ref in action.refs]
    ground = [action for action in making if any(touched.kind in GROUND for touched in action.refs)]
    found = own if one.code in _ASKED else own or ground
    return found[0] if found else None
