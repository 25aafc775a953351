"""Nobody is locked out: deletions that no permission can allow never get into a plan.

Before the diff, what may not go is put back among the desired entities, and the plan says why: whoever runs
this, the last admin, the group through which the caller may be admin, a role that cannot be told apart,
and what something still relies on (``relied.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kxrecon.model import Entity, Finding, Ref, State
from kxrecon.principals import fqn_of, is_guid, is_identity, parse
from kxrecon.relied import relied_on
from kxrecon.scope import Scope

ADMINS = {"database_role": "admins", "cluster_role": "AllDatabasesAdmin"}
CALLER = "caller"  # the third name of the reading that tells who the caller is
Role = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever runs this: all object ids under which it has roles, and those that make it an admin of a database or
    of the cluster. A group is among them where it is a member."""

    ids: frozenset[str]
    admin: frozenset[str]


def guarded(desired: State, observed: State, scope: Scope) -> tuple[State, tuple[Finding, ...]]:
    """Desired with everything that may not go, and a finding for each."""
    gone = {ref: observed.entities[ref] for ref in observed.entities.keys() - desired.entities.keys()}
    if not gone:
        return desired, ()
    kept = relied_on(gone, desired, observed, scope)
    roles: dict[Role, list[Entity]] = defaultdict(list)
    for ref, entity in sorted(gone.items()):
        if ref.kind in ADMINS:
            roles[ref.kind, ref.name[:-1]].append(entity)
    for role, leaving in roles.items():
        kept |= _Membership(role, leaving, desired, observed, scope).kept()
    if not kept:
        return desired, ()
    entities = {**desired.entities, **{ref: gone[ref] for ref in kept}}
    findings = tuple(Finding("blocked", ref, f"stays: {why}") for ref, why in sorted(kept.items()))
    return replace(desired, entities=entities), findings


def callers(observed: State) -> Mapping[str, Caller]:
    """The caller by database, as each database's answer tells."""
    return {
        ref.name[0]: Caller(frozenset(reading.values["ids"]), frozenset(reading.values["admin"]))
        for ref, reading in observed.readings.items()
        if ref.kind == "database_role" and ref.name[1:] == ("", CALLER)
    }


class _Membership:
    """One role: who leaves it, who stays, and what that means for the caller."""

    def __init__(self, role: Role, leaving: Sequence[Entity], desired: State, observed: State, scope: Scope) -> None:
        self._kind, self._name = role
        self._leaving, self._scope, self._observed = leaving, scope, observed
        self._staying = [one for one in desired.of_kind(self._kind) if one.ref.name[:-1] == self._name]
        self._admin = self._name[-1] == ADMINS[self._kind]
        self._going = {id_of(entity) for entity in leaving}
        found = callers(observed)
        if self._kind == "database_role":
            self._caller = found.get(self._name[0])
        else:
            self._caller = next(iter(found.values()), None)

    def kept(self) -> dict[Ref, str]:
        """Who may not leave, with the reason."""
        whole = self._unclear() or (self._without_admins() if self._admin else None)
        if whole:
            return {entity.ref: whole for entity in self._leaving}
        kept = {one.ref: "it is who runs this" for one in self._leaving if self._is_caller(one)}
        if self._admin:
            kept |= {one.ref: why for one, why in self._last_way() if one.ref not in kept}
        return kept

    def _unclear(self) -> str | None:
        """``exact:`` takes away whoever is not listed; that needs every listed and every shown one to be known."""
        exact = [one for one in self._staying if one.attributes.get("exact")]
        if not exact:
            return None
        shown = [one for one in self._observed.of_kind(self._kind) if one.ref.name[:-1] == self._name]
        nameless = [one.ref.name[-1] for one in shown if not id_of(one)]
        if nameless:
            return f"{nameless[0]} is shown without an object id, so it cannot be told whether the spec lists it"
        open_ones = [one.ref.name[-1] for one in exact if one.ref not in self._observed.entities]
        unresolved = [symbol for symbol in open_ones if not self._resolved(symbol)]
        if unresolved:
            return f"{unresolved[0]} is listed, but its object id is not known, so it may be one of those shown"
        return None

    def _resolved(self, symbol: str) -> bool:
        if is_identity(symbol, self._scope):
            return self._scope.directory.knows(symbol)
        fqn = parse(fqn_of(symbol, None, self._scope))
        return fqn is not None and is_guid(fqn.id)

    def _without_admins(self) -> str | None:
        if not self._staying:
            return "it would be the last admin to go"
        if self._caller is None or not self._caller.ids:
            return "who runs this could not be read, and it might be this one"
        return None

    def _is_caller(self, entity: Entity) -> bool:
        return self._caller is not None and id_of(entity) in self._caller.ids and not is_group(entity, self._scope)

    def _last_way(self) -> Iterator[tuple[Entity, str]]:
        """Groups without which the caller would not be an admin any more, or might not be."""
        caller = self._caller
        if caller is None or caller.admin - self._going:
            return
        for entity in self._leaving:
            if is_group(entity, self._scope):
                yield entity, "who runs this may be an admin only through this group"


def id_of(entity: Entity) -> str:
    """The object id of a principal in a role, as observed; empty if the service shows none."""
    return str(entity.attributes.get("objectId") or entity.attributes.get("principalId") or "").lower()


def is_group(entity: Entity, scope: Scope) -> bool:
    """Whether a principal in a role is a group."""
    symbol = entity.ref.name[-1]
    return fqn_of(symbol, str(entity.attributes.get("fqn") or ""), scope).lower().startswith("aadgroup=")
