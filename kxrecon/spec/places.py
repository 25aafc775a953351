"""Where a value of the merged spec comes from: asked only when something is to be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kxrecon.errors import Place, Problem
from kxrecon.spec.secrets import masked
from kxrecon.spec.source import Source, SpecPath


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a spec, in the order in which they were merged."""

    sources: tuple[Source, ...]

    def find(self, path: SpecPath) -> Place | None:
        """Where the value at ``path`` was set last; else where the nearest part of the path was."""
        for shorter in _shortened(path):
            for candidate in _candidates(shorter):
                found = self._set_last(candidate)
                if found is not None:
                    return found
        return Place(self.sources[-1].file, 1, 1) if self.sources else None

    def exact(self, path: SpecPath) -> Place | None:
        """Where a file itself sets ``path``, defaults left aside; None if none does."""
        return self._set_last(path)

    def default(self, path: SpecPath) -> Place | None:
        """Where ``defaults`` give a value for ``path``; None if they do not."""
        candidates = list(_candidates(path))[1:]
        return next((place for one in candidates if (place := self._set_last(one))), None)

    def removed(self, path: SpecPath) -> bool:
        """Whether the last file that says anything about ``path`` says null."""
        for source in reversed(self.sources):
            found, value = source.value(path)
            if found:
                return value is None
        return False

    def folder(self, path: SpecPath) -> Path:
        """The folder of the file that set the value at ``path``: what its relative file names start from."""
        place = self.find(path)
        return Path(place.file).parent if place else Path()

    def placed(self, problem: Problem) -> Problem:
        """The problem with its place, if it had none, and without anything that looks like a credential."""
        place = problem.place or self.find(problem.path)
        return replace(problem, place=place, message=masked(problem.message))

    def _set_last(self, path: SpecPath) -> Place | None:
        return next((place for source in reversed(self.sources) if (place := source.find(path))), None)


def _shortened(path: SpecPath) -> Iterator[SpecPath]:
    for length in range(len(path), 0, -1):
        yield path[:length]


def _candidates(path: SpecPath) -> Iterator[SpecPath]:
    """The path, then the place in ``defaults`` that may have given the value."""
    yield path
    if len(path) > 4 and path[0] == "databases":
        yield ("defaults", path[2], *path[4:])
    elif len(path) > 2 and path[0] == "targets":
        yield ("defaults", "targets", *path[2:])


def in_file_order(problems: Sequence[Problem]) -> list[Problem]:
    """Problems sorted by file, line and column; each said once."""
    unique = {(str(problem.place), problem.message): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: _order(problem.place))


def _order(place: Place | None) -> tuple[str, int, int]:
    return (place.file, place.line, place.column) if place else ("", 0, 0)
