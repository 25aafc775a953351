"""``kxrecon diff A B``: what two environments ask for differently, without a network."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from kxrecon.commands import _flow, _options
from kxrecon.commands._exit import DONE, PENDING
from kxrecon.commands._terminal import show, write

if TYPE_CHECKING:
    from kxrecon.model import State


def arguments(parser: argparse.ArgumentParser) -> None:
    """Two specs, variables, output."""
    parser.add_argument("first", metavar="A", help="a spec, such as specs/test.yaml")
    parser.add_argument("second", metavar="B", help="another one, such as specs/prod.yaml")
    _options.variables(parser)
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 2 if they differ")
    _options.output(parser, markdown=False)


def run(options: argparse.Namespace) -> int:
    """0, or 2 with --detailed-exitcode if they differ."""
    from kxrecon.environments import compare
    from kxrecon.report.environments import as_json, text

    sides = compare(_desired(options, options.first), _desired(options, options.second))
    if options.json:
        write(json.dumps(as_json(sides), indent=2, ensure_ascii=False) + "\n")
    else:
        show(options, text(sides, options.first, options.second))
    return PENDING if sides.changes and options.detailed_exitcode else DONE


def _desired(options: argparse.Namespace, path: str) -> State:
    from kxrecon.derive import derive

    spec = _flow.load(options, [path])
    return derive(spec.desired, None, _flow.surroundings(spec)).desired
