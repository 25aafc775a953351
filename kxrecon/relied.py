"""Which grants and identities something still relies on, although the spec would take them away.

The exports and external tables that stay, others' ones included, are asked for the links that they need; a
link that only the departing entity gives keeps it. Levels add up: a usage on the cluster that the database
grants as well may go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kxrecon.kinds import kind
from kxrecon.links import LinkBuilder
from kxrecon.model import Entity, Ref, State
from kxrecon.scope import Scope
from kxrecon.surroundings import Stored, carried

KINDS = frozenset(
    {"cluster_identity", "managed_identity_policy", "database_role", "role_assignment"}
    | {"acl_entry", "sql_user", "sql_grant"}
)


def relied_on(gone: Mapping[Ref, Entity], desired: State, observed: State, scope: Scope) -> dict[Ref, str]:
    """Departing entities that are still needed, with who needs them. ``desired`` is adopted: all that stays."""
    leaving = {ref: entity for ref, entity in gone.items() if ref.kind in KINDS}
    if not leaving:
        return {}
    found: dict[Ref, str] = {}
    for link, by in _needed(desired, observed, scope):
        if link.ref in desired.entities or kind(link.ref.kind).covers(link, desired):
            continue
        for ref in _givers(link, leaving):
            found.setdefault(ref, f"{by} relies on it")
    for ref in leaving:
        if ref.kind == "cluster_identity":
            users = _users(ref.name[0], desired)
            if users:
                found[ref] = f"{users[0]} uses it"
    return found


def _needed(desired: State, observed: State, scope: Scope) -> Iterator[tuple[Entity, str]]:
    """Each link that a live export or an external table needs, with who needs it."""
    builder = LinkBuilder(scope, Stored(observed, desired), observed)
    for export in desired.of_kind("continuous_export"):
        if export.fields.get("isDisabled") is True:
            continue
        table = desired.entities.get(Ref("external_table", (export.ref.name[0], str(export.fields.get("to")))))
        for link in builder.of_export(export, table):
            yield link, str(export.ref)
    for table in desired.of_kind("external_table"):
        for link in builder.of_table(table):
            yield link, str(table.ref)


def _givers(link: Entity, leaving: Mapping[Ref, Entity]) -> list[Ref]:
    """The departing entities that give what a link asks for: the link itself, or what covers it."""
    if link.ref in leaving:
        return [link.ref]
    same = [ref for ref in leaving if ref.kind == link.ref.kind]
    return [ref for ref in same if kind(ref.kind).covers(link, State({ref: leaving[ref]}))]


def _users(symbol: str, desired: State) -> list[str]:
    """Who uses an identity: exports that run, external tables that carry it, policy entries that name it."""
    exports = [
        one.ref
        for one in desired.of_kind("continuous_export")
        if one.fields.get("managedIdentity") == symbol and one.fields.get("isDisabled") is not True
    ]
    tables = [one.ref for one in desired.of_kind("external_table") if symbol in carried(one)]
    usages = [one.ref for one in desired.of_kind("managed_identity_policy") if one.ref.name[-2] == symbol]
    return [str(ref) for ref in (*sorted(exports), *sorted(tables), *sorted(usages))]
