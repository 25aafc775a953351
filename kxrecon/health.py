"""How exports run, as values: what ``status`` shows, scrapes and judges. Pure; instants are aware datetimes in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from kxrecon.history import History, Wait, waits

State = Literal[
    "ok", "running", "new", "late", "failing", "auto-disabled", "disabled", "disabled-by-spec", "missing", "unknown"
]
# What a monitor has to wake somebody for. A disabled export that its spec wants enabled is one of them.
ALARMS = frozenset({"late", "failing", "auto-disabled", "disabled", "missing"})
STOPPED = frozenset({"auto-disabled", "disabled"})


GRACE = 30 * 60.0  # seconds that fresh grants may take to take effect, and then some


def default_timeout(runs: int, intervals: Iterable[float]) -> float:
    """Seconds in which ``runs`` good runs can be expected: time for grants, and one interval more than runs."""
    return GRACE + (runs + 1) * max(intervals, default=0.0)


@dataclass(frozen=True, slots=True)
class Health:
    """One export. Spans in seconds; ``lateness`` is the time by which a run is overdue, 0 if none is. ``since``: when
    one that never ran was enabled, as far as that is known."""

    export: str
    state: State
    enabled: bool = False
    interval: float = 0.0
    last_run: datetime | None = None
    since: datetime | None = None
    result: str = ""
    exported_to: datetime | None = None
    lateness: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)  # kind → how many in the days asked for
    why: str = ""  # what a state comes from, as far as it can be proved
    message: str = ""  # the service's words about the last failure, or why nothing could be read
    running: bool = False
    files: int | None = None
    records: int | None = None
    size: int | None = None  # bytes
    history: History | None = None
    untold: str = ""  # why files, records or the history that were asked for are not known

    @property
    def waits(self) -> tuple[Wait, ...]:
        """When no good run came although one was due; nothing is due of an export that its spec disables."""
        if self.history is None or self.state == "disabled-by-spec":
            return ()
        good = None if "fail" in self.result.lower() else self.last_run
        return waits(self.history, self.interval, good or self.since, alarming=self.state in ALARMS)

    @property
    def readable(self) -> bool:
        """Whether the cluster told how it is."""
        return self.state != "unknown"

    @property
    def healthy(self) -> bool | None:
        """Whether nobody has to look after it; None if that is not known."""
        untold = not self.readable or (self.state == "new" and self.since is None)
        return None if untold else self.state not in ALARMS


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

    @property
    def unread(self) -> tuple[Health, ...]:
        """The exports, and databases, of which nothing is known."""
        return tuple(one for one in self.exports if not one.readable)
