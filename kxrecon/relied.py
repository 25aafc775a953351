"""Which grants, identities, tables and functions something still relies on, although the spec would take them away.

The exports and external tables that stay, others' ones included, are asked for the links that they need; a
link that only the departing entity gives keeps it. Levels add up: a usage on the cluster that the database
grants as well may go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kxrecon.kinds import kind
from kxrecon.links import LinkBuilder, Unplaced
from kxrecon.model import Entity, Ref, State
from kxrecon.principals import is_guid
from kxrecon.prune import lies_in, may_be
from kxrecon.scope import Scope
from kxrecon.surroundings import Stored, carried

GROUND = frozenset({"external_table", "table", "function"})
KINDS = frozenset(
    {"cluster_identity", "managed_identity_policy", "database_role", "cluster_role", "role_assignment"}
    | {"acl_entry", "sql_user", "sql_grant"}
)


def relied_on(gone: Mapping[Ref, Entity], desired: State, observed: State, scope: Scope) -> dict[Ref, str]:
    """Departing entities that are still needed, with who needs them. ``desired`` is adopted: all that stays."""
    stands = _stood_on(gone, desired) if any(ref.kind in GROUND for ref in gone) else {}
    leaving = {ref: entity for ref, entity in gone.items() if ref.kind in KINDS}
    if not leaving:
        return stands
    builder = LinkBuilder(scope, Stored(observed, desired), observed)
    found: dict[Ref, str] = {}
    for link, by in _needed(desired, builder):
        if link.ref in desired.entities or kind(link.ref.kind).covers(link, desired):
            continue
        for ref in _givers(link, leaving):
            found.setdefault(ref, f"{by} relies on it")
    return {**stands, **_in_doubt(leaving, builder.unplaced), **_in_use(leaving, desired), **found}


def _stood_on(gone: Mapping[Ref, Entity], desired: State) -> dict[Ref, str]:
    """Tables, external tables and functions that a running export writes to, reads or calls, through others too."""
    found: dict[Ref, str] = {}
    for export in _running(desired):
        seen: set[Ref] = set()
        waiting = [export]
        while waiting:
            one = waiting.pop()
            needed = {need.ref for need in kind(one.ref.kind).needs(one) if need.ref.kind in GROUND} - seen
            seen |= needed
            found |= {ref: f"{export.ref} uses it" for ref in needed if ref in gone}
            waiting += [
                gone.get(ref) or desired.entities[ref] for ref in needed if ref in gone or ref in desired.entities
            ]
    return found


def _running(desired: State) -> list[Entity]:
    return [one for one in desired.of_kind("continuous_export") if one.fields.get("isDisabled") is not True]


def _in_doubt(leaving: Mapping[Ref, Entity], unplaced: Iterable[Unplaced]) -> dict[Ref, str]:
    """Role assignments that may be what a table's target needs, if only its account were known."""
    return {
        ref: f"{place.table} may rely on it: the storage account of its target is not known"
        for ref in leaving
        for place in unplaced
        if ref.kind == "role_assignment" and lies_in(place.uri, ref.name[0]) and may_be(place.writer, ref.name[2])
    }


def _in_use(leaving: Mapping[Ref, Entity], desired: State) -> dict[Ref, str]:
    """Identities that somebody uses."""
    identities = {ref: _users(entity, desired) for ref, entity in leaving.items() if ref.kind == "cluster_identity"}
    return {ref: f"{users[0]} uses it" for ref, users in identities.items() if users}


def _needed(desired: State, builder: LinkBuilder) -> Iterator[tuple[Entity, str]]:
    """Each link that a live export or an external table needs, with who needs it."""
    for export in _running(desired):
        table = desired.entities.get(Ref("external_table", (export.ref.name[0], str(export.fields.get("to")))))
        for link in builder.of_export(export, table):
            yield _as_shown(link), str(export.ref)
    for table in desired.of_kind("external_table"):
        for link in builder.of_table(table):
            yield link, str(table.ref)


def _as_shown(link: Entity) -> Entity:
    """An identity that the spec does not name is an object id to exports and policies, and ``aadapp=`` to roles."""
    *where, symbol = link.ref.name
    if link.ref.kind not in ("database_role", "role_assignment") or not is_guid(symbol):
        return link
    return replace(link, ref=Ref(link.ref.kind, (*where, f"aadapp={symbol}")))


def _givers(link: Entity, leaving: Mapping[Ref, Entity]) -> list[Ref]:
    """The departing entities that give what a link asks for: the link itself, or what covers it."""
    if link.ref in leaving:
        return [link.ref]
    gives = kind(link.ref.kind).covers
    return [ref for ref, entity in leaving.items() if gives(link, State({ref: entity}))]


def _users(identity: Entity, desired: State) -> list[str]:
    """Who uses an identity: exports that run, external tables that carry it, policy entries that name it. One that
    the spec does not name is known to them by its ids; a hidden one may be this."""
    names = {identity.ref.name[0], *map(str, identity.attributes.values())}
    exports = [
        one.ref for one in _running(desired) if any(may_be(one.fields.get("managedIdentity"), name) for name in names)
    ]
    tables = [one.ref for one in desired.of_kind("external_table") if names & carried(one)]
    usages = [one.ref for one in desired.of_kind("managed_identity_policy") if one.ref.name[-2] in names]
    return [str(ref) for ref in (*sorted(exports), *sorted(tables), *sorted(usages))]
