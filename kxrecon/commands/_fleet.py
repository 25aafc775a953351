"""The verbs over many clusters: one plan and one outcome for each, read concurrently, told together."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kxrecon.commands import _flow, _gate, _named
from kxrecon.commands._exit import DONE, FAILED, INTERRUPTED, PENDING
from kxrecon.commands._options import variable_values
from kxrecon.commands._terminal import complain, show, write
from kxrecon.commands._wire import asks_server, planes_on, sandbox_file, wire
from kxrecon.errors import KxreconError
from kxrecon.fleet import Clash, Member, clashes, members, shard
from kxrecon.report.fleet import Row, Told, markdown, text
from kxrecon.report.lines import line

if TYPE_CHECKING:
    from kxrecon.fleetfile import Part
    from kxrecon.hazards import Refusal
    from kxrecon.model import Plane
    from kxrecon.plan import Plan
    from kxrecon.planes import PlaneClient, Wire
    from kxrecon.spec import Spec

    Clients = Mapping[Plane, PlaneClient]

T = TypeVar("T")
Judge = Callable[["Plan"], int]
Ask = Callable[[argparse.Namespace, "Spec", "Clients"], "Plan"]


def fleet(options: argparse.Namespace, paths: Sequence[str]) -> list[Member] | None:
    """The specs that the command line means; None if it is one spec, which needs no fleet."""
    if len(paths) == 1 and not options.shard and not Path(paths[0]).is_dir():
        return None  # the usual case is not read twice
    found = members(paths, variable_values(options.variables), os.environ, lambda said: complain([said]))
    many = len(found) > 1 or any(Path(path).is_dir() for path in paths)
    if many or options.shard:
        _named.begin(options)
    if options.shard:
        return shard(found, options.shard, os.environ)
    return found if many else None


def planned(options: argparse.Namespace, found: Sequence[Member], judge: Judge, ask: Ask | None = None) -> list[Row]:
    """A row for each member, in order; ``judge`` says what a plan means for the exit code, ``ask`` makes one otherwise.
    What goes wrong with one is said of that one."""

    def one(each: argparse.Namespace, spec: Spec, clients: Clients) -> tuple[Plan, tuple[Refusal, ...]]:
        _gate.check_cluster(spec)
        plan = ask(each, spec, clients) if ask else _flow.plan_over(each, spec, clients)[0]
        return plan, _gate.refusals(plan, spec)

    rows = []
    for member, told in zip(found, over(options, found, one), strict=True):
        row = Row(member.name, member.cluster, member.wave, FAILED, error=told.error, files=member.files)
        if told.answer is not None:
            plan, refused = told.answer
            row = replace(row, code=judge(plan), plan=plan, refused=refused)
        rows.append(row)
    if not any(row.error for row in rows):
        _named.check(options)
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
    shared = clashing(options, found)

    def judged(member: Member, row: Row) -> Row:
        told = "\n".join(one.message for one in shared if member in one.between)
        return Row(row.name, row.cluster, row.wave, FAILED, error=told, files=row.files) if told else row

    return [judged(member, row) for member, row in zip(found, rows, strict=True)]


def clashing(options: argparse.Namespace, found: Sequence[Member | Part]) -> list[Clash]:
    """What two specs of one cluster may not share; specs that stand alone on theirs are not loaded for this."""
    crowded = [one for one in found if sum(other.cluster == one.cluster for other in found) > 1]
    loaded: list[tuple[Member | Part, Spec]] = []
    for member in crowded:
        try:
            loaded.append((member, _flow.load(single(options, member), member.files)))
        except KxreconError:
            continue  # said of the member, when it is its turn
    return clashes([(_member(one), spec.name, spec.desired) for one, spec in loaded])


def _member(one: Member | Part) -> Member:
    return one if isinstance(one, Member) else Member(one.files, one.cluster, one.wave, one.name)


def single(options: argparse.Namespace, one: Member | Part) -> argparse.Namespace:
    """The options for one of a fleet: its files alone, and the variables that a saved plan of it was made with."""
    made = getattr(one, "plan", None)
    variables = with_variables(options.variables, made) if made else options.variables
    return argparse.Namespace(**{**vars(options), "what": list(one.files), "shard": None, "variables": variables})


def with_variables(given: Sequence[str], made: Plan) -> list[str]:
    """What ``--var`` said, below what a saved plan was made with."""
    own = [f"{name}={value}" for name, value in made.variables.items()]
    return own + [pair for pair in given if pair.partition("=")[0] not in made.variables]


def tell(options: argparse.Namespace, rows: Sequence[Row], title: str) -> None:
    """Print the plans of a fleet in the form that the options ask for; of lanes those that were asked for."""
    if options.json:
        write(json.dumps(as_json(rows), indent=2, ensure_ascii=False) + "\n")
        return
    shown = list(map(in_lanes, rows))
    if options.markdown:
        write(markdown(shown, title))
        return
    show(options, text(shown, title))
    elsewhere = sum(len(row.plan.actions) for row in rows if row.plan)
    elsewhere -= sum(len(row.plan.actions) for row in shown if row.plan)
    if elsewhere:
        show(options, [line(f"in other lanes: {elsewhere} action{'' if elsewhere == 1 else 's'}", "dim")])


def in_lanes(row: Row) -> Row:
    """The row with what its plan does in the lanes that it was made for."""
    from kxrecon.lanes import mine

    if row.plan is None or not row.plan.lanes:
        return row
    own = mine(row.plan.actions, row.plan.lanes)
    return replace(row, plan=replace(row.plan, actions=tuple(one for one in row.plan.actions if one.id in own)))


def parts(rows: Iterable[Row]) -> list[Part]:
    """What was planned of a fleet, to be saved or applied."""
    from kxrecon.fleetfile import Part

    return [Part(row.name, row.cluster, row.wave, row.files, row.plan, row.error) for row in rows]


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """All plans, as they are saved, with what became of each spec."""
    from kxrecon.fleetfile import to_json

    document = to_json(parts(rows))
    records = [{**one, "result": row.result} for one, row in zip(document["specs"], rows, strict=True)]
    return {**document, "specs": records}


def worst(codes: Iterable[int]) -> int:
    """One exit code for all: a failure wins over pending changes, those over none."""
    found = set(codes)
    return next((code for code in (INTERRUPTED, FAILED, PENDING) if code in found), DONE)
