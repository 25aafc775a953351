"""The differences of two environments, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kxrecon.environments import Sides
from kxrecon.model import Change
from kxrecon.report import plan_view as view
from kxrecon.report.lines import Line, line
from kxrecon.report.text import change_lines
from kxrecon.report.values import value

WORDS = {"create": "only in the second", "delete": "only in the first", "update": "differs"}


def text(sides: Sides, first: str, second: str) -> Iterator[Line]:
    """What differs, by place: - is only in the first, + only in the second, ~ differs (first → second)."""
    yield line(f"- {first}, + {second}", "dim")
    places: dict[str, list[Change]] = {}
    for change in sides.changes:
        places.setdefault(view.place(change.ref), []).append(change)
    for place, changes in places.items():
        yield line()
        yield line(place, "bold")
        for change in changes:
            yield from change_lines(change)
    yield line()
    yield line(_summary(sides), "bold")


def _summary(sides: Sides) -> str:
    counted = {verb: sum(change.verb == verb for change in sides.changes) for verb in ("delete", "create", "update")}
    words = {**WORDS, "update": "differs" if counted["update"] == 1 else "differ"}
    parts = [f"{number} {words[verb]}" for verb, number in counted.items() if number]
    return ", ".join([*parts, f"{sides.equal} equal"]) + "."


def as_json(sides: Sides) -> dict[str, Any]:
    """The same for programs."""
    return {"equal": sides.equal, "differences": [_record(change) for change in sides.changes]}


def _record(change: Change) -> dict[str, Any]:
    fields = [
        {"field": one.field, "first": value(one.field, one.observed), "second": value(one.field, one.desired)}
        for one in change.fields
    ]
    return {"kind": change.ref.kind, "name": change.ref.label, "what": WORDS[change.verb], "fields": fields}
