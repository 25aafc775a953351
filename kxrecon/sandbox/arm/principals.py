"""Microsoft.Kusto principal assignments on clusters and databases.

A cluster's assignments are kept as ``cluster_principal``; those of databases as ``database_principal``.
Both are long-running and take the cluster's lock.
"""

from __future__ import annotations

from kxrecon.sandbox.arm import operations
from kxrecon.sandbox.arm.call import IN_GROUP, Answer, Call, Operation, pages, route
from kxrecon.sandbox.arm.clusters import cluster_id, stored, stored_database
from kxrecon.sandbox.arm.errors import Refusal, bad_content, not_found
from kxrecon.sandbox.arm.rights import require
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

_CLUSTER = IN_GROUP + "/providers/Microsoft.Kusto/clusters/{clusterName}"
_CLUSTER_ROLES = ("AllDatabasesAdmin", "AllDatabasesViewer", "AllDatabasesMonitor")
_DATABASE_ROLES = ("Admin", "Ingestor", "Monitor", "User", "UnrestrictedViewer", "Viewer")
_TYPES = {"App": "ServicePrincipal", "Group": "Group", "User": "User"}
_FIELDS = {
    "principalId",
    "role",
    "tenantId",
    "principalType",
    "tenantName",
    "principalName",
    "provisioningState",
    "aadObjectId",
}


def _place(call: Call) -> tuple[str, tuple[str, ...], Document, str]:
    """Kind and key prefix of the stored assignments that a request is about; cluster; its URI."""
    uri, cluster = stored(call)
    if "databaseName" not in call.path:
        return "cluster_principal", (uri,), cluster, uri
    name = str(stored_database(call, uri)["name"])
    return "database_principal", (uri, name), cluster, uri


def get(call: Call) -> Answer:
    """ClusterPrincipalAssignments_Get and DatabasePrincipalAssignments_Get."""
    require(call.world, _action(call, "read"), cluster_id(call))
    kind, prefix, cluster, _ = _place(call)
    name = call.path["principalAssignmentName"]
    found = call.store.get(kind, *prefix, name.lower())
    if not found:
        raise not_found(
            "Microsoft.Kusto/clusters",
            f"{call.path['clusterName']}/principalAssignments/{name}",
            call.path["resourceGroupName"],
        )
    return Answer(describe(cluster, prefix, found))


def listed(call: Call) -> Answer:
    """…PrincipalAssignments_List."""
    require(call.world, _action(call, "read"), cluster_id(call))
    kind, prefix, cluster, _ = _place(call)
    return pages(call, [describe(cluster, prefix, one) for _, one in call.store.all(kind, *prefix)])


def create(call: Call) -> Answer:
    """…PrincipalAssignments_CreateOrUpdate: 201 new, 200 replaced, both long-running."""
    require(call.world, _action(call, "write"), cluster_id(call))
    kind, prefix, cluster, uri = _place(call)
    name = call.path["principalAssignmentName"]
    document = {"name": name, **_checked(call)}
    existing = call.store.get(kind, *prefix, name.lower())
    put = {"kind": kind, "key": [*prefix, name.lower()], "document": document}
    operation = operations.begin(call, uri, "PrincipalAssignmentPut", {"put": [put]})
    _one_poll(call, operation)
    headers = operations.links(call, operation, str(cluster.get("location", "westeurope")))
    return Answer(describe(cluster, prefix, document), 200 if existing else 201, headers)


def delete(call: Call) -> Answer:
    """…PrincipalAssignments_Delete: 202 and an operation, 204 if there was nothing."""
    require(call.world, _action(call, "delete"), cluster_id(call))
    kind, prefix, cluster, uri = _place(call)
    key = [*prefix, call.path["principalAssignmentName"].lower()]
    if not call.store.get(kind, *key):
        return Answer(None, 204)
    operation = operations.begin(call, uri, "PrincipalAssignmentDelete", {"delete": [{"kind": kind, "key": key}]})
    _one_poll(call, operation)
    return Answer(None, 202, operations.links(call, operation, str(cluster.get("location", "westeurope"))))


def _one_poll(call: Call, operation: Document) -> None:
    """A client that follows Location ends at its first 200, so the operation has to end there too."""
    operation["polls"] = 1
    call.store.put("operation", (operation["id"],), operation)


def _action(call: Call, verb: str) -> str:
    level = "clusters/databases" if "databaseName" in call.path else "clusters"
    return f"Microsoft.Kusto/{level}/principalAssignments/{verb}"


def _checked(call: Call) -> Document:
    """The properties of the body, checked, with the principal that they mean."""
    asked = call.body().get("properties")
    if not isinstance(asked, dict) or not set(asked) <= _FIELDS:
        raise bad_content("Error converting value to type 'PrincipalProperties'. Path 'properties'")
    for name in ("principalId", "role", "principalType"):
        if not isinstance(asked.get(name), str):
            raise bad_content(f"Required property '{name}' not found in JSON. Path 'properties'")
    roles = _DATABASE_ROLES if "databaseName" in call.path else _CLUSTER_ROLES
    if asked["role"] not in roles or asked["principalType"] not in _TYPES:
        raise Refusal(
            400, "BadRequest", f"[BadRequest] Role '{asked['role']}' or type '{asked['principalType']}' is invalid."
        )
    object_id, principal = _find(call.world, asked["principalId"], asked["principalType"])
    return {
        "role": asked["role"],
        "principalId": asked["principalId"],
        "principalType": asked["principalType"],
        "tenantId": asked.get("tenantId") or call.world.tenant,
        "principalName": principal.get("displayName", ""),
        "aadObjectId": object_id,
    }


def _find(world: World, named: str, kind: str) -> tuple[str, Document]:
    """A principal by object id, client id, mail or name; 400 if Entra does not know it (yet)."""
    wanted = named.lower()
    for (object_id,), document in world.store.all("principal"):
        known = {object_id, *(str(document.get(field, "")).lower() for field in ("clientId", "upn", "displayName"))}
        if wanted in known and document["type"] == _TYPES[kind]:
            return object_id, document
    raise Refusal(
        400,
        "BadRequest",
        f"[BadRequest] Entity ID '{named}' of type '{kind}' was not found in AAD tenant '{world.tenant}'.",
    )


def describe(cluster: Document, prefix: tuple[str, ...], document: Document) -> Document:
    """An assignment as ARM answers it: name compound, segments of the id written large."""
    name = str(cluster["resourceId"]).rsplit("/", 1)[-1]
    above = str(cluster["resourceId"]).replace("/clusters/", "/Clusters/")
    kind, compound = "Microsoft.Kusto/Clusters", name
    if len(prefix) > 1:
        above, kind, compound = f"{above}/Databases/{prefix[1]}", f"{kind}/Databases", f"{name}/{prefix[1]}"
    fields = ("principalId", "role", "tenantId", "principalType", "principalName", "aadObjectId")
    return {
        "id": f"{above}/PrincipalAssignments/{document['name']}",
        "name": f"{compound}/{document['name']}",
        "type": f"{kind}/PrincipalAssignments",
        "properties": {
            **{field: document[field] for field in fields if document.get(field)},
            "provisioningState": "Succeeded",
        },
    }


def list_principals(call: Call) -> Answer:
    """Databases_ListPrincipals: what either channel granted, with FQNs without a tenant."""
    require(call.world, "Microsoft.Kusto/clusters/databases/listPrincipals/action", cluster_id(call))
    uri, _ = stored(call)
    name = str(stored_database(call, uri)["name"])
    rows = [_from_command(call.world, key, row) for key, row in call.store.all("role", uri, "database", name)]
    rows += [_from_assignment(call.world, row) for _, row in call.store.all("database_principal", uri, name)]
    return Answer({"value": [row for row in rows if row]})


def _from_command(world: World, key: tuple[str, ...], row: Document) -> Document | None:
    """A principal that a management command added; its role is the plural in the key."""
    role = key[-2].lower().removesuffix("s")
    shown = next((one for one in _DATABASE_ROLES if one.lower() == role), None)
    if not shown:
        return None
    object_id = str(row.get("objectId", ""))
    return _principal(
        world, object_id, shown, world.principal(object_id) or {"type": row.get("type", "ServicePrincipal")}
    )


def _from_assignment(world: World, row: Document) -> Document:
    found = world.principal(str(row["aadObjectId"])) or {"type": _TYPES[row["principalType"]]}
    return _principal(world, str(row["aadObjectId"]), str(row["role"]), found)


def _principal(world: World, object_id: str, role: str, found: Document) -> Document:
    kind = next((name for name, entra in _TYPES.items() if entra == found.get("type")), "App")
    return {
        "name": found.get("displayName", object_id),
        "role": role,
        "type": kind,
        "fqn": f"aad{kind.lower()}={object_id}",
        "email": found.get("upn", ""),
        "appId": found.get("clientId", ""),
        "tenantName": world.tenant,
    }


def _routes(template: str, level: str) -> tuple[tuple[str, str, str, Operation], ...]:
    one = template + "/principalAssignments/{principalAssignmentName}"
    return (
        ("GET", one, f"{level}PrincipalAssignments_Get", get),
        ("PUT", one, f"{level}PrincipalAssignments_CreateOrUpdate", create),
        ("DELETE", one, f"{level}PrincipalAssignments_Delete", delete),
        ("GET", template + "/principalAssignments", f"{level}PrincipalAssignments_List", listed),
    )


_DATABASE = _CLUSTER + "/databases/{databaseName}"
ROUTES = tuple(
    route(*one)
    for one in (
        *_routes(_CLUSTER, "Cluster"),
        *_routes(_DATABASE, "Database"),
        ("POST", _DATABASE + "/listPrincipals", "Databases_ListPrincipals", list_principals),
    )
)
