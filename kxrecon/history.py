"""What an export did in the days looked back on: its runs, its failures, and when it was late. Pure values.

The service keeps files and failures, not runs (".show continuous-export exported-artifacts", ".show continuous-export
failures": learn.microsoft.com; the last 14 days of both). A run is known by the files that it wrote; one that had
nothing to export leaves no trace. So a time without files and without failures is *quiet*, which is not *late*.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

# A run waits for its turn and takes its time: late is one that has missed a whole further interval, and a minute.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Files:
    """What one run wrote: known by its files, at the time of the first of them. A file listed alone is a run of one."""

    when: datetime
    files: int
    records: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that failed; ``last_good`` is when, as the service has it, the one before that succeeded."""

    when: datetime
    kind: str
    details: str
    last_good: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """From ``since`` to ``until``, oldest first. ``size``: the bytes of all files, where the service tells them."""

    since: datetime
    until: datetime
    runs: tuple[Files, ...] = ()
    failures: tuple[Failed, ...] = ()
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A time without a good run, from when one was ``due``. ``late``: a failure, or the service's own word, says that
    it was not well; otherwise it may have had nothing to export."""

    due: datetime
    until: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """What fell into one of the equal parts of the time looked back on."""

    runs: int = 0
    files: int = 0
    records: int = 0
    failures: int = 0
    late: bool = False


def runs(files: Iterable[tuple[datetime, int]], interval: float) -> tuple[Files, ...]:
    """Files (when, records) as the runs that wrote them: those within half an ``interval`` (seconds) of the first."""
    near = timedelta(seconds=interval / 2)
    found: list[Files] = []
    for when, records in sorted(files):
        last = found[-1] if found else None
        if last is not None and when - last.when <= near:
            found[-1] = Files(last.when, last.files + 1, last.records + records)
        else:
            found.append(Files(when, 1, records))
    return tuple(found)


def waits(history: History, interval: float, last_good: datetime | None, *, alarming: bool) -> tuple[Wait, ...]:
    """When no good run came although one was due. ``alarming``: the export is not well now, whatever was listed."""
    step = timedelta(seconds=interval)
    known = [one.when for one in history.runs] + [one.last_good for one in history.failures if one.last_good]
    good = sorted({*known, *([last_good] if last_good else [])})
    failed = [one.when for one in history.failures]
    if not good and failed:
        good = [failed[0] - step]  # when the last good one was is not told; it may not have been there before
    found = []
    for one, other in pairwise([*good, history.until]):
        if other - one > step + step + GRACE:
            failures = bisect_right(failed, other) - bisect_right(failed, one)
            found.append(Wait(one + step, other, bool(failures) or (alarming and other == history.until)))
    return tuple(wait for wait in found if wait.until > history.since)


def slices(history: History, waited: Sequence[Wait], count: int) -> tuple[Slice, ...]:
    """The time looked back on in ``count`` equal parts."""
    width = (history.until - history.since) / count
    edges = [history.since + width * number for number in range(count)] + [history.until]
    ran, failed = [one.when for one in history.runs], [one.when for one in history.failures]
    found = []
    for start, end in pairwise(edges):
        last = end == history.until
        mine = history.runs[bisect_left(ran, start) : len(ran) if last else bisect_left(ran, end)]
        fell = (len(failed) if last else bisect_left(failed, end)) - bisect_left(failed, start)
        late = any(wait.late and wait.due < end and wait.until > start for wait in waited)
        found.append(Slice(len(mine), sum(r.files for r in mine), sum(r.records for r in mine), fell, late))
    return tuple(found)
