"""Null removes what an extended file sets; one that removes nothing is a misspelt name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from kxrecon.errors import Problem
from kxrecon.model import Value
from kxrecon.spec.places import Places
from kxrecon.spec.source import Source, SpecPath


def idle_nulls(sources: Sequence[Source]) -> list[Problem]:
    """A problem for each null that neither an earlier file nor a default gives anything to remove."""
    return [
        _idle(source, path, Places(tuple(sources[:index])))
        for index, source in enumerate(sources)
        if source.nulls
        for path in _nulls(source.document, ())
        if not _removes(Places(tuple(sources[:index])), Places(tuple(sources)), path)
    ]


def _nulls(value: Value, path: SpecPath) -> Iterator[SpecPath]:
    """Paths of the nulls in a document, those inside lists left to the schema."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if inner is None:
                yield (*path, key)
            else:
                yield from _nulls(inner, (*path, key))


def _removes(earlier: Places, every: Places, path: SpecPath) -> bool:
    return earlier.exact(path) is not None or every.default(path) is not None


def _idle(source: Source, path: SpecPath, earlier: Places) -> Problem:
    key = str(path[-1])
    siblings = {str(name) for one in earlier.sources for name in _at(one.document, path[:-1])}
    close = get_close_matches(key, siblings, n=1)
    remedy = f"did you mean '{close[0]}'?" if close else "give it a value, or leave the line out"
    return Problem(
        f"'{key}' has no value, and no extended file sets one to remove", path, source.find(path), remedy=remedy
    )


def _at(document: Value, path: SpecPath) -> dict[str, Value]:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
