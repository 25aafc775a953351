"""``kxrecon validate SPEC…``: everything that can be said about a spec without a network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _flow, _options
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


def run(options: argparse.Namespace) -> int:
    """0 if the spec can be planned and nothing is known that the service refuses, 1 if it has errors."""
    try:
        spec = _flow.load(options)
    except SpecError as error:
        return _tell(options, error.problems, None)
    problems = [*spec.notes, *_lint(spec)]
    wrong = any(one.severity == "error" for one in problems)
    return _tell(options, problems, None if wrong else len(spec.desired.entities))


def _lint(spec: Spec) -> list[Problem]:
    """Findings of the lint pack, without the language service: ``lint`` starts it, which takes a second."""
    from kxrecon.commands import lint

    return [
        Problem(f"{one.code} {one.message}", one.path, place, one.entity, one.remedy, one.severity)
        for one, place in lint.placed(spec, lint.findings(spec, deep=False))
    ]


def _tell(options: argparse.Namespace, problems: Sequence[Problem], entities: int | None) -> int:
    if options.json:
        write(
            json.dumps({"valid": entities is not None, "problems": [_record(one) for one in problems]}, indent=2) + "\n"
        )
    else:
        show(options, report.text(problems, entities, options.specs))
        if entities is None:
            sys.stderr.write(f"kxrecon: {report.count(problems)}\n")
    return FAILED if entities is None else DONE


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
