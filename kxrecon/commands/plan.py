"""``kxrecon plan SPEC…``: what would change, in order; saved, so that what was reviewed is what runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands import _fleet, _flow, _gate, _html, _ledger, _options, _saved
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._files import PLAN
from kxrecon.commands._terminal import show, write
from kxrecon.errors import UsageError
from kxrecon.report.fleet import Row
from kxrecon.report.lines import line

if TYPE_CHECKING:
    from kxrecon.fleet import Member
    from kxrecon.plan import Plan


def arguments(parser: argparse.ArgumentParser) -> None:
    """Specs, where, output, and what to do with the plan."""
    _options.specs(parser)
    _options.surroundings(parser)
    _ledger.arguments(parser)
    _options.output(parser)
    _html.arguments(parser)
    _options.shard(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=PLAN,
        metavar="FILE",
        help=f"where to save the plan, or the plans of a fleet as one (default {PLAN})",
    )
    parser.add_argument(
        "--handover",
        type=Path,
        metavar="DIR",
        help="write what others have to run, one script for each owner; of several specs in a folder for each",
    )
    _options.adopt(parser)
    _options.server_check(parser)
    _options.lanes(parser)
    _options.reassert(parser)
    parser.add_argument("--brief", action="store_true", help="without the requests")
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit 2 if the plan is not empty")


def run(options: argparse.Namespace) -> int:
    """Make the plan, save it, show it; a plan for each spec of a fleet, saved as one."""
    found = _fleet.fleet(options, options.specs)
    return one(options) if found is None else _many(options, found)


def _many(options: argparse.Namespace, found: Sequence[Member]) -> int:
    from kxrecon import lanes

    rows = _fleet.planned(options, found, lambda made: _meaning(options, made))
    lanes.check(options.lane, [action for row in rows if row.plan for action in row.plan.actions])
    document = _fleet.as_json(rows)
    _saved.save(document, options.out)
    written = _handed_over(options, {row.name: row.plan for row in rows if row.plan})
    _fleet.tell(options, rows, "plan")
    _tell_written(options, written)
    if not (options.json or options.markdown):
        pending = any(row.plan and row.plan.actions for row in rows)
        show(options, [line(_next_step(options, pending=pending), "dim")])
    if options.html:
        _save(options, rows, _saved.command(options, document["digest"]))
    return _fleet.worst(row.code for row in rows)


def one(options: argparse.Namespace) -> int:
    """Plan one spec, save it, show it."""
    from kxrecon import lanes, planfile

    spec = _flow.load(options)
    made = _flow.plan(options, spec)
    lanes.check(made.lanes, made.actions)
    planfile.save(made, options.out)
    written = _handed_over(options, {"": made})
    _show(options, made)
    _tell_written(options, written)
    code = _meaning(options, made)
    if options.html:
        row = Row("", made.cluster_uri, 0, code, made, refused=_gate.refusals(made, spec))
        _save(options, [row], _saved.command(options, made.digest))
    return code


def _save(options: argparse.Namespace, rows: Sequence[Row], apply: str = "") -> None:
    from kxrecon.report.html.plan import page

    files = tuple(dict.fromkeys(file for row in rows if row.plan for file in row.plan.spec_files))
    cluster = rows[0].cluster if len(rows) == 1 else ""
    _html.save(
        options, page(list(map(_fleet.in_lanes, rows)), _html.heading(options, "plan", cluster, files), apply=apply)
    )


def _meaning(options: argparse.Namespace, made: Plan) -> int:
    if _blind(made) or any(finding.kind == "moved" for finding in made.findings):
        return FAILED
    return PENDING if made.actions and options.detailed_exitcode else DONE


def _handed_over(options: argparse.Namespace, made: Mapping[str, Plan]) -> list[str]:
    """Write one script for each owner of what this pipeline may not write, in a folder for each name of several specs;
    the names of the files, of each spec in the order to run them."""
    from kxrecon.files import write_public
    from kxrecon.handover import made_for, scripts

    written: list[str] = []
    short = _saved.short_names(list(made))
    for name, plan in made.items() if options.handover else ():
        folder: Path = options.handover / short[name]
        mine = made_for(plan.spec_name, plan.cluster_uri)
        found = scripts(plan.findings, plan.spec_name, plan.cluster_uri)
        _clear(folder, mine, {script.name for script in found})
        for script in found:
            path = folder / script.name
            write_public(path, script.text, mark=mine, what=f"--handover {path}")
            written.append(str(path))
    return written


def _clear(folder: Path, mine: str, current: Set[str]) -> None:
    """Take away what an earlier plan of the spec wrote and this one does not: it would look current. UsageError for a
    script of another spec that this one has, too."""
    from kxrecon.files import named
    from kxrecon.handover import MADE

    for path in sorted(one for ending in ("sh", "kql", "sql") for one in folder.glob(f"*-*.{ending}")):
        with named(f"--handover {path} cannot be read"):
            head = path.read_text(encoding="utf-8", errors="replace").splitlines()[:4]
        owned = any(line.endswith(mine) for line in head)
        if path.name in current and not owned and any(MADE in line for line in head):
            raise UsageError(f"{path} is for another spec, and was left as it is: name another folder for this one")
        if owned and path.name not in current:
            with named(f"--handover {path} of an earlier plan cannot be removed"):
                path.unlink()


def _tell_written(options: argparse.Namespace, written: Sequence[str]) -> None:
    if written and not (options.json or options.markdown):
        show(options, [line(f"for others to run, in this order: {', '.join(written)}", "dim")])


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
        show(options, [line(_next_step(options, pending=bool(made.actions)), "dim")])


def _next_step(options: argparse.Namespace, *, pending: bool) -> str:
    return f"saved to {options.out}" + (f"; to do it: {_saved.command(options)}" if pending else "")
