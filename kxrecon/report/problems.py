"""Problems of a spec as text: one a line, each with its place, errors before the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kxrecon.errors import Problem
from kxrecon.report.lines import Line, Style, line

STYLES: Mapping[str, Style] = {"error": "remove", "warning": "warn", "note": "change"}


def text(problems: Sequence[Problem], entities: int | None, files: Sequence[str]) -> Iterator[Line]:
    """Every problem, then the verdict; ``entities`` is None if the spec cannot be used."""
    for problem in problems:
        yield line(str(problem), STYLES[problem.severity])
    if entities is None:
        return
    told = f", {count(problems)}" if problems else ""
    yield line(f"{', '.join(files)}: valid, {entities} entities{told}.", "bold")


def count(problems: Sequence[Problem]) -> str:
    """``3 errors, 1 note``."""
    numbers = {word: sum(problem.severity == word for problem in problems) for word in STYLES}
    return ", ".join(f"{number} {word}{'s' if number != 1 else ''}" for word, number in numbers.items() if number)
