"""Since when an export that never ran could have run: an enabled one that did not for too long is late like any other.

The database's journal tells when it was made or enabled (".show database DB journal": admins see all entries). Else its
``StartCursor`` does, which is a place in time where it has the form of one: where its first run begins, never earlier
than it was made.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from kxrecon.history import GRACE
from kxrecon.kinds.kusto._journal import enabled, journal
from kxrecon.model import Answer, Read, Reading, Table

__all__ = ["instant", "journal", "now", "odd_after", "overdue", "since"]
_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)
_OLDEST = datetime(2015, 1, 1, tzinfo=UTC)  # Kusto is younger: an earlier place is no time


def now(database: str) -> Read:
    """The cluster's own clock."""
    return Read("kusto", database, "print Now=now()")


def since(reading: Reading, told: Answer | None, clock: datetime) -> datetime | None:
    """When an export was enabled or made; None if neither the journal nor its StartCursor tells."""
    text = enabled(told).get(reading.ref.name[1]) if isinstance(told, Table) else None
    return instant(text) or _place(reading.values.get("startCursor"), clock)


def instant(cell: Any) -> datetime | None:
    """A datetime as Kusto writes it, with seven digits behind the point; None for none."""
    try:
        found = datetime.fromisoformat(str(cell).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _place(cursor: object, clock: datetime) -> datetime | None:
    """The time in a cursor such as ``636751928823156645``: ticks of 100 ns since the year 1."""
    text = str(cursor or "")
    if not (text.isascii() and text.isdigit() and len(text) == 18):
        return None
    found = _YEAR_1 + timedelta(microseconds=int(text) // 10)
    return found if _OLDEST <= found <= clock + timedelta(days=1) else None


def overdue(began: datetime, interval: float, clock: datetime) -> float:
    """Seconds by which the first run is overdue; 0 while it may still come, as between any two runs."""
    late = (clock - began).total_seconds() - interval
    return late if late > interval + GRACE.total_seconds() else 0.0


def odd_after(interval: float) -> float:
    """Seconds without a first run after which something is wrong."""
    return 2 * interval + GRACE.total_seconds()
