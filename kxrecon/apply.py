"""Executing a plan: what it says, in its order, as concurrently as its edges allow; it decides nothing.

Before an action is sent, the entities that it was made from are read again (``changed``); a value known
only after another action is bound from a fresh read of what that action made. A failed action stops
what depends on it and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Literal

from kxrecon.errors import KxreconError, PlaneError, Unanswered
from kxrecon.kinds import NAMES
from kxrecon.leaves import bind, request_unknowns
from kxrecon.model import Action, Outcome, Ref, Request, State, Unknown
from kxrecon.observe import Planes, observe
from kxrecon.plan import Plan, fingerprint
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
        self._written: dict[Ref, str | None] = {}

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
        changed = self._changed_since(action)
        if changed:
            raise PlaneError(f"changed since the plan was made, so nothing was sent: {changed}. Run plan again")
        for request in action.requests:
            self._send(action, request)
        self._expect(action)

    def _send(self, action: Action, request: Request) -> None:
        missing = [leaf for leaf in request_unknowns(request) if leaf not in self._known]
        if missing:
            self._learn(missing)
        bound = bind(request, self._known.get, self.secrets)
        plane = self.planes[request.plane]
        try:
            plane.write(bound)
        except Unanswered as error:
            if not self._arrived(action):
                raise Unanswered(f"{error} (and a fresh read does not show it)") from error

    def _learn(self, missing: list[Unknown]) -> None:
        """Read again what earlier actions made, and remember what only the service could say."""
        kinds = sorted({leaf.ref.kind for leaf in missing})
        observation = observe(self.scope, self.planes, kinds=kinds, workers=1)
        with self._lock:
            self.scope = replace(self.scope, directory=observation.scope.directory)
        for leaf in missing:
            found = observation.scope.directory.attributes.get(leaf.ref.name[0], {}).get(leaf.attribute)
            if found:
                self._known[leaf] = found

    def _arrived(self, action: Action) -> bool:
        """After a lost answer: does a fresh read show what the action wanted?"""
        state = self._read_again(action)
        return all(_as_wanted(change.desired, state, change.ref) for change in action.changes) and bool(action.changes)

    def _changed_since(self, action: Action) -> str | None:
        """What differs from the entities that the action was made from; None if nothing does."""
        state = self._read_again(action)
        for ref, expected in zip(action.refs, action.fingerprints, strict=True):
            if ref in self._written:
                expected = self._written[ref]
            if state.gap(ref):
                return f"{ref} can no longer be read"
            found = state.entities.get(ref)
            if fingerprint(found) != expected and not _already(action, found, ref):
                return str(ref) if found else f"{ref} is gone"
        return None

    def _read_again(self, action: Action) -> State:
        kinds = sorted({ref.kind for ref in action.refs}, key=list(NAMES).index)
        return observe(_narrow(self.scope, action), self.planes, kinds=kinds, workers=2).state

    def _expect(self, action: Action) -> None:
        """A later action on the same ref starts from what this one made."""
        later = [other for other in self.plan.actions if other.id != action.id and set(other.refs) & set(action.refs)]
        if not later:
            return
        state = self._read_again(action)
        with self._lock:
            self._written.update({ref: fingerprint(state.entities.get(ref)) for ref in action.refs})


def _narrow(scope: Scope, action: Action) -> Scope:
    """The scope with only the databases that an action touches, so that reading again stays small."""
    named = {part for ref in action.refs for part in ref.name}
    touched = tuple(database for database in scope.databases if database in named)
    return replace(scope, databases=touched) if touched else scope


def _as_wanted(desired: object, state: State, ref: Ref) -> bool:
    found = state.entities.get(ref)
    return found == desired if desired is not None else found is None


def _already(action: Action, found: object, ref: Ref) -> bool:
    """True if the entity already is as the action wants it: somebody was faster, or an earlier try arrived."""
    change = next((change for change in action.changes if change.ref == ref), None)
    return change is not None and found == change.desired


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
