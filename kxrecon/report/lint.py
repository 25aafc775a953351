"""Lint findings as text, Markdown and JSON, each with its code, its place and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kxrecon.errors import Place
from kxrecon.lint.pack import Checked
from kxrecon.lint.rules import Lint, Rule
from kxrecon.report.lines import Line, line
from kxrecon.report.problems import STYLES
from kxrecon.report.safe import code, markdown

Placed = Sequence[tuple[Lint, Place | None]]


def text(placed: Placed, checked: Checked) -> Iterator[Line]:
    """One finding a line, what helps below it; then what was silenced, and what was not checked."""
    for finding, place in placed:
        at = f"{place}: " if place else ""
        yield line(
            f"{at}{finding.severity} {finding.code}: {finding.entity}: {finding.message}", STYLES[finding.severity]
        )
        yield line(finding.remedy, "dim", indent=4)
    for finding, silence in checked.silenced:
        yield line(f"silenced {finding.code}: {finding.entity}: {finding.message} ({silence.reason})", "dim")
    for one in (*checked.unchecked, *checked.told):
        yield line(one, "dim")
    yield line(summary([finding for finding, _ in placed], len(checked.silenced)) + ".", "bold")


def summary(findings: Sequence[Lint], silenced: int) -> str:
    """``1 error, 2 warnings``."""
    parts = [
        f"{number} {severity}{'s' if number > 1 else ''}"
        for severity in STYLES
        if (number := sum(one.severity == severity for one in findings))
    ]
    return (", ".join(parts) or "no findings") + (f", {silenced} silenced" if silenced else "")


def record(placed: Placed, checked: Checked) -> dict[str, Any]:
    """All findings for ``--json``, the silenced ones with their reason."""
    return {
        "findings": [_record(*one) for one in placed],
        "silenced": [{**_record(one, None), "reason": silence.reason} for one, silence in checked.silenced],
        "unchecked": list(checked.unchecked),
        "told": list(checked.told),
    }


def _record(finding: Lint, place: Place | None) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "entity": finding.entity,
        "message": finding.message,
        "remedy": finding.remedy,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


def as_markdown(placed: Placed, checked: Checked) -> str:
    """A table of findings."""
    lines = [f"### kxrecon lint: {summary([one for one, _ in placed], len(checked.silenced))}", ""]
    if placed:
        lines += ["| finding | where | what |", "|---|---|---|"]
    for finding, place in placed:
        where = f"{code(finding.entity, cell=True)} {code(str(place), cell=True) if place else ''}"
        lines.append(
            f"| {finding.severity} {finding.code} | {where} | {markdown(finding.message)}: {markdown(finding.remedy)} |"
        )
    for one in (*checked.unchecked, *checked.told):
        lines += ["", markdown(one)]
    return "\n".join(lines) + "\n"


def listed(rules: Sequence[Rule]) -> Iterator[Line]:
    """All rules: ``lint --list``."""
    for one in rules:
        where = " (where the cluster was read)" if one.connected else ""
        yield ((f"{one.code}  ", "bold"), (f"{one.severity:<8}", STYLES[one.severity]), (one.title, ""), (where, "dim"))


def listed_record(rules: Sequence[Rule]) -> dict[str, Any]:
    """The same for ``--json``; ``connected``: said only where the cluster was read."""
    return {
        "rules": [
            {"code": one.code, "severity": one.severity, "title": one.title, "connected": one.connected}
            for one in rules
        ]
    }


def listed_markdown(rules: Sequence[Rule]) -> str:
    """The same as a table."""
    rows = [
        f"| {one.code} | {one.severity} | {markdown(one.title)} | {'yes' if one.connected else ''} |" for one in rules
    ]
    head = ["| rule | severity | what it finds | only where the cluster was read |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"
