"""From each export the links that it needs: what makes kxrecon more than a deployer of text.

An export runs when its identity is attached, may be used for automated flows, may read every database
that the query reads, and may write to the target. Derived entities say why they exist; what already
holds by other means (an inherited role, a sufficient cluster policy) is recognised, not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from kxrecon import handover
from kxrecon.kinds import World, kind
from kxrecon.kinds.kusto import external_table
from kxrecon.kinds.sql import sql_grant, sql_user
from kxrecon.links import LinkBuilder
from kxrecon.model import Change, Entity, Finding, Reading, Ref, State
from kxrecon.prune import Pruning
from kxrecon.scope import Scope
from kxrecon.surroundings import Stored, moved, named, table_of, writers


@dataclass(frozen=True, slots=True)
class Derivation:
    """Desired with its derived entities, the links of each export, and what was found along the way."""

    desired: State
    needs: Mapping[Ref, tuple[Ref, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def derive(desired: State, observed: State | None, scope: Scope) -> Derivation:
    """Add what the exports need. With ``observed`` None (offline) nothing can be recognised as given."""
    seen, desired = observed or State(), named(desired, scope)
    builder = LinkBuilder(scope, Stored(seen, desired, cluster=scope.cluster_uri), seen)
    wanted = _Wanted(dict(desired.entities), seen)
    found = list(_links(desired, seen, builder))
    ours = {link.ref for _, links in found for link in links}
    wanted.given_by(lambda: _foreign(desired, seen, ours, scope))
    needs: dict[Ref, tuple[Ref, ...]] = {}
    checked = [(entity, links) for entity, links in found if _grants(entity, desired) == "check"]
    for entity, links in found:
        if _grants(entity, desired) != "check":
            needs[entity.ref] = tuple([link.ref for link in links if wanted.add(link, entity)])
    whole = replace(desired, entities=wanted.completed())
    checks = _Checks(World(scope, seen, whole))
    for entity, links in checked:
        needs[entity.ref] = tuple([link.ref for link in links if checks.waits_for(link, entity)])
    _before_moves(needs, desired, seen)
    for ref, lacks in builder.lacks.items():
        needs[ref] = (*needs.get(ref, ()), *lacks)
    absent = [finding for ref, finding in builder.absent.items() if ref not in whole.entities]
    findings = tuple(dict.fromkeys((*builder.findings, *absent, *wanted.findings, *checks.findings)))
    return Derivation(whole, needs, findings)


def _before_moves(needs: dict[Ref, tuple[Ref, ...]], desired: State, seen: State) -> None:
    """A table that moves under its exports waits for what they need at its new place, though they do not change."""
    for export in desired.of_kind("continuous_export"):
        wanted, there = table_of(export, desired), table_of(export, seen)
        if wanted is not None and there is not None and moved(there, wanted):
            both = (*needs.get(wanted.ref, ()), *needs.get(export.ref, ()))
            needs[wanted.ref] = tuple(dict.fromkeys(both))


def _links(desired: State, seen: State, builder: LinkBuilder) -> Iterator[tuple[Entity, tuple[Entity, ...]]]:
    """Each entity that needs links, with them."""
    for export in sorted(desired.of_kind("continuous_export"), key=lambda entity: entity.ref):
        if export.attributes.get("grants") != "off":
            table = table_of(export, desired, seen)
            yield export, tuple(builder.of_export(export, _as_shown(table, seen) if table else None))
    for table in desired.of_kind("external_table"):
        links = tuple(builder.of_table(_as_shown(table, seen)))
        if links and _grants(table, desired) != "off":
            yield table, links


def _grants(entity: Entity, desired: State) -> str:
    """What an export says of its links; of a table's own links the exports that write there, if they agree."""
    if entity.ref.kind == "continuous_export":
        return str(entity.attributes.get("grants") or "ensure")
    said = {str(one.attributes.get("grants") or "ensure") for one in writers(entity.ref, desired)} or {"ensure"}
    return "ensure" if "ensure" in said else "check" if "check" in said else "off"


def _as_shown(table: Entity, seen: State) -> Entity:
    """A table of which the spec does not say how it gets in, as the service shows it, if it does."""
    there = seen.entities.get(table.ref)
    return external_table.as_shown(table, there) if there else table


def _foreign(desired: State, seen: State, ours: Container[Ref], scope: Scope) -> State:
    """What others keep there. Only that can stand in for a link: what this spec states, derives or prunes
    would make the links depend on what happened to exist before, and one apply would not be enough."""
    pruning = Pruning(desired, scope, seen)
    mine = desired.entities
    entities = {
        ref: entity
        for ref, entity in seen.entities.items()
        if ref not in mine and ref not in ours and not pruning.takes(entity)
    }
    readings = {ref: _without(reading, mine, ours) for ref, reading in seen.readings.items()}
    return State(entities, readings, seen.gaps)


def _without(reading: Reading, mine: Container[Ref], ours: Container[Ref]) -> Reading:
    """A SQL user's reading without the permissions that this spec gives."""
    granted = reading.values.get("granted")
    if reading.ref.kind != sql_user.KIND or not granted:
        return reading
    user = reading.ref.name
    others = [one for one in granted if not any(Ref(sql_grant.KIND, (*user, *one)) in own for own in (mine, ours))]
    return replace(reading, values={**reading.values, "granted": tuple(others)})


class _Wanted:
    """Collects derived links into desired; reasons are gathered aside, because hundreds of exports may share a link."""

    def __init__(self, entities: dict[Ref, Entity], seen: State) -> None:
        self.findings: list[Finding] = []
        self._entities, self._seen = entities, seen
        self._reasons: dict[Ref, dict[str, None]] = {}
        self._covered: dict[Ref, str | None] = {}
        self._foreign: Callable[[], State] = State

    def given_by(self, foreign: Callable[[], State]) -> None:
        """Where to look for what makes a link needless; asked once, and only if a link is missing."""
        self._foreign = cache(foreign)

    def add(self, link: Entity, by: Entity) -> bool:
        """Put a link into desired unless something else gives it; True if ``by`` has to wait for it."""
        ref = link.ref
        reasons = self._reasons.get(ref)
        if reasons is None:
            if ref in self._entities:
                return True
            evidence = self._evidence(link)
            if evidence:
                self.findings.append(Finding("holds", ref, f"{evidence}: enough for {by.ref.label}"))
                return False
            self._entities[ref] = link
            reasons = self._reasons[ref] = {}
        elif link is not self._entities[ref]:
            self._entities[ref] = _joined(self._entities[ref], link)
        reasons[f"needed by {by.ref.label}"] = None
        return True

    def _evidence(self, link: Entity) -> str | None:
        if link.ref in self._seen.entities:
            return None
        if link.ref not in self._covered:
            self._covered[link.ref] = kind(link.ref.kind).covers(link, self._foreign())
        return self._covered[link.ref]

    def completed(self) -> dict[Ref, Entity]:
        """Desired with the links, each saying why it exists."""
        for ref, reasons in self._reasons.items():
            self._entities[ref] = replace(self._entities[ref], reasons=tuple(reasons))
        return self._entities


def _joined(one: Entity, other: Entity) -> Entity:
    """One entity that gives what two links of one ref ask for."""
    if one.fields == other.fields:
        return one
    join: Callable[[Entity, Entity], Entity] | None = getattr(kind(one.ref.kind), "join", None)
    return join(one, other) if join else replace(one, fields={**other.fields, **one.fields})


class _Checks:
    """What exports with ``grants: check`` need, and neither the spec states, nor another export of it has made, nor
    others gave. Only that is missing: what is wanted anyway is made, and they wait for it."""

    def __init__(self, world: World) -> None:
        self.findings: list[Finding] = []
        self._world = world
        seen, desired = world.observed, world.desired
        self._together = State({**seen.entities, **desired.entities}, seen.readings, seen.gaps)

    def waits_for(self, link: Entity, export: Entity) -> bool:
        """True if ``export`` has to wait for a link, because it is made or because it is missing."""
        wanted = self._world.desired.entities.get(link.ref)
        if wanted is not None and _suffices(wanted, link):
            return True
        there = self._world.observed.entities.get(link.ref)
        if (there is not None and _suffices(there, link)) or kind(link.ref.kind).covers(link, self._together):
            return False
        self.findings.append(self._missing(link, there, export))
        return True

    def _missing(self, link: Entity, there: Entity | None, export: Entity) -> Finding:
        if link.ref in self._world.desired.entities:
            # Others need less of it, and get that: only this export waits.
            message = f"{link.ref} is not as it has to be, and no export with grants: ensure needs it so"
            change = Change(link.ref, "create", None, link)
            return Finding("blocked", export.ref, message, handover.commands(change, self._world))
        if there is not None:
            change = Change(link.ref, "update", there, _widened(there, link))
            notes = [note for step in kind(link.ref.kind).act([change], self._world) for note in step.notes]
            reason = "; ".join(["is not as it has to be", *notes])
        else:
            change = Change(link.ref, "create", None, link)
            reason = "could not be read" if self._world.observed.gap(link.ref) else "is missing"
        message = f"{reason}, and {export.ref.label} needs it (grants: check)"
        return Finding("handover", link.ref, message, handover.commands(change, self._world))


def _suffices(there: Entity, link: Entity) -> bool:
    """Whether what is there gives what the link asks for; what a SQL user is called is nothing that an export needs."""
    return link.ref.kind == sql_user.KIND or _widened(there, link).fields == there.fields


def _widened(there: Entity, link: Entity) -> Entity:
    """What is there, with what the link asks for; nothing is taken away from it."""
    adopt: Callable[[Entity, Entity], Entity] | None = getattr(kind(link.ref.kind), "adopt", None)
    wanted = adopt(link, there) if adopt else link
    return replace(wanted, fields={**there.fields, **wanted.fields})
