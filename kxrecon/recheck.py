"""Reading again just before writing: what was reviewed is what runs.

One fresh read of a kind serves all actions that are about to be sent within ``FRESH`` seconds, so that
an apply of thousands of actions does not read thousands of times; an own write to an entity that a
later action touches makes the reading of its kind stale at once.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from kxrecon import cursors
from kxrecon.called import called
from kxrecon.diff import Verdict, compare, completed
from kxrecon.model import Action, Change, Entity, Ref, State
from kxrecon.observe import Planes, observe
from kxrecon.plan import Plan, fingerprint
from kxrecon.scope import Directory, Scope, owner_of

FRESH = 5.0  # seconds that a reading counts as "just before the write"
RESTS = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0)  # seconds to wait for a run that is under way


class Recheck:
    """What the cluster shows now, by kind, and whether it still is what a plan's actions were made from."""

    def __init__(
        self,
        plan: Plan,
        planes: Planes,
        scope: Scope,
        clock: Callable[[], float] = time.monotonic,
        paused: frozenset[Ref] = frozenset(),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        named = {part for action in plan.actions for ref in action.refs for part in ref.name}
        touched = tuple(database for database in scope.databases if database in named)
        self.scope = replace(scope, databases=touched)
        self._planes = planes
        self._clock = clock
        self._paused = paused
        self._sleep = sleep
        self._times: dict[Ref, int] = defaultdict(int)
        for action in plan.actions:
            for ref in action.refs if action.until is None else ():
                self._times[ref] += 1
        self._last = {change.ref: change for action in plan.actions for change in action.changes if not action.until}
        self._expected: dict[Ref, str | None] = {}
        self._states: dict[str, tuple[float, State]] = {}
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def state(self, kind: str, *, now: bool = False) -> State:
        """The state of one kind, read within the last FRESH seconds; ``now`` reads in any case."""
        with self._guard:
            lock = self._locks[kind]
        with lock:
            asked = self._clock()
            read_at, state = self._states.get(kind, (-FRESH, State()))
            if now or asked - read_at >= FRESH:
                observation = observe(self.scope, self._planes, kinds=(kind,), workers=4)
                state = observation.state
                self._states[kind] = (asked, state)
                with self._guard:
                    self.scope = replace(self.scope, directory=_joined(self.scope, observation.scope))
            return state

    def changed(self, action: Action) -> str | None:
        """What differs from the entities that the action was made from, in words; None if nothing does."""
        for ref, planned in zip(action.refs, action.fingerprints, strict=True):
            state = self.state(ref.kind)
            expected = self._expected.get(ref, planned)
            if state.gap(ref):
                return f"{called(ref)} can no longer be read"
            found = state.entities.get(ref)
            if action.verb == "mark" and found is not None and (owner := _marked(action, ref, found)):
                return f"{called(ref)} got the mark {owner}"
            if fingerprint(found) != expected and not self._already(action, ref, state):
                return f"{called(ref)} was changed" if found else f"{called(ref)} is gone"
        return None

    def _already(self, action: Action, ref: Ref, state: State) -> bool:
        """True if the entity is as the action wants it: an earlier try arrived, or somebody was faster.

        An export that is to stand still and was stopped by somebody else is no such case: the plan would start
        again, or let another one go on with, what another person stopped.
        """
        change = next((change for change in action.changes if change.ref == ref), None)
        if change is None or (action.phase in ("disable", "stop") and ref not in self._paused):
            return False
        return standing(change, state) != "changed"

    def satisfied(self, action: Action) -> bool:
        """True if nothing has to be sent any more: everything that the action is about is as wanted already."""
        return bool(action.changes) and all(
            standing(change, self.state(change.ref.kind)) == "equal" for change in action.changes
        )

    def holds(self, action: Action) -> bool:
        """True if its entities are, as far as can be seen, as the plan leaves them in the end: somebody has done it."""
        changes = [self._last.get(ref) for ref in action.refs]
        return all(one is not None and standing(one, self.state(one.ref.kind)) != "changed" for one in changes)

    def arrived(self, action: Action) -> bool:
        """After a lost answer: does a read made now prove that what the action wanted is there?

        Where part of it is hidden, what is shown has to be as wanted and another than before: an entity that looks
        as it did proves nothing, for all that was to change may be what nobody sees.
        """
        before = dict(zip(action.refs, action.fingerprints, strict=True))
        return bool(action.changes) and all(self._arrived(change, before[change.ref]) for change in action.changes)

    def _arrived(self, change: Change, before: str | None) -> bool:
        state = self.state(change.ref.kind, now=True)
        verdict = standing(change, state)
        if verdict == "unverifiable":
            return fingerprint(state.entities.get(change.ref)) != self._expected.get(change.ref, before)
        return verdict == "equal"

    def written(self, action: Action) -> None:
        """Remember what an action made of entities that a later action touches again."""
        again = [ref for ref in action.refs if self._times[ref] > 1]
        for kind in dict.fromkeys(ref.kind for ref in again):
            state = self.state(kind, now=True)
            self._expected.update({ref: fingerprint(state.entities.get(ref)) for ref in again if ref.kind == kind})

    def attribute(self, ref: Ref, attribute: str) -> str | None:
        """A value that only the service could assign, from a read made now: an identity's id, an export's place."""
        if ref.kind == "continuous_export":
            return self._at_rest(ref, attribute)
        self.state(ref.kind, now=True)
        return self.scope.directory.attributes.get(ref.name[0], {}).get(attribute)

    def _at_rest(self, ref: Ref, attribute: str) -> str | None:
        """A value of an export's running state, once no run is under way that would still move it."""
        for pause in RESTS:
            reading = self.state(ref.kind, now=True).readings.get(ref)
            if reading is None:
                return None
            if not reading.values.get("isRunning"):
                if attribute == cursors.EXPORTED_IF_EVER:
                    return cursors.position(reading).exported_to or cursors.NEVER
                found = reading.values.get(attribute)
                return str(found) if found else None
            self._sleep(pause)
        return None


def _marked(action: Action, ref: Ref, found: Entity) -> str | None:
    """Somebody else's mark on what is to get ours."""
    wanted = next(owner_of(str(change.entity.owner)) for change in action.changes if change.ref == ref)
    return found.owner if found.owner != wanted else None


def _joined(before: Scope, learned: Scope) -> Directory:
    """What is known with what was learned: another thread may have learned since this one began to read."""
    one, other = before.directory, learned.directory
    attributes = {
        symbol: {**ids, **{name: value for name, value in other.attributes.get(symbol, {}).items() if value}}
        for symbol, ids in {**other.attributes, **one.attributes}.items()
    }
    known = Directory(attributes, {**one.symbols, **other.symbols}, {**one.accounts, **other.accounts})
    unread = {symbol: why for symbol, why in {**one.unread, **other.unread}.items() if not known.knows(symbol)}
    return replace(known, unread=unread)


def standing(change: Change, state: State) -> Verdict:
    """Whether ``state`` shows what a change wants: ``equal``, ``changed``, or ``unverifiable`` where it is masked."""
    found = state.entities.get(change.ref)
    if change.desired is None or found is None:
        gone = change.desired is None and found is None and state.gap(change.ref) is None
        return "equal" if gone else "changed"
    if change.verb == "mark":
        return "equal" if found.owner == owner_of(str(change.desired.owner)) else "changed"
    wanted = completed(change.desired, found).fields
    verdicts = {
        compare(value, found.fields.get(name)) for name, value in wanted.items() if value != found.fields.get(name)
    }
    if "changed" in verdicts:
        return "changed"
    return "unverifiable" if "unverifiable" in verdicts else "equal"
