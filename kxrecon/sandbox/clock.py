"""The sandbox's time: the real one plus an offset kept in the store, so a test moves days in no time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from kxrecon.sandbox.store import Store


class Clock:
    """Now, as the sandbox sees it. ``advance`` moves it for every process that shares the file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        """The sandbox's current time, in UTC."""
        offset = (self._store.get("meta", "clock") or {}).get("offset", 0.0)
        return datetime.fromtimestamp(time.time() + offset, UTC)

    def advance(self, by: timedelta) -> None:
        """Move the clock forward."""
        with self._store.transaction():
            offset = (self._store.get("meta", "clock") or {}).get("offset", 0.0)
            self._store.put("meta", ("clock",), {"offset": offset + by.total_seconds()})
