"""``kxrecon drift SPEC…``: is the cluster still what the spec says? For a schedule; read-only by construction."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands import _fleet, _flow, _ledger, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._files import JOURNAL, PLAN
from kxrecon.commands._terminal import show, write
from kxrecon.commands._wire import planes
from kxrecon.errors import PlanError, UsageError

if TYPE_CHECKING:
    from kxrecon.model import Finding
    from kxrecon.plan import Plan
    from kxrecon.spec import Spec


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, where, output."""
    _options.specs(parser)
    _options.surroundings(parser)
    _ledger.arguments(parser)
    _options.output(parser)
    _fleet.arguments(parser)
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
        help=f"the saved plan that tells drift from pending where there is no ledger (default {PLAN})",
    )
    parser.add_argument(
        "--blame", action="store_true", help="say who changed it last, from the database's journal (admins only)"
    )


def run(options: argparse.Namespace) -> int:
    """0 if nothing differs, 2 if something does, 1 if that cannot be told because reads failed."""
    many = _fleet.fleet(options, options.specs)
    if many is not None:
        for name in ("blame", "plan"):
            if getattr(options, name):
                raise UsageError(f"--{name} looks at one cluster: name one spec")
        rows = _fleet.plans(options, many, _meaning, save=False, title="drift")
        return _fleet.worst(row.code for row in rows)
    spec = _flow.load(options)
    found = _blamed(options, spec) if options.blame else _flow.plan(options, spec)
    found = replace(found, findings=(*found.findings, *_told_by_a_plan(options, found)))
    if options.json:
        from kxrecon.planfile import to_json

        write(json.dumps(to_json(found), indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        from kxrecon.report import markdown

        write(markdown.plan(found, title="kxrecon drift"))
    else:
        from kxrecon.report import text

        show(options, text.drift(found))
    return _meaning(found)


def _meaning(found: Plan) -> int:
    if found.actions:
        return PENDING
    if any(finding.kind == "unknown" for finding in found.findings):
        return FAILED
    return PENDING if found.blocked else DONE


def _told_by_a_plan(options: argparse.Namespace, found: Plan) -> Sequence[Finding]:
    """Drift or pending by the plan that was saved last, or by the one named, where no ledger told."""
    if not found.actions or any(finding.kind in ("drift", "pending") for finding in found.findings):
        return ()
    from kxrecon import planfile
    from kxrecon.journal import result_of
    from kxrecon.origin import by_plan

    try:
        saved = planfile.load(options.plan or PLAN)
    except PlanError:
        if options.plan:
            raise
        return ()
    same = (saved.wire, saved.cluster_uri, saved.spec_name) == (found.wire, found.cluster_uri, found.spec_name)
    if not same and options.plan:
        raise UsageError(f"{options.plan} is a plan of {saved.spec_name} for {saved.cluster_uri} ({saved.wire})")
    if not same:
        return ()
    result = result_of(JOURNAL, saved.cluster_uri, saved.wire, saved.digest)
    return list(by_plan(found, saved, applied=result == "done"))


def _blamed(options: argparse.Namespace, spec: Spec) -> Plan:
    """The plan with a note for each change: when, by whom and with which command it was last changed."""
    from kxrecon.planes.failures import masked
    from kxrecon.verify.blame import blame, database_of, journal

    with planes(options, spec, spec.scope, read_only=True) as clients:
        found, _ = _flow.plan_over(options, spec, clients)
        refs = [ref for action in found.actions for ref in action.refs]
        databases = sorted({name for ref in refs if (name := database_of(ref))})
        answers = {journal(name): clients["kusto"].read(journal(name)) for name in databases}
    return replace(found, findings=(*found.findings, *blame(refs, answers, masked)))
