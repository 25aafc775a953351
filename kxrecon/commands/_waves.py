"""Apply of a fleet: wave by wave, one outcome for each spec, told together whatever happens on the way."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _applied, _fleet, _named
from kxrecon.commands._exit import DONE, FAILED, INTERRUPTED, PENDING
from kxrecon.commands._terminal import show, write
from kxrecon.errors import KxreconError, PlanError, UsageError
from kxrecon.report import fleet as report
from kxrecon.report.fleet import Row
from kxrecon.report.lines import line

if TYPE_CHECKING:
    from kxrecon.commands._applied import Ending
    from kxrecon.fleetfile import Part
    from kxrecon.plan import Plan
    from kxrecon.report.lines import Line

    Tell = Callable[[Ending], None]
    One = Callable[[argparse.Namespace, Plan | None, Tell], int]
    Ailing = Callable[[argparse.Namespace], str]


@dataclass(frozen=True, slots=True)
class _Ended:
    """What became of one spec, and how its apply ended; None if it came to none."""

    row: Row
    ending: Ending | None = None


def apply(options: argparse.Namespace, parts: Sequence[Part], one: One, ailing: Ailing) -> int:
    """Apply every part, wave by wave: the next wave begins when the last one is converged and, with
    ``--wait-healthy``, none of its exports is ``ailing``, those included that were not changed.

    PlanError if two specs clash, UsageError for another digest: nothing was done then. UsageError at the end
    for an entity to write again that no spec has.
    """
    _check(options, parts)
    ended: list[_Ended] = []
    try:
        _go(options, parts, ended, one, ailing)
    finally:  # what was done is told, also if this was interrupted or failed unexpectedly
        _tell(options, [*ended, *(_Ended(replace(_row(part), skipped=True)) for part in parts[len(ended) :])])
    if not any(part.plan or each.row.error for part, each in zip(parts, ended, strict=False)):
        _named.check(options)
    return _fleet.worst(each.row.code for each in ended)


def _check(options: argparse.Namespace, parts: Sequence[Part]) -> None:
    from kxrecon import fleetfile, lanes

    found = fleetfile.digest(parts) if options.digest else ""
    if options.digest and options.digest.lower() != found:
        raise UsageError(f"these plans have the digest {found}, not {options.digest}: nothing was done")
    lanes.check(options.lane, [action for part in parts if part.plan for action in part.plan.actions])
    shared = _fleet.clashing(options, parts)
    if shared:
        raise PlanError("nothing was done:\n" + "\n".join(f"  {one.message}" for one in shared))


def _go(options: argparse.Namespace, parts: Sequence[Part], ended: list[_Ended], one: One, ailing: Ailing) -> None:
    last = parts[-1].wave if parts else 0
    for wave, ones in groupby(parts, key=lambda part: part.wave):
        if any(each.row.code != DONE for each in ended):
            return
        awaited = options.wait_healthy and wave < last
        for part in ones:
            if options.stop_on_failure and any(each.row.code not in (DONE, PENDING) for each in ended):
                return
            _apply(options, part, ended, one, ailing if awaited else None)
            if ended[-1].row.code == INTERRUPTED:
                return


def _row(part: Part) -> Row:
    return Row(part.name, part.cluster, part.wave, FAILED, part.plan, part.error, files=part.files)


def _apply(options: argparse.Namespace, part: Part, ended: list[_Ended], one: One, ailing: Ailing | None) -> None:
    """Apply one part, and add what became of it; its exports are looked at if a wave waits for it."""
    if part.error:
        ended.append(_Ended(_row(part)))
        return
    each = _fleet.single(options, part)
    endings: list[Ending] = []

    def told(ending: Ending) -> None:
        endings.append(_applied.whole(ending))
        if not _is_quiet(options):
            _applied.tell(options, ending)

    _say(options, ((part.name, "bold"), (f"  {part.cluster}", "dim")))
    row = replace(_row(part), error="it came to no end")
    try:
        code = one(each, part.plan, told)
        ill = ailing(each) if ailing and code == DONE else ""
        row = replace(row, code=FAILED if ill else code, error=ill)
    except KxreconError as error:
        row = replace(row, error=str(error))
    finally:
        ended.append(_ended(row, endings))
    _say(options, line())


def _ended(row: Row, endings: Sequence[Ending]) -> _Ended:
    if not endings:
        return _Ended(row)
    done = sum(outcome.result == "done" for outcome in endings[0].outcomes)
    return _Ended(replace(row, plan=endings[0].plan, done=done), endings[0])


def _say(options: argparse.Namespace, said: Line) -> None:
    if not _is_quiet(options):
        show(options, [said])


def _is_quiet(options: argparse.Namespace) -> bool:
    """Whether only the end is told."""
    return bool(options.json or options.markdown)


def _tell(options: argparse.Namespace, ended: Sequence[_Ended]) -> None:
    rows = [each.row for each in ended]
    if options.json:
        write(json.dumps({"specs": list(map(_record, ended))}, indent=2, ensure_ascii=False) + "\n")
    elif options.markdown:
        room = _applied.room(len(ended))
        told = [_applied.as_markdown(each.ending, each.row.name, room) for each in ended if each.ending]
        write(report.applied(rows, told))
    else:
        show(options, report.summary(rows, done=True))


def _record(each: _Ended) -> dict[str, Any]:
    row = each.row
    said = {"name": row.name, "cluster": row.cluster, "wave": row.wave, "files": list(row.files)}
    ending = _applied.record(each.ending) if each.ending else {}
    return {**said, "result": row.result, "error": row.error or None, **ending}
