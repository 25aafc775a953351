"""Plans as a page: what changes, field by field, why, at what risk, in which order, and what is sent for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kxrecon.report import fleet
from kxrecon.report import plan_view as view
from kxrecon.report.html.actions import Planned, details, planned, reasons
from kxrecon.report.html.page import Choice, Entry, Heading, Section, Summary, macro, render
from kxrecon.report.html.room import Room
from kxrecon.report.html.waves import waves

if TYPE_CHECKING:
    from kxrecon.plan import Plan
    from kxrecon.report.fleet import Row

TONES: Mapping[str, str] = {"create": "good", "update": "warn", "delete": "bad", "mark": "warn", "wait": "soft"}
GLYPHS: Mapping[str, str] = {**view.GLYPHS, "delete": "−"}  # a minus as wide as the plus
# Room is given to what people have to read first.
WEIGHT: Sequence[str] = ("delete", "update", "create", "mark", "wait")
GRAVE = frozenset({"blocked", "handover", "unknown", "moved", "paused", "stopped"})
FINDINGS = 200  # of one kind that are told one by one
OPEN = 12  # a plan of so few actions is open from the start; of more those with hazards are


@dataclass(frozen=True, slots=True)
class Notes:
    """Findings of one kind: (clusters, about whom, what, remedy) each."""

    kind: str
    title: str
    grave: bool
    rows: Sequence[tuple[str, ...]]
    more: int


def page(rows: Sequence[Row], heading: Heading, *, apply: str = "", room: Room | None = None) -> str:
    """The whole page; ``apply`` is the command line that does just this; ``heading.title`` is made here."""
    room = room or Room()
    plans = [row.plan for row in rows if row.plan is not None]
    ones = planned(rows)
    notes = list(_notes(rows))
    alone = plans[0] if len(rows) == 1 and plans else None
    return render(
        "plan.html.j2",
        replace(heading, title=_title(rows, plans)),
        _sections(ones, _entries(ones, room)),
        _choices(plans, ones),
        room=room,
        grave=[one for one in notes if one.grave],
        notes=[one for one in notes if not one.grave],
        refused=_once((row.name, (one.message, one.remedy)) for row in rows for one in row.refused),
        waves=waves(ones) if alone else (),
        apply=apply if any(plan.actions for plan in plans) else "",
        unchanged=sum(plan.unchanged for plan in plans),
        summary=Summary(fleet.COLUMNS[1:], list(_rows(rows))),
        nothing="Nothing to do." if plans else "There is no plan.",
        elsewhere="The plan file and kxrecon plan --json have them all.",
        glyphs=GLYPHS,
        tones=TONES,
    )


def _title(rows: Sequence[Row], plans: Sequence[Plan]) -> str:
    if len(rows) == 1 and plans:
        return view.summary(plans[0].actions, plans[0].findings)
    total: Counter[str] = Counter()
    for plan in plans:
        total += view.counts(plan.actions)
    said = ", ".join(f"{total[verb]} to {verb}" for verb in view.GLYPHS if total[verb]) or "nothing to do"
    failed = sum(row.plan is None for row in rows)
    return f"{len(rows)} specs: {said}" + (f"; {failed} without a plan" if failed else "")


def _entries(ones: Sequence[Planned], room: Room) -> dict[str, Entry]:
    """Anchor → entry, as far as there is room; hazards and deletions first."""
    weighty = sorted(ones, key=lambda one: (not one.action.hazards, WEIGHT.index(one.action.verb)))
    few = len(ones) <= OPEN
    return {one.anchor: _entry(one, room, few=few) for one in weighty if room.line()}


def _entry(one: Planned, room: Room, *, few: bool) -> Entry:
    action = one.action
    names = view.names(action, full=len(one.at) > 0)
    phase = "" if action.phase == "apply" else f" ({action.phase})"
    tags = (action.verb, *(["hazard"] if action.hazards else []), *(f"at-{number}" for number in one.members))
    return Entry(
        one.anchor,
        (", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more") + phase,
        tags,
        GLYPHS[action.verb],
        TONES[action.verb],
        said=action.verb,
        kind=action.refs[0].kind,
        line=reasons(action),
        side=macro("action.html.j2", "side", action, one.number),
        details=room.fit(lambda: macro("action.html.j2", "details", details(one))),
        open=few or bool(action.hazards),
    )


def _sections(ones: Sequence[Planned], entries: Mapping[str, Entry]) -> list[Section]:
    """By where people look for it; of several clusters by those that it is the same on."""
    groups: dict[str, list[Entry]] = {}
    if any(one.at for one in ones):
        for one in sorted(ones, key=lambda one: (-len(one.at), one.at)):
            groups.setdefault(f"On {fleet.listed(one.at)}", []).extend(_there(entries, one))
    else:
        by_id = {one.action.id: one for one in ones}
        for title, actions in view.grouped([one.action for one in ones]).items():
            groups[title] = [entry for action in actions for entry in _there(entries, by_id[action.id])]
    return [Section(f"group-{number}", title, found) for number, (title, found) in enumerate(groups.items())]


def _there(entries: Mapping[str, Entry], one: Planned) -> list[Entry]:
    return [entries[one.anchor]] if one.anchor in entries else []


def _choices(plans: Sequence[Plan], ones: Sequence[Planned]) -> list[Choice]:
    total: Counter[str] = Counter()
    for plan in plans:
        total += view.counts(plan.actions)
    found = [Choice(verb, total[verb], verb, "verb", GLYPHS[verb], TONES[verb]) for verb in view.GLYPHS]
    hazards = sum(len(one.action.hazards) for one in ones)
    return [*found, Choice("hazard" if hazards == 1 else "hazards", hazards, "hazard", "hazard", "!", "bad")]


def _notes(rows: Sequence[Row]) -> Iterator[Notes]:
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    every = [finding for row in rows if row.plan for finding in row.plan.findings]
    for row in rows:
        for kind, ones in view.by_kind(row.plan.findings if row.plan else ()).items():
            found.setdefault(kind, []).extend((row.name, said) for said in view.said(ones))
    for kind in view.by_kind(every):
        told = _once(found[kind])
        yield Notes(kind, view.FINDINGS.get(kind, kind), kind in GRAVE, told[:FINDINGS], max(len(told) - FINDINGS, 0))


def _once(said: Iterable[tuple[str, tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """What is said of each spec, equal things once: (the specs, what …)."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, what in said:
        found.setdefault(what, []).append(name)
    return [(fleet.listed(names), *what) for what, names in found.items()]


def _rows(rows: Sequence[Row]) -> Iterator[tuple[Choice, Sequence[str], str]]:
    """One for each cluster of several."""
    for number, row in enumerate(rows if len(rows) > 1 else ()):
        name, *cells = (str(cell) for cell in fleet.cells(row))
        actions = len(row.plan.actions) if row.plan else 0
        yield Choice(name, actions, f"at-{number}", "cluster"), cells, row.error
