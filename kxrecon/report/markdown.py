"""Reports as Markdown for a pull-request comment: a summary table, details folded, never over the size limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kxrecon.lanes import mine
from kxrecon.model import Action, Finding, Outcome
from kxrecon.report import plan_view as view
from kxrecon.report.safe import block, code, markdown

if TYPE_CHECKING:
    from kxrecon.plan import Plan

LIMIT = 60_000  # GitHub refuses comments over 65,536 characters; this leaves room for the one who posts it


def plan(plan: Plan, *, title: str = "kxrecon plan", limit: int = LIMIT) -> str:
    """The plan as a comment of at most ``limit`` characters; what does not fit is counted, not hidden."""
    own = mine(plan.actions, plan.lanes)
    shown = replace(plan, actions=tuple(action for action in plan.actions if action.id in own))
    head = "\n".join(_head(shown, title))
    others = len(plan.actions) - len(shown.actions)
    told = [f"**In other lanes**: {others} action{'' if others == 1 else 's'}"] if plan.lanes else []
    return _fitted(head, [*_findings(plan.findings), *map(_details, shown.actions), *told], limit)


def outcomes(plan: Plan, results: Sequence[Outcome], verdict: str, *, about: str = "", limit: int = LIMIT) -> str:
    """What an apply did, as a comment; ``about`` names one spec of several."""
    by_id = {action.id: action for action in plan.actions}
    head = "\n".join(
        (
            f"### kxrecon apply{f' {code(about)}' if about else ''}",
            "",
            f"{markdown(verdict)}",
            "",
            "| action | entity | result |",
            "|---|---|---|",
        )
    )
    rows = [_outcome(result, by_id[result.action]) for result in results]
    return _fitted(head, rows, limit, joint="\n")


def _outcome(result: Outcome, action: Action) -> str:
    names = code(f"{view.kind(action)} {view.called(action)}", cell=True)
    told = f": {markdown(result.message)}" if result.message else ""
    return f"| {'' if action.until else action.verb} | {names} | {result.result}{told} |"


def _fitted(head: str, parts: Sequence[str], limit: int, joint: str = "\n\n") -> str:
    """As many parts as fit, in order, and an honest word about the rest."""
    room = limit - len(head) - 200
    taken: list[str] = []
    for part in parts:
        room -= len(part) + len(joint)
        if room < 0:
            break
        taken.append(part)
    left = len(parts) - len(taken)
    if left:
        taken.append(f"\n**Cut here: {left} more of {len(parts)} entries do not fit.** `kxrecon plan` prints them all.")
    start = "\n" if joint == "\n" and taken else "\n\n" if taken else ""
    return head + start + joint.join(taken) + "\n"


def _head(plan: Plan, title: str) -> Iterator[str]:
    yield f"### {markdown(title)}: {view.summary(plan.actions, plan.findings)}"
    yield ""
    specs = ", ".join(code(one) for one in plan.spec_files)
    yield f"{code(plan.cluster_uri or 'no cluster')} · {code(plan.wire)} · {specs}"
    if plan.actions:
        yield ""
        yield "| where | create | update | delete | hazards |"
        yield "|---|---|---|---|---|"
    for place, actions in view.grouped(plan.actions).items():
        found = view.counts(actions)
        hazards = sum(len(action.hazards) for action in actions)
        cells = " | ".join(str(found[verb] or "") for verb in view.IN_TABLES)
        yield f"| {code(place, cell=True)} | {cells} | {hazards or ''} |"


def _findings(found: Sequence[Finding]) -> Iterator[str]:
    for kind, ones in view.by_kind(found).items():
        lines = [f"**{view.FINDINGS.get(kind, kind)}**", ""]
        for about, message, remedy in view.said(ones):
            subject = f"{code(about)}: " if about else ""
            mend = f" – {markdown(remedy)}" if remedy else ""
            lines.append(f"- {subject}{markdown(message)}{mend}")
        yield "\n".join(lines)


def _details(action: Action) -> str:
    phase = view.phase(action)
    names = markdown(f"{view.kind(action)} {view.called(action)}")
    warning = " ⚠" if action.hazards else ""
    lines = [f"<details><summary>{view.GLYPHS[action.verb]} {names}{phase}{warning}</summary>", ""]
    lines += [f"- **{markdown(hazard.hazard)}**: {markdown(hazard.reason)}" for hazard in action.hazards]
    if action.cursor is not None:
        lines.append(f"- **{markdown(action.cursor.label)}**: {markdown(action.cursor.reason)}")
    lines += [f"- {markdown(one)}" for one in view.names(action, full=True)] if len(action.refs) > 2 else []
    lines += [f"- {markdown(one)}" for one in (view.reasons(action.reasons), *action.notes) if one]
    lines += [f"- {markdown(view.awaited(action.until))}"] if action.until else []
    changes = () if action.until else action.changes
    lines += [_field(*row) for change in changes for row in view.fields(change)]
    lines += [
        f"\n{block(f'// {view.where(one)}' + chr(10) + view.request_text(one), 'kusto')}" for one in action.requests
    ]
    return "\n".join([*lines, "", "</details>"])


def _field(name: str, text: str) -> str:
    if "\n" in text:
        indented = block(text, "diff").replace("\n", "\n  ")
        return f"- {code(name)}\n\n  {indented}\n"
    return f"- {code(name)}: {code(text)}"
