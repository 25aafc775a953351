"""From each export the links that it needs: what makes kxrecon more than a deployer of text.

An export runs when its identity is attached, may be used for automated flows, may read every database
that the query reads, and may write to the target. Derived entities say why they exist; what already
holds by other means (an inherited role, a sufficient cluster policy) is recognised, not repeated.
Source: learn.microsoft.com, Use a managed identity to run a continuous export job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from kxrecon.kinds import kind
from kxrecon.kinds.adls import acl_entry
from kxrecon.kinds.arm import container, role_assignment
from kxrecon.kinds.kusto import database_role, managed_identity_policy
from kxrecon.kinds.sql import sql_grant
from kxrecon.model import Entity, Finding, Hidden, Ref, State
from kxrecon.scope import SYSTEM, Scope
from kxrecon.storage_uri import locate
from kxrecon.surroundings import Stored, carried, connections, databases_read

BLOB_WRITER = "Storage Blob Data Contributor"


@dataclass(frozen=True, slots=True)
class Derivation:
    """Desired with its derived entities, the links of each export, and what was found along the way."""

    desired: State
    needs: Mapping[Ref, tuple[Ref, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def derive(desired: State, observed: State | None, scope: Scope) -> Derivation:
    """Add what the exports need. With ``observed`` None (offline) nothing can be recognised as given."""
    entities = dict(desired.entities)
    needs: dict[Ref, tuple[Ref, ...]] = {}
    findings: list[Finding] = []
    seen = observed or State()
    stored = Stored(seen, desired)
    wanted = _Wanted(entities, seen, findings)
    for export in sorted(desired.of_kind("continuous_export"), key=lambda entity: entity.ref):
        mode = export.attributes.get("grants", "ensure")
        if mode == "off":
            continue
        links: list[Ref] = []
        table = _table_of(export, desired, seen)
        for link in _links(export, table, stored, scope, findings):
            if mode == "check":
                findings.extend(_check(link, export, seen))
            elif wanted.add(link, export):
                links.append(link.ref)
        needs[export.ref] = tuple(links)
    for table in desired.of_kind("external_table"):
        for link in _table_links(table, scope):
            if wanted.add(link, table):
                needs[table.ref] = (*needs.get(table.ref, ()), link.ref)
    wanted.give_reasons()
    return Derivation(replace(desired, entities=entities), needs, tuple(dict.fromkeys(findings)))


class _Wanted:
    """Collects derived links into desired; reasons are gathered aside, because hundreds of exports may share a link."""

    def __init__(self, entities: dict[Ref, Entity], seen: State, findings: list[Finding]) -> None:
        self._entities, self._seen, self._findings = entities, seen, findings
        self._reasons: dict[Ref, dict[str, None]] = {}

    def add(self, link: Entity, by: Entity) -> bool:
        """Put a link into desired unless something else gives it; True if ``by`` has to wait for it."""
        reasons = self._reasons.get(link.ref)
        if reasons is not None:
            reasons.update(dict.fromkeys(link.reasons))
            return True
        if link.ref in self._entities:
            return True
        if link.ref not in self._seen.entities:
            evidence = kind(link.ref.kind).covers(link, self._seen)
            if evidence:
                self._findings.append(Finding("holds", link.ref, f"{evidence}: enough for {by.ref.label}"))
                return False
        self._entities[link.ref] = link
        self._reasons[link.ref] = dict.fromkeys(link.reasons)
        return True

    def give_reasons(self) -> None:
        """Write the gathered reasons onto the links."""
        for ref, reasons in self._reasons.items():
            self._entities[ref] = replace(self._entities[ref], reasons=tuple(reasons))


def _table_of(export: Entity, desired: State, seen: State) -> Entity | None:
    """The external table of an export, as the spec wants it or, if it is not in the spec, as it is."""
    ref = Ref("external_table", (export.ref.name[0], str(export.fields.get("to"))))
    return desired.entities.get(ref) or seen.entities.get(ref)


def _check(link: Entity, export: Entity, seen: State) -> Iterator[Finding]:
    if link.ref in seen.entities or kind(link.ref.kind).covers(link, seen):
        return
    reason = "could not be read" if seen.gap(link.ref) else "is missing"
    yield Finding("handover", link.ref, f"{reason}, and {export.ref.label} needs it (grants: check)")


def _links(
    export: Entity, table: Entity | None, stored: Stored, scope: Scope, findings: list[Finding]
) -> Iterator[Entity]:
    reasons = (f"needed by {export.ref.label}",)
    symbol = export.fields.get("managedIdentity")
    if isinstance(symbol, Hidden):
        findings.append(Finding("unknown", export.ref, "its managed identity cannot be read: state it in the spec"))
        return
    if isinstance(symbol, str):
        yield from _reader_links(export, symbol, stored, scope, reasons)
    if table is not None:
        yield from _target_links(table, symbol, scope, reasons, findings)


def _reader_links(
    export: Entity, symbol: str, stored: Stored, scope: Scope, reasons: tuple[str, ...]
) -> Iterator[Entity]:
    level = export.attributes.get("policyScope") or scope.policy_scope
    database = export.ref.name[0]
    yield from _attached(symbol, reasons)
    yield _owned(managed_identity_policy.usage(level, database, symbol, "AutomatedFlows", reasons), scope)
    role = export.attributes.get("role") or "viewers"
    for name in sorted(databases_read(export, stored)):
        yield _owned(database_role.grant(name, role, symbol, reasons), scope)


def _attached(symbol: str, reasons: tuple[str, ...]) -> Iterator[Entity]:
    """The system identity needs no entry in the spec; user-assigned ones are there by name."""
    if symbol == SYSTEM:
        yield Entity(Ref("cluster_identity", (SYSTEM,)), {"resourceId": ""}, reasons=reasons)


def _table_links(table: Entity, scope: Scope) -> Iterator[Entity]:
    """An external table whose connection string carries an identity needs that identity's ExternalTable usage."""
    for symbol in sorted(carried(table)):
        reasons = (f"needed by {table.ref.label}",)
        yield from _attached(symbol, reasons)
        level, database = scope.policy_scope, table.ref.name[0]
        yield _owned(managed_identity_policy.usage(level, database, symbol, "ExternalTable", reasons), scope)


@dataclass(frozen=True, slots=True)
class _Place:
    """One connection of an external table that somebody has to be able to write to."""

    table: Entity
    connection: Mapping[str, str | None]
    writer: str
    doc: Mapping[str, object]
    scope: Scope
    reasons: tuple[str, ...]


def _target_links(
    table: Entity, symbol: str | None, scope: Scope, reasons: tuple[str, ...], findings: list[Finding]
) -> Iterator[Entity]:
    """Write permission on every place that the table's connection strings name, for whoever writes there."""
    for connection in connections(table):
        writer = connection.get("identity") if connection.get("auth") == "managedIdentity" else symbol
        if connection.get("auth") not in ("impersonate", "managedIdentity") or not isinstance(writer, str):
            continue
        target = scope.targets.get(str(table.attributes.get("target") or ""))
        place = _Place(table, connection, writer, target.doc if target else {}, scope, reasons)
        if table.fields.get("kind") == "sql":
            yield from _sql_links(place)
        elif place.doc.get("grant") != "none":
            yield from _storage_links(place, findings)


def _sql_links(place: _Place) -> Iterator[Entity]:
    connection, table = place.connection, place.table
    found = sql_grant.grants(
        (str(connection["server"]), str(connection["database"])),
        place.writer,
        str(table.fields.get("table")),
        create=bool(table.fields.get("createIfNotExists")),
        doc=place.doc,
        reasons=place.reasons,
    )
    for entity in found:
        yield _owned(entity, place.scope)


def _storage_links(place: _Place, findings: list[Finding]) -> Iterator[Entity]:
    location = locate(str(place.connection["uri"]))
    if location is None:
        return
    doc, scope = place.doc, place.scope
    if doc.get("grant") == "acl":
        base = locate(str(doc["url"])) or location
        for entity in acl_entry.entries(base.dfs_host, base.container, "/" + base.path, place.writer, place.reasons):
            yield _owned(entity, scope)
        return
    stated = str(doc.get("resourceId") or "").split("/blobServices/", 1)[0]
    account = stated or scope.directory.accounts.get(location.host, "")
    if not account:
        remedy = "set resourceId on its target, or give this pipeline the right to read it"
        message = f"the storage account of {location.host} was not found"
        findings.append(Finding("blocked", place.table.ref, message, remedy))
        return
    if doc.get("createContainer"):
        yield _owned(container.container(account, location, place.reasons), scope)
    wide = doc.get("grantScope") == "account"
    where = account if wide else f"{account}/blobServices/default/containers/{location.container}"
    role = str(doc.get("role") or BLOB_WRITER)
    trusted = bool(doc.get("acceptConditional"))
    link = role_assignment.assignment(where, role, place.writer, place.reasons, accept_conditional=trusted)
    yield _owned(link, scope)


def _owned(entity: Entity, scope: Scope) -> Entity:
    return replace(entity, owner=scope.mark)
