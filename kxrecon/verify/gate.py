"""The health gate: wait until exports really run. A run cannot be triggered, so it can only be waited for.

("learn.microsoft.com, Continuous data export": runs follow the interval; a fresh role assignment takes minutes
to take effect, so that a first failure proves nothing.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kxrecon.health import Health

GRACE = 30 * 60.0  # seconds that fresh grants may take, and then some


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the gate sees it: ``now`` in seconds, monotonic; ``sleep`` between two looks."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass
class Watched:
    """One export: the runs seen since the gate was entered, and how many in a row were good."""

    export: str
    before: datetime | None
    good: int = 0
    last: datetime | None = None
    failure: str = ""
    _seen: set[datetime] = field(default_factory=set)

    def look(self, health: Health) -> bool:
        """Take in what is shown; True if that is news."""
        run = health.last_run
        if run is None or run == self.before or run in self._seen:
            return False
        self._seen.add(run)
        self.last = run
        failed = "fail" in health.result.lower()
        self.good = 0 if failed else self.good + 1
        self.failure = (health.message or health.result) if failed else ""
        return True


def default_timeout(runs: int, intervals: Iterable[float]) -> float:
    """Seconds in which ``runs`` good runs can be expected: time for grants, and one interval more than runs."""
    return GRACE + (runs + 1) * max(intervals, default=0.0)


def wait(
    look: Callable[[], Sequence[Health]],
    exports: Iterable[str],
    runs: int,
    timeout: float,
    clock: Clock,
    on_news: Callable[[Watched], None] = lambda watched: None,
) -> list[Watched]:
    """Look until each export had ``runs`` good runs in a row, or the time is up; gives those that had not."""
    wanted = set(exports)
    first = {one.export: one for one in look() if one.export in wanted}
    watched = {name: Watched(name, first[name].last_run if name in first else None) for name in sorted(wanted)}
    end = clock.now() + timeout
    pause = max(1.0, min(30.0, min((one.interval for one in first.values() if one.interval), default=30.0) / 4))
    while any(one.good < runs for one in watched.values()) and clock.now() < end:
        clock.sleep(min(pause, max(0.0, end - clock.now())))
        for health in look():
            one = watched.get(health.export)
            if one is not None and one.look(health):
                on_news(one)
    return [one for one in watched.values() if one.good < runs]
