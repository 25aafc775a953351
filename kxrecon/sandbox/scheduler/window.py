"""The fact rows of one run, as database cursors bound them.

("learn.microsoft.com, Database cursors": a continuous export reads ``cursor_after(last) and
cursor_before_or_at(now)`` of its fact tables, and other tables whole.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kxrecon.sandbox.scheduler.documents import moment
from kxrecon.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Span:
    """The fact rows of a run: sequences above ``after``, up to ``until``. ``ingested``: time of the last row."""

    after: str
    until: str
    ingested: str | None

    @property
    def is_empty(self) -> bool:
        """Nothing is new."""
        return self.until <= self.after


def span(store: Store, uri: str, facts: set[tuple[str, str]], after: str, before: datetime) -> Span:
    """What a run may read: rows above the cursor that were ingested no later than ``before``.

    The first row that is too young ends the span, so that the cursor never passes a row that waits.
    """
    found = [(key[3], row) for fact in facts for key, row in store.all("rows", uri, *fact) if key[3] > after]
    until, ingested = after, None
    for sequence, row in sorted(found, key=lambda one: one[0]):
        when = moment(str(row["ingested"]))
        if when is None or when > before:
            break
        until, ingested = sequence, str(row["ingested"])
    return Span(after, until, ingested)


def latest(now: datetime, latency: int) -> datetime:
    """The newest ingestion time that ``forcedLatency`` (ticks) lets through."""
    return now - timedelta(microseconds=latency // 10)
