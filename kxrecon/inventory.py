"""The bare world that a spec takes for granted: what an empty sandbox has to hold before the first plan.

Clusters, databases, accounts, identities, SQL servers and principals exist; grants, policies, external
tables and exports do not. The result is a neutral JSON document: the sandbox reads nothing else of a
spec, and ``--inventory FILE`` takes the same form for a world that differs.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kxrecon.model import Entity, Ref
from kxrecon.scope import Scope
from kxrecon.sql_names import schema_and_table
from kxrecon.storage_uri import lake_store, locate
from kxrecon.surroundings import surroundings

if TYPE_CHECKING:
    from kxrecon.spec import Spec

Document = dict[str, Any]

NOWHERE = "00000000-0000-4000-8000-000000000001"  # the subscription of what the spec puts in none
_SQL_TYPES = {
    "bool": "bit",
    "datetime": "datetime2",
    "decimal": "decimal(34, 17)",
    "guid": "uniqueidentifier",
    "int": "int",
    "long": "bigint",
    "real": "float",
}
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_TYPES = {"aadapp": "ServicePrincipal", "aadgroup": "Group", "aaduser": "User"}


def inventory(spec: Spec) -> Document:
    """What ``spec`` addresses as existing, as an inventory document of version 1."""
    scope = surroundings(spec.desired, spec.scope)
    entities = spec.desired.entities
    ledger = [str(name) for name in ((spec.document.get("ledger") or {}).get("database"),) if name]
    strangers = [one for one in scope.identities if _GUID.match(one)]
    return {
        "version": 1,
        "clusters": [_cluster(scope, entities, ledger)] if scope.cluster_uri else [],
        "identities": [
            *({"resourceId": one} for one in sorted(set(scope.identities.values())) if one),
            *({"resourceId": _attached(one, scope), "principalId": one} for one in strangers),
        ],
        "storageAccounts": _accounts(scope, entities.values()),
        "dataLakeStores": _lake_stores(scope, entities.values()),
        "sqlServers": _sql_servers(scope, entities.values()),
        "principals": list(_principals(scope, entities.values())),
        "roleAssignments": [],
        "strict": False,
    }


def _cluster(scope: Scope, entities: Mapping[Ref, Entity], more: Iterable[str]) -> Document:
    """The cluster with its databases, ``more`` among them."""
    databases: dict[str, Document] = {name: {"tables": {}} for name in (*scope.databases, *more)}
    for export in _of(entities.values(), "continuous_export"):
        own = databases.setdefault(export.ref.name[0], {"tables": {}})
        own["tables"].update(_source_tables(export, entities))
    named = {"resourceId": scope.cluster_id} if scope.cluster_id else {}
    users = [_attached(one, scope) for one in filter(_GUID.match, scope.identities)]
    identity = {"identity": {"system": False, "user": users}} if users else {}
    return {"uri": scope.cluster_uri, **named, **identity, "databases": databases}


def _attached(object_id: str, scope: Scope) -> str:
    """A resource id for an identity that the spec tells by its object id only: it says that the cluster has it."""
    group = scope.cluster_id.partition("/providers/")[0] or f"/subscriptions/{NOWHERE}/resourceGroups/sandbox"
    return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/identity-{object_id[:8]}"


def _source_tables(export: Entity, entities: Mapping[Ref, Entity]) -> Iterator[tuple[str, Document]]:
    """Fact tables that another tool makes: they look like what the export writes, for want of better knowledge."""
    database = export.ref.name[0]
    target = entities.get(Ref("external_table", (database, str(export.fields.get("to")))))
    columns = target.fields.get("columns") if target else None
    for name in export.fields.get("over") or ():
        if Ref("table", (database, name)) not in entities:
            yield name, {"columns": [list(column) for column in columns or ()]}


def _of(entities: Iterable[Entity], kind: str) -> Iterator[Entity]:
    return (entity for entity in entities if entity.ref.kind == kind)


def _accounts(scope: Scope, entities: Iterable[Entity]) -> list[Document]:
    accounts: dict[str, Document] = {}
    for url, target in (*_target_urls(scope), *_table_urls(scope, entities)):
        place = locate(url)
        if place is None:
            continue
        account = accounts.setdefault(place.account, _account(scope, place.account))
        account["resourceId"] = target.get("resourceId") or account["resourceId"]
        account["hierarchicalNamespace"] |= ".dfs." in url or url.startswith("abfss") or target.get("grant") == "acl"
        if place.container not in account["containers"] and not target.get("createContainer"):
            account["containers"].append(place.container)
    return [accounts[name] for name in sorted(accounts)]


def _lake_stores(scope: Scope, entities: Iterable[Entity]) -> list[Document]:
    """Accounts of the retired Data Lake Storage Gen1."""
    found: dict[str, Document] = {}
    for url, target in (*_target_urls(scope), *_table_urls(scope, entities)):
        name = lake_store(url).partition(".")[0]
        if name:
            resource = _account(scope, name, "Microsoft.DataLakeStore/accounts")["resourceId"]
            known = found.setdefault(name, {"name": name, "resourceId": resource})
            known["resourceId"] = target.get("resourceId") or known["resourceId"]
    return [found[name] for name in sorted(found)]


def _account(scope: Scope, name: str, kind: str = "Microsoft.Storage/storageAccounts") -> Document:
    """An account whose id the spec leaves open lies where kxrecon will look for it."""
    subscription = next(iter(scope.subscriptions), "") or "/".join(scope.cluster_id.split("/")[2:3]) or NOWHERE
    group = f"/subscriptions/{subscription}/resourceGroups/sandbox"
    resource = f"{group}/providers/{kind}/{name}"
    return {"name": name, "resourceId": resource, "hierarchicalNamespace": False, "containers": []}


def _target_urls(scope: Scope) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((str(target.doc["url"]), target.doc) for target in scope.targets.values() if target.doc.get("url"))


def _table_urls(scope: Scope, entities: Iterable[Entity]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for table in _of(entities, "external_table"):
        target = scope.targets.get(str(table.attributes.get("target") or ""))
        for connection in table.fields.get("connections") or ():
            yield str(connection["uri"]), target.doc if target else {}


def _sql_servers(scope: Scope, entities: Iterable[Entity]) -> list[Document]:
    servers: dict[str, dict[str, Document]] = {}
    for target in scope.targets.values():
        if target.doc.get("server"):
            _database(servers, target.doc)
    for table in _of(entities, "external_table"):
        if table.fields.get("kind") != "sql":
            continue
        database = _database(servers, table.fields["connection"])
        schema, _ = schema_and_table(str(table.fields.get("table")))
        if schema.lower() not in ("dbo", *(one.lower() for one in database.get("schemas", ()))):
            database["schemas"] = [*database.get("schemas", ()), schema]
        if not table.fields.get("createIfNotExists"):
            columns = table.fields.get("columns") or ()
            database["tables"][".".join(schema_and_table(str(table.fields.get("table"))))] = {
                "columns": [[name, _SQL_TYPES.get(kind, "nvarchar(max)")] for name, kind in columns]
            }
    return [{"server": server, "databases": databases} for server, databases in sorted(servers.items())]


def _database(servers: dict[str, dict[str, Document]], place: Mapping[str, Any]) -> Document:
    server = servers.setdefault(str(place["server"]).lower(), {})
    return server.setdefault(str(place["database"]), {"tables": {}})


def _principals(scope: Scope, entities: Iterable[Entity]) -> Iterator[Document]:
    """Everybody whom the spec names, with the object id that the spec gives where it gives one."""
    named = dict(scope.principals)
    for role in (*_of(entities, "database_role"), *_of(entities, "cluster_role")):
        symbol = role.ref.name[-1]
        if "=" in symbol:
            named.setdefault(symbol, symbol)
    for symbol, fqn in sorted(named.items()):
        kind, _, rest = fqn.partition("=")
        who = rest.split(";")[0]
        document: Document = {"type": _TYPES.get(kind.lower(), "User"), "displayName": symbol if symbol != fqn else who}
        known = bool(_GUID.match(who.lower()))
        yield {**document, "objectId": who.lower()} if known else {**document, "objectId": _invented(who), "upn": who}


def _invented(upn: str) -> str:
    """An object id for somebody whom the spec knows by name only; the same one every time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, upn.lower()))
