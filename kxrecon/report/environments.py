"""The differences of two environments, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kxrecon import called
from kxrecon.environments import Sides
from kxrecon.model import Change
from kxrecon.report.lines import Line, line, wrapped
from kxrecon.report.table import table
from kxrecon.report.text import change_lines
from kxrecon.report.values import value


@dataclass(frozen=True, slots=True)
class Pair:
    """Two specs of one name in two folders: what differs, or the ``error`` that keeps them from being compared; a side
    where there is none is empty."""

    name: str
    first: str
    second: str
    sides: Sides | None = None
    error: str = ""

    @property
    def result(self) -> str:
        """In a word or two."""
        if not self.first or not self.second:
            return "only in the second" if self.second else "only in the first"
        if self.sides is None:
            return "failed"
        return "differs" if self.sides.changes else "equal"


WORDS = {"delete": "only in the first", "create": "only in the second", "update": "differs"}


def text(sides: Sides, first: str, second: str) -> Iterator[Line]:
    """What differs, by place: - is only in the first, + only in the second, ~ differs (first → second)."""
    yield line(f"- {first}, + {second}", "dim")
    places: dict[str, list[Change]] = {}
    for change in sides.changes:
        places.setdefault(called.place(change.ref), []).append(change)
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


def pairs(found: Sequence[Pair]) -> Iterator[Line]:
    """The differences of each pair that has some, then a table of all, then the errors."""
    for pair in found:
        if pair.sides is not None and pair.sides.changes:
            yield line(pair.name, "bold")
            yield from text(pair.sides, pair.first, pair.second)
            yield line()
    yield from table(("spec", *WORDS.values(), "equal", "result"), [_cells(pair) for pair in found])
    for pair in found:
        if pair.error:
            yield line(f"{pair.name}:", "warn")
            yield from wrapped(pair.error, indent=4)


def _cells(pair: Pair) -> list[Any]:
    if pair.sides is None:
        return [pair.name, *[""] * (len(WORDS) + 1), pair.result]
    counted = [sum(change.verb == verb for change in pair.sides.changes) for verb in WORDS]
    return [pair.name, *counted, pair.sides.equal, pair.result]


def pairs_as_json(found: Sequence[Pair]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "specs": [
            {"name": one.name, "first": one.first or None, "second": one.second or None, "error": one.error or None}
            | (as_json(one.sides) if one.sides else {})
            for one in found
        ]
    }


def as_json(sides: Sides) -> dict[str, Any]:
    """The same for programs."""
    return {"equal": sides.equal, "differences": [_record(change) for change in sides.changes]}


def _record(change: Change) -> dict[str, Any]:
    fields = [
        {"field": one.field, "first": value(one.field, one.observed), "second": value(one.field, one.desired)}
        for one in change.fields
    ]
    return {"kind": change.ref.kind, "name": change.ref.label, "what": WORDS[change.verb], "fields": fields}
