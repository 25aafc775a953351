"""From the neutral inventory document to the sandbox's store.

The document names what exists before kxrecon comes: clusters with their databases, identities, storage
accounts, SQL servers, principals, role assignments. Bare (the default): what is named and missing is
added, nothing is ever reset, so the same document may be given on every start. ``strict: true`` says
that nothing else exists, either; a strict sandbox takes its inventory once and ignores later ones.

    {"version": 1, "tenantId"?: guid, "caller"?: {"objectId", "displayName", "type", "roles"?: […]},
     "clusters": [{"uri", "resourceId", "location"?, "state"?, "properties"?,
                   "identity"?: {"system": bool, "user": [ids]},
                   "databases": {DB: {"tables": {T: {"columns": [[name, type]…]}}}}}],
     "identities": [{"resourceId", "principalId"?, "clientId"?}],
     "storageAccounts": [{"name", "resourceId", "hierarchicalNamespace"?: bool, "containers"?: […],
                          "networkAcls"?: {…}, "publicNetworkAccess"?, "kind"?}],
     "dataLakeStores": [{"resourceId"}],
     "sqlServers": [{"server", "databases": {DB: {"schemas"?: […], "tables": {"dbo.T": [[column, type]]}}}}],
     "principals": [{"objectId", "type", "displayName"?, "upn"?, "clientId"?, "members"?}],
     "roleAssignments": [{"scope", "roleDefinitionId"|"role", "principalId", "name"?, "condition"?}], "strict"?: bool}

``caller.roles`` lists names of built-in roles (``"Reader"``), optionally at a scope
(``{"role": "Reader", "scope": "/subscriptions/…"}``); without it the caller may do everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from kxrecon.sandbox import switches
from kxrecon.sandbox.arm.builtin import BY_NAME
from kxrecon.sandbox.arm.complete import new_etag
from kxrecon.sandbox.arm.identity import current
from kxrecon.sandbox.arm.ids import normal, parse
from kxrecon.sandbox.arm.rights import role_guid
from kxrecon.sandbox.sql.names import parts
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

_TYPES = {"user": "User", "group": "Group", "serviceprincipal": "ServicePrincipal", "app": "ServicePrincipal"}


_SECTIONS = {
    *("version", "tenantId", "caller", "strict"),
    *("principals", "identities", "clusters", "storageAccounts", "dataLakeStores", "sqlServers", "roleAssignments"),
}


class InventoryError(ValueError):
    """The inventory document is not usable; the message names the entry."""


def stock(world: World, inventory: Mapping[str, Any]) -> None:
    """Put an inventory into the store. Raises InventoryError; then nothing was changed."""
    with world.store.transaction():
        known = switches.load(world.store)
        if known.strict:
            return
        if inventory.get("tenantId") and not world.store.get("meta", "tenant"):
            world.store.put("meta", ("tenant",), {"id": str(inventory["tenantId"]).lower()})
        if inventory.get("caller"):
            world.store.put("meta", ("caller",), dict(inventory["caller"]))
        _fill(world, inventory)
        if inventory.get("strict"):
            switches.save(world.store, replace(known, strict=True))


def _fill(world: World, inventory: Mapping[str, Any]) -> None:
    """Identities before clusters, principals before what is granted to them."""
    unknown = sorted(str(name) for name in set(inventory) - _SECTIONS)
    if unknown:
        raise InventoryError(f"unknown: {', '.join(unknown)} (known are {', '.join(sorted(_SECTIONS))})")
    _caller(world)
    for entry in _entries(inventory, "principals", "objectId"):
        _principal(world, entry)
    for entry in _entries(inventory, "identities", "resourceId"):
        _identity(world, entry)
    for entry in _entries(inventory, "clusters", "uri"):
        _cluster(world, entry)
    for entry in _entries(inventory, "storageAccounts", "name"):
        _account(world, entry)
    for entry in _entries(inventory, "dataLakeStores", "resourceId"):
        _lake_store(world, entry)
    for entry in _entries(inventory, "sqlServers", "server"):
        _sql_server(world, entry)
    for entry in _entries(inventory, "roleAssignments", "scope"):
        _assignment(world, entry)


def _entries(inventory: Mapping[str, Any], section: str, required: str) -> Iterable[Mapping[str, Any]]:
    listed = inventory.get(section) or ()
    if not isinstance(listed, list | tuple):
        raise InventoryError(f"{section}: a list is wanted, not {type(listed).__name__}")
    for index, entry in enumerate(listed):
        if not isinstance(entry, Mapping) or not entry.get(required):
            raise InventoryError(f"{section}[{index}]: {required} is missing")
        yield entry


def _add(world: World, kind: str, key: tuple[str, ...], document: Document) -> None:
    """Only what is not there yet."""
    if world.store.get(kind, *key) is None:
        world.store.put(kind, key, document)


def _caller(world: World) -> None:
    caller = world.caller
    document = {
        "type": caller.get("type", "User"),
        "displayName": caller.get("displayName", ""),
        "tenantId": world.tenant,
    }
    _add(world, "principal", (str(caller["objectId"]).lower(),), document)


def _principal(world: World, entry: Mapping[str, Any]) -> None:
    kind = _TYPES.get(str(entry.get("type", "User")).lower())
    if not kind:
        raise InventoryError(f"principals: type {entry.get('type')!r} is none of User, Group, ServicePrincipal")
    document: Document = {
        "type": kind,
        "displayName": entry.get("displayName") or entry.get("upn") or entry["objectId"],
        "tenantId": entry.get("tenantId") or world.tenant,
        "members": [str(one).lower() for one in entry.get("members") or ()],
    }
    document |= {field: entry[field] for field in ("upn", "clientId") if entry.get(field)}
    _add(world, "principal", (str(entry["objectId"]).lower(),), document)


def _identity(world: World, entry: Mapping[str, Any]) -> None:
    place = parse(str(entry["resourceId"]))
    if not place or not place.name:
        raise InventoryError(f"identities: {entry['resourceId']!r} is not a resource id")
    key = normal(str(entry["resourceId"]))
    if world.store.get("identity", key):
        return
    ids = {
        "principalId": str(entry.get("principalId") or uuid4()).lower(),
        "clientId": str(entry.get("clientId") or uuid4()).lower(),
        "tenantId": world.tenant,
    }
    location = entry.get("location", "westeurope")
    world.store.put("identity", (key,), {"id": entry["resourceId"], "name": place.name, "location": location, **ids})
    principal = {
        "type": "ServicePrincipal",
        "displayName": place.name,
        "clientId": ids["clientId"],
        "tenantId": world.tenant,
    }
    world.store.put("principal", (ids["principalId"],), principal)


def _cluster(world: World, entry: Mapping[str, Any]) -> None:
    uri = cluster_key(str(entry["uri"]))
    name = (urlsplit(uri).hostname or uri).split(".")[0]
    if world.store.get("cluster", uri) is None:
        document: Document = {
            "resourceId": entry.get("resourceId") or _invented(name),
            "location": entry.get("location", "West Europe"),
            "state": entry.get("state", "Running"),
            "etag": new_etag(),
            "properties": dict(entry.get("properties") or {}),
            "identity": _identities(world, entry.get("identity") or {}, name),
        }
        world.store.put("cluster", (uri,), document)
    for database, content in (entry.get("databases") or {}).items():
        _database(world, uri, str(database), content or {})


def _invented(name: str) -> str:
    """An id for a cluster that is named by its address only."""
    return (
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/sandbox"
        f"/providers/Microsoft.Kusto/clusters/{name}"
    )


def cluster_key(uri: str) -> str:
    """The key of a cluster: its address in lower case, without a slash at the end."""
    return uri.rstrip("/").lower()


def _identities(world: World, block: Mapping[str, Any], name: str) -> Document:
    """The identity block of a new cluster; identities that it names come into being with it."""
    users = [str(one) for one in block.get("user") or ()]
    for one in users:
        _identity(world, {"resourceId": one})
    system = world.new_service_principal(name)["principalId"] if block.get("system") else None
    return current({"identity": {"system": system, "user": [normal(one) for one in users]}})


def _database(world: World, uri: str, name: str, content: Mapping[str, Any]) -> None:
    """A database and its tables, spelled as given; names in Kusto are case-sensitive."""
    _add(world, "database", (uri, name), {"name": name, "accessMode": "ReadWrite", "version": "v1.0"})
    for table, shape in (content.get("tables") or {}).items():
        document: Document = {
            "name": str(table),
            "columns": [list(column) for column in (shape or {}).get("columns") or ()],
            "folder": "",
            "docString": "",
            "created": world.stamp(),
        }
        _add(world, "table", (uri, name, str(table)), document)


def _account(world: World, entry: Mapping[str, Any]) -> None:
    name = str(entry["name"]).lower()
    document: Document = {
        "resourceId": entry.get("resourceId") or _invented_account(name),
        "kind": entry.get("kind", "StorageV2"),
        "location": entry.get("location", "westeurope"),
        "hns": bool(entry.get("hierarchicalNamespace")),
        "publicNetworkAccess": entry.get("publicNetworkAccess", "Enabled"),
        "networkAcls": dict(entry.get("networkAcls") or {}),
        "allowSharedKeyAccess": entry.get("allowSharedKeyAccess", True),
    }
    if entry.get("suffix"):
        document["suffix"] = entry["suffix"]
    _add(world, "account", (name,), document)
    for container in entry.get("containers") or ():
        named = container if isinstance(container, Mapping) else {"name": container}
        fresh = {"etag": f'"0x{uuid4().hex[:15].upper()}"', "modified": world.stamp()}
        rest = {field: value for field, value in named.items() if field != "name"}
        _add(world, "container", (name, str(named["name"])), {**fresh, **rest})


def _lake_store(world: World, entry: Mapping[str, Any]) -> None:
    """An account of Data Lake Storage Gen1: a resource on which roles can be assigned, and nothing else any more."""
    place = parse(str(entry["resourceId"]))
    if not place or place.kind.lower() != "microsoft.datalakestore/accounts":
        raise InventoryError(f"dataLakeStores: {entry['resourceId']!r} is not the id of such an account")
    document = {"resourceId": entry["resourceId"], "location": entry.get("location", "westeurope")}
    _add(world, "lake_store", (place.name.lower(),), document)


def _invented_account(name: str) -> str:
    return (
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/sandbox"
        f"/providers/Microsoft.Storage/storageAccounts/{name}"
    )


def _sql_server(world: World, entry: Mapping[str, Any]) -> None:
    server = str(entry["server"]).lower()
    for database, content in (entry.get("databases") or {}).items():
        tables = (content or {}).get("tables") or {}
        key = (server, str(database).lower())
        known = world.store.get("sql_database", *key) or {"name": str(database), "tables": {}}
        held = {name.lower() for name in known["tables"]}
        named = {".".join(parts(name)): _columns(shape) for name, shape in tables.items()}
        missing = {name: shape for name, shape in named.items() if name.lower() not in held}
        document = {**known, "tables": {**known["tables"], **missing}}
        own = known.get("schemas") or ()
        fresh = [str(one) for one in (content or {}).get("schemas") or () if str(one) not in own]
        if own or fresh:
            document["schemas"] = [*own, *fresh]
        world.store.put("sql_database", key, document)


def _columns(shape: Any) -> list[list[str]]:
    listed = shape.get("columns") or () if isinstance(shape, Mapping) else shape or ()
    return [[str(part) for part in column] for column in listed]


def _assignment(world: World, entry: Mapping[str, Any]) -> None:
    named = BY_NAME.get(str(entry.get("role", "")).lower())
    definition = entry.get("roleDefinitionId") or (named.guid if named else None)
    if not definition or not entry.get("principalId"):
        raise InventoryError(f"roleAssignments: {entry['scope']}: role or principalId is missing or unknown")
    scope, principal = normal(str(entry["scope"])), str(entry["principalId"]).lower()
    rows = world.store.all("role_assignment", scope)
    wanted = (principal, role_guid(str(definition)))
    if any((row["principalId"], role_guid(str(row["roleDefinitionId"]))) == wanted for _, row in rows):
        return
    known = world.principal(principal)
    document: Document = {
        "roleDefinitionId": definition,
        "principalId": principal,
        "principalType": entry.get("principalType") or (known["type"] if known else "ServicePrincipal"),
        "scope": str(entry["scope"]),
        "createdOn": world.stamp(),
    }
    optional = ("description", "condition", "conditionVersion", "effectiveAt")
    document |= {field: entry[field] for field in optional if entry.get(field)}
    world.store.put("role_assignment", (scope, str(entry.get("name") or uuid4()).lower()), document)
