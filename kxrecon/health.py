"""How exports run, as values: what ``status`` shows, scrapes and judges. Pure; instants are aware datetimes in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from kxrecon.history import History, Wait, waits

State = Literal["ok", "running", "new", "late", "failing", "disabled", "disabled-by-spec", "missing", "unknown"]
# What a monitor has to wake somebody for. A disabled export that its spec wants enabled is one of them.
ALARMS = frozenset({"late", "failing", "disabled", "missing"})


GRACE = 30 * 60.0  # seconds that fresh grants may take to take effect, and then some


def default_timeout(runs: int, intervals: Iterable[float]) -> float:
    """Seconds in which ``runs`` good runs can be expected: time for grants, and one interval more than runs."""
    return GRACE + (runs + 1) * max(intervals, default=0.0)


@dataclass(frozen=True, slots=True)
class Health:
    """One export. Spans in seconds; ``lateness`` is the time by which a run is overdue, 0 if none is."""

    export: str
    state: State
    enabled: bool = False
    interval: float = 0.0
    last_run: datetime | None = None
    result: str = ""
    exported_to: datetime | None = None
    lateness: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)  # kind → how many in the days asked for
    message: str = ""
    running: bool = False
    files: int | None = None
    records: int | None = None
    history: History | None = None
    untold: str = ""  # why files, records or the history that were asked for are not known

    @property
    def waits(self) -> tuple[Wait, ...]:
        """When no good run came although one was due; nothing is due of an export that its spec disables."""
        if self.history is None or self.state == "disabled-by-spec":
            return ()
        good = None if "fail" in self.result.lower() else self.last_run
        return waits(self.history, self.interval, good, alarming=self.state in ALARMS)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many exports may run at the same time, and do. ``why`` is set, and the numbers are None, if not told."""

    total: int | None = None
    consumed: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """All exports of a cluster, as its own clock has it."""

    cluster: str
    now: datetime
    exports: tuple[Health, ...]
    capacity: Capacity = Capacity()
    days: int = 3

    @property
    def alarming(self) -> tuple[Health, ...]:
        """The exports that somebody has to look after."""
        return tuple(one for one in self.exports if one.state in ALARMS)
