"""``--settled EXPORT``: somebody says that what earlier applies left open about an export was seen to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kxrecon.commands._files import JOURNAL
from kxrecon.commands._wire import wire_name
from kxrecon.errors import UsageError

if TYPE_CHECKING:
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """The option."""
    parser.add_argument(
        "--settled",
        action="append",
        default=[],
        metavar="EXPORT",
        help="what a plan tells of an export as moved, or not known to have been done, was seen to (DATABASE/NAME)",
    )


def settle(options: argparse.Namespace, spec: Spec) -> None:
    """Put down for which exports it was said. UsageError for one that neither the spec nor what is open has."""
    if not options.settled:
        return
    from kxrecon.cursors import KIND
    from kxrecon.journal import Journal, history

    where = (JOURNAL, spec.scope.cluster_uri, wire_name(options))
    past = history(*where)
    open_ones = {one.ref for one in past.positions} | {one.export for one in past.unfilled}
    known = {ref.label: ref for ref in (*open_ones, *spec.desired.entities) if ref.kind == KIND}
    for label in options.settled:
        if label not in known:
            raise UsageError(f"--settled {label}: there is no such export (it is named as in a plan: DATABASE/NAME)")
    Journal(*where).settle([known[label] for label in options.settled], by="somebody")
