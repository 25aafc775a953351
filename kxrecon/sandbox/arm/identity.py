"""The identity block of a cluster: what a PATCH of it means (learn.microsoft.com, managed identities of a cluster).

``type`` decides which kinds of identity remain; the map adds (``{}``) and removes (``null``) user-assigned
ones and leaves those that it does not name. A system identity that is dropped and added again is another
principal: every grant made to the old one is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kxrecon.sandbox.arm.errors import Refusal, bad_content
from kxrecon.sandbox.arm.ids import normal, parse
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

KINDS = {"systemassigned", "userassigned"}
_EMPTY: Document = {"system": None, "user": []}


def current(cluster: Mapping[str, Any]) -> Document:
    """The identities of a stored cluster: ``system`` (principal id or None) and ``user`` (resource ids)."""
    return {**_EMPTY, **(cluster.get("identity") or {})}


def wanted(world: World, cluster: Mapping[str, Any], block: Any) -> Document:
    """What a cluster shall have after a PATCH of its identity block: ``{"system": bool, "user": [ids]}``."""
    if not isinstance(block, dict) or not set(block) <= {"type", "userAssignedIdentities", "principalId", "tenantId"}:
        raise bad_content("Error converting value to type 'Identity'")
    kinds = _kinds(block.get("type"))
    changes = block.get("userAssignedIdentities") or {}
    if not isinstance(changes, dict):
        raise bad_content("Error converting value to a dictionary at path 'identity.userAssignedIdentities'")
    if "userassigned" not in kinds and any(value is not None for value in changes.values()):
        raise _invalid("userAssignedIdentities may not be given when the type has no 'UserAssigned'")
    users = [normal(one) for one in current(cluster)["user"]] if "userassigned" in kinds else []
    for resource, value in changes.items():
        users = _changed(world, users, resource, value)
    return {"system": "systemassigned" in kinds, "user": users}


def _kinds(written: Any) -> set[str]:
    if not isinstance(written, str):
        raise bad_content("Required property 'type' not found in JSON. Path 'identity'")
    kinds = {part.strip().lower() for part in written.split(",")}
    if kinds == {"none"}:
        return set()
    if not kinds <= KINDS:
        raise bad_content(f"Error converting value \"{written}\" to type 'IdentityType'. Path 'identity.type'")
    return kinds


def _changed(world: World, users: list[str], resource: str, value: Any) -> list[str]:
    """The list after one entry of the map."""
    key = normal(resource)
    if value is None:
        return [one for one in users if one != key]
    if not isinstance(value, dict) or not set(value) <= {"principalId", "clientId"}:
        raise _invalid("The 'UserAssignedIdentities' property keys should only be empty json objects or null")
    place = parse(resource)
    if not place or place.kind.lower() != "microsoft.managedidentity/userassignedidentities":
        raise Refusal(400, "LinkedInvalidPropertyId", f"Property id '{resource}' at path 'identity' is invalid.")
    if not world.store.get("identity", key):
        raise Refusal(
            400,
            "FailedIdentityOperation",
            "Identity operation for resource failed with error 'Failed to perform resource identity operation. "
            f"Status: 'BadRequest'. Response: 'Resource '{resource}' was not found.''",
        )
    return users if key in users else [*users, key]


def _invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidIdentityValues", f"Invalid value for the identities: {message}.")


def settle(world: World, cluster: Document, target: Mapping[str, Any], name: str) -> None:
    """Make the identities of a stored cluster what ``wanted`` computed; new system identities get new ids."""
    block = current(cluster)
    if target["system"] and not block["system"]:
        block["system"] = world.new_service_principal(name)["principalId"]
    elif not target["system"] and block["system"]:
        world.store.delete("principal", block["system"])
        block["system"] = None
    block["user"] = list(target["user"])
    cluster["identity"] = block


def describe(world: World, cluster: Mapping[str, Any]) -> Document:
    """The identity block as ARM answers it."""
    block = current(cluster)
    kinds = [name for name, held in (("SystemAssigned", block["system"]), ("UserAssigned", block["user"])) if held]
    body: Document = {"type": ", ".join(kinds) or "None"}
    if block["system"]:
        body |= {"principalId": block["system"], "tenantId": world.tenant}
    if block["user"]:
        body["userAssignedIdentities"] = dict(_user(world, one) for one in block["user"])
    return body


def _user(world: World, resource: str) -> tuple[str, Document]:
    found = world.store.get("identity", normal(resource)) or {}
    ids: Document = {name: found[name] for name in ("principalId", "clientId") if name in found}
    return str(found.get("id", resource)), ids
