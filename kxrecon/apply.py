"""Executing a plan: what it says, in its order, as concurrently as its edges allow; it decides nothing.

Before an action is sent, the entities that it was made from are read again (``recheck.py``); a value
known only after another action is bound from a fresh read of what that action made. A failed action
stops what depends on it and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from kxrecon.errors import KxreconError, PlaneError, Unanswered
from kxrecon.leaves import bind, request_unknowns
from kxrecon.model import Action, Outcome, Request, Unknown
from kxrecon.observe import Planes
from kxrecon.plan import Plan
from kxrecon.recheck import Recheck
from kxrecon.scope import Scope


@dataclass(frozen=True, slots=True)
class Event:
    """One line of progress: an action ``began``, or ended with an ``outcome``."""

    action: Action
    what: Literal["began", "ended"]
    outcome: Outcome | None = None


@dataclass
class Applier:
    """One apply. ``on_event`` is called from several threads, one at a time; ``stop`` ends it gracefully."""

    plan: Plan
    planes: Planes
    scope: Scope
    secrets: Mapping[str, str]
    on_event: Callable[[Event], None] = lambda event: None
    workers: int = 8
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._exclusive: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._known: dict[Unknown, str] = {}
        self._recheck = Recheck(self.plan, self.planes, self.scope)

    def run(self) -> tuple[Outcome, ...]:
        """Execute; always returns one outcome per action, in the plan's order. Ctrl-C lets what is in flight finish."""
        outcomes: dict[str, Outcome] = {}
        running: dict[Future[Outcome], Action] = {}
        waiting = list(self.plan.actions)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="apply") as pool:
            while waiting or running:
                if not self.stop.is_set():
                    waiting = self._start_ready(waiting, outcomes, running, pool)
                if not running:
                    break
                try:
                    finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                except KeyboardInterrupt:
                    self.stop.set()
                    continue
                for future in finished:
                    outcome = future.result()
                    outcomes[running.pop(future).id] = outcome
        for action in self.plan.actions:
            outcomes.setdefault(action.id, Outcome(action.id, "not-begun", "apply was stopped before it"))
        return tuple(outcomes[action.id] for action in self.plan.actions)

    def _start_ready(
        self,
        waiting: list[Action],
        outcomes: dict[str, Outcome],
        running: dict[Future[Outcome], Action],
        pool: ThreadPoolExecutor,
    ) -> list[Action]:
        later: list[Action] = []
        for action in waiting:
            needs = [outcomes.get(need) for need in action.after]
            lost = next((need for need in needs if need and need.result != "done"), None)
            if lost:
                outcomes[action.id] = Outcome(action.id, "skipped", f"waits for {lost.action}, which {_past(lost)}")
                self._tell(Event(action, "ended", outcomes[action.id]))
            elif all(needs):
                running[pool.submit(self._execute, action)] = action
            else:
                later.append(action)
        return later if len(later) == len(waiting) else self._start_ready(later, outcomes, running, pool)

    def _tell(self, event: Event) -> None:
        with self._lock:
            self.on_event(event)

    def _execute(self, action: Action) -> Outcome:
        began = time.monotonic()
        self._tell(Event(action, "began"))
        try:
            with ExitStack() as held:
                for key in sorted({request.exclusive for request in action.requests if request.exclusive}):
                    held.enter_context(self._lock_of(key))
                self._perform(action)
            outcome = Outcome(action.id, "done", seconds=time.monotonic() - began)
        except KxreconError as error:
            outcome = Outcome(action.id, "failed", str(error), time.monotonic() - began)
        self._tell(Event(action, "ended", outcome))
        return outcome

    def _lock_of(self, key: str) -> threading.Lock:
        with self._lock:
            return self._exclusive[key]

    def _perform(self, action: Action) -> None:
        changed = self._recheck.changed(action)
        if changed:
            raise PlaneError(f"since the plan was made, {changed}: nothing was sent, run plan again")
        for request in action.requests:
            self._send(action, request)
        self._recheck.written(action)

    def _send(self, action: Action, request: Request) -> None:
        for leaf in request_unknowns(request):
            if leaf not in self._known and (found := self._recheck.attribute(leaf.ref, leaf.attribute)):
                self._known[leaf] = found
        bound = bind(request, self._known.get, self.secrets)
        try:
            self.planes[request.plane].write(bound)
        except Unanswered as error:
            if not self._recheck.arrived(action):
                raise Unanswered(f"{error}; a fresh read does not show it") from error


def _past(outcome: Outcome) -> str:
    return {"failed": "failed", "skipped": "was skipped"}.get(outcome.result, "was not begun")


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
