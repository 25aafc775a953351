"""``kxrecon drift SPEC…``: is the cluster still what the spec says? For a schedule; read-only by construction."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands import _fleet, _flow, _gate, _ledger, _options, _saved, _witness
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._files import PLAN
from kxrecon.commands._terminal import show, write
from kxrecon.commands._wire import planes
from kxrecon.errors import PlanError, UsageError
from kxrecon.uncollected import uncollected

if TYPE_CHECKING:
    from kxrecon.commands._fleet import Clients
    from kxrecon.model import Finding
    from kxrecon.plan import Plan
    from kxrecon.scope import Scope
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, where, output."""
    _options.specs(parser)
    _options.surroundings(parser)
    _ledger.arguments(parser)
    _options.output(parser)
    _options.shard(parser)
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATH=REASON",
        help="leave a difference out of the count and show it as ignored; PATH is ENTITY or ENTITY:FIELD, as printed",
    )
    parser.add_argument(
        "--plan",
        type=Path,
        metavar="FILE",
        help=f"a saved plan that tells drift from pending where there is no ledger (default: the plan that was applied "
        f"last, and {PLAN})",
    )
    parser.add_argument(
        "--blame", action="store_true", help="say who changed it last, from the database's journal (admins only)"
    )


def run(options: argparse.Namespace) -> int:
    """0 if nothing differs, 2 if something does, 1 if that cannot be told because reads failed."""
    many = _fleet.fleet(options, options.specs)
    saved = cache(lambda: _plans(options))

    def look(each: argparse.Namespace, spec: Spec, clients: Clients) -> Plan:
        found, seen = _flow.plan_over(each, spec, clients)
        blamed = _blamed(found, seen.scope, clients) if each.blame else ()
        return replace(found, findings=(*found.findings, *blamed, *_told_by_plans(each, found, saved)))

    if many is not None:
        rows = _fleet.planned(options, many, _meaning, look)
        _fleet.tell(options, rows, "drift")
        return _fleet.worst(row.code for row in rows)
    spec = _flow.load(options)
    _gate.check_cluster(spec)
    with planes(options, spec, spec.scope, read_only=True) as clients, uncollected():
        found = look(options, spec, clients)
    _show(options, found)
    return _meaning(found)


def _show(options: argparse.Namespace, found: Plan) -> None:
    if options.json:
        from kxrecon.planfile import to_json

        write(json.dumps(to_json(found), indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        from kxrecon.report import markdown

        write(markdown.plan(found, title="kxrecon drift"))
    else:
        from kxrecon.report import text

        show(options, text.drift(found))


def _meaning(found: Plan) -> int:
    if any(finding.kind == "moved" for finding in found.findings):
        return FAILED
    if found.actions or any(finding.kind == "paused" for finding in found.findings):
        return PENDING
    if any(finding.kind == "unknown" for finding in found.findings):
        return FAILED
    return PENDING if found.blocked else DONE


def _plans(options: argparse.Namespace) -> Sequence[Plan]:
    """The plans that were saved last, or in the file named."""
    try:
        parts = _saved.load(options.plan or PLAN).parts
    except PlanError:
        if options.plan:
            raise
        return ()
    return [part.plan for part in parts if part.plan]


def _told_by_plans(options: argparse.Namespace, found: Plan, saved: Callable[[], Sequence[Plan]]) -> Sequence[Finding]:
    """Drift or pending by the plan that was applied last, and the one that was saved last or named, where no ledger
    told."""
    if not found.actions or any(finding.kind in ("drift", "pending") for finding in found.findings):
        return ()
    mine = next((plan for plan in saved() if _witness.same(plan, found)), None)
    if options.plan and mine is None:
        others = (
            ", ".join(f"{plan.spec_name} for {plan.cluster_uri} ({plan.wire})" for plan in saved()[:3]) or "nothing"
        )
        raise UsageError(f"{options.plan} is a plan of {others}, not of {found.spec_name} for {found.cluster_uri}")
    return _witness.told(found, mine)


def _blamed(found: Plan, scope: Scope, clients: Clients) -> Iterable[Finding]:
    """A note for each change: when, by whom and with which command it was last changed."""
    from kxrecon.origin import changes
    from kxrecon.planes.failures import masked
    from kxrecon.verify.blame import blame, database_of, journal

    differing = changes(found.actions)
    databases = sorted({name for ref in differing if (name := database_of(ref))})
    answers = {journal(name): clients["kusto"].read(journal(name)) for name in databases}
    return blame(differing.values(), answers, scope, masked)
