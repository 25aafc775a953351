"""Microsoft.Storage accounts and blob containers, the control plane only."""

from __future__ import annotations

import re
from uuid import uuid4

from kxrecon.sandbox.arm.call import Answer, Call, pages, route
from kxrecon.sandbox.arm.errors import Refusal, bad_content, not_found
from kxrecon.sandbox.arm.ids import normal, parse
from kxrecon.sandbox.arm.rights import require
from kxrecon.sandbox.store import Document

_LIST = "/subscriptions/{subscriptionId}/providers/Microsoft.Storage/storageAccounts"
_GROUP = (
    "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage/storageAccounts"
)
_ACCOUNT = _GROUP + "/{accountName}"
_CONTAINERS = _ACCOUNT + "/blobServices/default/containers"
_CONTAINER = _CONTAINERS + "/{containerName}"
_KIND = "Microsoft.Storage/storageAccounts"
_NAME = re.compile(r"^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$|^\$(root|web|logs)$")


def stored(call: Call) -> Document:
    """The account that a request names; 404 unless it is in that subscription and group."""
    found = call.store.get("account", call.path["accountName"].lower())
    asked = normal("/".join(call.resource.split("/")[:9]))
    if not found or normal(str(found["resourceId"])) != asked:
        raise not_found(_KIND, call.path["accountName"], call.path["resourceGroupName"])
    return found


def get(call: Call) -> Answer:
    """StorageAccounts_GetProperties."""
    require(call.world, f"{_KIND}/read", call.resource)
    return Answer(describe(stored(call)))


def listed(call: Call) -> Answer:
    """StorageAccounts_List and _ListByResourceGroup."""
    at = normal(call.resource).partition("/providers/")[0]
    require(call.world, f"{_KIND}/read", at)
    found = (one for _, one in call.store.all("account"))
    return pages(call, [describe(one) for one in found if normal(str(one["resourceId"])).startswith(at + "/")])


def describe(document: Document) -> Document:
    """An account as ARM answers it."""
    place = parse(str(document["resourceId"]))
    name = place.name if place else ""
    suffix = document.get("suffix", "core.windows.net")
    location = document.get("location", "westeurope")
    acls = {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []}
    properties: Document = {
        "provisioningState": "Succeeded",
        "primaryEndpoints": {
            kind: f"https://{name}.{kind}.{suffix}/" for kind in ("blob", "dfs", "queue", "table", "file", "web")
        },
        "primaryLocation": location,
        "statusOfPrimary": "available",
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
        "publicNetworkAccess": document.get("publicNetworkAccess", "Enabled"),
        "networkAcls": {**acls, **(document.get("networkAcls") or {})},
        "allowSharedKeyAccess": document.get("allowSharedKeyAccess", True),
    }
    if document.get("hns"):
        properties["isHnsEnabled"] = True
    return {
        "id": document["resourceId"],
        "name": name,
        "type": _KIND,
        "kind": document.get("kind", "StorageV2"),
        "location": location,
        "tags": document.get("tags") or {},
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "properties": properties,
    }


def container(call: Call) -> Answer:
    """BlobContainers_Get."""
    require(call.world, f"{_KIND}/blobServices/containers/read", call.resource)
    account = stored(call)
    return Answer(describe_container(account, call.path["containerName"], _container(call)))


def _container(call: Call) -> Document:
    found = call.store.get("container", call.path["accountName"].lower(), call.path["containerName"])
    if not found:
        raise Refusal(404, "ContainerNotFound", "The specified container does not exist.")
    return found


def containers(call: Call) -> Answer:
    """BlobContainers_List."""
    require(call.world, f"{_KIND}/blobServices/containers/read", call.resource)
    account = stored(call)
    rows = call.store.all("container", call.path["accountName"].lower())
    return pages(call, [describe_container(account, name, document) for (_, name), document in rows])


def create_container(call: Call) -> Answer:
    """BlobContainers_Create: 201 new, 200 if it was there; a short answer, as in the contract's example."""
    require(call.world, f"{_KIND}/blobServices/containers/write", call.resource)
    account, name = stored(call), call.path["containerName"]
    if not _NAME.match(name):
        raise Refusal(400, "InvalidResourceName", f"The specified resource name '{name}' contains invalid characters.")
    asked = call.body(required=False).get("properties") or {}
    if not isinstance(asked, dict) or not set(asked) <= {"publicAccess", "metadata"}:
        raise bad_content("Could not convert 'properties' to type 'ContainerProperties'")
    key = (call.path["accountName"].lower(), name)
    existing = call.store.get("container", *key)
    document = {**(existing or {"etag": f'"0x{uuid4().hex[:15].upper()}"', "modified": call.world.stamp()}), **asked}
    call.store.put("container", key, document)
    full = describe_container(account, name, document)
    return Answer({field: full[field] for field in ("id", "name", "type")}, 200 if existing else 201)


def describe_container(account: Document, name: str, document: Document) -> Document:
    """A container as ARM answers it."""
    immutability, hold = document.get("immutability"), document.get("legalHold")
    properties: Document = {
        "publicAccess": document.get("publicAccess", "None"),
        "leaseStatus": "Unlocked",
        "leaseState": "Available",
        "hasImmutabilityPolicy": bool(immutability),
        "hasLegalHold": bool(hold),
        "metadata": document.get("metadata") or {},
    }
    if document.get("modified"):
        properties["lastModifiedTime"] = document["modified"]
    if immutability:
        properties["immutabilityPolicy"] = {"properties": _policy(immutability)}
    return {
        "id": f"{account['resourceId']}/blobServices/default/containers/{name}",
        "name": name,
        "type": f"{_KIND}/blobServices/containers",
        "etag": document.get("etag", '"0x8D0000000000000"'),
        "properties": properties,
    }


def _policy(immutability: Document) -> Document:
    return {
        "immutabilityPeriodSinceCreationInDays": int(immutability.get("days", 0)),
        "state": immutability.get("state", "Unlocked"),
    }


def immutability_policy(call: Call) -> Answer:
    """BlobContainers_GetImmutabilityPolicy; without one Azure answers a policy of zero days."""
    require(call.world, f"{_KIND}/blobServices/containers/immutabilityPolicies/read", call.resource)
    stored(call)
    body = {
        "id": call.resource,
        "name": "default",
        "type": f"{_KIND}/blobServices/containers/immutabilityPolicies",
        "properties": _policy(_container(call).get("immutability") or {}),
        "etag": '""',
    }
    return Answer(body)


ROUTES = (
    route("GET", _LIST, "StorageAccounts_List", listed),
    route("GET", _GROUP, "StorageAccounts_ListByResourceGroup", listed),
    route("GET", _ACCOUNT, "StorageAccounts_GetProperties", get),
    route("GET", _CONTAINERS, "BlobContainers_List", containers),
    route("GET", _CONTAINER, "BlobContainers_Get", container),
    route("PUT", _CONTAINER, "BlobContainers_Create", create_container),
    route(
        "GET", _CONTAINER + "/immutabilityPolicies/default", "BlobContainers_GetImmutabilityPolicy", immutability_policy
    ),
)
