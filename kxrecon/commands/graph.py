"""``kxrecon graph SPEC…``: what exports read, write and run as, with the verdict of each link."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kxrecon.commands import _estate
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._terminal import complain, show, write
from kxrecon.report.fleet import Told

if TYPE_CHECKING:
    from kxrecon.commands._fleet import Clients
    from kxrecon.spec import Spec
    from kxrecon.verdicts import Chain, Picture
    from kxrecon.verify import Known


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which exports, where, and in which language of pictures."""
    _estate.arguments(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--mermaid", action="store_true", help="for Markdown pages: ```mermaid")
    form.add_argument("--dot", action="store_true", help="for Graphviz: kxrecon graph SPEC --dot | dot -Tsvg")
    form.add_argument("--svg", action="store_true", help="a drawing of its own: kxrecon graph SPEC --svg > chain.svg")
    parser.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")


@dataclass(frozen=True, slots=True)
class Drawn:
    """The picture of one cluster's exports that are meant, and their chains."""

    picture: Picture
    chains: Sequence[Chain]


def run(options: argparse.Namespace) -> int:
    """Draw; 0 whatever the verdicts: ``verify`` judges. 1 if a cluster of several cannot be asked."""
    from kxrecon.report import fleet, graph

    found = drawn(options)
    named = [(f"{one.name} {one.cluster}" if one.name else "", one.answer.picture) for one in found if one.answer]
    if options.svg:
        from kxrecon.report.svg import svg

        write(svg(named, "what exports read, write and run as"))
    elif options.mermaid or options.dot:
        write(graph.mermaid(named) if options.mermaid else graph.dot(named))
    else:
        show(options, fleet.each(found, lambda one: graph.tree(one.picture)))
        return code(found)
    complain(f"{one.name}: {one.error}" for one in found if one.error)
    return code(found)


def drawn(options: argparse.Namespace) -> list[Told[Drawn]]:
    """What the command line means, of each cluster. UsageError for an export that none of them has."""
    found = _estate.each(options, _drawn)
    _estate.check_named(options, [one.answer[1] for one in found if one.answer])
    return [Told(one.name, one.cluster, one.answer[0] if one.answer else None, one.error) for one in found]


def code(found: Sequence[Told[Drawn]]) -> int:
    """1 if a cluster of several could not be asked."""
    return FAILED if any(one.answer is None for one in found) else DONE


def _drawn(options: argparse.Namespace, spec: Spec, clients: Clients) -> tuple[Drawn, Known]:
    from kxrecon.verify import chain
    from kxrecon.verify.picture import picture

    known = _estate.survey(options, spec, clients)
    labels = set(_estate.split(options.what)[1] or _estate.meant(known, spec, everything=options.all))
    subjects = [one for one in known.subjects() if {one.export.ref.label, one.name} & labels]
    chains = [chain(one) for one in subjects]
    return Drawn(picture(zip(subjects, chains, strict=True)), chains), known
