"""``kxrecon graph SPEC``: what exports read, write and run as, with the verdict of each link."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kxrecon.commands import _estate
from kxrecon.commands._exit import DONE
from kxrecon.commands._terminal import show, write

if TYPE_CHECKING:
    from kxrecon.verdicts import Chain, Picture


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which exports, where, and in which language of pictures."""
    _estate.arguments(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--mermaid", action="store_true", help="for Markdown pages: ```mermaid")
    form.add_argument("--dot", action="store_true", help="for Graphviz: kxrecon graph SPEC --dot | dot -Tsvg")
    form.add_argument("--svg", action="store_true", help="a drawing of its own: kxrecon graph SPEC --svg > chain.svg")
    parser.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")


def run(options: argparse.Namespace) -> int:
    """Draw; 0 whatever the verdicts: ``verify`` judges."""
    from kxrecon.report import graph

    drawn, _ = picture(options)
    if options.svg:
        from kxrecon.report.svg import svg

        write(svg(drawn, "what exports read, write and run as"))
    elif options.mermaid or options.dot:
        write(graph.mermaid(drawn) if options.mermaid else graph.dot(drawn))
    else:
        show(options, graph.tree(drawn))
    return DONE


def picture(options: argparse.Namespace) -> tuple[Picture, list[Chain]]:
    """The picture of the exports that the command line means, and their chains."""
    from kxrecon.verify import chain
    from kxrecon.verify.picture import picture

    spec, exports = _estate.load(options)
    with _estate.opened(options, spec) as clients:
        known = _estate.survey(options, spec, clients)
    labels = set(_estate.meant(known, spec, exports, everything=options.all))
    subjects = [one for one in known.subjects() if {one.export.ref.label, one.name} & labels]
    chains = [chain(one) for one in subjects]
    return picture(zip(subjects, chains, strict=True)), chains
