"""The links of an export: what must hold so that it runs. Built once for all exports that share them.

Source: learn.microsoft.com, Use a managed identity to run a continuous export job; Storage connection
strings; Azure SQL external tables.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from kxrecon.kinds.adls import acl_entry
from kxrecon.kinds.arm import container, role_assignment
from kxrecon.kinds.kusto import database_role, managed_identity_policy
from kxrecon.kinds.sql import sql_grant
from kxrecon.model import Entity, Finding, Hidden, Ref, State
from kxrecon.principals import is_guid
from kxrecon.scope import SYSTEM, Scope
from kxrecon.storage_uri import Location, lake_store, locate
from kxrecon.surroundings import Stored, carried, connections, databases_read

BLOB_WRITER = "Storage Blob Data Contributor"
LAKE_STORE_WRITER = "Contributor"

Connection = Mapping[str, str | None]
Links = tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A place to write to whose storage account is not known: which role assignment gives it cannot be told."""

    table: Ref
    uri: str
    writer: str


class LinkBuilder:
    """Builds links for the exports of one spec; what could not be built is in ``findings`` and ``unplaced``.

    ``absent`` are containers that are not there and that no target asks for, ``lacks`` the tables that write to them.
    """

    def __init__(self, scope: Scope, stored: Stored, observed: State) -> None:
        self.findings: list[Finding] = []
        self.unplaced: list[Unplaced] = []
        self.absent: dict[Ref, Finding] = {}
        self.lacks: dict[Ref, tuple[Ref, ...]] = {}
        self._scope, self._stored, self._observed = scope, stored, observed
        self._built: dict[Hashable, Links] = {}
        self._places: dict[Hashable, tuple[Finding | None, Links]] = {}

    def of_export(self, export: Entity, table: Entity | None) -> Iterator[Entity]:
        """Identity, policy, roles on databases, and permission on the target of the export's external table."""
        symbol = export.fields.get("managedIdentity")
        if isinstance(symbol, Hidden):
            message = "its managed identity cannot be read: state it in the spec"
            self.findings.append(Finding("unknown", export.ref, message))
            return
        if isinstance(symbol, str):
            yield from self._told_by_id(symbol, export)
            yield from self._reading(export, symbol)
        if table is not None:
            yield from self._writing(table, symbol)

    def _told_by_id(self, symbol: str, export: Entity) -> Iterator[Entity]:
        """An identity told by its object id stays attached; it cannot be attached here, so it has to be there."""
        ref = Ref("cluster_identity", (symbol,))
        if not self._is_stranger(symbol):
            there = self._observed.entities.get(ref)
            yield from (Entity(ref, there.fields),) if there is not None and is_guid(symbol) else ()
            return
        unseen = self._observed.gap(ref) or not self._scope.cluster_id or self._scope.manages("arm") == "off"
        said = "could not be looked for on the cluster" if unseen else "is not attached to the cluster"
        remedy = "name it under cluster.identities, by its resource id"
        self.findings.append(Finding("unknown", export.ref, f"its identity {symbol} {said}", remedy))

    def _is_stranger(self, symbol: str) -> bool:
        """Whether nothing but its object id is known of an identity, though the cluster was asked."""
        asked = bool(self._observed.readings)
        return asked and is_guid(symbol) and Ref("cluster_identity", (symbol,)) not in self._observed.entities

    def of_table(self, table: Entity) -> Iterator[Entity]:
        """An external table whose connection string carries an identity needs that identity's ExternalTable usage."""
        for symbol in sorted(carried(table)):
            key = ("carried", table.ref.name[0], symbol)
            level, database = self._scope.policy_scope, table.ref.name[0]
            usage = managed_identity_policy.usage(level, database, symbol, "ExternalTable", ())
            yield from self._once(key, (*_attached(symbol), usage))

    def _once(self, key: Hashable, links: Iterable[Entity]) -> Links:
        if key not in self._built:
            self._built[key] = tuple(replace(link, owner=self._scope.mark) for link in links)
        return self._built[key]

    def _reading(self, export: Entity, symbol: str) -> Links:
        level = export.attributes.get("policyScope") or self._scope.policy_scope
        role = export.attributes.get("role") or "viewers"
        own, read = export.ref.name[0], databases_read(export, self._stored)
        key = ("reading", own, symbol, level, role, read)
        return self._built.get(key) or self._once(key, _reader(own, symbol, level, role, read))

    def _writing(self, table: Entity, symbol: str | None) -> Iterator[Entity]:
        """Write permission on every place that the table's connection strings name, for whoever writes there."""
        target = self._scope.targets.get(str(table.attributes.get("target") or ""))
        doc = target.doc if target else {}
        if table.fields.get("kind") != "sql":
            yield from self._containers(table, doc)
        for connection in connections(table):
            if isinstance(connection.get("auth"), Hidden) or isinstance(connection.get("identity"), Hidden):
                self._unstated(table, doc)
            writer = connection.get("identity") if connection.get("auth") == "managedIdentity" else symbol
            if connection.get("auth") not in ("impersonate", "managedIdentity") or not isinstance(writer, str):
                continue
            if table.fields.get("kind") == "sql":
                if self._is_stranger(writer):
                    continue  # a SQL user is made from a client id and a name, and neither is known
                key: Hashable = ("sql", connection["server"], connection["database"], writer, *_sql_table(table))
                yield from self._built.get(key) or self._once(key, _sql(table, connection, writer, doc))
            elif doc.get("grant") != "none":
                place: object = target.name if target else connection["uri"]
                key = ("storage", place, writer)
                yield from self._built.get(key) or self._once(key, self._storage(table, connection, writer, doc))

    def _containers(self, table: Entity, doc: Mapping[str, object]) -> Iterator[Entity]:
        """The containers of a table, where its target asks for them; what is not there is noted, whoever writes."""
        for place in dict.fromkeys(_container_of(str(one["uri"])) for one in connections(table)):
            key = (place, str(table.attributes.get("target") or ""))
            if key not in self._places:
                self._places[key] = self._container(place, doc)
            found, made = self._places[key]
            if found is not None and found.ref is not None:
                self.absent[found.ref] = found
                self.lacks[table.ref] = tuple(dict.fromkeys((*self.lacks.get(table.ref, ()), found.ref)))
            yield from made

    def _container(self, uri: str, doc: Mapping[str, object]) -> tuple[Finding | None, Links]:
        """What is missing of one container, and it as an entity where it is to be made."""
        location = locate(uri)
        if location is None:
            return None, ()
        account, wanted = self._account(location, doc), bool(doc.get("createContainer"))
        found = container.absent(location, self._observed, made=wanted)
        if (found is not None and found.ref is not None) or not (wanted and account):
            return found, ()
        key = ("container", account, location.container)
        return found, self._once(key, (container.container(account, location, ()),))

    def _account(self, location: Location, doc: Mapping[str, object]) -> str:
        stated = str(doc.get("resourceId") or "").split("/blobServices/", 1)[0]
        return stated or self._scope.directory.accounts.get(location.host, "")

    def _unstated(self, table: Entity, doc: Mapping[str, object]) -> None:
        message = "how it gets in is neither shown nor stated, so nobody can tell which right it needs to write there"
        self.findings.append(
            Finding("unverifiable", table.ref, message, "state auth" + (" on its target" if doc else ""))
        )

    def _storage(
        self, table: Entity, connection: Connection, writer: str, doc: Mapping[str, object]
    ) -> Iterator[Entity]:
        location = locate(str(connection["uri"]))
        if location is None:
            yield from self._retired(table, connection, writer, doc)
            return
        if doc.get("grant") == "acl":
            base = locate(str(doc["url"])) or location
            entries = acl_entry.entries(base.dfs_host, base.container, "/" + base.path, writer, ())
            self.findings += acl_entry.lacking(entries, self._observed)
            yield from entries
            return
        account = self._account(location, doc)
        if not account:
            self.unplaced.append(Unplaced(table.ref, str(connection["uri"]), writer))
            self.findings.append(self._lost(table, location.host))
            return
        wide = doc.get("grantScope") == "account"
        where = account if wide else f"{account}/blobServices/default/containers/{location.container}"
        trusted = bool(doc.get("acceptConditional"))
        role = str(doc.get("role") or BLOB_WRITER)
        yield role_assignment.assignment(where, role, writer, (), accept_conditional=trusted)

    def _retired(
        self, table: Entity, connection: Connection, writer: str, doc: Mapping[str, object]
    ) -> Iterator[Entity]:
        """Data Lake Storage Gen1, which only ``allowRetired`` lets through: its rights are given on the account."""
        host = lake_store(str(connection["uri"]))
        if not host:
            return
        account = str(doc.get("resourceId") or "").rstrip("/") or self._scope.directory.accounts.get(host, "")
        if account:
            trusted = bool(doc.get("acceptConditional"))
            role = str(doc.get("role") or LAKE_STORE_WRITER)
            yield role_assignment.assignment(account, role, writer, (), accept_conditional=trusted)
            return
        self.unplaced.append(Unplaced(table.ref, str(connection["uri"]), writer))
        self.findings.append(self._lost(table, host))

    def _lost(self, table: Entity, host: str) -> Finding:
        """No account is known for a host: nobody may look for it, or it is not shown to this caller."""
        gap = self._observed.gap(Ref(container.KIND, (host.partition(".")[0], "")))
        if gap is not None:
            message = f"the storage account of {host} could not be looked for ({gap.failure.message})"
        else:
            message = f"the storage account of {host} was not found"
        remedy = "set resourceId on its target, or give this pipeline the right to read it"
        return Finding("blocked", table.ref, message, remedy)


def _container_of(uri: str) -> str:
    """The part of an address that leads to its container: thousands of tables share a few of them."""
    return "/".join(uri.split("/", 4)[:4])


def _attached(symbol: str) -> Links:
    """The system identity needs no entry in the spec; user-assigned ones are there by name."""
    return (Entity(Ref("cluster_identity", (SYSTEM,)), {"resourceId": ""}),) if symbol == SYSTEM else ()


def _reader(own: str, symbol: str, level: str, role: str, read: Iterable[str]) -> Iterator[Entity]:
    yield from _attached(symbol)
    yield managed_identity_policy.usage(level, own, symbol, "AutomatedFlows", ())
    for name in sorted(read):
        yield database_role.grant(name, role, symbol, ())


def _sql_table(table: Entity) -> tuple[str, bool]:
    return str(table.fields.get("table")), bool(table.fields.get("createIfNotExists"))


def _sql(table: Entity, connection: Connection, writer: str, doc: Mapping[str, object]) -> Iterable[Entity]:
    name, create = _sql_table(table)
    where = (str(connection["server"]), str(connection["database"]))
    return sql_grant.grants(where, writer, name, create=create, doc=doc, reasons=())
