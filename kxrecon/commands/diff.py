"""``kxrecon diff A B``: what two environments, or two folders of them, ask for differently, without a network."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _flow, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import complain, show, write
from kxrecon.errors import KxreconError, UsageError

if TYPE_CHECKING:
    from kxrecon.environments import Sides
    from kxrecon.model import State
    from kxrecon.report.environments import Pair
    from kxrecon.report.lines import Line


def arguments(parser: argparse.ArgumentParser) -> None:
    """Two specs, variables, output."""
    parser.add_argument("first", metavar="A", help="a spec, such as specs/test.yaml, or a folder of specs")
    parser.add_argument(
        "second", metavar="B", help="another one, such as specs/prod.yaml: specs of one name are compared"
    )
    _options.variables(parser)
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 2 if they differ")
    _options.output(parser, markdown=False)


def run(options: argparse.Namespace) -> int:
    """0, or 2 with --detailed-exitcode if they differ; 1 if two of several cannot be compared."""
    from kxrecon.report.environments import as_json, pairs, pairs_as_json, text

    folders = [Path(one).is_dir() for one in (options.first, options.second)]
    if any(folders) and not all(folders):
        raise UsageError("diff compares a spec with a spec, or a folder with a folder")
    if any(folders):
        found = [_compared(options, pair) for pair in _pairs(options)]
        _tell(options, pairs_as_json(found), pairs(found))
        codes = {FAILED if one.error else DONE if one.result == "equal" else PENDING for one in found}
        differs = PENDING if options.detailed_exitcode and PENDING in codes else DONE
        return FAILED if FAILED in codes else differs
    sides = _sides(options, options.first, options.second)
    _tell(options, as_json(sides), text(sides, options.first, options.second))
    return PENDING if sides.changes and options.detailed_exitcode else DONE


def _tell(options: argparse.Namespace, document: Mapping[str, Any], lines: Iterable[Line]) -> None:
    if options.json:
        write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        show(options, lines)


def _pairs(options: argparse.Namespace) -> list[Pair]:
    """The specs of two folders by the names of their files."""
    from kxrecon.report.environments import Pair

    first, second = (_specs(options, one) for one in (options.first, options.second))
    return [Pair(name, first.get(name, ""), second.get(name, "")) for name in sorted({**first, **second})]


def _specs(options: argparse.Namespace, folder: str) -> dict[str, str]:
    from kxrecon.fleet import members

    given = _options.variable_values(options.variables)
    found = members([folder], given, os.environ, lambda said: complain([said]))
    return {Path(one.files[-1]).name: one.files[-1] for one in found}


def _compared(options: argparse.Namespace, pair: Pair) -> Pair:
    if not pair.first or not pair.second:
        return pair
    try:
        return replace(pair, sides=_sides(options, pair.first, pair.second))
    except KxreconError as error:
        return replace(pair, error=str(error))


def _sides(options: argparse.Namespace, first: str, second: str) -> Sides:
    from kxrecon.environments import compare

    return compare(_desired(options, first), _desired(options, second))


def _desired(options: argparse.Namespace, path: str) -> State:
    from kxrecon.derive import derive

    spec = _flow.load(options, [path])
    return derive(spec.desired, None, _flow.surroundings(spec)).desired
