"""``kxrecon import``: what somebody made by hand, written down as a spec; reads only."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kxrecon.commands import _onward, _options
from kxrecon.commands._exit import DONE, PENDING
from kxrecon.commands._takeover import taken_over
from kxrecon.commands._terminal import write
from kxrecon.commands._wire import planes_of
from kxrecon.errors import UsageError
from kxrecon.files import named, write_public

if TYPE_CHECKING:
    from kxrecon.takeover.estate import Taken


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster, how much of it, and where to."""
    parser.add_argument("--cluster", required=True, metavar="URI", help="https://NAME.REGION.kusto.windows.net")
    parser.add_argument(
        "--resource-id",
        default="",
        type=_options.cluster_id,
        metavar="ID",
        help="its Azure resource id (else it is looked for)",
    )
    parser.add_argument("--database", action="append", default=[], metavar="NAME", help="only this one (repeatable)")
    parser.add_argument(
        "--export", action="append", default=[], metavar="NAME", help="only this one and what it needs (repeatable)"
    )
    parser.add_argument(
        "--auth",
        default="",
        choices=("impersonate", "key", "sas", "token"),
        help="how everything gets in that the service masks, if you know it (else: auth: unknown, for you to state)",
    )
    parser.add_argument("--name", default="", metavar="NAME", help="the spec's name (default: the cluster's)")
    into = parser.add_mutually_exclusive_group()
    into.add_argument("--out", type=Path, metavar="DIR", help="write the spec and its KQL there (default: print it)")
    into.add_argument("--merge", type=Path, metavar="SPEC", help="add what is missing to this spec")
    _options.surroundings(parser)
    _options.output(parser, markdown=False)


def run(options: argparse.Namespace) -> int:
    """0 if a plan of what was written would change nothing, 2 if not all of it could be written down."""
    if options.merge is not None:
        from kxrecon.commands._merge import merge

        return merge(options)
    from kxrecon.scope import Scope
    from kxrecon.takeover.targets import Targets

    uri = options.cluster.rstrip("/")
    name = options.name or (urlsplit(uri).hostname or "").partition(".")[0]
    if not name:
        raise UsageError(f"--cluster takes the cluster's address, https://NAME.REGION.kusto.windows.net, not {uri!r}")
    scope = Scope(name=name, cluster_uri=uri, cluster_id=options.resource_id.rstrip("/"))
    with planes_of(options, None, scope, read_only=True) as clients:
        taken = taken_over(
            scope,
            clients,
            databases=options.database,
            exports=options.export,
            targets=Targets(stated=options.auth),
            workers=options.max_parallel,
        )
    if options.out is None:
        write(_inline(taken))
    else:
        save(options.out, name, taken)
    return tell(options, taken, str(options.out / f"{name}.yaml") if options.out else "")


def _inline(taken: Taken) -> str:
    """The text alone; long KQL goes with it as further files would, each behind a line with its name."""
    return taken.text + "".join(f"--- # {path}\n{text}" for path, text in taken.files.items())


def save(folder: Path, name: str, taken: Taken) -> None:
    """Write the spec and the files beside it; UsageError if one of them is there already."""
    texts = {f"{name}.yaml": taken.text, **taken.files}
    with named(f"--out {folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        there = [path for path in texts if (folder / path).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} is there already: nothing was written; --merge adds to a spec")
    for path, text in texts.items():
        write_public(folder / path, text)


def tell(options: argparse.Namespace, taken: Taken, place: str) -> int:
    """What was taken over and what was not, on stderr if the spec itself went to stdout."""
    if options.json and place:
        write(json.dumps(record(taken, place), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write("".join(f"{line}{os.linesep}" for line in _lines(taken, place, _onward.where(options))))
    return PENDING if taken.left_out or taken.residue else DONE


def record(taken: Taken, place: str) -> dict[str, Any]:
    """The same for programs."""
    from kxrecon.takeover.document import unstated

    return {
        "spec": place,
        "counts": dict(taken.counts),
        "leftOut": list(taken.left_out),
        "lacking": {label: list(what) for label, what in taken.lacking.items()},
        "planWouldChange": list(taken.residue),
        "authUnknown": unstated(taken.composed),
    }


def _lines(taken: Taken, place: str, at: Sequence[str]) -> list[str]:
    from kxrecon.takeover.document import unstated

    counted = ", ".join(f"{number} {section}" for section, number in taken.counts.items()) or "nothing"
    lines = [f"taken over: {counted}"]
    lines += [f"left out: {one}" for one in taken.left_out]
    lines += [f"{label} {one}" for label, what in taken.lacking.items() for one in what]
    lines += [f"a plan would still {one}" for one in taken.residue]
    open_ones = ", ".join(unstated(taken.composed))
    told = (
        "how these get in is masked, so it says auth: unknown; state it before a table there is changed (or --auth): "
    )
    lines += [told + open_ones] if open_ones else []
    secrets = sorted(taken.composed.targets.secrets)
    lines += [f"secrets to set before anything that uses them is changed: {', '.join(secrets)}"] if secrets else []
    look = _onward.command("plan", [place], [], at)
    return [*lines, f"written to {place}; to see that it changes nothing: {look}"] if place else lines
