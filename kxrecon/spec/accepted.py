"""What is wrong with ``allow:``, ``ignore:`` and ``silence:``: words that accept something have to mean something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from kxrecon.dangers import NAMED
from kxrecon.errors import Problem
from kxrecon.model import State

SECTIONS = ("allow", "ignore", "silence")


def check(document: Mapping[str, Any], desired: State) -> Iterator[Problem]:
    """A problem for each date that is none and each permission that could never count; a note for one that never ends,
    and for an entity that the spec does not have: whether the cluster has it, only a plan can tell."""
    labels = {ref.label for ref in desired.entities} if any(document.get(name) for name in SECTIONS) else set()
    for section in SECTIONS:
        for number, one in enumerate(document.get(section) or ()):
            path = (section, number)
            yield from _until(one, path)
            yield from _unnamed(one, path)
            entity = one.get("entity")
            if entity is not None and entity not in labels:
                message = f"the spec has no '{entity}': this counts only if the cluster has it"
                yield Problem(message, (*path, "entity"), remedy=_nearest(entity, labels), severity="note")


def _until(one: Mapping[str, Any], path: tuple[str, int]) -> Iterator[Problem]:
    if "until" not in one:
        if path[0] == "allow":
            message = "this permission never ends"
            yield Problem(message, path, remedy="until: gives it a last day", severity="note")
        return
    try:
        date.fromisoformat(one["until"])
    except ValueError:
        yield Problem(f"there is no day '{one['until']}'", (*path, "until"), remedy="a date such as 2026-12-01")


def _unnamed(one: Mapping[str, Any], path: tuple[str, int]) -> Iterator[Problem]:
    if path[0] == "allow" and one["hazard"] in NAMED and not one.get("entity"):
        message = f"{one['hazard']} is never allowed for all at once"
        yield Problem(message, (*path, "hazard"), remedy="name the export with entity:")


def _nearest(entity: str, labels: set[str]) -> str | None:
    close = get_close_matches(entity, labels, n=1)
    return f"did you mean '{close[0]}'?" if close else None
