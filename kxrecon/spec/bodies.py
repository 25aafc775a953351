"""``bodyFile`` and ``queryFile``: the text of a file in place of its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from kxrecon.errors import Problem
from kxrecon.model import Value
from kxrecon.spec.files import read_text
from kxrecon.spec.places import Places
from kxrecon.spec.source import SpecPath

_FIELDS: Final = {"functions": ("bodyFile", "body"), "continuousExports": ("queryFile", "query")}


def read_bodies(document: dict[str, Value], places: Places) -> tuple[dict[str, Value], list[Problem]]:
    """The document with bodies and queries read from their files, relative to the file that names them."""
    problems: list[Problem] = []
    databases = dict(document.get("databases") or {})
    for database, section, entry in _with_files(document):
        named, wanted = _FIELDS[section]
        path: SpecPath = ("databases", database, section, entry, named)
        fields = databases[database][section][entry]
        text = _text(path, str(fields[named]), places)
        if isinstance(text, Problem):
            problems.append(text)
            continue
        rest = {key: value for key, value in fields.items() if key != named}
        databases[database] = _with_entry(databases[database], section, entry, {**rest, wanted: text})
    return {**document, "databases": databases} if databases else document, problems


def _with_files(document: dict[str, Value]) -> Iterator[tuple[str, str, str]]:
    for database, sections in (document.get("databases") or {}).items():
        for section, (named, _) in _FIELDS.items():
            entries = sections.get(section) or {}
            yield from ((database, section, name) for name, entry in entries.items() if named in entry)


def _with_entry(database: dict[str, Value], section: str, name: str, entry: Value) -> dict[str, Value]:
    return {**database, section: {**database[section], name: entry}}


def _text(path: SpecPath, named: str, places: Places) -> str | Problem:
    place = places.find(path)
    file = places.folder(path) / Path(named)
    text = read_text(file, str(file), place)
    if isinstance(text, Problem):
        return replace(text, path=path)
    if not text.strip():
        return Problem(f"'{named}' is empty", path=path, place=place)
    return text.replace("\r\n", "\n")
