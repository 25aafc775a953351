"""Who applied what, as a table: newest last, where the eye is when it has been printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from kxrecon.report.lines import Line, line
from kxrecon.report.table import table


class Apply(Protocol):
    """What is told of one apply; ``kxrecon.ledger.rows.Run`` is one."""

    @property
    def spec(self) -> str:
        """The spec."""

    @property
    def began(self) -> str:
        """When it began."""

    @property
    def ended(self) -> str | None:
        """When it ended, if it did."""

    @property
    def who(self) -> str:
        """Who ran it."""

    @property
    def plan(self) -> str:
        """The plan's digest."""

    @property
    def result(self) -> str:
        """How it ended, in words."""

    @property
    def actions(self) -> int:
        """How many actions the plan had."""

    @property
    def done(self) -> int:
        """How many of them were done."""

    @property
    def failed(self) -> int:
        """How many of them failed."""


HEAD = ("when", "took", "who", "spec", "plan", "actions", "result")
_SPEC = HEAD.index("spec")


def text(runs: Sequence[Apply], ledger: str, *, spec: bool) -> Iterator[Line]:
    """A line for each apply; ``spec`` adds a column with whose it was."""
    if not runs:
        yield line(f"{ledger} knows of no apply.")
        return
    kept = [place for place in range(len(HEAD)) if spec or place != _SPEC]
    rows = [_row(run) for run in runs]
    yield from table([HEAD[place] for place in kept], [[row[place] for place in kept] for row in rows])


def _row(run: Apply) -> tuple[str, ...]:
    counts = f"{run.done}/{run.actions}" + (f", {run.failed} failed" if run.failed else "")
    when = run.began[:16].replace("T", " ") + "Z"
    return when, _took(run), run.who, run.spec, run.plan[:12], counts, run.result


def _took(run: Apply) -> str:
    if run.ended is None:
        return "?"
    try:
        seconds = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.began)).total_seconds()
    except ValueError:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
