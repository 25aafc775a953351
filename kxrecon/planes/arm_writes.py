"""What ARM is told, by the names used in ``Request.text``; every operation is one that may be repeated.

``WRITES`` maps an operation to a function of the clients, the request's body and the retry policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kxrecon.planes.arm_clients import Clients
from kxrecon.planes.arm_identity import set_identities, settled
from kxrecon.planes.arm_polling import PatientPolling, finish
from kxrecon.planes.arm_reads import as_sent, located, rest
from kxrecon.planes.retry import Retry

Write = Callable[[Clients, Mapping[str, Any], Retry], Mapping[str, Any]]


def _create_role_assignment(clients: Clients, body: Mapping[str, Any], _: Retry) -> Mapping[str, Any]:
    """PUT an assignment under the name given. ``principalType`` always goes along: the SDK's default is User."""
    properties = {"principalType": "ServicePrincipal", **body["properties"]}
    assignments = clients.authorization().role_assignments
    answer = assignments.create(body["scope"].strip("/"), body["name"], {"properties": properties}, cls=as_sent)
    return dict(answer)


def _delete_role_assignment(clients: Clients, body: Mapping[str, Any], _: Retry) -> Mapping[str, Any]:
    deleted = clients.authorization().role_assignments.delete(body["scope"].strip("/"), body["name"])
    return dict(rest(deleted)) if deleted is not None else {}


def _create_cluster_principal(clients: Clients, body: Mapping[str, Any], retry: Retry) -> Mapping[str, Any]:
    at = located(body["resourceId"])
    settled(clients, body["resourceId"], retry)
    what = f"clusterPrincipals.create {body['name']}"
    assignments = clients.kusto(at["subscription"]).cluster_principal_assignments
    poller = assignments.begin_create_or_update(
        at["resource_group"],
        at["name"],
        body["name"],
        {"properties": dict(body["properties"])},
        polling=PatientPolling(what, retry),
        cls=as_sent,
    )
    finish(poller, what)
    return dict(assignments.get(at["resource_group"], at["name"], body["name"], cls=as_sent))


def _delete_cluster_principal(clients: Clients, body: Mapping[str, Any], retry: Retry) -> Mapping[str, Any]:
    at = located(body["resourceId"])
    settled(clients, body["resourceId"], retry)
    what = f"clusterPrincipals.delete {body['name']}"
    assignments = clients.kusto(at["subscription"]).cluster_principal_assignments
    poller = assignments.begin_delete(
        at["resource_group"], at["name"], body["name"], polling=PatientPolling(what, retry)
    )
    finish(poller, what)
    return {}


def _create_container(clients: Clients, body: Mapping[str, Any], _: Retry) -> Mapping[str, Any]:
    """PUT a container with the account's defaults; one that exists stays as it is."""
    at = located(body["resourceId"])
    containers = clients.storage(at["subscription"]).blob_containers
    return dict(containers.create(at["resource_group"], at["name"], at["resource_name"], {}, cls=as_sent))


WRITES: Mapping[str, Write] = {
    "clusters.identity": set_identities,
    "roleAssignments.create": _create_role_assignment,
    "roleAssignments.delete": _delete_role_assignment,
    "clusterPrincipals.create": _create_cluster_principal,
    "clusterPrincipals.delete": _delete_cluster_principal,
    "blobContainers.create": _create_container,
}
