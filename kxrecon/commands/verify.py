"""``kxrecon verify SPEC… [EXPORT…]``: the permission chain of each export, link by link, read-only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kxrecon.commands import _estate, _fleet, _html, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import show, write

if TYPE_CHECKING:
    from kxrecon.report.fleet import Told
    from kxrecon.spec import Spec
    from kxrecon.verdicts import Chain, Picture
    from kxrecon.verify import Known


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which exports, where, output, and how strict."""
    _estate.arguments(parser)
    _options.output(parser)
    _html.arguments(parser)
    parser.add_argument("--whole", action="store_true", help="every link, those of healthy exports too")
    parser.add_argument("--strict", action="store_true", help="exit 1 also if a link is unknown")


@dataclass(frozen=True, slots=True)
class Proof:
    """One cluster's: what is known of it, and the chains that are meant, broken ones first."""

    spec: Spec
    known: Known
    chains: Sequence[Chain]

    def drawn(self) -> Sequence[tuple[Chain, Picture]]:
        """The chains, each with its picture."""
        from kxrecon.verify.picture import picture

        subjects = {one.export.ref.label: one for one in self.known.subjects()}
        return [(one, picture([(subjects[one.export], one)] if one.export in subjects else [])) for one in self.chains]


def run(options: argparse.Namespace) -> int:
    """0 if no link is known to be broken, 2 if one is, 1 if a cluster of several cannot be asked, or with --strict
    if a link is unknown."""
    from kxrecon.report import chains as report
    from kxrecon.report.fleet import documents, each

    found = _estate.each(options, _proof)
    _estate.check_named(options, [one.answer.known for one in found if one.answer])
    if options.json:
        told = documents(found, lambda one: report.document(one.chains))
        write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        write("\n".join(report.as_markdown(one.answer.chains if one.answer else (), one) for one in found))
    else:
        show(options, each(found, lambda one: report.text(one.chains, whole=options.whole)))
    if options.html:
        _save(options, found)
    return _fleet.worst(_code(options, one) for one in found)


def _proof(options: argparse.Namespace, spec: Spec, clients: _fleet.Clients) -> Proof:
    """The chains of one cluster's exports: of the spec, of the cluster with --all, or those named."""
    from kxrecon.verify import chains
    from kxrecon.verify.chain import hidden

    known = _estate.survey(options, spec, clients)
    named = _estate.split(options.what)[1]
    labels = named or _estate.meant(known, spec, everything=options.all)
    unseen = hidden(known) if not named and (options.all or not spec.files) else []
    return Proof(spec, known, [*(chains(known, labels) if labels else ()), *unseen])


def _save(options: argparse.Namespace, found: Sequence[Told[Proof]]) -> None:
    from kxrecon.report.fleet import Told
    from kxrecon.report.html.verify import page

    drawn = [Told(one.name, one.cluster, one.answer.drawn() if one.answer else None, one.error) for one in found]
    specs = [one.answer.spec for one in found if one.answer is not None]
    _html.save(options, page(drawn, _html.of_specs(options, "verify", specs)))


def _code(options: argparse.Namespace, one: Told[Proof]) -> int:
    """Broken before unknown."""
    if one.answer is None:
        return FAILED
    verdicts = {chain.verdict for chain in one.answer.chains}
    if "broken" in verdicts:
        return PENDING
    return FAILED if options.strict and "unknown" in verdicts else DONE
