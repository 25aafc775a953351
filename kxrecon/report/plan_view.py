"""What the text and the Markdown report of a plan share: groups, glyphs, counts, requests as people read them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import unified_diff

from kxrecon.called import name, place, within
from kxrecon.lanes import lane as lane_of
from kxrecon.leaves import shown, shown_text
from kxrecon.model import Action, Change, FieldChange, Finding, Ref, Request, Until, Value
from kxrecon.report.status import span
from kxrecon.report.values import field_name, value

GLYPHS: Mapping[str, str] = {"create": "+", "update": "~", "delete": "-", "mark": "=", "wait": "·"}
IN_TABLES = ("create", "update", "delete")
FINDINGS: Mapping[str, str] = {
    "wrong": "Wrong (the service would refuse it, or every run would fail)",
    "blocked": "Blocked",
    "handover": "For others to do (this pipeline does not write there)",
    "unknown": "Could not be read",
    "moved": "Moved, or not known to have been done",
    "drift": "Drift: changed on the cluster",
    "pending": "Pending: changed in the spec, not applied yet",
    "paused": "Paused, perhaps by an apply that did not end",
    "stopped": "Stopped",
    "unverifiable": "Cannot be verified",
    "ignored": "Ignored",
    "left-behind": "Left behind",
    "note": "Notes",
    "holds": "Already given by other means",
}

NEEDED = "needed by "
COUNTED = (
    ("wrong", "wrong"),
    ("blocked", "blocked"),
    ("handover", "for others"),
    ("unknown", "unknown"),
    ("moved", "moved"),
    ("drift", "drifted"),
    ("pending", "pending"),
    ("paused", "paused"),
    ("stopped", "stopped"),
    ("unverifiable", "not verifiable"),
    ("ignored", "ignored"),
)
Row = tuple[str, str]


def reasons(found: Sequence[str], most: int = 6) -> str:
    """Why something is there, on one line: ``needed by A, B and 3 more``."""
    needed = sorted(reason.removeprefix(NEEDED) for reason in found if reason.startswith(NEEDED))
    others = [reason for reason in found if not reason.startswith(NEEDED)]
    if needed:
        more = f" and {len(needed) - most} more" if len(needed) > most else ""
        others.insert(0, NEEDED + ", ".join(needed[:most]) + more)
    return "; ".join(others)


def names(action: Action, *, full: bool = False) -> list[str]:
    """The entities of an action as people call them; ``full``: with the database or account that they are in."""
    return [name(ref) if full else within(ref) for ref in action.refs]


def called(action: Action, most: int = 2) -> str:
    """What an action is about, on a line of its own: the first names, and how many more there are."""
    found = names(action, full=True)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def kind(action: Action) -> str:
    """What an action is about, before its names."""
    return "wait for" if action.until else action.refs[0].kind


def lane(action: Action) -> str:
    """Where an action is done, as ``--lane`` takes it."""
    return "a wait" if action.until else ", ".join(sorted(set(map(lane_of, action.refs))))


def phase(action: Action) -> str:
    """What an action does, where that is not simply its verb."""
    return "" if action.phase in ("apply", "wait") else f" ({action.phase})"


def awaited(until: Until) -> str:
    """What is waited for, and for how long."""
    runs = f"{until.runs} good run{'' if until.runs == 1 else 's'}"
    words = {
        "granted": "until everything that they need would be given",
        "at-rest": "until no run of theirs is under way",
        "good-runs": f"until each had {runs}" + (" in a row" if until.runs > 1 else ""),
    }
    return f"{words[until.what]}; {span(until.seconds)} at most"


def grouped(actions: Iterable[Action]) -> dict[str, list[Action]]:
    """Actions by heading: identity and rights first, then each database; inside, the order of the plan."""
    groups: dict[str, list[Action]] = {}
    for action in actions:
        groups.setdefault("Waits" if action.until else place(action.refs[0]), []).append(action)
    return dict(sorted(groups.items(), key=lambda item: (_rank(item[0]), item[0])))


def _rank(heading: str) -> int:
    order = ("Azure", "Kusto cluster", "database", "Data Lake", "SQL")
    return next((number for number, start in enumerate(order) if heading.startswith(start)), len(order))


def changes(actions: Iterable[Action]) -> list[Change]:
    """What really changes, each entity once: an export that only stands still or is waited for is not changed."""
    seen: dict[Ref, Change] = {}
    for action in actions:
        for change in action.changes:
            if change.verb != "wait" and (change.verb != "update" or change.fields):
                seen.setdefault(change.ref, change)
    return list(seen.values())


def counts(actions: Iterable[Action]) -> Counter[str]:
    """How many entities each verb touches."""
    return Counter(change.verb for change in changes(actions))


def summary(actions: Sequence[Action], findings: Sequence[Finding]) -> str:
    """One line: how much of what."""
    found = counts(actions)
    parts = [f"{found[verb]} to {verb}" for verb in GLYPHS if found[verb]]
    hazards = sum(len(action.hazards) for action in actions)
    if hazards:
        parts.append(f"{hazards} hazard{'s' if hazards > 1 else ''}")
    if not parts:
        kinds = {finding.kind for finding in findings}
        parts.append("nothing can be done" if kinds & {"blocked", "unknown"} else "nothing to do")
    return ", ".join([*parts, *beside(findings)])


def beside(findings: Iterable[Finding]) -> list[str]:
    """How many findings there are of each kind that a last line counts."""
    kinds = Counter(finding.kind for finding in findings)
    return [f"{kinds[kind]} {word}" for kind, word in COUNTED if kinds[kind]]


def fields(change: Change) -> list[Row]:
    """Rows of (field, text): old → new for an update, the values for a create, nothing for a delete."""
    if change.verb in ("update", "mark"):
        return [(field_name(part.field), difference(part)) for part in change.fields]
    if change.verb == "delete" or change.desired is None:
        return []
    return [(name, value(name, content)) for name, content in change.desired.fields.items() if _telling(content)]


def _telling(content: Value) -> bool:
    return content is not None and content != () and content != {} and content != ""


def difference(part: FieldChange) -> str:
    """``old → new``, or a unified diff where a side has several lines."""
    name = part.field.split("[", 1)[0]
    before, after = value(name, part.observed), value(name, part.desired)
    if "\n" not in before and "\n" not in after:
        return f"{before} → {after}"
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return "\n".join(one for one in lines if not one.startswith(("---", "+++", "@@")))


def request_text(request: Request) -> str:
    """The exact request with secrets by name and late values by what they wait for."""
    if not request.body:
        return shown_text(request.text)
    return f"{shown_text(request.text)} {json.dumps(_plain(request.body), indent=2, ensure_ascii=False)}"


def _plain(content: Value) -> Value:
    if isinstance(content, Mapping):
        return {str(key): _plain(part) for key, part in content.items()}
    if isinstance(content, tuple | list):
        return [_plain(part) for part in content]
    if content is None or isinstance(content, bool | int | float | str):
        return content
    return shown(content)


def where(request: Request) -> str:
    """The plane and target of a request."""
    return f"{request.plane} {request.target}".strip()


def by_kind(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by kind, gravest first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.kind, []).append(finding)
    order = list(FINDINGS)
    return dict(sorted(groups.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def said(findings: Iterable[Finding], most: int = 3) -> list[tuple[str, str, str]]:
    """Findings as (about whom, what, remedy); what is said of many entities is said once."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for finding in findings:
        kind = finding.ref.kind if finding.ref else ""
        label = name(finding.ref) if finding.ref else ""
        groups.setdefault((finding.message, finding.remedy), {}).setdefault(kind, []).append(label)
    return [
        ("; ".join(_listed(kind, labels, most) for kind, labels in kinds.items()), message, remedy)
        for (message, remedy), kinds in groups.items()
    ]


def _listed(kind: str, labels: Sequence[str], most: int) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"{kind} {', '.join(labels[:most])}{more}".strip()
