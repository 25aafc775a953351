"""The identity block of a cluster: read, merged, written under If-Match, waited for and read again.

The dangerous part is ``type``: sent too narrow, it takes the system identity away, and with its principal
every grant that it had. It is computed from what is there, what is wanted and what shall go.
learn.microsoft.com, "Configure managed identities for your Azure Data Explorer cluster".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError

from kxrecon.errors import MALFORMED, PlaneError
from kxrecon.planes.arm_clients import Clients
from kxrecon.planes.arm_polling import PatientPolling, finish, still_running
from kxrecon.planes.arm_reads import as_sent, cluster, located
from kxrecon.planes.azure_errors import plane_error
from kxrecon.planes.retry import Retry

SYSTEM = "system"

TERMINAL = frozenset({"succeeded", "failed", "canceled", ""})

_CHANGED_MEANWHILE = 412


def merged(block: Mapping[str, Any] | None, ensure: Collection[str], remove: Collection[str]) -> dict[str, Any] | None:
    """The identity block to send, or None if ``block`` already has all of ``ensure`` and none of ``remove``.

    Both name resource ids or ``system``; ids are compared without letter case. Identities not named stay.
    """
    current = block or {}
    kinds = {kind.strip().lower() for kind in str(current.get("type") or "").split(",")}
    held = {key.lower(): key for key in (current.get("userAssignedIdentities") or {})}
    had = set(held) | ({SYSTEM} if "systemassigned" in kinds else set())
    leaving = {one.lower() for one in remove}
    wanted = {one.lower(): one for one in ensure}
    after = (had | set(wanted)) - leaving
    if after == had:
        return None
    users = after - {SYSTEM}
    names = (["SystemAssigned"] if SYSTEM in after else []) + (["UserAssigned"] if users else [])
    patch: dict[str, Any] = {"type": ", ".join(names) or "None"}
    if users:
        kept: dict[str, Any] = {held.get(one) or wanted[one]: {} for one in sorted(users)}
        patch["userAssignedIdentities"] = kept | {held[one]: None for one in sorted(leaving & set(held))}
    return patch


def set_identities(clients: Clients, body: Mapping[str, Any], retry: Retry) -> Mapping[str, Any]:
    """Bring the identities of ``body["resourceId"]`` about; the cluster as read afterwards.

    Raises PlaneError, not permanent where another attempt would start from a new read.
    """
    resource_id, ensure, remove = body["resourceId"], body.get("ensure") or (), body.get("remove") or ()
    found = settled(clients, resource_id, retry)
    patch = merged(found.get("identity"), ensure, remove)
    if patch is None:
        return found
    _patch(clients, resource_id, patch, found.get("etag"), retry)
    after = settled(clients, resource_id, retry)
    if merged(after.get("identity"), ensure, remove) is not None:
        raise PlaneError(
            f"{resource_id}: ARM reported success, but the identities are not as asked for",
            code="NotApplied",
            permanent=False,
        )
    return after


def settled(clients: Clients, resource_id: str, retry: Retry) -> Mapping[str, Any]:
    """The cluster, once no operation holds it: ARM takes one mutation of a cluster at a time."""
    until = retry.clock.now() + retry.budget.operation
    while True:
        found: Mapping[str, Any] = retry.read(lambda: _get(clients, resource_id))
        state = str((found.get("properties") or {}).get("provisioningState") or "")
        if state.lower() in TERMINAL:
            return found
        if retry.clock.now() + retry.budget.poll > until:
            raise still_running(f"{resource_id} is {state}", retry.budget.operation)
        retry.clock.sleep(retry.budget.poll)


def _patch(clients: Clients, resource_id: str, patch: Mapping[str, Any], etag: str | None, retry: Retry) -> None:
    at = located(resource_id)
    what = f"clusters.identity {at['name']}"
    # An etag without match_condition is silently not sent.
    condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
    try:
        poller = clients.kusto(at["subscription"]).clusters.begin_update(
            at["resource_group"],
            at["name"],
            {"identity": dict(patch)},
            polling=PatientPolling(what, retry),
            cls=as_sent,
            **condition,
        )
        finish(poller, what)
    except (AzureError, *MALFORMED) as error:
        raise _again_if_changed(plane_error(error, what)) from error


def _again_if_changed(error: PlaneError) -> PlaneError:
    """Somebody else changed the cluster since it was read: worth another read and merge."""
    if error.status == _CHANGED_MEANWHILE:
        error.permanent = False
    return error


def _get(clients: Clients, resource_id: str) -> Any:
    try:
        return cluster(clients, resource_id)
    except (AzureError, *MALFORMED) as error:
        raise plane_error(error, f"clusters.get {resource_id}") from error
