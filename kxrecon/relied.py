"""Which grants, identities, tables and functions something still relies on, although the spec would take them away.

The exports and external tables that stay, others' ones included, are asked for the links that they need; a
link that only the departing entity gives keeps it. Levels add up: a usage on the cluster that the database
grants as well may go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kxrecon.elsewhere import PRINCIPAL
from kxrecon.kinds import kind
from kxrecon.links import LinkBuilder, Unplaced
from kxrecon.model import Entity, Hidden, Ref, State, Value
from kxrecon.principals import is_guid
from kxrecon.prune import lies_in, may_be
from kxrecon.scope import Scope
from kxrecon.storage_uri import locate
from kxrecon.surroundings import Stored, carried, connections, reads, table_of

GROUND = frozenset({"external_table", "table", "function"})
POLICY = "managed_identity_policy"
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
    stored = Stored(observed, desired, cluster=scope.cluster_uri)
    builder = LinkBuilder(scope, stored, observed)
    found: dict[Ref, str] = {}
    for link, by, told in _needed(desired, builder, leaving):
        if link.ref in desired.entities or kind(link.ref.kind).covers(link, desired):
            continue
        for ref in (*_givers(link, leaving), *_on_its_way(link, by, leaving, desired)):
            found.setdefault(ref, told)
    doubts = {**_in_doubt(leaving, builder.unplaced), **_may_read(leaving, desired, stored)}
    return {**stands, **doubts, **_in_use(leaving, desired), **found}


def _stood_on(gone: Mapping[Ref, Entity], desired: State) -> dict[Ref, str]:
    """Tables, external tables and functions that a running export writes to, reads or calls, through others too."""
    entities = {**desired.entities, **gone}
    return {
        ref: f"{export.ref} uses it"
        for export in _running(desired)
        for ref in ground_of(export, entities)
        if ref in gone
    }


def ground_of(export: Entity, entities: Mapping[Ref, Entity]) -> set[Ref]:
    """The external table that an export writes to, and every table and function that its query may name, through
    the functions that it calls too."""
    seen: set[Ref] = set()
    waiting = [export]
    while waiting:
        one = waiting.pop()
        needed = {need.ref for need in kind(one.ref.kind).needs(one) if need.ref.kind in GROUND} - seen
        seen |= needed
        waiting += [entities[ref] for ref in needed if ref in entities]
    return seen


def _running(desired: State) -> list[Entity]:
    return [one for one in desired.of_kind("continuous_export") if one.fields.get("isDisabled") is not True]


def _in_doubt(leaving: Mapping[Ref, Entity], unplaced: Iterable[Unplaced]) -> dict[Ref, str]:
    """Role assignments that may be what a table's target needs, if only its account were known."""
    return {
        ref: f"{place.table} may rely on it: the storage account of its target is not known"
        for ref in leaving
        for place in unplaced
        if (ref.kind == "role_assignment" and lies_in(place.uri, ref.name[0]) and may_be(place.writer, ref.name[2]))
        or (ref.kind == "acl_entry" and _leads_to(ref, place.uri) and may_be(place.writer, ref.name[3]))
    }


def _on_its_way(link: Entity, by: Entity, leaving: Mapping[Ref, Entity], desired: State) -> list[Ref]:
    """Departing entries of access control lists that let ``by`` in where the role of ``link`` does not: what others
    wrote by hand, or in another spec, does not say which of the two it is that they rely on."""
    table = table_of(by, desired) if by.ref.kind == "continuous_export" else None
    if link.ref.kind != "role_assignment" or table is None or table.fields.get("kind") == "sql":
        return []
    uris = [str(one.get("uri")) for one in connections(table)]
    who = link.ref.name[2]
    entries = (ref for ref in leaving if ref.kind == "acl_entry" and ref.name[3] == who)
    return [ref for ref in entries if any(_leads_to(ref, uri) for uri in uris)]


def _leads_to(entry: Ref, uri: str) -> bool:
    """Whether an entry of an access control list is on the way to a place, or below it."""
    host, container, path, _ = entry.name
    there = locate(uri)
    if there is None or (there.dfs_host, there.container) != (host, container):
        return False
    short, long = sorted(f"/{one.strip('/')}/".replace("//", "/") for one in (path, there.path))
    return long.startswith(short)


def _may_read(leaving: Mapping[Ref, Entity], desired: State, stored: Stored) -> dict[Ref, str]:
    """Roles on databases by which an export may read what nobody can tell that it reads."""
    roles = [ref for ref in leaving if ref.kind == "database_role"]
    exports = [one for one in _running(desired) if reads(one, stored).open] if roles else []
    return {
        ref: f"{export.ref} may rely on it: which databases it reads cannot be told"
        for export in exports
        for ref in roles
        if may_be(export.fields.get("managedIdentity"), ref.name[2])
    }


def _in_use(leaving: Mapping[Ref, Entity], desired: State) -> dict[Ref, str]:
    """Identities that somebody uses."""
    identities = {ref: _users(entity, desired) for ref, entity in leaving.items() if ref.kind == "cluster_identity"}
    return {ref: f"{users[0]} uses it" for ref, users in identities.items() if users}


def _needed(
    desired: State, builder: LinkBuilder, leaving: Mapping[Ref, Entity]
) -> Iterator[tuple[Entity, Entity, str]]:
    """Each link that a live export or an external table needs, or may need, with who needs it and how that is told."""
    suspects = sorted({ref.name[PRINCIPAL[ref.kind]].removeprefix("aadapp=") for ref in leaving})
    for export in _running(desired):
        for one, table, doubt in _guesses(export, table_of(export, desired), suspects, desired):
            told = f"{export.ref} may rely on it: {doubt}" if doubt else f"{export.ref} relies on it"
            for link in builder.of_export(one, table):
                yield _as_shown(link), export, told
    for table in desired.of_kind("external_table"):
        for link in builder.of_table(table):
            yield link, table, f"{table.ref} relies on it"


def _guesses(
    export: Entity, table: Entity | None, suspects: Sequence[str], desired: State
) -> Iterator[tuple[Entity, Entity | None, str]]:
    """An export with its table; where as whom it runs or how it gets in cannot be read, as each of those who lose
    something."""
    if isinstance(export.fields.get("managedIdentity"), Hidden):
        for who in suspects:
            one = replace(export, fields={**export.fields, "managedIdentity": who})
            yield one, None if table is None else _by(table, None), "as whom it runs cannot be read"
        return
    if table is None or not any(isinstance(one.get("auth"), Hidden) for one in connections(table)):
        yield export, table, ""
        return
    yield export, None, ""
    for carried_by in (None, *_carriers(table, suspects, desired)):
        yield export, _by(table, carried_by), "how it gets in at its target cannot be read"


def _carriers(table: Entity, suspects: Sequence[str], desired: State) -> list[str]:
    """Who may stand in a table's masked connection string: only somebody with that usage."""
    database = table.ref.name[0]
    levels: tuple[tuple[str, ...], ...] = (("cluster",), ("database", database))

    def may_stand(who: str) -> bool:
        refs = [Ref(POLICY, (*level, who, usage)) for level in levels for usage in ("ExternalTable", "All")]
        return any(ref in desired.entities or desired.gap(ref) for ref in refs)

    return [who for who in suspects if may_stand(who)]


def _by(table: Entity, identity: str | None) -> Entity:
    """A table whose masked connections are opened by an identity that they carry, or by whoever runs the export."""
    how = {"auth": "managedIdentity", "identity": identity} if identity else {"auth": "impersonate"}

    def opened(one: Mapping[str, Value]) -> Mapping[str, Value]:
        return {**one, **how} if isinstance(one.get("auth"), Hidden) else one

    if table.fields.get("kind") == "sql":
        return replace(table, fields={**table.fields, "connection": opened(table.fields["connection"])})
    return replace(table, fields={**table.fields, "connections": tuple(map(opened, connections(table)))})


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
