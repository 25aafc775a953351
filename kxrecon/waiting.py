"""What an apply does at a ``wait`` of its plan: it looks until it sees what the plan says, or the time is up.

Nothing is decided here: what is waited for, for whom and for how long is in the plan. A wait that was not seen to
end has failed, and what waits for it is not begun; the next plan starts from what is there then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kxrecon.diff import completed
from kxrecon.errors import ApplyError, LeftForLater
from kxrecon.health import Health
from kxrecon.model import Action, Entity, Ref, State, Until
from kxrecon.observe import Planes, observe
from kxrecon.scope import Scope
from kxrecon.surroundings import surroundings, table_of
from kxrecon.verdicts import Chain
from kxrecon.verify import Known, chains, survey
from kxrecon.verify.gate import Clock, Watched, wait
from kxrecon.verify.status import status

EXPORT = "continuous_export"
PAUSE = 10.0  # seconds between two looks
# What a proof before the switch is about: the job itself and its last run are those of the old one.
PROVEN = frozenset({"cluster", "identity", "policy", "role", "authentication", "target", "grant", "network", "callout"})


@dataclass(frozen=True)
class Waiter:
    """The waits of one apply, over its open planes. ``clock`` may raise out of its sleep: an apply that is stopped
    does not wait. Without ``patient`` nobody waits for runs. ``told`` hears what was seen meanwhile."""

    scope: Scope
    desired: State
    planes: Planes
    clock: Clock
    workers: int = 8
    patient: bool = True
    told: Callable[[str], None] = lambda text: None

    def __call__(self, action: Action) -> str:
        """Wait, and say what was seen. Raises ApplyError when the time is up, LeftForLater when nobody waits."""
        until = action.until
        assert until is not None
        looks: dict[str, Callable[[Action, Until], str]] = {
            "granted": self._granted,
            "at-rest": self._at_rest,
            "good-runs": self._good_runs,
        }
        return looks[until.what](action, until)

    # --- granted

    def _granted(self, action: Action, until: Until) -> str:
        end = self.clock.now() + until.seconds
        while True:
            found = self._chains(action.refs, as_planned=True)
            broken = [one for one in found if one.first_broken is not None]
            if not broken:
                return _proven(found)
            if self.clock.now() >= end:
                raise ApplyError("; ".join(map(_accused, broken)) + ": nothing was switched")
            self.clock.sleep(PAUSE)

    def _chains(self, refs: Sequence[Ref], *, as_planned: bool) -> Sequence[Chain]:
        known = survey(self.scope, self.desired, self.planes, workers=self.workers)
        known = _as_planned(known, refs) if as_planned else known
        found = chains(known, [ref.label for ref in refs])
        if not as_planned:
            return found
        return [replace(one, links=tuple(link for link in one.links if link.name in PROVEN)) for one in found]

    # --- at-rest

    def _at_rest(self, action: Action, until: Until) -> str:
        scope = surroundings(self.desired, self.scope)
        end = self.clock.now() + until.seconds
        while True:
            seen = observe(scope, self.planes, kinds=(EXPORT,), workers=self.workers).state
            running = [
                ref for ref in action.refs if ref in seen.readings and seen.readings[ref].values.get("isRunning")
            ]
            if not running:
                return "; ".join(_boundary(ref, seen) for ref in action.refs)
            if self.clock.now() >= end:
                names = ", ".join(ref.label for ref in running)
                raise ApplyError(f"{names}: a run is still under way, so its table does not move yet")
            self.clock.sleep(PAUSE)

    # --- good-runs

    def _good_runs(self, action: Action, until: Until) -> str:
        if not self.patient:
            raise LeftForLater("good runs were not waited for: apply again when there were some")
        wanted = {ref.label for ref in action.refs}

        def look() -> Sequence[Health]:
            found = status(self.scope, self.desired, self.planes, workers=self.workers).exports
            return [one for one in found if one.export in wanted]

        left = wait(look, sorted(wanted), until.runs, until.seconds, self.clock, self._news(until))
        if not left:
            return f"{len(wanted)} export{'' if len(wanted) == 1 else 's'} ran well"
        raise ApplyError(f"{self._unhealthy(left)}: the old grants stay, so it can be switched back")

    def _news(self, until: Until) -> Callable[[Watched], None]:
        def news(one: Watched) -> None:
            self.told(
                f"{one.export}: "
                + (f"failed: {one.failure}" if one.failure else f"good run {one.good} of {until.runs}")
            )

        return news

    def _unhealthy(self, left: Sequence[Watched]) -> str:
        """Which exports did not run well, and what their chains say."""
        refs = [
            ref for ref in self.desired.entities if ref.kind == EXPORT and ref.label in {one.export for one in left}
        ]
        found = {one.export: one for one in self._chains(refs, as_planned=False)}
        told = []
        for one in left:
            why = f"its last run failed: {one.failure}" if one.failure else "too few good runs were seen"
            chain = found.get(one.export)
            broken = f" ({_accused(chain)})" if chain is not None and chain.first_broken is not None else ""
            told.append(f"{one.export}: {why}{broken}")
        return "; ".join(told)


def _as_planned(known: Known, refs: Sequence[Ref]) -> Known:
    """What is known, as if the exports and their tables were what the spec says already."""
    entities = dict(known.observed.entities)
    for ref in refs:
        wanted = known.desired.entities.get(ref)
        table = table_of(wanted, known.desired) if wanted else None
        entities |= {one.ref: _completed(one, known.observed) for one in (wanted, table) if one is not None}
    readings = {ref: one for ref, one in known.observed.readings.items() if ref not in refs}
    return replace(known, observed=State(entities, readings, known.observed.gaps), changes={})


def _completed(wanted: Entity, observed: State) -> Entity:
    seen = observed.entities.get(wanted.ref)
    return wanted if seen is None else completed(wanted, seen)


def _accused(chain: Chain) -> str:
    link = chain.first_broken
    assert link is not None
    return f"{chain.export}: broken at {link.name}: {link.evidence}"


def _proven(found: Sequence[Chain]) -> str:
    """How many links hold, and which nobody can judge."""
    links = [link for chain in found for link in chain.links]
    unsure = dict.fromkeys(f"{link.name}: {link.evidence}" for link in links if link.verdict == "unknown")
    said = f"{sum(link.verdict == 'holds' for link in links)} links hold"
    return f"{said}; not known: {'; '.join(unsure)}" if unsure else said


def _boundary(ref: Ref, seen: State) -> str:
    reading = seen.readings.get(ref)
    upto = reading.values.get("exportedTo") if reading else None
    if not upto:
        return f"{ref.label} has written nothing to its old place"
    return f"records of {ref.label} ingested up to {upto} lie at its old place, later ones at the new one"
