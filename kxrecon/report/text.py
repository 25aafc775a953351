"""Reports as text: calm and aligned, the same on a terminal (with colour) and in a pipe (without)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from kxrecon import lanes
from kxrecon.called import within
from kxrecon.model import Action, Change, Finding, Outcome
from kxrecon.report import plan_view as view
from kxrecon.report.lines import Line, Style, line, wrapped
from kxrecon.report.safe import visible

if TYPE_CHECKING:
    from kxrecon.plan import Plan

STYLES: Mapping[str, Style] = {"create": "add", "update": "change", "delete": "remove", "mark": "change", "wait": "dim"}
MOST_NAMED = 6  # actions that wait for what was left for later; more are counted
RESULTS: Mapping[str, tuple[str, Style]] = {
    "done": ("done", "add"),
    "failed": ("FAILED", "remove"),
    "skipped": ("skipped", "warn"),
    "not-begun": ("not begun", "warn"),
    "waiting": ("waits", "warn"),
}


def plan(plan: Plan, *, requests: bool = True) -> Iterator[Line]:
    """The plan: each change with its differences, reasons and hazards, and unless told otherwise its requests."""
    yield from heading("plan", plan)
    numbers = {action.id: number for number, action in enumerate(plan.actions, 1)}
    own = lanes.mine(plan.actions, plan.lanes)
    shown = [action for action in plan.actions if action.id in own]
    others = {action.id: view.lane(action) for action in plan.actions if action.id not in own}
    for title, actions in view.grouped(shown).items():
        yield line()
        yield line(title, "bold")
        for action in actions:
            yield from _action(action, numbers, others, requests)
    yield from findings(plan.findings)
    yield from _other_lanes(plan, others)
    yield line()
    yield line(view.summary(shown, plan.findings) + ".", "bold")


def _other_lanes(plan: Plan, others: Mapping[str, str]) -> Iterator[Line]:
    """What this lane leaves to others, in their order."""
    if not plan.lanes:
        return
    counted = Counter(others[action.id] for action in plan.actions if action.id in others and not action.until)
    yield line()
    yield line("In other lanes", "bold")
    for name, number in counted.items():
        yield line(f"{name}: {number} action{'' if number == 1 else 's'}", indent=4)
    if not counted:
        yield line("nothing", indent=4)


def drift(plan: Plan) -> Iterator[Line]:
    """What differs between the spec and the cluster, without requests: nothing will be sent."""
    yield from heading("drift", plan)
    for title, actions in view.grouped(action for action in plan.actions if not action.until).items():
        yield line()
        yield line(title, "bold")
        for change in view.changes(actions):
            yield from change_lines(change)
    yield from findings(plan.findings)
    yield line()
    yield line(_verdict(plan), "bold")


def change_lines(change: Change) -> Iterator[Line]:
    """One change without its requests: what, why, and each field that differs."""
    yield _title(change.verb, change.ref.kind, within(change.ref))
    yield from _reasons(change.entity.reasons)
    yield from _fields(change)


def heading(word: str, plan: Plan) -> Iterator[Line]:
    """What is being talked about: cluster, wire, spec."""
    yield line(f"{word} for {plan.cluster_uri or 'no cluster'} ({plan.wire}), spec {', '.join(plan.spec_files)}", "dim")


def _verdict(plan: Plan) -> str:
    if plan.actions:
        return f"drift: {view.summary(plan.actions, plan.findings)}."
    unsure = any(finding.kind in {"unknown", "handover", "blocked", "unverifiable"} for finding in plan.findings)
    found = "no drift in what could be read" if unsure else "no drift"
    return ", ".join([found, *view.beside(plan.findings)]) + "."


def _action(action: Action, numbers: Mapping[str, int], others: Mapping[str, str], requests: bool) -> Iterator[Line]:
    names = view.names(action, full=action.until is not None)
    title = ", ".join(names) if len(names) < 3 else f"({len(names)})"
    yield _title(action.verb, view.kind(action), title + view.phase(action), f"#{numbers[action.id]} ")
    for name in names if len(names) > 2 else ():
        yield line(name, "bold", indent=8)
    yield from _reasons(action.reasons)
    for hazard in action.hazards:
        yield line(f"! {hazard.hazard}: {hazard.reason}", "warn", indent=8)
    if action.cursor is not None:
        style: Style = "" if action.cursor.label == "keeps cursor" else "warn"
        yield line(f"{action.cursor.label}: {action.cursor.reason}", style, indent=8)
    for change in action.changes if action.until is None else ():
        yield from _fields(change)
    if action.until is not None:
        yield line(view.awaited(action.until), indent=8)
    for note in action.notes:
        yield line(f"note: {note}", indent=8)
    if action.after:
        yield line(f"after {_earlier(action, numbers, others)}", "dim", indent=8)
    if requests:
        yield from _requests(action)


def _earlier(action: Action, numbers: Mapping[str, int], others: Mapping[str, str]) -> str:
    """The numbers of what an action waits for, those of other lanes with their lane."""
    groups: dict[str, list[str]] = {}
    for one in sorted((one for one in action.after if one in numbers), key=lambda one: numbers[one]):
        groups.setdefault(others.get(one, ""), []).append(f"#{numbers[one]}")
    told = (" ".join(found) + (f" in {name}" if name else "") for name, found in sorted(groups.items()))
    return ", ".join(told)


def _title(verb: str, kind: str, names: str, number: str = "") -> Line:
    return (
        (f"{number:>6}" if number else "    ", "dim"),
        (f"{view.GLYPHS[verb]} ", STYLES[verb]),
        (f"{kind} ", ""),
        (visible(names), "bold"),
    )


def _reasons(reasons: Sequence[str]) -> Iterator[Line]:
    if reasons:
        yield line(view.reasons(reasons), "dim", indent=8)


def _fields(change: Change) -> Iterator[Line]:
    rows = view.fields(change)
    width = min(max((len(name) for name, _ in rows), default=0), 28)
    for name, text in rows:
        if "\n" not in text:
            yield line(f"{name:<{width}}  {text}", indent=8)
            continue
        yield line(name, indent=8)
        for one in text.splitlines():
            yield from wrapped(one, _diff_style(one) if change.verb == "update" else "", indent=10)


def _diff_style(text: str) -> Style:
    return {"+": "add", "-": "remove"}.get(text[:1], "")  # type: ignore[return-value]


def _requests(action: Action) -> Iterator[Line]:
    for request in action.requests:
        for number, one in enumerate(view.request_text(request).splitlines()):
            start = f"{view.where(request)}: " if number == 0 else "  "
            yield line(start + one, "dim", indent=8)


def findings(found: Sequence[Finding]) -> Iterator[Line]:
    """What the plan says without doing anything about it, gravest first."""
    for kind, ones in view.by_kind(found).items():
        yield line()
        yield line(view.FINDINGS.get(kind, kind), "bold")
        for about, message, remedy in view.said(ones):
            style: Style = "warn" if kind in {"blocked", "handover"} else ""
            yield line(f"{about}: {message}" if about else message, style, indent=4)
            yield from wrapped(remedy, "dim", indent=8) if remedy else ()


def began(action: Action, number: int, total: int) -> Iterator[Line]:
    """One line of progress for an action that may take minutes."""
    yield (*_progress(action, number, total), ("  …", "dim"))


def outcome(outcome: Outcome, action: Action, number: int, total: int) -> Iterator[Line]:
    """One line of progress for an action that ended, and the service's words if it failed."""
    word, style = RESULTS[outcome.result]
    time = f" {outcome.seconds:.1f} s" if outcome.result == "done" and outcome.seconds >= 0.05 else ""
    yield (*_progress(action, number, total), (f"  {word}{time}", style))
    if outcome.message:
        yield from wrapped(outcome.message, indent=8)


def _progress(action: Action, number: int, total: int) -> Line:
    names = visible(view.called(action))
    return (
        (f"[{number:>{len(str(total))}}/{total}] ", "dim"),
        (f"{view.GLYPHS[action.verb]} ", STYLES[action.verb]),
        (f"{view.kind(action)} ", ""),
        (names + view.phase(action), "bold"),
    )


def outcomes(results: Sequence[Outcome], actions: Sequence[Action]) -> Iterator[Line]:
    """The end of an apply: how many of what, and every action that was not done with its reason."""
    by_id = {action.id: action for action in actions}
    left = [result for result in results if result.result not in ("done", "waiting")]
    for result in left:
        action = by_id[result.action]
        word, style = RESULTS[result.result]
        yield (
            (f"  {word} ", style),
            (visible(_what(action)), ""),
        )
        yield from wrapped(result.message, "dim", indent=6) if result.message else ()
    yield from _waiting([result for result in results if result.result == "waiting"], by_id)
    yield line(_tally(results) + ".", "bold")


def _waiting(results: Sequence[Outcome], by_id: Mapping[str, Action]) -> Iterator[Line]:
    """What was left for later, by the reason; what only waits for that is counted."""
    left = {result.action for result in results}
    reasons: dict[str, list[str]] = {}
    behind: list[str] = []
    for result in results:
        action = by_id[result.action]
        waits = any(need in left for need in action.after)
        (behind if waits else reasons.setdefault(result.message, [])).append(_what(action))
    for reason, names in reasons.items():
        yield line(f"waits: {reason}", "warn", indent=2)
        yield from (line(name, indent=6) for name in names)
    if behind:
        more = f" and {len(behind) - MOST_NAMED} more" if len(behind) > MOST_NAMED else ""
        yield line(f"wait for {'this' if len(left) - len(behind) == 1 else 'these'}:", "warn", indent=2)
        yield from (line(name, indent=6) for name in behind[:MOST_NAMED])
        yield from [line(more.strip(), indent=6)] if more else []


def _what(action: Action) -> str:
    verb = "" if action.until else f"{action.verb} "
    return f"{verb}{view.kind(action)} {view.called(action)}"


def _tally(results: Sequence[Outcome]) -> str:
    counted = {word: sum(result.result == word for result in results) for word in RESULTS}
    return (
        ", ".join(f"{number} {RESULTS[word][0].lower()}" for word, number in counted.items() if number) or "no actions"
    )
