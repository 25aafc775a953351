"""Many clusters told together: of plans what is the same on several of them once, and a table of all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kxrecon.model import Change
from kxrecon.report import plan_view as view
from kxrecon.report.lines import Line, line, wrapped
from kxrecon.report.table import table
from kxrecon.report.text import change_lines, findings

if TYPE_CHECKING:
    from kxrecon.hazards import Refusal
    from kxrecon.model import Finding
    from kxrecon.plan import Plan

T = TypeVar("T")
COLUMNS = ("spec", "wave", "cluster", "create", "update", "delete", "hazards", "result")
NAMED = 6  # clusters that a heading names; the others are counted


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one spec: its plan and what apply would be ``refused`` for, or the ``error`` that kept it from
    one; ``skipped`` was not begun. ``done`` is how many of its actions were carried out, where that was asked for."""

    name: str
    cluster: str
    wave: int
    code: int
    plan: Plan | None = None
    error: str = ""
    skipped: bool = False
    refused: tuple[Refusal, ...] = ()
    files: tuple[str, ...] = ()
    done: int | None = None

    @property
    def result(self) -> str:
        """In a word or two."""
        if self.skipped:
            return "not begun"
        return {0: "ok", 2: "pending", 130: "interrupted"}.get(self.code, "failed")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What one spec's cluster answered to a question, or the ``error`` that kept it from an answer.

    ``name`` is empty where only one was asked.
    """

    name: str
    cluster: str
    answer: T | None = None
    error: str = ""


def each(told: Sequence[Told[T]], lines: Callable[[T], Iterable[Line]]) -> Iterator[Line]:
    """The answers one after the other, each below its cluster; one that was asked alone has no heading."""
    for number, one in enumerate(told):
        if one.name:
            if number:
                yield line()
            yield ((one.name, "bold"), (f"  {one.cluster}", "dim"))
        if one.answer is not None:
            yield from lines(one.answer)
        yield from wrapped(one.error, "warn", indent=4) if one.error else ()


def documents(told: Sequence[Told[T]], document: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """The answers as one JSON document: as it is for one, ``specs`` for several."""
    if len(told) == 1 and not told[0].name and told[0].answer is not None:
        return document(told[0].answer)
    return {
        "specs": [
            {"name": one.name, "cluster": one.cluster, "error": one.error or None}
            | (document(one.answer) if one.answer is not None else {})
            for one in told
        ]
    }


def text(rows: Sequence[Row], title: str) -> Iterator[Line]:
    """Changes and findings, grouped by the clusters that they are the same on, then the table."""
    yield line(f"{title} for {len(rows)} specs", "dim")
    for names, changes in _changes(rows).items():
        yield line()
        yield line(f"on {listed(names)}", "bold")
        for change in changes:
            yield from change_lines(change)
    for names, found in _findings(rows).items():
        yield line()
        yield line(f"about {listed(names)}", "bold")
        yield from findings(found)
    yield line()
    yield from summary(rows)


def summary(rows: Sequence[Row], *, done: bool = False) -> Iterator[Line]:
    """One line for each spec, and the errors; with what was ``done`` of each plan."""
    yield from table(columns(done=done), [cells(row, done=done) for row in rows])
    for row in rows:
        if row.error:
            yield line(f"{row.name}:", "warn")
            yield from wrapped(row.error, indent=4)


def columns(*, done: bool = False) -> Sequence[str]:
    """The heads of the table; with one for what was ``done``."""
    return (*COLUMNS[:-1], "done", COLUMNS[-1]) if done else COLUMNS


def cells(row: Row, *, done: bool = False) -> list[Any]:
    """The row of a spec below ``columns``."""
    counts = view.counts(row.plan.actions) if row.plan else {}
    hazards = sum(len(action.hazards) for action in row.plan.actions) if row.plan else ""
    numbers = [counts.get(verb, 0) if row.plan else "" for verb in view.IN_TABLES]
    carried = ["" if row.done is None or row.plan is None else f"{row.done} of {len(row.plan.actions)}"] if done else []
    return [row.name, row.wave, row.cluster, *numbers, hazards, *carried, row.result]


def _changes(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Change]]:
    return _shared(
        rows, lambda plan: view.changes(plan.actions), lambda one: repr((one.ref, one.verb, view.fields(one)))
    )


def _findings(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Finding]]:
    return _shared(rows, lambda plan: plan.findings, lambda one: one)


def _shared(
    rows: Sequence[Row], parts: Callable[[Plan], Iterable[T]], key: Callable[[T], Hashable]
) -> dict[tuple[str, ...], list[T]]:
    """Parts of plans by the specs that have them just so, those of most specs first."""
    found: dict[Hashable, tuple[T, dict[str, None]]] = {}
    for row in rows:
        for part in parts(row.plan) if row.plan else ():
            found.setdefault(key(part), (part, {}))[1][row.name] = None
    groups: dict[tuple[str, ...], list[T]] = {}
    for part, names in found.values():
        groups.setdefault(tuple(names), []).append(part)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[0]), item[0])))


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def markdown(rows: Sequence[Row], title: str) -> str:
    """The table, and the grouped changes behind folds, for a pull-request comment."""
    from kxrecon.report.lines import plain

    lines = list(_table(rows, title))
    for names, changes in _changes(rows).items():
        inside = plain(one for change in changes for one in change_lines(change))
        lines += [
            "",
            f"<details><summary>{len(changes)} on {listed(names)}</summary>",
            "",
            "```",
            inside + "```",
            "",
            "</details>",
        ]
    return "\n".join([*lines, *_errors(rows)]) + "\n"


def applied(rows: Sequence[Row], told: Sequence[str]) -> str:
    """The table of an apply, the errors, and what became of each plan, for a pull-request comment."""
    return "\n".join([*_table(rows, "apply", done=True), *_errors(rows), *(f"\n{one.rstrip()}" for one in told)]) + "\n"


def _table(rows: Sequence[Row], title: str, *, done: bool = False) -> Iterator[str]:
    from kxrecon.report.safe import visible

    heads = columns(done=done)
    yield from (f"## kxrecon {title}: {len(rows)} specs", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|")
    for row in rows:
        yield f"| {' | '.join(visible(str(cell)) for cell in cells(row, done=done))} |"


def _errors(rows: Sequence[Row]) -> Iterator[str]:
    from kxrecon.report.safe import visible

    for row in rows:
        yield from ("", f"**{row.name}**: {visible(row.error)}") if row.error else ()
