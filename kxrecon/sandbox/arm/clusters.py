"""Microsoft.Kusto clusters and databases, shaped as the 2023-08-15 contract says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kxrecon.sandbox.arm import identity, operations
from kxrecon.sandbox.arm.call import IN_GROUP, Answer, Call, pages, route
from kxrecon.sandbox.arm.errors import Refusal, bad_content, not_found
from kxrecon.sandbox.arm.ids import normal, parse
from kxrecon.sandbox.arm.rights import caller_roles, grants, require
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

SKU = {"name": "Standard_E2ads_v5", "capacity": 2, "tier": "Standard"}
_ENVELOPE = {"tags", "location", "sku", "zones", "identity", "properties", "id", "name", "type", "etag", "systemData"}
_SETTABLE = {
    "enableDiskEncryption",
    "enableStreamingIngest",
    "enablePurge",
    "publicNetworkAccess",
    "enableAutoStop",
    "restrictOutboundNetworkAccess",
    "allowedFqdnList",
    "allowedIpRangeList",
    "publicIPType",
    "engineType",
    "trustedExternalTenants",
    "optimizedAutoscale",
    "acceptedAudiences",
}
_CLUSTER = IN_GROUP + "/providers/Microsoft.Kusto/clusters/{clusterName}"


def cluster_id(call: Call) -> str:
    """The cluster's id as the client wrote it."""
    path = call.path
    return (
        f"/subscriptions/{path['subscriptionId']}/resourceGroups/{path['resourceGroupName']}"
        f"/providers/Microsoft.Kusto/clusters/{path['clusterName']}"
    )


def stored(call: Call) -> tuple[str, Document]:
    """URI and document of the cluster that a request names; 404 if there is none."""
    wanted = normal(cluster_id(call))
    for (uri,), document in call.store.all("cluster"):
        if normal(str(document["resourceId"])) == wanted:
            return uri, document
    raise not_found("Microsoft.Kusto/clusters", call.path["clusterName"], call.path["resourceGroupName"])


def get(call: Call) -> Answer:
    """Clusters_Get. Reading a busy cluster brings its operation nearer to its end."""
    require(call.world, "Microsoft.Kusto/clusters/read", cluster_id(call))
    uri, document = stored(call)
    busy = operations.running(call.world, uri)
    if busy:
        operations.advance(call.world, busy)
        uri, document = stored(call)
    return Answer(describe(call.world, uri, document))


def listed(call: Call) -> Answer:
    """Clusters_List and Clusters_ListByResourceGroup."""
    at = f"/subscriptions/{call.path['subscriptionId']}".lower()
    if "resourceGroupName" in call.path:
        at += f"/resourcegroups/{call.path['resourceGroupName']}".lower()
    require(call.world, "Microsoft.Kusto/clusters/read", at)
    found = [
        describe(call.world, uri, document)
        for (uri,), document in call.store.all("cluster")
        if normal(str(document["resourceId"])).startswith(at + "/")
    ]
    return Answer({"value": found})


def update(call: Call) -> Answer:
    """Clusters_Update: 202 and an operation to follow."""
    require(call.world, "Microsoft.Kusto/clusters/write", cluster_id(call))
    uri, document = stored(call)
    body = call.body()
    unknown = set(body) - _ENVELOPE
    if unknown:
        raise bad_content(f"Could not find member '{min(unknown)}' on object of type 'ClusterUpdate'")
    _check_etag(call, document)
    operation = operations.begin(call, uri, "ClusterUpdate", {"cluster": _change(call.world, document, body)})
    answer = {**describe(call.world, uri, document)}
    return Answer(answer, 202, operations.links(call, operation, answer["location"]))


def _check_etag(call: Call, document: Document) -> None:
    expected = call.request.headers.get("If-Match")
    if expected and expected != "*" and expected.strip('"') != str(document.get("etag", "")).strip('"'):
        raise Refusal(
            412,
            "PreconditionFailed",
            f"The condition '{expected}' set by the If-Match header was not met: the cluster has changed.",
        )


def _change(world: World, document: Document, body: Document) -> Document:
    """The part of a PATCH that the sandbox keeps, checked."""
    change: Document = {}
    if body.get("identity") is not None:
        change["identity"] = identity.wanted(world, document, body["identity"])
        _may_assign(world, document, change["identity"]["user"])
    for name in ("tags", "properties"):
        if name in body and not isinstance(body[name], dict):
            raise bad_content(f"Error converting value to an object. Path '{name}'")
    if "tags" in body:
        change["tags"] = {str(key): str(value) for key, value in body["tags"].items()}
    if "properties" in body:
        change["properties"] = {name: value for name, value in body["properties"].items() if name in _SETTABLE}
    return change


def _may_assign(world: World, document: Document, users: list[str]) -> None:
    """Adding an identity needs a right on the identity itself, not only on the cluster."""
    action = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    for one in set(users) - {normal(user) for user in identity.current(document)["user"]}:
        roles = caller_roles(world, one)
        operator = "Microsoft.ManagedIdentity/userAssignedIdentities/x/assign/action"
        if roles is not None and not (grants(roles, action) or grants(roles, operator)):
            raise Refusal(
                403,
                "LinkedAuthorizationFailed",
                f"The client with object id '{world.caller.get('objectId', '')}' has permission to perform action "
                f"'Microsoft.Kusto/clusters/write', however, it does not have permission to perform action "
                f"'{action}' on the linked scope(s) '{one}'.",
            )


def switch_state(state: str, kind: str) -> Any:
    """Clusters_Stop and Clusters_Start."""

    def run(call: Call) -> Answer:
        require(call.world, f"Microsoft.Kusto/clusters/{kind.lower()}/action", cluster_id(call))
        uri, document = stored(call)
        operation = operations.begin(call, uri, f"Cluster{kind}", {"cluster": {"state": state}})
        return Answer(None, 202, operations.links(call, operation, str(document.get("location", "westeurope"))))

    return run


def describe(world: World, uri: str, document: Document) -> Document:
    """A cluster as ARM answers it; the segment ``Clusters`` is written large, as Azure does."""
    place = parse(str(document["resourceId"]))
    name = place.name if place else uri
    busy = operations.running(world, uri)
    host = urlsplit(uri).netloc
    properties: Document = {
        "state": document["state"],
        "provisioningState": "Running" if busy else "Succeeded",
        "uri": uri,
        "dataIngestionUri": f"https://ingest-{host}",
        "stateReason": "",
        "enableDiskEncryption": False,
        "enableStreamingIngest": False,
        "enablePurge": False,
        "enableDoubleEncryption": False,
        "enableAutoStop": True,
        "publicNetworkAccess": "Enabled",
        "restrictOutboundNetworkAccess": "Disabled",
        "allowedFqdnList": [],
        "allowedIpRangeList": [],
        "engineType": "V3",
        "publicIPType": "IPv4",
        **(document.get("properties") or {}),
    }
    return {
        "id": str(document["resourceId"]).replace("/clusters/", "/Clusters/"),
        "name": name,
        "type": "Microsoft.Kusto/Clusters",
        "location": document.get("location", "West Europe"),
        "tags": document.get("tags") or {},
        "sku": document.get("sku") or SKU,
        "identity": identity.describe(world, document),
        "etag": document.get("etag", ""),
        "properties": properties,
    }


def database(call: Call) -> Answer:
    """Databases_Get."""
    require(call.world, "Microsoft.Kusto/clusters/databases/read", cluster_id(call))
    uri, document = stored(call)
    return Answer(describe_database(document, stored_database(call, uri)))


def databases(call: Call) -> Answer:
    """Databases_ListByCluster."""
    require(call.world, "Microsoft.Kusto/clusters/databases/read", cluster_id(call))
    uri, document = stored(call)
    return pages(call, [describe_database(document, one) for _, one in call.store.all("database", uri)])


def stored_database(call: Call, uri: str) -> Document:
    """The database that a request names; 404 if there is none."""
    name = call.path["databaseName"]
    found = (one for _, one in call.store.all("database", uri))
    match = next((one for one in found if str(one["name"]).lower() == name.lower()), None)
    if not match:
        raise not_found(
            "Microsoft.Kusto/clusters", f"{call.path['clusterName']}/databases/{name}", call.path["resourceGroupName"]
        )
    return match


def describe_database(cluster: Document, document: Document) -> Document:
    """A database as ARM answers it: its name is compound."""
    place = parse(str(cluster["resourceId"]))
    return {
        "id": f"{str(cluster['resourceId']).replace('/clusters/', '/Clusters/')}/Databases/{document['name']}",
        "name": f"{place.name if place else ''}/{document['name']}",
        "type": "Microsoft.Kusto/Clusters/Databases",
        "location": cluster.get("location", "West Europe"),
        "kind": "ReadWrite",
        "properties": {"provisioningState": "Succeeded", "isFollowed": False},
    }


ROUTES = (
    route("GET", _CLUSTER, "Clusters_Get", get),
    route("PATCH", _CLUSTER, "Clusters_Update", update),
    route("POST", _CLUSTER + "/stop", "Clusters_Stop", switch_state("Stopped", "Stop")),
    route("POST", _CLUSTER + "/start", "Clusters_Start", switch_state("Running", "Start")),
    route("GET", _CLUSTER.rpartition("/")[0], "Clusters_ListByResourceGroup", listed),
    route("GET", "/subscriptions/{subscriptionId}/providers/Microsoft.Kusto/clusters", "Clusters_List", listed),
    route("GET", _CLUSTER + "/databases", "Databases_ListByCluster", databases),
    route("GET", _CLUSTER + "/databases/{databaseName}", "Databases_Get", database),
)
