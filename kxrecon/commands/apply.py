"""``kxrecon apply [PLAN|SPEC…]``: do what the plan says, tell how it went, and look whether it held."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kxrecon.commands import (
    _fleet,
    _flow,
    _gate,
    _healthy,
    _ledger,
    _lock,
    _options,
    _saved,
    _settled,
    _waves,
    _witness,
)
from kxrecon.commands._applied import Ending, tell, worst, wrong
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._files import JOURNAL, PLAN
from kxrecon.commands._progress import Progress
from kxrecon.commands._terminal import complain, confirm, on_terminal, show, write
from kxrecon.commands._wire import clock, planes, wire_name
from kxrecon.errors import ApplyError, KxreconError, LedgerError, UsageError
from kxrecon.files import why
from kxrecon.fleet import shard
from kxrecon.planes import AZURE
from kxrecon.report import text

if TYPE_CHECKING:
    from kxrecon.apply import Applier
    from kxrecon.cursors import Move
    from kxrecon.fleet import Member
    from kxrecon.fleetfile import Part
    from kxrecon.ledger.book import Book
    from kxrecon.model import Outcome, Position, State
    from kxrecon.observe import Observation
    from kxrecon.plan import Plan
    from kxrecon.scope import Scope
    from kxrecon.spec import Spec
    from kxrecon.waiting import Waiter


def arguments(parser: argparse.ArgumentParser) -> None:
    """A plan, specs or nothing; where; output; and whether to ask."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="PLAN|SPEC",
        help=f"saved plans or specs, or a folder of either (default: what was planned last, {PLAN})",
    )
    _options.variables(parser)
    _options.surroundings(parser)
    _ledger.arguments(parser)
    _options.output(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can be asked")
    parser.add_argument(
        "--digest", metavar="SHA256", help="refuse any plan, or plans of a fleet, but those with this digest"
    )
    parser.add_argument(
        "--lock",
        metavar="LOCK",
        help="one apply at a time: file, file:PATH (this machine), or blob:URL (a lease on a blob)",
    )
    _options.adopt(parser)
    _options.reassert(parser)
    _options.allowances(parser)
    _settled.arguments(parser)
    _options.lanes(parser)
    parser.add_argument("--force", action="store_true", help="change more than 30 %% of an estate at once")
    parser.add_argument(
        "--no-wait", action="store_true", help="leave what waits for runs to a later apply, instead of waiting for them"
    )
    _options.shard(parser, stop=True)
    _healthy.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """0 converged, 2 done but something is left for others, 1 failed or still different, 130 interrupted."""
    from kxrecon.hazards import parse_allow

    _healthy.check(options)
    options.allow = list(map(parse_allow, options.allow))
    saved = _saved.meant(options.what)
    if saved is None:
        found = _fleet.fleet(options, options.what)
        return _alone(options, None) if found is None else _together(options, _parts(options, found))
    if saved.alone and not options.shard:
        return _alone(options, saved.parts[0].plan)
    return _together(options, shard(saved.parts, options.shard, os.environ) if options.shard else saved.parts)


def _together(options: argparse.Namespace, parts: Sequence[Part]) -> int:
    if options.settled:
        raise UsageError("--settled is about one spec: name one")
    return _waves.apply(options, parts, _one, _healthy.ailing)


def _parts(options: argparse.Namespace, found: Sequence[Member]) -> list[Part]:
    """The specs of a fleet: each is planned when it is its turn, but now if the digest of all plans was named."""
    from kxrecon.fleetfile import Part

    if options.digest:
        return _fleet.parts(_fleet.planned(options, found, lambda made: DONE))
    return [Part(one.name, one.cluster, one.wave, one.files) for one in found]


def _alone(options: argparse.Namespace, plan: Plan | None) -> int:
    def check(made: Plan) -> None:
        from kxrecon import hazards, lanes

        if options.digest and options.digest.lower() != made.digest:
            raise UsageError(f"this plan has the digest {made.digest}, not {options.digest}: nothing was done")
        lanes.check(options.lane, made.actions)
        complain(f"kxrecon: {one}" for one in hazards.idle(_in_lanes(options, made), options.allow))

    return _one(options, plan, lambda ending: tell(options, ending), check)


def _one(
    options: argparse.Namespace,
    reviewed: Plan | None,
    told: Callable[[Ending], None],
    check: Callable[[Plan], None] = lambda made: None,
) -> int:
    """Apply one plan: the one that was reviewed, or one made now from the specs that were named."""
    plan, spec = _fresh(options) if reviewed is None else _still(options, reviewed)
    check(plan)
    _gate.check_hazards(_in_lanes(options, plan), spec, options.allow, force=options.force)
    stop = threading.Event()

    def lost() -> None:
        stop.set()
        print("kxrecon: the lock was lost: what is in flight is finished, nothing more is begun", file=sys.stderr)

    with (
        _lock.held(options.lock, spec, lost),
        planes(options, spec, spec.scope, read_only=False) as clients,
    ):
        apply = _Apply(options, plan, spec, clients, stop, told)
        return apply.gated(apply.run())


def _fresh(options: argparse.Namespace) -> tuple[Plan, Spec]:
    spec = _flow.load(options, options.what)
    _settled.settle(options, spec)
    return _flow.plan(options, spec), spec


def _still(options: argparse.Namespace, plan: Plan) -> tuple[Plan, Spec]:
    """A saved plan and its spec, which still has to be the one that it was made from."""
    from kxrecon.reassert import asked_for

    _gate.check_age(plan, datetime.now(UTC))
    _gate.check_wire(plan, wire_name(options))
    options.variables = _fleet.with_variables(options.variables, plan)
    spec = _flow.load(options, plan.spec_files)
    _gate.check_spec(plan, spec)
    _settled.settle(options, spec)
    # What is looked at again is what the plan was asked for.
    options.adopt = any(action.verb == "mark" for action in plan.actions)
    options.reassert = asked_for(plan)
    options.lane = _lanes(options, plan)
    return plan, spec


def _lanes(options: argparse.Namespace, plan: Plan) -> list[str]:
    """The lanes to apply. UsageError if the plan was made, and reviewed, for other ones."""
    if plan.lanes and options.lane and set(options.lane) != set(plan.lanes):
        wanted = " ".join(f"--lane {one}" for one in plan.lanes)
        raise UsageError(f"this plan was made for {wanted}, not for {', '.join(options.lane)}: run plan again")
    return list(options.lane or plan.lanes)


def _in_lanes(options: argparse.Namespace, plan: Plan) -> Plan:
    """What of a plan is to be done now."""
    from kxrecon.lanes import mine

    own = mine(plan.actions, options.lane)
    return replace(plan, actions=tuple(action for action in plan.actions if action.id in own))


class _Apply:
    """One run of the verb over open planes."""

    def __init__(
        self,
        options: argparse.Namespace,
        plan: Plan,
        spec: Spec,
        clients: Any,
        stop: threading.Event | None = None,
        told: Callable[[Ending], None] | None = None,
    ) -> None:
        from kxrecon.journal import Journal
        from kxrecon.lanes import mine

        self.stop = stop or threading.Event()
        self.told = told or (lambda ending: tell(options, ending))
        self.options, self.plan, self.spec, self.clients = options, plan, spec, clients
        self.mine = mine(plan.actions, options.lane)
        self.quiet = options.json or options.markdown
        self.journal = Journal(JOURNAL, plan.cluster_uri, plan.wire)
        self.defect: Exception | None = None
        self.applier: Applier | None = None
        self.book: Book | None = None
        self.ending: Ending | None = None
        self.seen: Observation | None = None

    def run(self) -> int:
        """Ask, execute, read back, report. From the first write on, whatever happens is reported."""
        self.book = _ledger.opened(self.options, self.spec, self.clients)
        before, seen = _flow.plan_over(self.options, self.spec, self.clients, lint=False, book=self.book)
        self.seen = seen
        if not self.quiet and (self.options.yes or not self.plan.actions):
            show(self.options, text.findings(wrong(self.plan)))
        if not self.plan.actions or not before.actions:
            return self._finish(Ending(self.plan, (), before, self._moves(seen)))
        if not self._agreed():
            write("nothing was done.\n")
            return FAILED
        code = self._finish(self._carried_out(seen, before.positions))
        if self.defect is not None:
            raise self.defect
        return code

    def gated(self, code: int) -> int:
        """The exit code after the health gate, if it is asked for. A document has its words with the rest, so it is
        told only now; and told it is, however the wait ends."""
        if not _healthy.awaited(self.options, code):
            return code
        try:
            seen = _healthy.gate(self.options, self.plan, self.spec, self.clients, seen=self.seen)
            self.ending = replace(self.ending, health=seen) if self.ending else None
            return code if seen.healthy else FAILED
        finally:
            if self.quiet and self.ending is not None:
                self.told(self.ending)

    def _carried_out(self, seen: Observation, positions: Sequence[Position]) -> Ending:
        """Execute and read back; whenever a Ctrl-C comes, what became of each action is told."""
        try:
            outcomes, interrupted = self._execute(seen.scope, seen.state, positions)
            self.options.reassert = []  # from here on only what differs is left to do
            return self._looked(outcomes, interrupted)
        except KeyboardInterrupt:
            if self.applier is None:
                raise  # nothing was begun
            outcomes = self.applier.outcomes
            if self.book is not None:
                self.book.did(self.plan, outcomes)
            return Ending(self.plan, outcomes, None, interrupted=True, blind="interrupted")

    def _looked(self, outcomes: tuple[Outcome, ...], interrupted: bool) -> Ending:
        """What the cluster shows now; a second Ctrl-C, or a network that is gone, ends the looking, not the report."""
        from kxrecon.readback import Patience, settled

        latest: list[Observation] = []

        def look() -> Plan:
            plan, seen = _flow.plan_over(self.options, self.spec, self.clients, lint=False, book=self.book)
            latest.append(seen)
            return plan

        sandbox = wire_name(self.options) != AZURE.name
        patient = not interrupted and worst(outcomes) == "done"
        try:
            after = settled(look, Patience(0.05, 2.0) if sandbox else Patience()) if patient else look()
            return Ending(self.plan, outcomes, after, self._moves(latest[-1]), interrupted)
        except (KxreconError, OSError) as error:
            return Ending(self.plan, outcomes, None, interrupted=interrupted, blind=str(error))

    def _moves(self, seen: Observation) -> tuple[Move, ...]:
        """The exports that do not stand where they stood. The others are settled: only now may the journal forget where
        they stood before."""
        from kxrecon.journal import history

        past = history(JOURNAL, self.plan.cluster_uri, self.plan.wire)
        found = _flow.moves(past, seen.state, seen.scope)
        open_ones = {one.ref for one in found if not one.expected}
        shown = [one.ref for one in past.positions if one.ref in seen.state.readings and one.ref not in open_ones]
        if shown:
            with suppress(OSError):  # what is not settled is looked at again
                self.journal.settle(shown, by="looked")
        return found

    def _agreed(self) -> bool:
        number = len(self.mine)
        where = f" of {len(self.plan.actions)}, in lane {', '.join(self.options.lane)}," if self.options.lane else ""
        what = f"{number} action{'s' if number != 1 else ''}{where} on {self.plan.cluster_uri} ({self.plan.wire})"
        if self.options.yes:
            if not self.quiet:
                write(f"applying {what}\n")
            return True
        if not on_terminal():
            raise UsageError(f"{what}: nobody is here to be asked, so say --yes")
        show(self.options, text.plan(replace(self.plan, lanes=tuple(self.options.lane)), requests=False))
        return confirm(f"Apply {what}?")

    def _execute(
        self, scope: Scope, observed: State, positions: Sequence[Position] = ()
    ) -> tuple[tuple[Outcome, ...], bool]:
        """Carry the plan out. ``scope`` knows who is who: without, an identity would be read back as a stranger."""
        from kxrecon.apply import Applier
        from kxrecon.journal import history
        from kxrecon.pause import running, standing

        past = history(JOURNAL, self.plan.cluster_uri, self.plan.wire)
        progress = Progress(self.options, self.plan, self.journal, quiet=self.quiet)
        if self.book is not None:
            self._begin(self.book)
        try:
            stood = {one.ref: one for one in (*self.plan.positions, *positions)}  # the newer reading wins
            self.journal.begin(self.plan, stood.values(), running(past.paused, observed))
            _witness.forget(self.plan)
        except OSError as error:
            raise ApplyError(f"the journal cannot be written, so nothing was done: {why(error)}") from error
        with self._waiter(scope, progress) as waiter:
            self.applier = applier = Applier(
                self.plan,
                self.clients,
                scope,
                self.spec.secrets,
                progress.event,
                self.options.max_parallel,
                self.stop,
                paused=standing(past.paused | past.resting, observed),
                waiter=waiter,
                mine=self.mine if self.options.lane else None,
            )
            outcomes = applier.run()
        self.defect = applier.defect
        interrupted = applier.stop.is_set() and not progress.broken and self.defect is None
        try:
            self.journal.end("interrupted" if interrupted else worst(outcomes))
        except OSError as error:
            told = f"kxrecon: the journal {JOURNAL} cannot be written: {why(error)}"
            complain([f"{told}; the next plan takes this apply for unfinished"])
        if self.book is not None:
            self.book.did(self.plan, outcomes)
        return outcomes, interrupted

    @contextmanager
    def _waiter(self, scope: Scope, progress: Progress) -> Iterator[Waiter | None]:
        """Who waits for what the plan waits for; nobody, if it waits for nothing."""
        if not any(action.until for action in self.plan.actions):
            yield None
            return
        from kxrecon.waiting import Waiter

        patient = not self.options.no_wait
        with clock(self.options, self.stop) as time:
            yield Waiter(
                scope, self.spec.desired, self.clients, time, self.options.max_parallel, patient, progress.told
            )

    def _begin(self, book: Book) -> None:
        """What is not put down beforehand is not done."""
        try:
            book.begin(self.plan, _ledger.actor())
        except LedgerError as error:
            raise ApplyError(f"{error}; nothing was done (--ledger off goes on without it)") from error

    def _finish(self, ending: Ending) -> int:
        if self.book is not None:
            ending = replace(ending, ledger=self.book.end(ending.result, _ledger.actor()))
        if ending.converged:
            _witness.remember(self.plan)
        self.ending = ending
        if not (self.quiet and _healthy.awaited(self.options, ending.code)):
            self.told(ending)
        return ending.code
