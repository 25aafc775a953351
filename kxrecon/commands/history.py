"""``kxrecon history SPEC…``: who applied which plan, when, with what result, from the spec's ledger; writes nothing."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from kxrecon.commands import _each, _flow, _ledger, _options
from kxrecon.commands._wire import planes
from kxrecon.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """A spec, where, output."""
    _options.specs(parser)
    _options.shard(parser)
    _options.surroundings(parser)
    _options.output(parser, markdown=False)
    _ledger.arguments(parser)
    parser.add_argument("--all", action="store_true", help="applies of other specs to the same cluster too")
    parser.add_argument("--last", type=_number, default=20, metavar="N", help="how many applies (default 20)")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 9999")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """0, however the applies ended."""
    return _each.each(options, _look)


def _look(options: argparse.Namespace) -> _each.Looked:
    from kxrecon.report.history import text

    spec = _flow.load(options)
    with planes(options, spec, spec.scope, read_only=True) as clients:
        book = _ledger.opened(options, spec, clients)
        if book is None:
            remedy = "put ledger: { file: PATH } or ledger: { database: NAME } into it, or say --ledger"
            raise UsageError(f"the spec {spec.name} has no ledger ({remedy})")
        runs = [one for one in book.runs() if options.all or one.spec == spec.name][-options.last :]
    told = text(runs, str(book.keeper), spec=options.all)
    return _each.Looked({"applies": [asdict(one) for one in runs]}, told)
