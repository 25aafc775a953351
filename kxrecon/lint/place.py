"""Where in which file a place inside a query stands: a block of the YAML, a plain line of it, or a file beside it."""

from __future__ import annotations

from pathlib import Path

from kxrecon.errors import Place
from kxrecon.lint.rules import Lint
from kxrecon.spec import Spec


def place(spec: Spec, finding: Lint) -> Place | None:
    """The finding's place; the value that it speaks of where the place inside it cannot be told."""
    text = _text(spec, finding)
    if finding.offset is None or text is None:
        return spec.place(finding.path)
    row, column = _position(text, finding.offset)
    file = _file(spec, finding)
    if file is not None:
        return Place(str(file), row + 1, column + 1)
    start = spec.place(finding.path)
    return _inside(spec, start, text, (row, column)) if start else None


def _text(spec: Spec, finding: Lint) -> str | None:
    entity = next((one for one in spec.desired.entities.values() if one.path == finding.path[:-1]), None)
    query = entity.fields.get("query") if entity else None
    return query if isinstance(query, str) else None


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n"), len(before) - before.rfind("\n") - 1


def _file(spec: Spec, finding: Lint) -> Path | None:
    """The file that the query was read from, if it was."""
    path = (*finding.path[:-1], "queryFile")
    for source in reversed(spec.places.sources):
        there, name = source.value(path)
        if there and isinstance(name, str):
            return Path(source.file).parent / name
        if source.value(finding.path)[0]:
            return None
    return None


def _inside(spec: Spec, start: Place, text: str, at: tuple[int, int]) -> Place:
    """A position in a block scalar (lines indented alike), or in a value on the key's own line."""
    source = next(one for one in spec.places.sources if one.file == start.file)
    lines = source.text.splitlines()
    wanted = text.splitlines()
    for first in range(start.line - 1, min(start.line + 1, len(lines))):
        column = lines[first].find(wanted[0], start.column - 1 if first == start.line - 1 else 0) if wanted else -1
        if column < 0:
            continue
        row = first + at[0]
        if row < len(lines) and at[0] < len(wanted):
            shift = lines[row].find(wanted[at[0]])
            if shift >= 0:
                return Place(start.file, row + 1, shift + at[1] + 1)
    return start
