"""Microsoft.Authorization role definitions, the caller's permissions, and (empty) deny assignments."""

from __future__ import annotations

from kxrecon.sandbox.arm import odata
from kxrecon.sandbox.arm.builtin import BY_GUID, ROLES, Role
from kxrecon.sandbox.arm.call import Answer, Call, pages, route
from kxrecon.sandbox.arm.errors import Refusal
from kxrecon.sandbox.arm.rights import caller_roles
from kxrecon.sandbox.store import Document

_PROVIDER = "/providers/Microsoft.Authorization"


def listed(call: Call) -> Answer:
    """RoleDefinitions_List; ``roleName eq '…'`` compares without case."""
    asked = odata.parse(call.query("$filter"))
    found = [
        role
        for role in ROLES
        if (asked.role_name is None or role.name.lower() == asked.role_name)
        and asked.role_type in (None, "builtinrole")
    ]
    return pages(call, [describe(call.path["scope"], role) for role in found])


def get(call: Call) -> Answer:
    """RoleDefinitions_Get."""
    role = BY_GUID.get(call.path["roleDefinitionId"].lower())
    if not role:
        guid = call.path["roleDefinitionId"]
        raise Refusal(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{guid}' does not exist."
        )
    return Answer(describe(call.path["scope"], role))


def describe(scope: str, role: Role) -> Document:
    """A built-in role as ARM answers it, its id below the subscription that was asked."""
    parts = scope.split("/")
    above = "/".join(parts[:3]) if len(parts) > 2 and parts[1].lower() == "subscriptions" else ""
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": f"The built-in role {role.name}.",
            "assignableScopes": ["/"],
            "permissions": [permission(role)],
        },
        "id": f"{above}{_PROVIDER}/roleDefinitions/{role.guid}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.guid,
    }


def permission(role: Role) -> Document:
    """What a role allows, as OpenAPI's Permission."""
    return {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": [],
    }


def permissions(call: Call) -> Answer:
    """Permissions_ListForResourceGroup and _ListForResource: what the caller may do there."""
    roles = caller_roles(call.world, call.resource.rpartition(_PROVIDER)[0])
    return pages(
        call,
        [permission(role) for role in (BY_GUID["8e3af657-a8ff-443c-a75c-2fe8c4bcb635"],)]
        if roles is None
        else [permission(role) for role in roles],
    )


def denials(call: Call) -> Answer:
    """DenyAssignments_ListForScope: only Azure itself creates them, and this one never does."""
    odata.parse(call.query("$filter"))
    return Answer({"value": []})


ROUTES = (
    route("GET", "/{scope}/providers/Microsoft.Authorization/roleDefinitions", "RoleDefinitions_List", listed),
    route(
        "GET",
        "/{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
        "RoleDefinitions_Get",
        get,
    ),
    route("GET", "/{scope}/providers/Microsoft.Authorization/permissions", "Permissions_ListForResource", permissions),
    route("GET", "/{scope}/providers/Microsoft.Authorization/denyAssignments", "DenyAssignments_ListForScope", denials),
)
