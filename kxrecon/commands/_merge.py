"""``kxrecon import --merge SPEC``: the same, into a spec that is there already."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _onward, _specfile
from kxrecon.commands._exit import DONE, PENDING
from kxrecon.commands._takeover import taken_over
from kxrecon.commands._terminal import write
from kxrecon.commands._wire import planes_of
from kxrecon.errors import UsageError
from kxrecon.files import write_public

if TYPE_CHECKING:
    from kxrecon.spec import Spec
    from kxrecon.takeover.estate import Taken
    from kxrecon.takeover.merge import Merged


def merge(options: argparse.Namespace) -> int:
    """Add to the spec what it does not have; it is replaced whole, and only if the result loads."""
    from kxrecon.spec import load
    from kxrecon.takeover.merge import merge as merged
    from kxrecon.takeover.targets import Targets

    path: Path = options.merge
    if options.name:
        raise UsageError(f"--name is for a new spec: {path} has its own (name:)")
    spec = load([str(path)])
    scope = replace(spec.scope, cluster_id=spec.scope.cluster_id or options.resource_id.rstrip("/"))
    if scope.cluster_uri.lower() != options.cluster.rstrip("/").lower():
        raise UsageError(f"{path} is about {scope.cluster_uri or 'no cluster'}, not about {options.cluster}")
    with planes_of(options, spec, scope, read_only=True) as clients:
        taken = taken_over(
            scope,
            clients,
            databases=options.database,
            exports=options.export,
            targets=Targets({name: dict(target.doc) for name, target in scope.targets.items()}, options.auth),
            workers=options.max_parallel,
        )
    if not taken.seen.scope.cluster_id and scope.manages("arm") != "off":
        remedy = "name it by --resource-id or in the spec, or leave Azure alone there (manage: { arm: off })"
        raise UsageError(f"{path} has no cluster.resourceId, and none was found: nothing was written ({remedy})")
    made = merged(path, spec, taken)
    if made.added:
        _replace(path, made)
    if options.json:
        write(json.dumps(_record(taken, made, path), indent=2, ensure_ascii=False) + "\n")
    else:
        told = _lines(spec, taken, made, path, _onward.where(options))
        sys.stderr.write("".join(line + os.linesep for line in told))
    return PENDING if taken.left_out else DONE


def _record(taken: Taken, made: Merged, path: Path) -> dict[str, Any]:
    """What was added, for programs."""
    return {
        "spec": str(path),
        "added": list(made.added),
        "leftOut": list(taken.left_out),
        "lacking": {label: list(what) for label, what in taken.lacking.items()},
        "authUnknown": _unstated(taken),
    }


def _unstated(taken: Taken) -> list[str]:
    from kxrecon.takeover.document import unstated

    return [name for name in unstated(taken.composed) if "/" in name or name in taken.composed.targets.new]


def _replace(path: Path, made: Merged) -> None:
    """Write the files that the spec names anew, then the spec. Raises SpecError, UsageError, FileError."""
    there = [name for name in made.files if (path.parent / name).exists()]
    if there:
        raise UsageError(f"{path.parent / there[0]} is there already: nothing was written")
    for name, text in made.files.items():
        write_public(path.parent / name, text)
    _specfile.replace(path, made.text)


def _lines(spec: Spec, taken: Taken, made: Merged, path: Path, at: Sequence[str]) -> list[str]:
    count = len(made.added)
    example = f", such as {made.added[0]}" if count > 1 else f": {made.added[0]}" if count else ""
    lines = [f"added to {path}: {count} entr{'y' if count == 1 else 'ies'}{example}"]
    lines += [f"left out: {one}" for one in taken.left_out]
    lines += [f"{label} {one}" for label, what in taken.lacking.items() for one in what]
    open_ones = ", ".join(_unstated(taken))
    lines += [f"how these get in is masked, so it says auth: unknown; state it there: {open_ones}"] if open_ones else []
    return [*lines, f"to see what differs from {spec.name}: {_onward.command('plan', [str(path)], [], at)}"]
