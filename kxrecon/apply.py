"""Executing a plan: what it says, in its order, as concurrently as its edges allow; it decides nothing.

Before an action is sent, the entities that it was made from are read again (``recheck.py``): what changed
is refused, what is already as wanted is not sent. A value known only after another action is bound from a
fresh read of what that action made. A failed action stops what depends on it and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Literal

from kxrecon import lanes
from kxrecon.errors import ApplyError, KxreconError, LeftForLater, PlaneError, Unanswered
from kxrecon.failed import told
from kxrecon.leaves import bind, request_unknowns, shown_text
from kxrecon.model import Action, Outcome, Ref, Request, Result, Unknown
from kxrecon.observe import Planes
from kxrecon.plan import Plan
from kxrecon.recheck import Recheck
from kxrecon.scope import Scope

ALREADY = "was already so"
# What a later plan has to know of, if nobody saw it end: was it sent, or was it refused before that?
RECORDED = frozenset({"disable", "stop", "backfill"})
# Seconds before a request is sent again whose answer was lost and of which a fresh read shows nothing.
PAUSES = (1.0, 5.0, 20.0)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of progress: an action ``began``, is about to be sent (``sending``), or ended with an ``outcome``."""

    action: Action
    what: Literal["began", "sending", "ended"]
    outcome: Outcome | None = None


@dataclass
class Applier:
    """One apply. ``on_event`` is called from several threads, one at a time; ``stop`` ends it gracefully.

    ``paused`` are exports that stand still because a run of ours disabled them. ``waiter`` waits for what a ``wait``
    waits for, and tells what it saw; it raises ApplyError when that was not seen, LeftForLater when nobody waits.
    ``mine`` are the actions of the lanes that are applied (None: all): the others are only looked at.
    ``defect`` is the first exception that nobody foresaw: it is for whoever runs this to raise, once the outcomes
    have been reported.
    """

    plan: Plan
    planes: Planes
    scope: Scope
    secrets: Mapping[str, str]
    on_event: Callable[[Event], None] = lambda event: None
    workers: int = 8
    stop: threading.Event = field(default_factory=threading.Event)
    paused: frozenset[Ref] = frozenset()
    pause: Callable[[float], None] = time.sleep
    waiter: Callable[[Action], str] | None = None
    mine: frozenset[str] | None = None
    defect: Exception | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._exclusive: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._known: dict[Unknown, str] = {}
        self._recheck = Recheck(self.plan, self.planes, self.scope, paused=self.paused)
        self._outcomes: dict[str, Outcome] = {}
        self._submitted: set[str] = set()
        self._running: set[Future[None]] = set()

    def run(self) -> tuple[Outcome, ...]:
        """Execute; always returns one outcome per action, in the plan's order.

        Ctrl-C, at whatever instant, lets what is in flight finish and begins nothing more.
        """
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="apply")
        going = True
        while going:
            try:
                going = self._turn(pool)
                if not going:
                    pool.shutdown(wait=True)
            except KeyboardInterrupt:
                self.stop.set()
                going = True
        return self.outcomes

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One outcome per action, in the plan's order, as far as it is now."""
        return tuple(
            self._outcomes.get(action.id, Outcome(action.id, "not-begun", "apply was stopped before it"))
            for action in self.plan.actions
        )

    def _turn(self, pool: ThreadPoolExecutor) -> bool:
        """Start what is ready, wait for something to end; False when nothing runs and nothing can start."""
        while not self.stop.is_set() and self._start_ready(pool):
            pass
        if not self._running:
            return False
        finished, _ = wait(self._running, timeout=0.5, return_when=FIRST_COMPLETED)
        self._running -= finished
        return True

    def _start_ready(self, pool: ThreadPoolExecutor) -> bool:
        """Submit or skip every action whose needs have ended; True if a skip may have decided others."""
        skipped = False
        for action in self.plan.actions:
            if action.id in self._submitted:
                continue
            needs = [self._outcomes.get(need) for need in action.after]
            lost = _lost(needs)
            if lost is not None and lost.result == "waiting" and self._is_elsewhere(action):
                lost = None  # whoever applies that lane may have done it already, whatever was left for later here
            if lost is None and not all(needs):
                continue
            if self.stop.is_set():  # asked last: who stops does so before the outcome that is seen here
                return False
            self._submitted.add(action.id)  # first, so that an interrupt here can never send it twice
            if lost:
                result: Result = "waiting" if lost.result == "waiting" else "skipped"
                self._end(action, Outcome(action.id, result, f"waits for {lost.action}, which {_past(lost)}"))
                skipped = True
            else:
                self._running.add(pool.submit(self._execute, action))
        return skipped

    def _execute(self, action: Action) -> None:
        """One action in a thread of its own; its outcome is kept here, whatever becomes of the main thread."""
        began = time.monotonic()
        try:
            self._record(action, "began")
            with ExitStack() as held:
                for key in sorted({request.exclusive for request in action.requests if request.exclusive}):
                    held.enter_context(self._lock_of(key))
                message = self._perform(action)
            outcome = Outcome(action.id, "done", message, time.monotonic() - began)
        except LeftForLater as error:
            outcome = Outcome(action.id, "waiting", str(error), time.monotonic() - began)
        except KxreconError as error:
            outcome = Outcome(action.id, "failed", str(error), time.monotonic() - began)
        except Exception as error:
            self.stop.set()
            self.defect = self.defect or error
            outcome = Outcome(action.id, "failed", f"unexpected {type(error).__name__}: {error}")
        self._end(action, outcome)

    def _record(self, action: Action, what: Literal["began", "sending"]) -> None:
        """Put on record how far an action is. What cannot be recorded is not sent. Raises ApplyError."""
        try:
            self._tell(Event(action, what))
        except OSError as error:
            self.stop.set()
            raise ApplyError(f"nothing was sent, because the journal cannot be written: {error}") from error

    def _end(self, action: Action, outcome: Outcome) -> None:
        self._outcomes[action.id] = outcome
        try:
            self._tell(Event(action, "ended", outcome))
        except OSError as error:
            self.stop.set()
            told = f"{outcome.message}; " if outcome.message else ""
            message = f"{told}the journal cannot be written: {error}"
            self._outcomes[action.id] = Outcome(action.id, outcome.result, message, outcome.seconds)

    def _tell(self, event: Event) -> None:
        with self._lock:
            self.on_event(event)

    def _lock_of(self, key: str) -> threading.Lock:
        with self._lock:
            return self._exclusive[key]

    def _perform(self, action: Action) -> str:
        """Send an action's requests, unless there is nothing left to do; returns what is worth telling."""
        if self.mine is not None and action.id not in self.mine:
            return self._look(action)
        if action.until is not None:
            return self._wait(action)
        changed = self._recheck.changed(action)
        if changed:
            raise PlaneError(f"since the plan was made, {changed}: nothing was sent, run plan again")
        already = self._recheck.satisfied(action)
        if action.phase in RECORDED and not already:
            self._record(action, "sending")
        news = [ALREADY] if already else [self._send(action, request) for request in action.requests]
        self._recheck.written(action)
        return "; ".join(filter(None, news))

    def _is_elsewhere(self, action: Action) -> bool:
        return self.mine is not None and action.id not in self.mine and action.until is None

    def _look(self, action: Action) -> str:
        """An action of another lane: done if a read shows so, else left to whoever applies there."""
        if action.until is None and all(map(self._recheck.holds, lanes.meant(action, self.plan.actions))):
            return "done in another lane"
        raise LeftForLater("no action of this lane waits for it" if action.until else lanes.elsewhere(action))

    def _wait(self, action: Action) -> str:
        if self.waiter is None:
            raise LeftForLater("nobody waits for it here")
        return self.waiter(action)

    def _send(self, action: Action, request: Request) -> str:
        """Bind a request and send it; what to tell. Raises ApplyError with all that is known of a failure."""
        try:
            return self._sent(action, request)
        except PlaneError as error:
            raise ApplyError(told(error, request)) from error

    def _sent(self, action: Action, request: Request) -> str:
        for leaf in request_unknowns(request):
            if leaf not in self._known and (found := self._recheck.attribute(leaf.ref, leaf.attribute)):
                self._known[leaf] = found
        bound = bind(request, self._known.get, self.secrets)
        for seconds in PAUSES if _may_repeat(action, bound) else ():
            with suppress(Unanswered):
                return self._attempt(action, bound)
            self.pause(seconds)
        return self._attempt(action, bound)

    def _attempt(self, action: Action, bound: Request) -> str:
        """Send once; a lost answer is no failure if a read made now shows what was wanted. Raises Unanswered."""
        try:
            answer = self.planes[bound.plane].write(bound)
        except Unanswered as error:
            if not self._recheck.arrived(action):
                error.args = (f"{str(error).rstrip('.')}; a fresh read does not show it",)
                raise
            return "the answer was lost, but a fresh read shows it"
        return str(answer.get("told") or "")


def _may_repeat(action: Action, request: Request) -> bool:
    """Whether a request may be sent again after a fresh read that does not show what it does: everything that
    states how things shall be, but no ``.export``, which writes files each time."""
    return bool(action.changes) and not shown_text(request.text).lstrip().startswith(".export")


def _lost(needs: Sequence[Outcome | None]) -> Outcome | None:
    """The first need that was not done; one that is only left for later counts last."""
    lost = [need for need in needs if need and need.result != "done"]
    return min(lost, key=lambda need: need.result == "waiting", default=None)


def _past(outcome: Outcome) -> str:
    words = {"failed": "failed", "skipped": "was skipped", "waiting": "is left for later"}
    return words.get(outcome.result, "was not begun")


def apply(
    plan: Plan,
    planes: Planes,
    scope: Scope,
    secrets: Mapping[str, str],
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    workers: int = 8,
) -> tuple[Outcome, ...]:
    """Execute a plan; see ``Applier.run``."""
    return Applier(plan, planes, scope, secrets, on_event, workers).run()
