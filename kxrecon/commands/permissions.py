"""``kxrecon permissions SPEC…``: the least rights to plan and to apply it; ``--check`` asks whether you have them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from kxrecon.commands import _each, _flow, _options
from kxrecon.commands._exit import DONE, PENDING
from kxrecon.commands._wire import planes
from kxrecon.report.lines import line
from kxrecon.report.table import table

if TYPE_CHECKING:
    from kxrecon.permissions import Right
    from kxrecon.report.lines import Line
    from kxrecon.scope import Scope
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, whether to ask, where, output."""
    _options.specs(parser)
    _options.shard(parser)
    parser.add_argument("--check", action="store_true", help="ask each service whether you have them")
    _options.surroundings(parser)
    _options.output(parser, markdown=False)


def run(options: argparse.Namespace) -> int:
    """0; with --check 2 if a right is missing."""
    return _each.each(options, _look)


def _look(options: argparse.Namespace) -> _each.Looked:
    spec = _flow.load(options)
    if options.check:
        wanted, found = _checked(options, spec)
    else:
        wanted = _wanted(spec, _flow.surroundings(spec))
        found = [("", "")] * len(wanted)
    rows = [
        asdict(one) | ({"has": has, "why": why} if options.check else {})
        for one, (has, why) in zip(wanted, found, strict=True)
    ]
    missing = any(has == "no" for has, _ in found)
    return _each.Looked({"rights": rows}, _lines(options, wanted, found), PENDING if missing else DONE)


def _wanted(spec: Spec, scope: Scope) -> list[Right]:
    from kxrecon.derive import derive
    from kxrecon.permissions import addressed, rights

    scope = addressed(scope)
    ledger = str((spec.document.get("ledger") or {}).get("database", ""))
    return rights(derive(spec.desired, None, scope).desired, scope, ledger)


def _checked(options: argparse.Namespace, spec: Spec) -> tuple[list[Right], list[tuple[str, str]]]:
    from concurrent.futures import ThreadPoolExecutor

    from kxrecon.permissions import has, located

    with planes(options, spec, spec.scope, read_only=True) as clients, ThreadPoolExecutor(options.max_parallel) as pool:
        wanted = _wanted(spec, located(_flow.surroundings(spec), clients))
        return wanted, list(pool.map(lambda right: has(right, clients), wanted))


def _lines(options: argparse.Namespace, wanted: list[Right], found: list[tuple[str, str]]) -> Iterator[Line]:
    for verb in ("plan", "apply"):
        yield line(f"to {verb}", "bold")
        rows = []
        for one, (has, why) in zip(wanted, found, strict=True):
            yours = [has + (f" ({why})" if why else "")] if options.check else []
            rows += [[*yours, one.plane, one.role, one.reason, one.where]] if one.verb == verb else []
        yield from table([*(["yours"] if options.check else []), "plane", "role", "for", "on"], rows)
