"""What each witness judged in this run: counts, and the disagreements that are known, with their reasons.

Tests add while they run; tests/conftest.py joins what the workers counted and prints one section for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """The counts of one witness; ``reasons`` are those of the disagreements that are allowed, ``absent`` says why it
    was not heard."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    absent: set[str] = field(default_factory=set)

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        self.counts[what] += number

    def excuse(self, reason: str, number: int = 1) -> None:
        """Add to the disagreements that have this reason."""
        self.reasons[reason] += number

    def miss(self, reason: str) -> None:
        """Say why this witness could not be heard."""
        self.absent.add(reason)


TALLIES: dict[str, Tally] = {}


def tally(witness: str) -> Tally:
    """The tally of a witness, by the title of its section."""
    return TALLIES.setdefault(witness, Tally())


def document() -> dict[str, Any]:
    """All tallies of this process, as values that a worker can hand over."""
    return {
        name: {"counts": dict(one.counts), "reasons": dict(one.reasons), "absent": sorted(one.absent)}
        for name, one in TALLIES.items()
    }


def join(other: Mapping[str, Any]) -> None:
    """Add the tallies of another process."""
    for name, one in other.items():
        tally(name).counts.update(one["counts"])
        tally(name).reasons.update(one["reasons"])
        tally(name).absent.update(one["absent"])


def sections() -> Iterator[tuple[str, list[str]]]:
    """Title and lines of each witness that judged anything, or could not."""
    for name, one in sorted(TALLIES.items()):
        if one.absent:
            yield name, [f"NOT HEARD: {reason}" for reason in sorted(one.absent)]
        if one.counts:
            lines = [f"{number:>7} {what}" for what, number in sorted(one.counts.items())]
            excused = [f"{number:>7} × {reason}" for reason, number in sorted(one.reasons.items())]
            total = sum(one.reasons.values())
            yield (
                name,
                [*lines, f"{total:>7} disagreements{', each for a recorded reason:' if total else ''}", *excused],
            )
