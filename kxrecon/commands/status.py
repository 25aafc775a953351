"""``kxrecon status SPEC…``: how exports run; exit 2 if one is late or failing, so that it serves as a monitor."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kxrecon.commands import _estate, _fleet, _html
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import complain, show, write

if TYPE_CHECKING:
    from kxrecon.health import Status
    from kxrecon.report.fleet import Told
    from kxrecon.spec import Spec

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
    _html.arguments(parser)
    parser.add_argument("--artifacts", action="store_true", help="count the files, records and bytes of the last days")
    parser.add_argument(
        "--days", type=_seconds, default=3, metavar="N", help="days to look back (default 3, at most 14)"
    )
    parser.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")


def _seconds(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 86400")
    return number


@dataclass(frozen=True, slots=True)
class Running:
    """How the exports of one cluster run, and the spec that they are of."""

    spec: Spec
    status: Status


def run(options: argparse.Namespace) -> int:
    """0 all well, 2 something is late, failing, missing or disabled by no spec, 1 if something could not be read: a
    monitor that sees only a part is not green."""
    while True:
        found = _chosen(options, _estate.each(options, _running))
        _tell(options, found)
        if not options.watch:
            return _fleet.worst(_code(one) for one in found)
        time.sleep(options.watch)


def _running(options: argparse.Namespace, spec: Spec, clients: _fleet.Clients) -> Running:
    """One cluster's exports: of the spec, or all of the cluster."""
    from kxrecon.verify.status import Asked, status

    asked = Asked(
        options.all or not spec.files,
        options.artifacts,
        min(options.days, 14),
        history=bool(options.html),
        only=frozenset(_estate.split(options.what)[1]),
    )
    return Running(spec, status(spec.scope, spec.desired, clients, asked=asked, workers=options.max_parallel))


def _chosen(options: argparse.Namespace, found: list[Told[Running]]) -> list[Told[Running]]:
    """The exports that the command line names; UsageError for a name that is none."""
    exports = set(_estate.split(options.what)[1])
    answers = [one.answer for one in found if one.answer is not None]
    if not exports or not answers:
        return found
    _estate.check(sorted(exports), [one.export for answer in answers for one in answer.status.exports])

    def chosen(running: Running) -> Running:
        status = running.status
        kept = (one for one in status.exports if exports & {one.export, one.export.partition("/")[2]})
        return replace(running, status=replace(status, exports=tuple(kept)))

    return [replace(one, answer=chosen(one.answer)) if one.answer else one for one in found]


def _tell(options: argparse.Namespace, found: Sequence[Told[Running]]) -> None:
    from kxrecon.report import status as report
    from kxrecon.report.fleet import documents, each

    answers = [one.answer for one in found if one.answer is not None]
    if options.json:
        told = documents(found, lambda one: report.document(one.status))
        write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    elif options.openmetrics:
        write(report.open_metrics([one.status for one in answers]))
        complain(f"{one.name}: {one.error}" for one in found if one.error)
    else:
        if options.watch:
            write(CLEAR)
        show(options, each(found, lambda one: report.text(one.status)))
    if options.html:
        _save(options, found)


def _save(options: argparse.Namespace, found: Sequence[Told[Running]]) -> None:
    from kxrecon.report.fleet import Told
    from kxrecon.report.html.status import page

    told = [Told(one.name, one.cluster, one.answer.status if one.answer else None, one.error) for one in found]
    specs = [one.answer.spec for one in found if one.answer is not None]
    _html.save(options, page(told, _html.of_specs(options, "status", specs)))


def _code(one: Told[Running]) -> int:
    if one.answer is None:
        return FAILED
    status = one.answer.status
    if status.alarming:
        return PENDING
    return FAILED if status.unread else DONE
