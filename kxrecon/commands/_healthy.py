"""``apply --wait-healthy``: a pipeline that ends green only when the exports run, and red with the reason if not."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from kxrecon.commands import _estate, _flow, _options
from kxrecon.commands._exit import DONE, FAILED, PENDING
from kxrecon.commands._terminal import show
from kxrecon.commands._wire import clock as wire_clock
from kxrecon.report.lines import Line, Style, line

if TYPE_CHECKING:
    from kxrecon.health import Health
    from kxrecon.model import Plane
    from kxrecon.plan import Plan
    from kxrecon.planes import PlaneClient
    from kxrecon.spec import Spec
    from kxrecon.verify.gate import Clock, Watched

    Clients = Mapping[Plane, PlaneClient]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
EXPORT = "continuous_export"


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many good runs, for how long, and what if they do not come."""
    group = parser.add_argument_group("health gate")
    group.add_argument(
        "--wait-healthy",
        nargs="?",
        type=_options.count,
        const=1,
        metavar="N",
        help="wait until each changed export had N good runs in a row (default 1)",
    )
    group.add_argument(
        "--timeout", type=_span, metavar="SPAN", help="for how long (default 30m and N+1 times the longest interval)"
    )
    group.add_argument(
        "--disable-unhealthy", action="store_true", help="when the time is up, disable again what this apply enabled"
    )


def _span(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNITS) or int(number) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number and s, m, h or d, as 45m")
    return int(number) * _UNITS[unit]


def changed(plan: Plan) -> list[str]:
    """The exports that a plan creates, changes or enables."""
    refs = {ref for action in plan.actions if action.verb != "delete" for ref in action.refs if ref.kind == EXPORT}
    return sorted(ref.label for ref in refs)


def gate(
    options: argparse.Namespace, plan: Plan, spec: Spec, clients: Clients, code: int, clock: Clock | None = None
) -> int:
    """The exit code after the wait: as it was if all exports run, 1 if one does not."""
    from kxrecon.health import default_timeout
    from kxrecon.verify.gate import wait
    from kxrecon.verify.status import status

    def look() -> Sequence[Health]:
        found = status(spec.scope, spec.desired, clients, workers=options.max_parallel).exports
        return [one for one in found if one.export in wanted and one.enabled]

    wanted = set(changed(plan))
    if not options.wait_healthy or code not in (DONE, PENDING) or not wanted:
        return code
    shown = look()
    enough = default_timeout(options.wait_healthy, (one.interval for one in shown))
    timeout = options.timeout or enough
    _tell(options, *_beginning(options, shown, timeout, enough))

    def news(one: Watched) -> None:
        word = f"failed: {one.failure}" if one.failure else f"good run {one.good} of {options.wait_healthy}"
        _tell(options, (f"{one.export}: {word}", "warn" if one.failure else "add"))

    names = [one.export for one in shown]
    with nullcontext(clock) if clock else wire_clock(options, threading.Event()) as time:
        left = wait(look, names, options.wait_healthy, timeout, time, news)
    if not left:
        return code
    _accuse(options, spec, clients, left)
    if options.disable_unhealthy:
        _disable(options, clients, left, _enabled_by(plan))
    return FAILED


def ailing(options: argparse.Namespace) -> str:
    """The exports of a spec that somebody has to look after, in words; empty if there are none."""
    from kxrecon.commands._wire import planes
    from kxrecon.verify.status import status

    spec = _flow.load(options, options.what)
    with planes(options, spec, spec.scope, read_only=True) as clients:
        found = status(spec.scope, spec.desired, clients, workers=options.max_parallel).alarming
    told = ", ".join(f"{one.export} is {one.state}" + (f" ({one.message})" if one.message else "") for one in found)
    return f"not healthy, so the next wave is not begun: {told}" if told else ""


def _beginning(
    options: argparse.Namespace, shown: Sequence[Health], timeout: float, enough: float
) -> list[tuple[str, Style]]:
    from kxrecon.report.status import span

    runs, exports = options.wait_healthy, len(shown)
    what = f"{runs} good run{'' if runs == 1 else 's'} of {exports} export{'' if exports == 1 else 's'}"
    said: list[tuple[str, Style]] = [(f"waiting up to {span(timeout)} for {what}", "dim")]
    if timeout < enough:
        said.append((f"that may be too short: with these intervals {span(enough)} would be enough", "warn"))
    return said


def _tell(options: argparse.Namespace, *said: tuple[str, Style]) -> None:
    if not (options.json or options.markdown):
        show(options, [line(text, style) for text, style in said])


def _accuse(options: argparse.Namespace, spec: Spec, clients: Clients, left: Sequence[Watched]) -> None:
    """Which exports did not run, and what their chains say."""
    from kxrecon.report import chains as report
    from kxrecon.verify import chains, survey

    words = _estate.apply_line(options, spec)
    known = survey(spec.scope, spec.desired, clients, apply=words, workers=options.max_parallel)
    lines: list[Line] = []
    for one in left:
        why = f"its last run failed: {one.failure}" if one.failure else "no run was seen" if one.last is None else ""
        lines.append(line(f"not healthy: {one.export}: {why or 'too few good runs'}", "remove"))
    lines += report.text(chains(known, [one.export for one in left]))
    if not (options.json or options.markdown):
        show(options, lines)


def _enabled_by(plan: Plan) -> set[str]:
    """The exports that did not run before this plan: created by it, or enabled."""
    made = (change for action in plan.actions for change in action.changes if change.verb != "delete")
    return {
        change.ref.label
        for change in made
        if change.ref.kind == EXPORT and (change.observed is None or change.observed.fields.get("isDisabled"))
    }


def _disable(options: argparse.Namespace, clients: Clients, left: Sequence[Watched], mine: set[str]) -> None:
    """Only what this apply enabled: an export that ran before it was started by somebody else."""
    from kxrecon.kql import identifier
    from kxrecon.model import Request

    for one in left:
        if one.export not in mine:
            continue
        database, _, name = one.export.partition("/")
        clients["kusto"].write(Request("kusto", database, (f".disable continuous-export {identifier(name)}",)))
        _tell(options, (f"disabled again: {one.export}", "warn"))
