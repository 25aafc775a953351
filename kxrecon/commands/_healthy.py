"""``apply --wait-healthy``: a pipeline that ends green only when the exports run, and red with the reason if not."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _estate, _flow, _options
from kxrecon.commands._exit import DONE, PENDING
from kxrecon.commands._terminal import show
from kxrecon.commands._wire import clock as wire_clock
from kxrecon.errors import UsageError
from kxrecon.model import Ref
from kxrecon.report.lines import Style, line

if TYPE_CHECKING:
    from kxrecon.health import Health
    from kxrecon.model import Plane, State
    from kxrecon.observe import Observation
    from kxrecon.plan import Plan
    from kxrecon.planes import PlaneClient
    from kxrecon.spec import Spec
    from kxrecon.verdicts import Chain
    from kxrecon.verify.gate import Clock, Watched

    Clients = Mapping[Plane, PlaneClient]


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gate saw: the exports that were waited for, those that did not run as they should with what their
    chains say, and which of these were disabled again."""

    runs: int
    timeout: float = 0.0
    exports: tuple[str, ...] = ()
    left: tuple[Watched, ...] = ()
    chains: tuple[Chain, ...] = ()
    disabled: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Nothing is left to complain of."""
        return not self.left

    def record(self) -> dict[str, Any]:
        """The same for programs."""
        from kxrecon.report.chains import document

        return {
            "healthy": self.healthy,
            "runs": self.runs,
            "timeoutSeconds": self.timeout,
            "waitedFor": list(self.exports),
            "notHealthy": [{"export": one.export, "goodRuns": one.good, "reason": _reason(one)} for one in self.left],
            "chains": document(self.chains)["exports"],
            "disabledAgain": list(self.disabled),
        }

    def markdown(self) -> str:
        """The same below an apply's report; empty if all is well."""
        from kxrecon.report.chains import as_markdown
        from kxrecon.report.fleet import Told
        from kxrecon.report.safe import code, markdown

        if self.healthy:
            return ""
        again = {name: ", disabled again" for name in self.disabled}
        lines = [f"- {code(one.export)}: {markdown(_reason(one) + again.get(one.export, ''))}" for one in self.left]
        return "\n### not healthy\n\n" + "\n".join(lines) + "\n\n" + as_markdown(self.chains, Told("", ""))


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


def check(options: argparse.Namespace) -> None:
    """UsageError for an option of the gate where nothing is waited for: whoever says it counts on the wait."""
    said = [name for name, value in (("--timeout", options.timeout), ("--disable-unhealthy", options.disable_unhealthy))
            if value]  # fmt: skip
    if said and not options.wait_healthy:
        raise UsageError(f"{said[0]} says how --wait-healthy waits: say --wait-healthy too")


def awaited(options: argparse.Namespace, code: int) -> bool:
    """Whether the gate is asked for, and the apply went well enough for it."""
    return bool(options.wait_healthy) and code in (DONE, PENDING)


def changed(plan: Plan, desired: State, seen: Observation | None = None) -> list[str]:
    """The exports that a plan creates, changes or enables, and those of which it changes what they need: a grant, a
    function, a table. ``seen`` knows which grants these are."""
    verbs = ("create", "update")
    refs = {ref for action in plan.actions if action.verb in verbs for ref in action.refs}
    found = {ref for ref in refs if ref.kind == EXPORT}
    if refs - found:
        found |= {ref for ref, needs in _needs(desired, seen).items() if needs & refs}
    return sorted(ref.label for ref in found)


def _needs(desired: State, seen: Observation | None) -> dict[Ref, set[Ref]]:
    """All that each export needs, whoever gives it."""
    from kxrecon.derive import derive
    from kxrecon.kinds import kind

    exports = desired.of_kind(EXPORT)
    asking = {one.ref: replace(one, attributes={**one.attributes, "grants": "ensure"}) for one in exports}
    links: Mapping[Ref, tuple[Ref, ...]] = {}
    if seen is not None:
        links = derive(replace(desired, entities={**desired.entities, **asking}), seen.state, seen.scope).needs
    found: dict[Ref, set[Ref]] = {}
    for one in exports:
        table = Ref("external_table", (one.ref.name[0], str(one.fields.get("to"))))
        own = {need.ref for need in kind(EXPORT).needs(one)}
        found[one.ref] = own.union(links.get(one.ref, ()), links.get(table, ()))
    return found


def gate(
    options: argparse.Namespace,
    plan: Plan,
    spec: Spec,
    clients: Clients,
    *,
    seen: Observation | None = None,
    clock: Clock | None = None,
) -> Gated:
    """Wait for the exports of a plan that was applied, tell people what is seen, and give what was seen in the end."""
    from kxrecon.health import default_timeout
    from kxrecon.verify.gate import wait
    from kxrecon.verify.status import status

    def look() -> Sequence[Health]:
        found = status(spec.scope, spec.desired, clients, workers=options.max_parallel).exports
        return [one for one in found if one.export in wanted and one.enabled]

    wanted = set(changed(plan, spec.desired, seen))
    shown = look() if wanted else ()
    if not shown:
        _tell(options, ("no export to wait for: none that is enabled was changed, or what it needs", "dim"))
        return Gated(options.wait_healthy)
    enough = default_timeout(options.wait_healthy, (one.interval for one in shown))
    timeout = options.timeout or enough
    _tell(options, *_beginning(options, shown, timeout, enough))

    def news(one: Watched) -> None:
        word = f"failed: {one.failure}" if one.failure else f"good run {one.good} of {options.wait_healthy}"
        _tell(options, (f"{one.export}: {word}", "warn" if one.failure else "add"))

    names = [one.export for one in shown]
    with nullcontext(clock) if clock else wire_clock(options, threading.Event()) as time:
        left = wait(look, names, options.wait_healthy, timeout, time, news)
    found = Gated(options.wait_healthy, timeout, tuple(sorted(names)), tuple(left))
    if left:
        found = replace(found, chains=_accuse(options, spec, clients, left))
    if left and options.disable_unhealthy:
        found = replace(found, disabled=_disable(options, clients, left, _enabled_by(plan)))
    return found


def ailing(options: argparse.Namespace) -> str:
    """The exports of a spec that somebody has to look after, in words; empty if there are none."""
    from kxrecon.commands._wire import planes
    from kxrecon.verify.status import status

    spec = _flow.load(options, options.what)
    with planes(options, spec, spec.scope, read_only=True) as clients:
        found = status(spec.scope, spec.desired, clients, workers=options.max_parallel).alarming
    whys = {one.export: one.why or one.message for one in found}
    told = ", ".join(
        f"{one.export} is {one.state}" + (f" ({why})" if (why := whys[one.export]) else "") for one in found
    )
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


def _reason(one: Watched) -> str:
    if one.failure:
        return f"its last run failed: {one.failure}"
    return "no run was seen" if one.last is None else "too few good runs"


def _accuse(options: argparse.Namespace, spec: Spec, clients: Clients, left: Sequence[Watched]) -> tuple[Chain, ...]:
    """Say which exports did not run; what their chains say."""
    from kxrecon.report import chains as report
    from kxrecon.verify import chains, survey

    words = _estate.apply_line(options, spec)
    known = survey(spec.scope, spec.desired, clients, apply=words, workers=options.max_parallel)
    found = tuple(chains(known, [one.export for one in left]))
    _tell(options, *((f"not healthy: {one.export}: {_reason(one)}", "remove") for one in left))
    if not (options.json or options.markdown):
        show(options, report.text(found))
    return found


def _enabled_by(plan: Plan) -> set[str]:
    """The exports that did not run before this plan: created by it, or enabled."""
    made = (change for action in plan.actions for change in action.changes if change.verb != "delete")
    return {
        change.ref.label
        for change in made
        if change.ref.kind == EXPORT and (change.observed is None or change.observed.fields.get("isDisabled"))
    }


def _disable(options: argparse.Namespace, clients: Clients, left: Sequence[Watched], mine: set[str]) -> tuple[str, ...]:
    """Only what this apply enabled: an export that ran before it was started by somebody else. Which these are."""
    from kxrecon.kql import identifier
    from kxrecon.model import Request

    found = [one for one in left if one.export in mine]
    for one in found:
        database, _, name = one.export.partition("/")
        clients["kusto"].write(Request("kusto", database, (f".disable continuous-export {identifier(name)}",)))
        _tell(options, (f"disabled again: {one.export}", "warn"))
    return tuple(one.export for one in found)
