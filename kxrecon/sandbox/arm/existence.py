"""Whether a scope exists: a role can only be assigned on a resource that is there."""

from __future__ import annotations

from kxrecon.sandbox.arm.errors import not_found
from kxrecon.sandbox.arm.ids import ResourceId, normal, parse
from kxrecon.sandbox.world import World


def check_scope(world: World, scope: str) -> None:
    """404 for a missing account, container, cluster or identity; other scopes are taken on trust.

    Subscriptions, resource groups and management groups are not documents of the sandbox.
    """
    place = parse(scope)
    if not place or not place.names:
        return
    kind = place.kind.lower()
    if kind.startswith("microsoft.storage/storageaccounts"):
        _check_storage(world, place)
    elif kind == "microsoft.kusto/clusters":
        _check_any(place, [str(one["resourceId"]) for _, one in world.store.all("cluster")], scope)
    elif kind == "microsoft.datalakestore/accounts":
        _check_any(place, [str(one["resourceId"]) for _, one in world.store.all("lake_store")], scope)
    elif kind == "microsoft.managedidentity/userassignedidentities":
        _check_any(place, [key for (key,), _ in world.store.all("identity")], scope)


def _check_any(place: ResourceId, known: list[str], scope: str) -> None:
    if normal(scope) not in {normal(one) for one in known}:
        raise not_found(place.kind, place.name, place.group)


def _check_storage(world: World, place: ResourceId) -> None:
    account = world.store.get("account", place.names[0].lower())
    at = parse(str(account["resourceId"])) if account else None
    if not at or (at.subscription.lower(), at.group.lower()) != (place.subscription.lower(), place.group.lower()):
        raise not_found("Microsoft.Storage/storageAccounts", place.names[0], place.group)
    if place.kind.lower().endswith("/containers") and not world.store.get(
        "container", place.names[0].lower(), place.name
    ):
        raise not_found("Microsoft.Storage/storageAccounts/blobServices/containers", place.name, place.group)
