"""Microsoft.ManagedIdentity: user-assigned identities, and the system identity of a scope."""

from __future__ import annotations

from kxrecon.sandbox.arm.call import Answer, Call, pages, route
from kxrecon.sandbox.arm.errors import Refusal, not_found
from kxrecon.sandbox.arm.identity import current
from kxrecon.sandbox.arm.ids import normal, parse
from kxrecon.sandbox.arm.rights import require
from kxrecon.sandbox.store import Document

_KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
_LIST = "/subscriptions/{subscriptionId}/providers/" + _KIND
_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/" + _KIND


def get(call: Call) -> Answer:
    """UserAssignedIdentities_Get."""
    require(call.world, f"{_KIND}/read", call.resource)
    found = call.store.get("identity", normal(call.resource))
    if not found:
        raise not_found(_KIND, call.path["resourceName"], call.path["resourceGroupName"])
    return Answer(describe(normal(call.resource), found))


def listed(call: Call) -> Answer:
    """UserAssignedIdentities_ListBySubscription and _ListByResourceGroup."""
    at = normal(call.resource).partition("/providers/")[0]
    require(call.world, f"{_KIND}/read", at)
    return pages(call, [describe(key, one) for (key,), one in call.store.all("identity") if key.startswith(at + "/")])


def describe(key: str, document: Document) -> Document:
    """An identity as ARM answers it; ``resourcegroups`` is written small here."""
    place = parse(str(document.get("id", key)))
    body: Document = {
        "id": str(document.get("id", key)).replace("/resourceGroups/", "/resourcegroups/"),
        "name": document.get("name") or (place.name if place else key),
        "type": _KIND,
        "location": document.get("location", "westeurope"),
        "tags": document.get("tags") or {},
        "properties": {name: document[name] for name in ("tenantId", "principalId", "clientId")},
    }
    return body


def system(call: Call) -> Answer:
    """SystemAssignedIdentities_GetByScope: the only place that tells a system identity's clientId."""
    scope = normal(call.path["scope"])
    require(call.world, "Microsoft.ManagedIdentity/identities/read", scope)
    for _, cluster in call.store.all("cluster"):
        if normal(str(cluster["resourceId"])) == scope and current(cluster)["system"]:
            return Answer(_system(call, str(cluster["resourceId"]), str(current(cluster)["system"])))
    raise Refusal(404, "ResourceNotFound", f"The resource '{call.path['scope']}' has no system-assigned identity.")


def _system(call: Call, resource: str, principal: str) -> Document:
    ids = call.world.principal(principal) or {}
    tenant = ids.get("tenantId", call.world.tenant)
    client = ids.get("clientId", "")
    secret = f"https://control-westeurope.identity.azure.net{resource}/credentials/v2/systemassigned"
    return {
        "id": f"{resource}/providers/Microsoft.ManagedIdentity/identities/default",
        "name": "default",
        "type": "Microsoft.ManagedIdentity/identities",
        "location": "westeurope",
        "tags": {},
        "properties": {
            "tenantId": tenant,
            "principalId": principal,
            "clientId": client,
            "clientSecretUrl": f"{secret}?tid={tenant}&oid={principal}&aid={client}",
        },
    }


ROUTES = (
    route("GET", _GROUP + "/{resourceName}", "UserAssignedIdentities_Get", get),
    route("GET", _GROUP, "UserAssignedIdentities_ListByResourceGroup", listed),
    route("GET", _LIST, "UserAssignedIdentities_ListBySubscription", listed),
    route(
        "GET",
        "/{scope}/providers/Microsoft.ManagedIdentity/identities/default",
        "SystemAssignedIdentities_GetByScope",
        system,
    ),
)
