"""The status of exports as a page: what is late or failing, and how each export ran in the days looked back on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from kxrecon.health import ALARMS, Capacity, Health, State, Status
from kxrecon.history import History, Slice, slices
from kxrecon.report.html import charts
from kxrecon.report.html.page import Choice, Entry, Heading, Section, Summary, macro, moment, render
from kxrecon.report.html.room import Room
from kxrecon.report.status import span

if TYPE_CHECKING:
    from markupsafe import Markup

    from kxrecon.report.fleet import Told

TONES: Mapping[State, str] = {
    "failing": "bad",
    "missing": "bad",
    "auto-disabled": "bad",
    "disabled": "bad",
    "late": "bad",
    "unknown": "warn",
    "new": "soft",
    "running": "good",
    "ok": "good",
    "disabled-by-spec": "soft",
}
GLYPHS: Mapping[State, str] = {
    "failing": "✗",
    "missing": "✗",
    "auto-disabled": "✗",
    "disabled": "✗",
    "late": "!",
    "unknown": "?",
    "new": "·",
    "running": "✓",
    "ok": "✓",
    "disabled-by-spec": "·",
}
SAYS: Mapping[State, str] = {
    "missing": "The cluster has no such export. kxrecon plan shows what would make it.",
    "new": "It has not run yet.",
    "auto-disabled": "The service disabled it, after it failed for seven days.",
    "disabled": "It is disabled, and its spec does not say so.",
    "disabled-by-spec": "It is disabled, as its spec has it.",
}
GROUPS = (("ill", "To look after"), ("unknown", "Not readable"), ("well", "Well"))
OPEN = 3  # the first that are not well are open from the start
PARTS = 72  # of the time looked back on, in the charts of all exports


@dataclass(frozen=True, slots=True)
class Shown:
    """One export of a page: its anchor, its cluster by number and name, its cluster's clock."""

    member: int
    at: str
    health: Health
    now: datetime

    @property
    def group(self) -> str:
        """Where it is listed."""
        return "ill" if self.health.state in ALARMS else "unknown" if self.health.state == "unknown" else "well"


def page(told: Sequence[Told[Status]], heading: Heading, room: Room | None = None) -> str:
    """The whole page; ``heading.title`` is made here."""
    room = room or Room()
    shown = _shown(told)
    parted = [(one, slices(one.health.history, one.health.waits, PARTS)) for one in shown if one.health.history]
    strips = {id(one): parts for one, parts in parted}
    entries = [
        (one.group, _entry(number, one, strips.get(id(one), ()), room))
        for number, one in enumerate(shown)
        if room.line()
    ]
    found = [one.answer for one in told if one.answer is not None]
    return render(
        "status.html.j2",
        replace(heading, title=_title(told, shown)),
        [Section(name, title, [entry for group, entry in entries if group == name]) for name, title in GROUPS],
        _choices(shown),
        room=room,
        now=moment(found[0].now) if len(found) == 1 else "",
        capacity=_capacity(found[0].capacity) if len(found) == 1 else "",
        days=max((one.days for one in found), default=0),
        charts=_together([parts for _, parts in parted], shown) if len(parted) > 1 else (),
        untold=sum(one.health.history is None for one in shown),
        summary=Summary(("cluster", "exports", "to look after", "not readable", "well", "capacity"), list(_rows(told))),
        nothing="No exports.",
        elsewhere="kxrecon status --json has them all; with names of exports it asks for, and shows, those alone.",
    )


def _title(told: Sequence[Told[Status]], shown: Sequence[Shown]) -> str:
    ill = sum(one.group == "ill" for one in shown)
    where = f" on {len(told)} clusters" if len(told) > 1 else ""
    failed = sum(bool(one.error) for one in told)
    exports = f"{len(shown)} export{'' if len(shown) == 1 else 's'}"
    return f"{exports}{where}: {ill or 'none'} to look after" + (f"; {failed} could not be asked" if failed else "")


def _shown(told: Sequence[Told[Status]]) -> list[Shown]:
    """All exports: those that need somebody first, gravest states first, the most overdue of a state first."""
    states = list(TONES)
    found = [
        Shown(member, one.name, health, one.answer.now)
        for member, one in enumerate(told)
        if one.answer is not None
        for health in one.answer.exports
    ]
    return sorted(found, key=lambda one: (states.index(one.health.state), -one.health.lateness, one.health.export))


def _choices(shown: Sequence[Shown]) -> list[Choice]:
    states = [one.health.state for one in shown]
    return [Choice(state, states.count(state), state, "state", glyph, TONES[state]) for state, glyph in GLYPHS.items()]


def _entry(number: int, one: Shown, parts: Sequence[Slice], room: Room) -> Entry:
    health = one.health

    def details() -> Markup:
        return macro(
            "export.html.j2",
            "details",
            health,
            SAYS.get(health.state, ""),
            _facts(health, one.now),
            _charts(health),
            _kinds(health),
        )

    return Entry(
        f"export-{number}",
        health.export,
        (health.state, f"at-{one.member}"),
        GLYPHS[health.state],
        TONES[health.state],
        line=_line(health, one.now),
        at=one.at,
        side=macro("parts.html.j2", "bars", charts.strip(parts), _said(health)) if parts else None,
        details=room.fit(details),
        open=one.group == "ill" and number < OPEN,
        well=one.group == "well",
    )


def _line(health: Health, now: datetime) -> str:
    """What there is to say of an export in a line."""
    said: list[str] = [health.state]
    if health.lateness:
        said.append(f"overdue by {span(health.lateness)}")
    if health.failures:
        said.append(", ".join(f"{number} × {kind}" for kind, number in sorted(health.failures.items())))
    if health.last_run and not health.lateness:
        said.append(f"ran {_ago(now, health.last_run)}")
    return ", ".join(said)


def _ago(now: datetime, when: datetime) -> str:
    """How long ago; clocks may differ by a little."""
    seconds = (now - when).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def _facts(health: Health, now: datetime) -> list[tuple[str, str]]:
    """Names and values, those that are known."""

    def at(when: datetime | None) -> str:
        return "" if when is None else f"{moment(when)} ({_ago(now, when)})"

    found = [
        ("last run", at(health.last_run)),
        ("result", health.result),
        ("exported up to", at(health.exported_to)),
        ("every", span(health.interval) if health.interval else ""),
        ("overdue by", span(health.lateness) if health.lateness else ""),
        ("files", "" if health.files is None else f"{health.files:,}"),
        ("records", "" if health.records is None else f"{health.records:,}"),
        ("bytes", "" if health.size is None else f"{health.size:,}"),
    ]
    return [(name, value) for name, value in found if value]


def _kinds(health: Health) -> list[tuple[str, str, str]]:
    """The newest failures, equal ones counted: when last, how often and of which kind, what the service said."""
    found: dict[tuple[str, str], list[datetime]] = {}
    for one in reversed(health.history.failures if health.history else ()):
        found.setdefault((one.kind, one.details), []).append(one.when)
    rows = [(moment(whens[0]), f"{len(whens)} × {kind}", details) for (kind, details), whens in found.items()]
    return rows[:5]


def _charts(health: Health) -> Sequence[charts.Chart]:
    history = health.history
    if history is None:
        return ()
    return charts.lateness(history, health.waits, _late(health)), charts.files(history, _files(history))


def _late(health: Health) -> str:
    """Lateness in words."""
    late, quiet = ([wait.until - wait.due for wait in health.waits if wait.late is which] for which in (True, False))
    said = "Not late"
    if late:
        said = f"Late {len(late)} time{'' if len(late) == 1 else 's'}, the longest {span(max(late).total_seconds())}"
    if quiet:
        said += f". Dashed: no files and no failures, the longest {span(max(quiet).total_seconds())}"
    return said


def _files(history: History) -> str:
    """Files per run in words."""
    counts = [one.files for one in history.runs]
    if not counts:
        return "No files"
    return f"{len(counts):,} runs wrote {sum(counts):,} files, {min(counts)} to {max(counts)} each"


def _said(health: Health) -> str:
    """The strip of an export in words."""
    history = health.history
    failures = len(history.failures) if history else 0
    return f"{_files(history) if history else ''}; {failures} failed runs; {_late(health).lower()}"


def _together(parted: Sequence[Sequence[Slice]], shown: Sequence[Shown]) -> Sequence[charts.Chart]:
    """The charts of all exports."""
    history = next(one.health.history for one in shown if one.health.history)
    columns = list(zip(*parted, strict=True))
    late = [sum(one.late for one in column) for column in columns]
    failing = [sum(one.failures > 0 for one in column) for column in columns]
    files = [Slice(files=sum(one.files for one in column)) for column in columns]
    worst = f"At most {max(late)} at the same time" if any(late) else "None was late"
    wrote = f"All exports wrote {sum(one.files for one in files):,} files"
    return charts.crowd(late, failing, history, worst), charts.total(files, history, wrote)


def _capacity(capacity: Capacity) -> str:
    if capacity.total is None:
        return f"not known ({capacity.why})"
    return f"{capacity.consumed} of {capacity.total} slots in use"


def _rows(told: Sequence[Told[Status]]) -> Iterator[tuple[Choice, Sequence[str], str]]:
    """One for each cluster of several."""
    for number, one in enumerate(told if len(told) > 1 else ()):
        exports = one.answer.exports if one.answer else ()
        groups = [Shown(number, one.name, health, one.answer.now).group for health in exports if one.answer]
        cells = [str(groups.count(name) or "") for name, _ in GROUPS]
        room = _capacity(one.answer.capacity) if one.answer else ""
        choice = Choice(one.name, len(groups), f"at-{number}", "cluster")
        yield choice, (one.cluster, str(len(groups) or ""), *cells, room), one.error
