"""Long-running operations: a cluster is busy until its operation was polled often enough or time passed.

The change is made when the operation ends, not when it is accepted: a client that does not wait does not
see a principalId. A poll, or a read of the cluster, brings the end one step nearer, so that nobody waits
for the wall clock; ``due`` ends the operation for a client that was killed and comes back later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from kxrecon.sandbox.arm.call import Answer, Call, route
from kxrecon.sandbox.arm.complete import complete
from kxrecon.sandbox.arm.errors import Refusal
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

POLLS = 2
DURATION = timedelta(minutes=5)
API = "2023-08-15"


def begin(call: Call, cluster: str, kind: str, change: Document) -> Document:
    """Start an operation on a cluster (its URI); 409 while another one runs.

    ``change`` is what ``clusters.complete`` will do. The outcome may have been foretold by the weather.
    """
    if running(call.world, cluster):
        raise Refusal(
            409,
            "RequestConflict",
            f"[Conflict] Cluster '{cluster}' is not in a valid state for this operation: "
            "its provisioning state is not terminal.",
        )
    settings = call.store.get("meta", "operations") or {}
    foretold = call.request.environ.get("kxrecon.outcome") or {}
    now = call.world.clock.now()
    operation: Document = {
        "id": str(uuid4()),
        "cluster": cluster,
        "subscription": call.path["subscriptionId"],
        "kind": kind,
        "status": "Running",
        "outcome": foretold.get("status", "Succeeded"),
        "error": foretold.get("error"),
        "polls": int(settings.get("polls", POLLS)),
        "started": call.world.stamp(),
        "due": (now + DURATION).isoformat(),
        "change": change,
    }
    call.store.put("operation", (operation["id"],), operation)
    return operation


def running(world: World, cluster: str) -> Document | None:
    """The operation that a cluster is busy with."""
    found = (document for _, document in world.store.all("operation"))
    return next((one for one in found if one["cluster"] == cluster and one["status"] == "Running"), None)


def advance(world: World, operation: Document) -> Document:
    """One poll: the operation may end now, and then its change is made."""
    with world.store.transaction():
        current = world.store.get("operation", operation["id"]) or operation
        if current["status"] != "Running":
            return current
        current["polls"] -= 1
        due = datetime.fromisoformat(current["due"]) <= world.clock.now()
        if current["polls"] <= 0 or due:
            current["status"] = current["outcome"]
            current["ended"] = world.stamp()
            if current["status"] == "Succeeded":
                complete(world, current)
        world.store.put("operation", (current["id"],), current)
        return current


def links(call: Call, operation: Document, location: str) -> dict[str, str]:
    """The headers by which a client follows an operation."""
    url = (
        f"{call.origin}/subscriptions/{operation['subscription']}/providers/Microsoft.Kusto/locations/"
        f"{location.replace(' ', '').lower()}/operationResults/{operation['id']}?api-version={API}"
    )
    return {"Azure-AsyncOperation": url, "Location": url, "Retry-After": "0"}


def get(call: Call) -> Answer:
    """operationResults: the state of an operation."""
    found = call.store.get("operation", call.path["operationId"].lower())
    if not found:
        raise Refusal(404, "OperationNotFound", f"The operation '{call.path['operationId']}' was not found.")
    return Answer(describe(call, advance(call.world, found)))


def describe(call: Call, operation: Document) -> Document:
    """An operation as OpenAPI's OperationResult."""
    done = operation["status"] != "Running"
    body: dict[str, Any] = {
        "id": call.resource,
        "name": operation["id"],
        "status": operation["status"],
        "startTime": operation["started"],
        "percentComplete": 100.0 if done else 50.0,
        "properties": {
            "operationKind": operation["kind"],
            "operationState": "Completed" if done else "InProgress",
        },
    }
    if done:
        body["endTime"] = operation["ended"]
    if operation["status"] == "Failed":
        body["error"] = operation["error"] or {"code": "InternalServiceError", "message": "The operation failed."}
    return body


ROUTES = (
    route(
        "GET",
        "/subscriptions/{subscriptionId}/providers/Microsoft.Kusto/locations/{location}/operationResults/{operationId}",
        "OperationsResults_Get",
        get,
    ),
)
