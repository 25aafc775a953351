"""The verbs over many clusters: one plan and one outcome for each, read concurrently, told together."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kxrecon.commands import _flow, _gate
from kxrecon.commands._exit import DONE, FAILED, INTERRUPTED, PENDING
from kxrecon.commands._files import STATE
from kxrecon.commands._options import variable_values
from kxrecon.commands._terminal import complain, show, write
from kxrecon.commands._wire import asks_server, planes_on, sandbox_file, wire
from kxrecon.errors import KxreconError, PlanError
from kxrecon.fleet import Clash, Member, clashes, members, shard
from kxrecon.report.fleet import Row, Told, markdown, summary, text

if TYPE_CHECKING:
    from kxrecon.hazards import Refusal
    from kxrecon.model import Plane
    from kxrecon.plan import Plan
    from kxrecon.planes import PlaneClient, Wire
    from kxrecon.spec import Spec

    Clients = Mapping[Plane, PlaneClient]

T = TypeVar("T")
PLANS = STATE / "plans"
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._]+")
Judge = Callable[["Plan"], int]


def arguments(parser: argparse.ArgumentParser, *, stop: bool = False) -> None:
    """``--shard``, and ``--stop-on-failure`` for verbs that write."""
    group = parser.add_argument_group("many clusters")
    group.add_argument("--shard", metavar="I/N", help="only this share of the specs; auto in a Kubernetes Indexed Job")
    if stop:
        group.add_argument("--stop-on-failure", action="store_true", help="begin no other cluster after a failure")


def fleet(options: argparse.Namespace, paths: Sequence[str]) -> list[Member] | None:
    """The specs that the command line means; None if it is one spec, which needs no fleet."""
    if len(paths) == 1 and not options.shard and not Path(paths[0]).is_dir():
        return None  # the usual case is not read twice
    found = members(paths, variable_values(options.variables), os.environ, lambda said: complain([said]))
    many = len(found) > 1 or any(Path(path).is_dir() for path in paths)
    if options.shard:
        return shard(found, options.shard, os.environ)
    return found if many else None


def plans(options: argparse.Namespace, found: Sequence[Member], judge: Judge, *, save: bool, title: str) -> list[Row]:
    """Plan every member and tell it; ``judge`` says what a plan means for the exit code of its row."""
    from kxrecon import planfile

    rows = planned(options, found, judge)
    files = plan_files([row.name for row in rows])
    for row in rows if save else ():
        if row.plan is not None:
            planfile.save(row.plan, files[row.name])
    _tell(options, rows, title)
    return rows


def plan_files(names: Sequence[str]) -> dict[str, Path]:
    """Where the plan of each spec is saved: by its name, or by its file (``eu-prod.json``) where that is its name."""
    short = {name: _NOT_IN_NAME.sub("-", name.removesuffix(".yaml").removesuffix(".yml")).strip("-.") for name in names}
    used = Counter(short.values())
    return {
        name: PLANS / (f"{one}.json" if used[one] == 1 else f"{one}-{sha256(name.encode()).hexdigest()[:8]}.json")
        for name, one in short.items()
    }


def planned(options: argparse.Namespace, found: Sequence[Member], judge: Judge) -> list[Row]:
    """A row for each member, in order. What goes wrong with one is said of that one."""

    def one(each: argparse.Namespace, spec: Spec, clients: Clients) -> tuple[Plan, tuple[Refusal, ...]]:
        _gate.check_cluster(spec)
        plan, _ = _flow.plan_over(each, spec, clients)
        return plan, _gate.refusals(plan, spec)

    rows = []
    for member, told in zip(found, over(options, found, one), strict=True):
        row = Row(member.name, member.cluster, member.wave, FAILED, error=told.error)
        if told.answer is not None:
            plan, refused = told.answer
            row = replace(row, code=judge(plan), plan=plan, refused=refused)
        rows.append(row)
    return _claimed(options, found, rows)


def over(
    options: argparse.Namespace, found: Sequence[Member], one: Callable[[argparse.Namespace, Spec, Clients], T]
) -> list[Told[T]]:
    """Ask the cluster of every member something, concurrently, on planes that only read; in order. Each is asked with
    options that name its own specs alone."""
    at_once = min(len(found), options.max_parallel) or 1
    share = max(1, options.max_parallel // at_once)

    def told(member: Member) -> Told[T]:
        each = argparse.Namespace(**{**vars(options), "max_parallel": share, "specs": list(member.files)})
        try:
            spec = _flow.load(each, member.files)
            asked = asks_server(each)
            with planes_on(chosen, spec, spec.scope, read_only=True, rehearses=asked) as clients:
                return Told(member.name, member.cluster, one(each, spec, clients))
        except KxreconError as error:
            return Told(member.name, member.cluster, error=str(error))

    with _opened(options, found) as chosen, ThreadPoolExecutor(at_once, thread_name_prefix="cluster") as pool:
        return list(pool.map(told, found))


@contextmanager
def _opened(options: argparse.Namespace, found: Sequence[Member]) -> Iterator[Wire]:
    """One wire for all: a sandbox holds everything that any of the specs takes for granted."""
    specs = []
    for member in found if sandbox_file(options) else ():
        try:
            specs.append(_flow.load(options, member.files))
        except KxreconError:
            continue  # said of the member, when it is its turn
    with wire(options, *specs) as chosen:
        yield chosen


def _claimed(options: argparse.Namespace, found: Sequence[Member], rows: list[Row]) -> list[Row]:
    """The rows, those failed whose specs have one name or claim the same entity."""
    shared = _clashes(options, found)

    def judged(member: Member, row: Row) -> Row:
        told = [one.message for one in shared if member in one.between]
        return Row(row.name, row.cluster, row.wave, FAILED, error="\n".join(told)) if told else row

    return [judged(member, row) for member, row in zip(found, rows, strict=True)]


def _clashes(options: argparse.Namespace, found: Sequence[Member]) -> list[Clash]:
    """What two specs of one cluster may not share; specs that stand alone on theirs are not loaded for this."""
    crowded = [one for one in found if sum(other.cluster == one.cluster for other in found) > 1]
    loaded: list[tuple[Member, Spec]] = []
    for member in crowded:
        try:
            loaded.append((member, _flow.load(options, member.files)))
        except KxreconError:
            continue  # said of the member, when it is its turn
    return clashes([(member, spec.name, spec.desired) for member, spec in loaded])


def _tell(options: argparse.Namespace, rows: Sequence[Row], title: str) -> None:
    if options.json:
        write(json.dumps(as_json(rows), indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        write(markdown(rows, title))
    else:
        show(options, text(rows, title))


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """All plans, with what became of each spec."""
    from kxrecon.planfile import to_json

    return {
        "specs": [
            {
                "name": row.name,
                "cluster": row.cluster,
                "wave": row.wave,
                "result": row.result,
                "error": row.error or None,
                "plan": to_json(row.plan) if row.plan else None,
            }
            for row in rows
        ]
    }


def in_waves(
    options: argparse.Namespace,
    found: Sequence[Member],
    one: Callable[[argparse.Namespace], int],
    ailing: Callable[[argparse.Namespace], str],
) -> int:
    """Apply every member, wave by wave: the next wave begins when the last one is converged and, with
    ``--wait-healthy``, none of its exports is ``ailing``, those included that were not changed."""
    shared = _clashes(options, found)
    if shared:
        raise PlanError("nothing was done:\n" + "\n".join(f"  {one.message}" for one in shared))
    rows: list[Row] = []
    for wave, ones in groupby(found, key=lambda member: member.wave):
        if any(row.code != DONE for row in rows):
            rows += [Row(member.name, member.cluster, wave, FAILED, skipped=True) for member in ones]
            continue
        for member in ones:
            rows.append(_applied(options, member, rows, one))
            if rows[-1].code == INTERRUPTED:
                return INTERRUPTED
            if options.wait_healthy and wave < found[-1].wave and rows[-1].code == DONE:
                rows[-1] = _looked_after(options, member, rows[-1], ailing)
    if not (options.json or options.markdown):
        show(options, summary(rows))
    return worst(row.code for row in rows)


def _applied(
    options: argparse.Namespace, member: Member, before: Sequence[Row], one: Callable[[argparse.Namespace], int]
) -> Row:
    failed = any(row.code not in (DONE, PENDING) for row in before)
    if options.stop_on_failure and failed:
        return Row(member.name, member.cluster, member.wave, FAILED, skipped=True)
    try:
        return Row(member.name, member.cluster, member.wave, one(_single(options, member)))
    except KxreconError as error:
        return Row(member.name, member.cluster, member.wave, FAILED, error=str(error))


def _single(options: argparse.Namespace, member: Member) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "what": list(member.files), "shard": None})


def _looked_after(
    options: argparse.Namespace, member: Member, row: Row, ailing: Callable[[argparse.Namespace], str]
) -> Row:
    """The row of a wave that others wait for: failed if one of its exports needs somebody."""
    try:
        told = ailing(_single(options, member))
    except KxreconError as error:
        told = str(error)
    return replace(row, code=FAILED, error=told) if told else row


def worst(codes: Iterable[int]) -> int:
    """One exit code for all: a failure wins over pending changes, those over none."""
    found = set(codes)
    return next((code for code in (INTERRUPTED, FAILED, PENDING) if code in found), DONE)
