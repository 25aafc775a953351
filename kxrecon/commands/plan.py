"""``kxrecon plan SPEC…``: what would change, in order; saved, so that what was reviewed is what runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands import _fleet, _flow, _gate, _html, _ledger, _onward, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._files import PLAN
from kxrecon.commands._terminal import show, write
from kxrecon.report.fleet import Row
from kxrecon.report.lines import line

if TYPE_CHECKING:
    from kxrecon.plan import Plan


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, where, output, and what to do with the plan."""
    _options.specs(parser)
    _options.surroundings(parser)
    _ledger.arguments(parser)
    _options.output(parser)
    _html.arguments(parser)
    _fleet.arguments(parser)
    parser.add_argument(
        "--out", type=Path, default=PLAN, metavar="FILE", help=f"where to save the plan (default {PLAN})"
    )
    parser.add_argument(
        "--handover", type=Path, metavar="DIR", help="write what others have to run, one script for each owner"
    )
    _options.adopt(parser)
    _options.server_check(parser)
    _options.lanes(parser)
    _options.reassert(parser)
    parser.add_argument("--brief", action="store_true", help="without the requests")
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 2 if the plan is not empty")


def run(options: argparse.Namespace) -> int:
    """Make the plan, save it, show it; a plan for each spec of a fleet."""
    found = _fleet.fleet(options, options.specs)
    if found is not None:
        rows = _fleet.plans(options, found, lambda made: _meaning(options, made), save=True, title="plan")
        if options.html:
            _save(options, rows)
        return _fleet.worst(row.code for row in rows)
    return one(options)


def one(options: argparse.Namespace) -> int:
    """Plan one spec, save it, show it."""
    from kxrecon import lanes, planfile

    spec = _flow.load(options)
    made = _flow.plan(options, spec)
    lanes.check(made.lanes, made.actions)
    planfile.save(made, options.out)
    written = _hand_over(made, options.handover) if options.handover else ()
    _show(options, made)
    if written and not (options.json or options.markdown):
        show(options, [line(f"for others to run: {', '.join(written)}", "dim")])
    code = _meaning(options, made)
    if options.html:
        row = Row("", made.cluster_uri, 0, code, made, refused=_gate.refusals(made, spec))
        _save(options, [row], f"{_apply(options)} --digest {made.digest}")
    return code


def _save(options: argparse.Namespace, rows: Sequence[Row], apply: str = "") -> None:
    from kxrecon.report.html.plan import page

    files = tuple(dict.fromkeys(file for row in rows if row.plan for file in row.plan.spec_files))
    cluster = rows[0].cluster if len(rows) == 1 else ""
    _html.save(options, page(rows, _html.heading(options, "plan", cluster, files), apply=apply))


def _meaning(options: argparse.Namespace, made: Plan) -> int:
    if _blind(made):
        return FAILED
    return PENDING if made.actions and options.detailed_exitcode else DONE


def _hand_over(made: Plan, folder: Path) -> list[str]:
    """Write one script for each owner of what this pipeline may not write; the names of the files."""
    from kxrecon.files import write_public
    from kxrecon.handover import SAYS, scripts

    found = scripts(made.findings)
    for script in found:
        write_public(folder / script.name, script.text, mark=SAYS, what=f"--handover {folder / script.name}")
    return [str(folder / script.name) for script in found]


def _blind(made: Plan) -> bool:
    """True if nothing at all could be read: that is no plan, however empty it looks."""
    return not made.actions and not made.unchanged and any(finding.kind == "unknown" for finding in made.findings)


def _show(options: argparse.Namespace, made: Plan) -> None:
    if options.json:
        from kxrecon.planfile import to_json

        write(json.dumps(to_json(made), indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        from kxrecon.report import markdown

        write(markdown.plan(made))
    else:
        from kxrecon.report import text

        show(options, text.plan(made, requests=not options.brief))
        show(options, [line(_next_step(options, made), "dim")])


def _next_step(options: argparse.Namespace, made: Plan) -> str:
    go_on = f"; to do it: {_apply(options)}" if made.actions else ""
    return f"saved to {options.out}{go_on}"


def _apply(options: argparse.Namespace) -> str:
    """The command line that applies the plan that was saved."""
    argument = [] if options.out == PLAN else [str(options.out)]
    return _onward.command("apply", argument, [], _onward.where(options))
