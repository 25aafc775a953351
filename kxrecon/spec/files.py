"""Reading spec files: ``extends``, text files beside them, and merging by RFC 7396."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG
from typing import Final

from kxrecon.errors import Place, Problem
from kxrecon.model import Value
from kxrecon.spec.mistakes import place_of
from kxrecon.spec.source import Source
from kxrecon.spec.yaml import parse

MAX_BYTES: Final = 64 * 1024 * 1024  # three times a spec of 50 000 entities
MAX_FILES: Final = 10_000


def read_text(path: Path, shown: str, at: Place | None) -> str | Problem:
    """The text of a UTF-8 file, or the problem at ``at`` (the file itself if None) that keeps it from being read."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            return Problem(f"'{shown}' is not a file", place=at)
        if status.st_size > MAX_BYTES:
            size = f"{status.st_size // 1_000_000} MB"
            return Problem(f"'{shown}' is too large: {size}", place=at, remedy=f"at most {MAX_BYTES // 1_048_576} MiB")
        return _decoded(path.read_bytes(), shown)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or str(error)
        return Problem(f"cannot read '{shown}': {reason}", place=at, remedy=_similar(path))


def _decoded(content: bytes, shown: str) -> str | Problem:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        return Problem(
            "the file is not UTF-8 text", place=place_of(shown, before, len(before)), remedy="save it as UTF-8"
        )


def _similar(path: Path) -> str | None:
    """A file in the same folder whose name is close to one that was not found."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return None
    close = get_close_matches(path.name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else None


@dataclass(slots=True)
class _Walk:
    """The files met so far, in the order in which they are merged."""

    sources: dict[Path, Source] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open: list[Path] = field(default_factory=list)


def read(paths: Sequence[str]) -> tuple[list[Source], list[Problem]]:
    """All files of a spec, those that a file extends before it, each once; and what keeps others from being read."""
    walk = _Walk()
    for path in paths:
        _visit(walk, Path(path), path, None)
    return list(walk.sources.values()), walk.problems


def _visit(walk: _Walk, path: Path, shown: str, at: Place | None) -> None:
    try:
        key = path.resolve()
    except (OSError, ValueError, RuntimeError):
        key = path
    if key in walk.open:
        round_trip = " → ".join(each.name for each in [*walk.open[walk.open.index(key) :], key])
        walk.problems.append(Problem(f"'{shown}' extends itself: {round_trip}", place=at))
        return
    if key in walk.sources:
        return
    if len(walk.sources) + len(walk.open) >= MAX_FILES:
        walk.problems.append(Problem(f"a spec of more than {MAX_FILES} files", place=at))
        return
    text = read_text(path, shown, at)
    source = parse(shown, text) if isinstance(text, str) else [text]
    if not isinstance(source, Source):
        walk.problems.extend(source)
        return
    walk.open.append(key)
    for name, place in _extended(source):
        _visit(walk, path.parent / name, str(Path(shown).parent / name), place)
    walk.open.pop()
    walk.sources[key] = source


def _extended(source: Source) -> Iterator[tuple[str, Place | None]]:
    """The files that ``extends`` names; what is wrong with its form is left to the schema."""
    names = source.document.get("extends")
    if isinstance(names, str):
        names = [names]
    if isinstance(names, list):
        for index, name in enumerate(names):
            if isinstance(name, str):
                yield name, source.find(("extends", index))


def merge(sources: Sequence[Source]) -> dict[str, Value]:
    """The documents merged in order by RFC 7396; a single document without nulls is returned as it is.

    Merging begins with an empty mapping, so that json-merge-patch, which writes into its first
    argument, copies every mapping that it would change.
    """
    if len(sources) == 1 and not sources[0].nulls:
        return sources[0].document
    from json_merge_patch import merge as merge_patch

    merged: dict[str, Value] = merge_patch({}, *(source.document for source in sources))
    return merged
