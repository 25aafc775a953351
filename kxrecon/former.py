"""What an identity or a target has that another one takes the place of: which grants are its, and which of them stay.

A grant goes with a rotation only if it is the old one's for these exports, nobody else relies on it, and the rotation
says so (``revoke:``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kxrecon.derive import derive
from kxrecon.elsewhere import PRINCIPAL, speaks_for
from kxrecon.model import Entity, Ref, State, Value
from kxrecon.prune import ONLY_OWNED as GRANTS
from kxrecon.scope import Rotation, Scope
from kxrecon.storage_uri import locate
from kxrecon.surroundings import connections, table_of

POLICY, USER, GRANT = "managed_identity_policy", "sql_user", "sql_grant"


def grants(rotation: Rotation, stated: State, observed: State, scope: Scope) -> list[Ref]:
    """The observed grants that the exports would need with the old one, that the spec would state for it, or that
    carry this spec's mark and are the old identity's; nothing that is still wanted."""
    before = derive(_before(rotation, stated, scope), None, scope).desired
    found = {ref for ref in before.entities if ref.kind in GRANTS}
    if rotation.what == "identity":
        found |= {_with(ref, rotation.previous) for ref in stated.entities if principal(ref) == rotation.name}
        found |= {
            ref
            for ref, entity in observed.entities.items()
            if principal(ref) == rotation.previous and entity.owner == scope.mark and speaks_for(ref, scope)
        }
    return sorted(ref for ref in found if ref in observed.entities and ref not in stated.entities)


def principal(ref: Ref) -> str | None:
    """Whose grant this is; None for what is no grant."""
    if ref.kind not in GRANTS:
        return None
    return ref.name[PRINCIPAL[ref.kind]]


def _with(ref: Ref, symbol: str) -> Ref:
    """The same grant for somebody else."""
    at = PRINCIPAL[ref.kind] % len(ref.name)
    return Ref(ref.kind, (*ref.name[:at], symbol, *ref.name[at + 1 :]))


def _before(rotation: Rotation, stated: State, scope: Scope) -> State:
    """What the spec would ask for if the old one were still in place: its exports and their tables."""
    entities: dict[Ref, Entity] = {}
    for ref in rotation.exports:
        export = stated.entities.get(ref)
        table = table_of(export, stated) if export else None
        if export is None or table is None:
            continue
        if rotation.what == "target":
            table = _at(table, rotation, scope)
        else:
            export = _as(export, rotation)
            table = replace(table, fields=_carrying(table.fields, rotation))
        entities |= {export.ref: export, table.ref: table}
    return State(entities)


def _as(export: Entity, rotation: Rotation) -> Entity:
    if export.fields.get("managedIdentity") != rotation.name:
        return export
    return replace(export, fields={**export.fields, "managedIdentity": rotation.previous})


def _carrying(fields: Mapping[str, Value], rotation: Rotation) -> Mapping[str, Value]:
    def turned(one: Mapping[str, Value]) -> Mapping[str, Value]:
        return {**one, "identity": rotation.previous} if one.get("identity") == rotation.name else one

    if fields.get("kind") == "sql":
        return {**fields, "connection": turned(fields["connection"])}
    return {**fields, "connections": tuple(turned(one) for one in fields.get("connections") or ())}


def _at(table: Entity, rotation: Rotation, scope: Scope) -> Entity:
    """A table as it was at the old target."""
    new, old = (scope.targets[name].doc for name in (rotation.name, rotation.previous))
    attributes = {**table.attributes, "target": rotation.previous}
    if table.fields.get("kind") == "sql":
        where = {"server": str(old.get("server")).lower(), "database": old.get("database")}
        return replace(
            table, fields={**table.fields, "connection": {**table.fields["connection"], **where}}, attributes=attributes
        )
    turned = tuple({**one, "uri": _elsewhere(str(one["uri"]), new, old)} for one in connections(table))
    return replace(table, fields={**table.fields, "connections": turned}, attributes=attributes)


def _elsewhere(uri: str, new: Mapping[str, Value], old: Mapping[str, Value]) -> str:
    """The same path below the old target; unchanged where it is no Azure storage account."""
    here, base, there = (locate(str(one)) for one in (uri, new.get("url"), old.get("url")))
    if here is None or base is None or there is None:
        return uri
    below = here.path[len(base.path) :].strip("/")
    return "/".join(part for part in (f"https://{there.host}", there.container, there.path, below) if part)


def stays(rotation: Rotation, grant: Entity, observed: State, old: Sequence[Ref], scope: Scope) -> str:
    """Why an old grant does not go, in words; empty if it goes."""
    if grant.owner not in (None, scope.mark):
        return f"it carries the mark {grant.owner}"
    if rotation.revoke == "none":
        return "the rotation says revoke: none"
    if grant.owner is None and rotation.revoke == "owned":
        return "it carries no mark (revoke: all in its rotation takes it away too)"
    if grant.ref.kind == POLICY and grant.ref.name[0] == "cluster":
        return "exports of databases that this spec does not have may rely on it"
    if grant.ref.kind == USER and not _is_bare(grant.ref, observed, old):
        return "that user may do more there than exports need"
    return ""


def _is_bare(user: Ref, observed: State, old: Sequence[Ref]) -> bool:
    """Whether a SQL user has nothing but what goes."""
    reading = observed.readings.get(user)
    values = reading.values if reading else {}
    granted = values.get("granted") or ()
    more = set(values.get("roles") or ()) - {"public"}
    return not more and all(Ref(GRANT, (*user.name, *one)) in old for one in granted)
