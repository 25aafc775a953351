"""The health gate: wait until exports really run. A run cannot be triggered, so it can only be waited for.

("learn.microsoft.com, Continuous data export": runs follow the interval; a fresh role assignment takes minutes
to take effect, so that a first failure proves nothing.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kxrecon.health import Health


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the gate sees it: ``now`` in seconds, monotonic; ``sleep`` between two looks."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass
class Watched:
    """One export: the runs seen since the gate was entered, and how many in a row were good.

    ``under_way``: a run had begun before; the first run that is shown may be that one, and proves nothing.
    """

    export: str
    before: datetime | None
    under_way: bool = False
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
        self.good = 0 if failed or self.under_way else self.good + 1
        self.under_way = False
        self.failure = (health.message or health.result) if failed else ""
        return True


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
    watched = {name: _watched(name, first.get(name)) for name in sorted(wanted)}
    end = clock.now() + timeout
    pause = max(1.0, min(30.0, min((one.interval for one in first.values() if one.interval), default=30.0) / 4))
    while any(one.good < runs for one in watched.values()) and clock.now() < end:
        clock.sleep(min(pause, max(0.0, end - clock.now())))
        for health in look():
            one = watched.get(health.export)
            if one is not None and one.look(health) and (one.failure or 0 < one.good <= runs):
                on_news(one)
    return [one for one in watched.values() if one.good < runs]


def _watched(name: str, health: Health | None) -> Watched:
    return Watched(name, health.last_run if health else None, bool(health and health.running))
