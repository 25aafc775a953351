"""What may not happen without somebody's word: hazards on actions, and too much change at once.

``--allow KIND[:ENTITY]`` and ``allow:`` in the spec lift single hazards; ``--force`` lifts the
thresholds and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from kxrecon.called import called
from kxrecon.dangers import HAZARDS, NAMED
from kxrecon.errors import UsageError
from kxrecon.model import Allow, Hazard
from kxrecon.plan import Plan
from kxrecon.touched import touched

# As octoDNS counts: small estates change wholly without being suspicious.
THRESHOLD_PERCENT = 30
THRESHOLD_ENTITIES = 10


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action may not run, and the words that would allow it. ``action`` is empty for the whole plan."""

    action: str
    message: str
    remedy: str


def parse_allow(text: str) -> Allow:
    """``KIND`` or ``KIND:ENTITY`` from the command line. UsageError for a hazard that there is not, and for one that
    has to be allowed by name and is not."""
    hazard, _, entity = text.partition(":")
    if hazard not in HAZARDS:
        close = get_close_matches(hazard, HAZARDS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(HAZARDS)}"
        raise UsageError(f"--allow {text}: there is no hazard '{hazard}' ({hint})")
    if hazard in NAMED and not entity:
        raise UsageError(
            f"--allow {hazard} is never for all at once: say --allow {hazard}:ENTITY, as the plan names it"
        )
    return Allow(hazard, entity or None)


def idle(plan: Plan, allows: Iterable[Allow]) -> list[str]:
    """The words of the command line that allow nothing in this plan, with the nearest that would."""
    there = [hazard for action in plan.actions for hazard in action.hazards]
    words = [f"{hazard.hazard}:{hazard.ref.label}" for hazard in there]
    told = []
    for allow in allows:
        if any(_matches(allow, hazard) for hazard in there):
            continue
        said = f"{allow.hazard}:{allow.entity}" if allow.entity else allow.hazard
        close = get_close_matches(said, words, n=1)
        hint = f"; did you mean --allow {close[0]}?" if close else ""
        told.append(f"--allow {said} allows nothing: this plan has no such hazard{hint}")
    return told


def refused(plan: Plan, allows: Iterable[Allow], today: date) -> list[Refusal]:
    """One refusal for each hazard that nobody allowed, or whose permission has run out."""
    known = [*plan.allow, *allows]
    refusals: list[Refusal] = []
    for action in plan.actions:
        for hazard in action.hazards:
            matching = [allow for allow in known if _matches(allow, hazard)]
            if any(_valid(allow, today) for allow in matching):
                continue
            expired = f" (the permission in the spec ended on {matching[0].until})" if matching else ""
            remedy = f"--allow {hazard.hazard}:{hazard.ref.label}"
            message = f"{called(hazard.ref)}: {hazard.hazard}: {hazard.reason}{expired}"
            refusals.append(Refusal(action.id, message, remedy))
    return refusals


def _matches(allow: Allow, hazard: Hazard) -> bool:
    general = () if hazard.hazard in NAMED else (None,)
    return allow.hazard == hazard.hazard and allow.entity in (hazard.ref.label, *general)


def _valid(allow: Allow, today: date) -> bool:
    return allow.until is None or date.fromisoformat(str(allow.until)) >= today


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How much of an estate may be updated or deleted at once: ``percent`` of at least ``entities`` that exist."""

    percent: int = THRESHOLD_PERCENT
    entities: int = THRESHOLD_ENTITIES


def thresholds(document: Mapping[str, Any]) -> Thresholds:
    """The ``thresholds:`` of a spec's document, completed by the defaults."""
    return Thresholds(**(document.get("thresholds") or {}))


def too_much(plan: Plan, limits: Thresholds | None = None) -> Sequence[Refusal]:
    """A refusal if more than the limits (30 % of at least 10) of the existing managed entities would be updated or
    deleted (``touched.py`` says what counts, on both sides of the fraction)."""
    limits = limits or Thresholds()
    changed, existing = len(touched(plan.actions)), plan.managed
    if existing < limits.entities or 100 * changed <= limits.percent * existing:
        return ()
    share = f"{100 * changed / existing:.0f} %"
    message = f"{changed} of {existing} existing entities ({share}) would be updated or deleted"
    return (Refusal("", f"{message}; {limits.percent} % is the limit", "--force, if that is what you want"),)
