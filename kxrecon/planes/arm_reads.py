"""The questions that ARM is asked, by the names used in ``Read.text``; answers are REST JSON, camelCase.

``READS`` maps an operation to a function of the clients and the Read. Single resources are the response's
own JSON; list elements go through the SDKs' models, which keep every documented property.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from azure.mgmt.core.tools import is_valid_resource_id, parse_resource_id

from kxrecon.errors import PlaneError
from kxrecon.model import Answer, Read
from kxrecon.planes.arm_clients import Clients

_PAGE = 1000


def located(resource_id: str) -> Mapping[str, Any]:
    """A resource id taken apart (``subscription``, ``resource_group``, ``name``, ``child_name_1`` …).

    Raises PlaneError (code ``InvalidResourceId``).
    """
    if not is_valid_resource_id(resource_id):
        raise PlaneError(f"not an ARM resource id: {resource_id}", code="InvalidResourceId")
    parts: Mapping[str, Any] = parse_resource_id(resource_id)
    if not all(parts.get(key) for key in ("subscription", "resource_group", "name")):
        raise PlaneError(f"not the id of a resource in a resource group: {resource_id}", code="InvalidResourceId")
    return parts


def as_sent(response: Any, _: Any, __: Any) -> Any:
    """The ``cls`` of SDK calls: the response's JSON as the service sent it."""
    return json.loads(response.http_response.text())


def rest(item: Any) -> Any:
    """A model of either SDK generation as REST JSON."""
    return item.serialize(keep_readonly=True) if hasattr(item, "serialize") else item.as_dict()


def cluster(clients: Clients, resource_id: str) -> Any:
    """A cluster as ARM shows it."""
    at = located(resource_id)
    return clients.kusto(at["subscription"]).clusters.get(at["resource_group"], at["name"], cls=as_sent)


def _cluster(clients: Clients, read: Read) -> Answer:
    return _object(cluster(clients, read.argument("resourceId")))


def _system_identity(clients: Clients, read: Read) -> Answer:
    scope = read.argument("scope").strip("/")
    return _object(clients.identities().system_assigned_identities.get_by_scope(scope, cls=as_sent))


def _user_identity(clients: Clients, read: Read) -> Answer:
    at = located(read.argument("resourceId"))
    identities = clients.identities(at["subscription"]).user_assigned_identities
    return _object(identities.get(at["resource_group"], at["name"], cls=as_sent))


def _role_assignments(clients: Clients, read: Read) -> Answer:
    """All assignments of a principal that concern a scope, through groups too with ``assignedTo``."""
    given = dict(read.arguments)
    if "assignedTo" in given:
        chosen = f"assignedTo('{_quoted(given['assignedTo'])}')"
    elif "principalId" in given:
        chosen = f"principalId eq '{_quoted(given['principalId'])}'"
    else:
        chosen = "atScope()"
    rows = clients.authorization(read.target).role_assignments.list_for_scope(given["scope"].strip("/"), filter=chosen)
    return [rest(row) for row in rows]


def _role_definitions(clients: Clients, read: Read) -> Answer:
    chosen = f"roleName eq '{_quoted(read.argument('roleName'))}'"
    rows = clients.authorization(read.target).role_definitions.list(read.argument("scope").strip("/"), filter=chosen)
    return [rest(row) for row in rows]


def _permissions(clients: Clients, read: Read) -> Answer:
    """What the caller may do at a resource: the actions of each of its assignments there."""
    scope = read.argument("scope").strip("/")
    at = located("/" + scope.partition("/blobServices/")[0])
    below = scope.split("/providers/", 1)[1].split("/")
    rows = clients.authorization(at["subscription"]).permissions.list_for_resource(
        at["resource_group"], below[0], "/".join(below[1:-2]), below[-2], below[-1]
    )
    return [rest(row) for row in rows]


def _cluster_principals(clients: Clients, read: Read) -> Answer:
    at = located(read.argument("resourceId"))
    assignments = clients.kusto(at["subscription"]).cluster_principal_assignments
    return [rest(row) for row in assignments.list(at["resource_group"], at["name"])]


def _storage_account(clients: Clients, read: Read) -> Answer:
    at = located(read.argument("resourceId"))
    accounts = clients.storage(at["subscription"]).storage_accounts
    return _object(accounts.get_properties(at["resource_group"], at["name"], cls=as_sent))


def _container(clients: Clients, read: Read) -> Answer:
    at = located(read.argument("resourceId"))
    containers = clients.storage(at["subscription"]).blob_containers
    return _object(containers.get(at["resource_group"], at["name"], at["resource_name"], cls=as_sent))


def _containers(clients: Clients, read: Read) -> Answer:
    at = located(read.argument("resourceId"))
    rows = clients.storage(at["subscription"]).blob_containers.list(at["resource_group"], at["name"])
    return [rest(row) for row in rows]


def _resources(clients: Clients, read: Read) -> Answer:
    """A Resource Graph query over all its pages: ``{"data": [row, …]}``."""
    subscriptions = [one for one in read.argument("subscriptions").split(",") if one]
    options: dict[str, Any] = {"resultFormat": "objectArray", "$top": _PAGE}
    rows: list[Any] = []
    while True:
        body = {"subscriptions": subscriptions, "query": read.argument("query"), "options": options}
        page = _object(clients.graph().resources(body, cls=as_sent))
        rows.extend(page["data"])
        token = page.get("$skipToken")
        if not token:
            return {"data": rows}
        options = {**options, "$skipToken": token}


def _object(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise TypeError(f"a JSON object was expected, not {type(answer).__name__}")
    return answer


def _quoted(text: str) -> str:
    """A string inside an OData filter."""
    return text.replace("'", "''")


READS: Mapping[str, Callable[[Clients, Read], Answer]] = {
    "clusters.get": _cluster,
    "systemIdentity.get": _system_identity,
    "userAssignedIdentities.get": _user_identity,
    "roleAssignments.list": _role_assignments,
    "roleDefinitions.list": _role_definitions,
    "permissions.list": _permissions,
    "clusterPrincipals.list": _cluster_principals,
    "storageAccounts.get": _storage_account,
    "blobContainers.get": _container,
    "blobContainers.list": _containers,
    "resources.query": _resources,
}
