"""``kxrecon validate SPEC…``: everything that can be said about a spec without a network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _each, _flow, _options
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._terminal import show, write
from kxrecon.errors import Problem, SpecError
from kxrecon.report import problems as report

if TYPE_CHECKING:
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, variables, output."""
    _options.specs(parser)
    _options.output(parser, markdown=False)
    _options.shard(parser)


def run(options: argparse.Namespace) -> int:
    """0 if each spec can be planned and nothing is known that the service refuses, 1 if one has errors."""
    several = _each.several(options)
    told = [_Verdict(files, *_judged(options, files)) for files in ([options.specs] if several is None else several)]
    if options.json:
        records = [one.record() for one in told]
        together = {"valid": all(one["valid"] for one in records), "specs": records}
        write(json.dumps(records[0] if several is None else together, indent=2) + "\n")
    else:
        for one in told:
            show(options, report.text(one.problems, one.entities, one.files))
            if one.entities is None:
                named = "" if several is None else f"{', '.join(one.files)}: "
                sys.stderr.write(f"kxrecon: {named}{report.count(one.problems)}\n")
    return FAILED if any(one.entities is None for one in told) else DONE


def _judged(options: argparse.Namespace, files: Sequence[str]) -> tuple[Sequence[Problem], int | None]:
    """What is wrong with one spec, and how many entities it has; None if it cannot be used."""
    try:
        spec = _flow.load(options, files)
    except SpecError as error:
        return error.problems, None
    problems = [*spec.notes, *_lint(spec)]
    wrong = any(one.severity == "error" for one in problems)
    return problems, None if wrong else len(spec.desired.entities)


@dataclass(frozen=True, slots=True)
class _Verdict:
    files: Sequence[str]
    problems: Sequence[Problem]
    entities: int | None

    def record(self) -> dict[str, Any]:
        problems = [_record(one) for one in self.problems]
        return {"files": list(self.files), "valid": self.entities is not None, "problems": problems}


def _lint(spec: Spec) -> list[Problem]:
    """Findings of the lint pack, without the language service: ``lint`` starts it, which takes a second."""
    from kxrecon.commands import lint

    return [
        Problem(f"{one.code} {one.message}", one.path, place, one.entity, one.remedy, one.severity)
        for one, place in lint.placed(spec, lint.findings(spec, deep=False))
    ]


def _record(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "severity": problem.severity,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "entity": problem.entity,
        "message": problem.message,
        "remedy": problem.remedy,
    }
