"""Problems of a spec as text: one a line, each with its place, errors before the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kxrecon.errors import Problem
from kxrecon.report.lines import Line, line


def text(problems: Sequence[Problem], entities: int | None, files: Sequence[str]) -> Iterator[Line]:
    """Every problem, then the verdict; ``entities`` is None if the spec cannot be used."""
    for problem in problems:
        yield line(str(problem), "remove" if problem.severity == "error" else "change")
    if entities is None:
        return
    notes = f", {len(problems)} note{'s' if len(problems) > 1 else ''}" if problems else ""
    yield line(f"{', '.join(files)}: valid, {entities} entities{notes}.", "bold")


def count(problems: Sequence[Problem]) -> str:
    """``3 errors, 1 note``."""
    errors = sum(problem.severity == "error" for problem in problems)
    notes = len(problems) - errors
    parts = [(errors, "error"), (notes, "note")]
    return ", ".join(
        f"{number} {word}{'s' if number != 1 else ''}" for number, word in parts if number or word == "error"
    )
