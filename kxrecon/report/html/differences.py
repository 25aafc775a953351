"""What changes about an entity, side by side: old and new with the part that differs marked, or lines of a diff."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kxrecon.model import Change, FieldChange
from kxrecon.report import plan_view as view
from kxrecon.report.values import field_name, value

_WORDS = re.compile(r"\w+|\s+|.", re.DOTALL)
_COMPARED = 4_000  # characters; the marks of a longer value would help nobody

Marked = tuple[str, str, str]  # what is the same, what differs, what is the same again


@dataclass(frozen=True, slots=True)
class Row:
    """One field: ``diff`` lines with their sign, or ``old`` and ``new``, or ``new`` alone for what is created."""

    field: str
    old: Marked | None = None
    new: Marked | None = None
    diff: Sequence[tuple[str, str]] = ()


def rows(change: Change) -> list[Row]:
    """The fields of a change as people compare them; none of a delete."""
    if change.verb in ("update", "mark"):
        return [_compared(part) for part in change.fields]
    return [Row(name, new=("", text, "")) for name, text in view.fields(change)]


def _compared(part: FieldChange) -> Row:
    name = part.field.split("[", 1)[0]
    old, new = value(name, part.observed), value(name, part.desired)
    if "\n" in old or "\n" in new:
        lines = view.difference(part).splitlines()
        signs = {"+": "add", "-": "remove"}
        return Row(field_name(part.field), diff=[(signs.get(one[:1], "same"), one) for one in lines])
    return Row(field_name(part.field), *marked(old, new))


def marked(old: str, new: str) -> tuple[Marked, Marked]:
    """Both texts cut where they begin and where they cease to differ, at words."""
    if max(len(old), len(new)) > _COMPARED:
        return ("", old, ""), ("", new, "")
    mine, other = _WORDS.findall(old), _WORDS.findall(new)
    most = min(len(mine), len(other))
    start = next((at for at in range(most) if mine[at] != other[at]), most)
    most -= start
    end = next((at for at in range(most) if mine[-1 - at] != other[-1 - at]), most)
    return _cut(mine, start, end), _cut(other, start, end)


def _cut(words: Sequence[str], start: int, end: int) -> Marked:
    stop = len(words) - end
    return "".join(words[:start]), "".join(words[start:stop]), "".join(words[stop:])
