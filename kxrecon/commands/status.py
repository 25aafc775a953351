"""``kxrecon status SPEC``: how exports run; exit 2 if one is late or failing, so that it serves as a monitor."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from kxrecon.commands import _estate
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import show, write

if TYPE_CHECKING:
    from kxrecon.health import Status

CLEAR = "\x1b[H\x1b[2J"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which exports, where, how much, and in which form."""
    _estate.arguments(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument(
        "--openmetrics", action="store_true", help="as OpenMetrics text, for a scraper's file or exporter"
    )
    form.add_argument(
        "--watch", nargs="?", type=_seconds, const=30, metavar="SECONDS", help="again and again (default 30)"
    )
    parser.add_argument("--artifacts", action="store_true", help="count the files and records of the last days")
    parser.add_argument(
        "--days", type=_seconds, default=3, metavar="N", help="days to look back (default 3, at most 14)"
    )
    parser.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")


def _seconds(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 86400")
    return number


def run(options: argparse.Namespace) -> int:
    """0 all well, 2 something is late, failing, missing or disabled by no spec, 1 if nothing could be read."""
    from kxrecon.report import status as report

    while True:
        found = status(options)
        if options.json:
            write(report.as_json(found))
        elif options.openmetrics:
            write(report.open_metrics(found))
        else:
            if options.watch:
                write(CLEAR)
            show(options, report.text(found))
        if not options.watch:
            return _exit(found)
        time.sleep(options.watch)


def status(options: argparse.Namespace) -> Status:
    """The status of the exports that the command line means."""
    from dataclasses import replace

    from kxrecon.verify.status import Asked, status

    spec, exports = _estate.load(options)
    with _estate.opened(options, spec) as clients:
        found = status(
            spec.scope,
            spec.desired,
            clients,
            asked=Asked(options.all or not spec.files, options.artifacts, min(options.days, 14)),
            workers=options.max_parallel,
        )
    if not exports:
        return found
    _estate.check(exports, [one.export for one in found.exports])
    chosen = (one for one in found.exports if {one.export, one.export.partition("/")[2]} & set(exports))
    return replace(found, exports=tuple(chosen))


def _exit(found: Status) -> int:
    if found.alarming:
        return PENDING
    blind = bool(found.exports) and all(one.state == "unknown" for one in found.exports)
    return FAILED if blind else DONE
