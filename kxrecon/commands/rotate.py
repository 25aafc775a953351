"""``kxrecon rotate …``: let an identity or a target take another one's place, step by step, without a gap."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _fleet, _flow, _html, _onward, _options, _specfile, plan
from kxrecon.commands._exit import DONE
from kxrecon.commands._files import PLAN
from kxrecon.commands._options import variable_values
from kxrecon.commands._terminal import show, write
from kxrecon.commands._wire import planes
from kxrecon.errors import UsageError
from kxrecon.report.fleet import listed
from kxrecon.report.lines import Style, line

if TYPE_CHECKING:
    from kxrecon.report.lines import Line
    from kxrecon.rotation import Turn
    from kxrecon.spec import Spec
    from kxrecon.spec.edit import Edit
    from kxrecon.spec.rotate import Asked


def arguments(parser: argparse.ArgumentParser) -> None:
    """What takes whose place, or which rotation is over."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    _begin(
        what.add_parser("identity", help="exports run as another managed identity"),
        old="a name of cluster.identities, or system",
        new="the Azure id of a user-assigned identity (the name then stands for it), or another name of the spec",
    )
    target = what.add_parser("target", help="exports write to another storage account, container or SQL database")
    _begin(
        target,
        old="a name of targets",
        new="an address (https://…/container), a SQL SERVER[/DATABASE], or another name of targets",
    )
    target.add_argument("--resource-id", default="", metavar="ID", help="the Azure id of the new storage account")
    done = what.add_parser("done", help="take a complete rotation out of the spec")
    _common(done)
    which = done.add_mutually_exclusive_group()
    which.add_argument("--identity", metavar="NAME", help="the rotation of this identity (default: every one)")
    which.add_argument("--target", metavar="NAME", help="the rotation of this target")


def _begin(parser: argparse.ArgumentParser, *, old: str, new: str) -> None:
    _common(parser)
    _html.arguments(parser)
    parser.add_argument("--from", required=True, dest="old", metavar="NAME", help=old)
    parser.add_argument("--to", required=True, dest="new", metavar="NAME|ADDRESS", help=new)
    parser.add_argument(
        "--runs", type=_options.count, metavar="N", help="good runs before the old one goes (default 1)"
    )
    parser.add_argument(
        "--revoke",
        choices=("owned", "all", "none"),
        help="which grants of the old one go: with the spec's mark (default), those without any mark too, none",
    )


def _common(parser: argparse.ArgumentParser) -> None:
    _options.specs(parser)
    _options.surroundings(parser)
    parser.add_argument("--no-color", action="store_true", help="no colour (also NO_COLOR in the environment)")
    parser.set_defaults(json=False, markdown=False, out=PLAN, handover=None, brief=True, detailed_exitcode=False)
    parser.set_defaults(shard=None)


def run(options: argparse.Namespace) -> int:
    """Edit the last of the spec's files, show what was edited, and what apply would do."""
    options.specs = _one_spec(options)
    return _done(options) if options.what == "done" else _begun(options)


def _one_spec(options: argparse.Namespace) -> list[str]:
    """The files of the spec that is meant. UsageError for several: what takes the place of one environment's identity
    or target is seldom what shall take that of another's."""
    found = _fleet.fleet(options, options.specs)
    if found is None:
        return list(options.specs)
    if len(found) > 1:
        names = listed([member.files[-1] for member in found])
        raise UsageError(f"rotate edits one spec, and these are {len(found)}: name one of {names}")
    return list(found[0].files)


def _begun(options: argparse.Namespace) -> int:
    from kxrecon.spec.rotate import begin

    spec = _flow.load(options)
    merged, own = _documents(options)
    try:
        edits = begin(_asked(options, spec), merged, own)
    except UsageError as error:
        raise UsageError(_onward.completed(str(error), options, spec.secrets)) from error
    _edit(options, edits)
    if _is_by_secret(spec, options):
        told = f"'{options.old}' gets in by a secret: from now on its variable has to hold the new one's"
        show(options, [line(told, "warn")])
    return plan.one(options)


def _asked(options: argparse.Namespace, spec: Spec) -> Asked:
    from kxrecon.spec.rotate import Asked

    targets = {name: target.doc for name, target in spec.scope.targets.items()}
    standing: Mapping[str, Any] = targets if options.what == "target" else spec.scope.identities

    more = {"runs": options.runs, "revoke": options.revoke}
    given = {name: value for name, value in more.items() if value is not None}
    resource_id = getattr(options, "resource_id", "")
    return Asked(options.what, options.old, options.new, resource_id, given, standing)


def _is_by_secret(spec: Spec, options: argparse.Namespace) -> bool:
    target = spec.scope.targets.get(options.old) if options.what == "target" else None
    return target is not None and bool(target.doc.get("secret") or target.doc.get("password"))


def _documents(options: argparse.Namespace) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The merged document as it is written, and that of the last file."""
    from kxrecon.spec.files import merge, read

    sources, _ = read(options.specs)
    return merge(sources), sources[-1].document


def _edit(options: argparse.Namespace, edits: list[Edit]) -> None:
    from kxrecon.spec.edit import edited

    path = Path(options.specs[-1])
    before = path.read_text(encoding="utf-8")
    after = edited(before, edits)
    _specfile.replace(path, after, options.specs[:-1], variable_values(options.variables))
    styles: Mapping[str, Style] = {"+": "add", "-": "remove", "@": "dim"}
    changed = unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=1)
    show(options, [line(one, "bold" if at < 2 else styles.get(one[:1], "")) for at, one in enumerate(changed)])
    write("\n")


def _done(options: argparse.Namespace) -> int:
    from kxrecon.spec.rotate import finish

    spec = _flow.load(options)
    chosen = [turn for turn in _turns(options, spec) if _is_meant(turn, options)]
    if not chosen:
        raise UsageError("the spec states no such rotation")
    open_ones = [turn for turn in chosen if not turn.complete]
    if open_ones:
        told = "\n".join(f"  {turn.rotation}: {turn.progress}" for turn in open_ones)
        variables = _onward.given(options.variables, spec.secrets)
        go_on = _onward.command("apply", options.specs, variables, _onward.where(options))
        raise UsageError(f"not complete yet, so it stays in the spec:\n{told}\nto go on with it: {go_on}")
    merged, _ = _documents(options)
    edits = [
        edit
        for turn in chosen
        for edit in finish(turn.rotation.what, turn.rotation.name, turn.rotation.previous, merged)
    ]
    _edit(options, edits)
    for turn in chosen:
        show(options, list(_stays(turn)))
        if turn.rotation.what == "identity":
            told = f"{turn.rotation.previous} is still attached to the cluster, where others may use it"
            show(options, [line(told, "dim")])
    return DONE


def _stays(turn: Turn) -> Iterator[Line]:
    """What stays for good, for each reason."""
    from kxrecon.called import called

    for why in sorted(set(turn.left.values())):
        refs = sorted(ref for ref, said in turn.left.items() if said == why)
        yield line(f"stays, because {why}", "dim")
        yield from (line(f"  {called(ref)}", "dim") for ref in refs)


def _turns(options: argparse.Namespace, spec: Spec) -> tuple[Turn, ...]:
    from kxrecon.derive import derive
    from kxrecon.observe import observe
    from kxrecon.rotation import turns

    with planes(options, spec, spec.scope, read_only=True) as clients:
        seen = observe(_flow.surroundings(spec), clients, workers=options.max_parallel, desired=spec.desired)
    return turns(derive(spec.desired, seen.state, seen.scope).desired, seen.state, seen.scope)


def _is_meant(turn: Turn, options: argparse.Namespace) -> bool:
    wanted: dict[str, str | None] = {"identity": options.identity, "target": options.target}
    return not any(wanted.values()) or turn.rotation.name == wanted[turn.rotation.what]
