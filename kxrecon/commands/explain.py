"""``kxrecon explain SPEC… EXPORT``: one export with everything that it needs, and whether it has it."""

from __future__ import annotations

import argparse

from kxrecon.commands import _estate, graph
from kxrecon.commands._terminal import show
from kxrecon.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which export, and where."""
    _estate.arguments(parser)
    parser.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")


def run(options: argparse.Namespace) -> int:
    """The tree, then every link with its evidence, of each cluster that has such an export."""
    from kxrecon.report import chains as report
    from kxrecon.report import fleet
    from kxrecon.report import graph as drawing
    from kxrecon.report.lines import line

    if not _estate.split(options.what)[1]:
        raise UsageError("which export? kxrecon explain SPEC EXPORT")
    found = graph.drawn(options)
    there = [one for one in found if one.answer is None or one.answer.chains]
    show(
        options,
        fleet.each(there, lambda one: [*drawing.tree(one.picture), line(), *report.text(one.chains, whole=True)]),
    )
    return graph.code(found)
