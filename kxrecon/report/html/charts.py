"""Charts as geometry: lateness over time, files per run, and a row of bars for a line of a list.

A chart is drawn in a box of WIDE × HIGH that is stretched to whatever room there is; its labels stand outside that
box, so they are not. Everything of one colour is one path, so that a page may hold hundreds of charts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kxrecon.history import Failed, History, Slice, Wait

WIDE, HIGH = 1000, 100
BARS = 120  # of a chart; more runs than that are told by the mean of a span
STRIP = 72  # bars of a line, as wide as BAR
BAR, STRIP_HIGH = 3, 18


@dataclass(frozen=True, slots=True)
class Axis:
    """Labels along time: at a share of the width, in percent; and the highest value."""

    times: Sequence[tuple[float, str]]
    top: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: (class in the style sheet, path) each, and the same in words."""

    title: str
    unit: str
    paths: Sequence[tuple[str, str]]
    axis: Axis
    said: str
    nothing: str = ""  # why there is nothing to draw


def lateness(history: History, waits: Sequence[Wait], said: str) -> Chart:
    """How overdue a good run was: rising from when it was due, back to nothing when it came."""
    longest = max(((wait.until - wait.due) for wait in waits), default=timedelta())
    top = _nice_span(longest)
    paths = []
    for name, late in (("quiet", False), ("late", True)):
        mine = [_triangle(history, wait, top) for wait in waits if wait.late is late]
        paths += [(name, "".join(mine))] if mine else []
    failed = "".join(f"M{_x(history, one.when):.0f} {HIGH}v-9" for one in _thinned(history))
    paths += [("failed", failed)] if failed else []
    nothing = "" if waits else "It was never late."
    return Chart("Lateness", "how overdue a run was", paths, Axis(_times(history), _span(top)), said, nothing)


def files(history: History, said: str) -> Chart:
    """Files of each run; of many runs the mean of those of a span."""
    many = len(history.runs) > BARS
    found = _means(history) if many else [(one.when, float(one.files)) for one in history.runs]
    top = _nice(max((number for _, number in found), default=0))
    bars = "".join(f"M{_x(history, when):.0f} {HIGH}V{HIGH - HIGH * number / top:.0f}" for when, number in found)
    each = _span((history.until - history.since) / BARS)
    unit = f"mean of each {each}" if many else "each run that wrote any"
    paths = [("bars", bars)] if bars else []
    nothing = "" if bars else "No files in these days."
    return Chart("Files per run", unit, paths, Axis(_times(history), f"{top:g}"), said, nothing)


def total(slices: Sequence[Slice], history: History, said: str) -> Chart:
    """Files of all exports."""
    top = _nice(max((one.files for one in slices), default=0))
    step = WIDE / max(len(slices), 1)
    bars = "".join(
        f"M{step * (place + 0.5):.0f} {HIGH}V{HIGH - HIGH * one.files / top:.0f}"
        for place, one in enumerate(slices)
        if one.files
    )
    unit = f"in each {_span((history.until - history.since) / max(len(slices), 1))}"
    return Chart("Files written", unit, [("bars", bars)] if bars else [], Axis(_times(history), f"{top:g}"), said)


def crowd(late: Sequence[int], failing: Sequence[int], history: History, said: str) -> Chart:
    """How many exports were late, and how many had a failed run, in each part of the time."""
    top = _nice(max((*late, *failing), default=0))
    step = WIDE / max(len(late), 1)
    area = "".join(f"L{step * at:.0f} {HIGH - HIGH * n / top:.0f}h{step:.0f}" for at, n in enumerate(late))
    ticks = "".join(f"M{step * (at + 0.5):.0f} {HIGH}v-9" for at, n in enumerate(failing) if n)
    paths = [("late", f"M0 {HIGH}{area}L{WIDE} {HIGH}Z")] if any(late) else []
    paths += [("failed", ticks)] if ticks else []
    nothing = "" if paths else "None was late, and no run failed."
    return Chart("Exports that were late", "at the same time", paths, Axis(_times(history), f"{top:g}"), said, nothing)


def strip(slices: Sequence[Slice]) -> list[tuple[str, str]]:
    """The same for a line of a list: bars for files, red where a run failed or was late."""
    top = max((one.files for one in slices), default=0) or 1
    base = STRIP_HIGH - 1
    places = [(place * BAR + BAR / 2, one) for place, one in enumerate(slices)]
    paths = {
        "late": "".join(f"M{x:g} {base + 1}V0" for x, one in places if one.late),
        "idle": "".join(f"M{x:g} {base}v1" for x, one in places if not one.files),
        "bars": "".join(f"M{x:g} {base + 1}v-{2 + 12 * one.files / top:.0f}" for x, one in places if one.files),
        "failed": "".join(f"M{x:g} {base + 1}v-6" for x, one in places if one.failures),
    }
    return [(name, path) for name, path in paths.items() if path]


def _x(history: History, when: datetime) -> float:
    share = (when - history.since) / (history.until - history.since)
    return WIDE * min(max(share, 0.0), 1.0)


def _triangle(history: History, wait: Wait, top: timedelta) -> str:
    """One wait; of one that began before the time looked back on, the part that is in it."""
    start = max(wait.due, history.since)
    low, high = (HIGH - HIGH * ((when - wait.due) / top) for when in (start, wait.until))
    x1, x2 = _x(history, start), _x(history, wait.until)
    return f"M{x1:.1f} {HIGH}V{low:.1f}L{x2:.1f} {high:.1f}V{HIGH}Z"


def _thinned(history: History) -> Iterable[Failed]:
    """The failures, at most one for each place that can be told from the next."""
    return {round(_x(history, one.when) / 4): one for one in history.failures}.values()


def _means(history: History) -> list[tuple[datetime, float]]:
    width = (history.until - history.since) / BARS
    sums: dict[int, list[int]] = {}
    for one in history.runs:
        sums.setdefault(min(int((one.when - history.since) / width), BARS - 1), []).append(one.files)
    return [(history.since + width * (at + 0.5), sum(each) / len(each)) for at, each in sorted(sums.items())]


def _times(history: History) -> list[tuple[float, str]]:
    """Midnights, at most seven; of a single day each sixth hour. Not so near the edges that labels would be cut."""
    whole = history.until - history.since
    short = whole <= timedelta(days=1, hours=1)
    step = timedelta(hours=6) if short else timedelta(days=max(1, round(whole.days / 7)))
    at = history.since.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while at <= history.until:
        percent = _x(history, at) / WIDE * 100
        if at > history.since and 4 < percent < 96:
            found.append((round(percent, 2), f"{at:%H:%M}" if short and at.hour else f"{at.day} {at:%b}"))
        at += step
    return found


def _nice(number: float) -> float:
    """The next of 1, 2, 4, 5, 10, 20 …: a top that people can divide."""
    top = 1.0
    while True:
        for factor in (1, 2, 4, 5):
            if number <= top * factor:
                return top * factor
        top *= 10


_SPANS = (*(timedelta(minutes=n) for n in (10, 20, 30)), *(timedelta(hours=n) for n in (1, 2, 4, 6, 12)))


def _nice_span(span: timedelta) -> timedelta:
    """The next round span, to the top of a chart."""
    return next((one for one in _SPANS if span <= one), timedelta(days=_nice(span / timedelta(days=1))))


def _span(span: timedelta) -> str:
    from kxrecon.report.status import span as text

    return text(span.total_seconds())
