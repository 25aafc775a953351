"""``kxrecon verify SPEC [EXPORT…]``: the permission chain of each export, link by link; reads only."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kxrecon.commands import _estate, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import show, write

if TYPE_CHECKING:
    from kxrecon.verdicts import Chain


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which exports, where, output, and how strict."""
    _estate.arguments(parser)
    _options.output(parser)
    parser.add_argument("--whole", action="store_true", help="every link, those of healthy exports too")
    parser.add_argument("--strict", action="store_true", help="exit 1 also if a link is unknown")


def run(options: argparse.Namespace) -> int:
    """0 if no link is known to be broken, 2 if one is, 1 with --strict if one is unknown."""
    from kxrecon.report import chains as report

    found = chains(options)
    if options.json:
        write(report.as_json(found))
    elif options.markdown:
        write(report.as_markdown(found))
    else:
        show(options, report.text(found, whole=options.whole))
    return exit_code(found, strict=options.strict)


def chains(options: argparse.Namespace) -> Sequence[Chain]:
    """The chains of the exports that the command line means."""
    from kxrecon.verify import chains

    spec, exports = _estate.load(options)
    with _estate.opened(options, spec) as clients:
        known = _estate.survey(options, spec, clients)
    labels = _estate.meant(known, spec, exports, everything=options.all)
    return chains(known, labels) if labels else []


def exit_code(found: Sequence[Chain], *, strict: bool) -> int:
    """Broken before unknown."""
    if any(chain.verdict == "broken" for chain in found):
        return PENDING
    return FAILED if strict and any(chain.verdict == "unknown" for chain in found) else DONE
