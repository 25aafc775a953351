"""Microsoft.Authorization role assignments: create, read, delete, and the filters that tell who holds what."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from kxrecon.sandbox.arm import odata
from kxrecon.sandbox.arm.builtin import BY_GUID
from kxrecon.sandbox.arm.call import Answer, Call, pages, route
from kxrecon.sandbox.arm.errors import Refusal, bad_content
from kxrecon.sandbox.arm.existence import check_scope
from kxrecon.sandbox.arm.ids import covers, normal
from kxrecon.sandbox.arm.rights import require, role_guid
from kxrecon.sandbox.store import Document, Key
from kxrecon.sandbox.switches import load
from kxrecon.sandbox.world import World

_ONE = "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}"
_ACTION = "Microsoft.Authorization/roleAssignments"
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_TYPES = {"User", "Group", "ServicePrincipal", "ForeignGroup", "Device"}
_FIELDS = {
    "scope",
    "roleDefinitionId",
    "principalId",
    "principalType",
    "description",
    "condition",
    "conditionVersion",
    "delegatedManagedIdentityResourceId",
    "createdOn",
    "updatedOn",
    "createdBy",
    "updatedBy",
}
LIMIT = 4000


def create(call: Call) -> Answer:
    """RoleAssignments_Create."""
    scope, name = normal(call.path["scope"] or "/"), call.path["roleAssignmentName"].lower()
    if not _GUID.match(name):
        raise Refusal(
            400, "InvalidRoleAssignmentId", f"The role assignment ID '{name}' is not valid. It must be a GUID."
        )
    require(call.world, f"{_ACTION}/write", scope)
    asked = _properties(call)
    check_scope(call.world, scope)
    _check_role(asked["roleDefinitionId"])
    if existing := _by_name(call, name):
        return _again(call, existing, scope, asked)
    _check_principal(call, asked)
    _check_unique(call, scope, asked)
    written = "/" + call.path["scope"].strip("/")
    document = {**asked, "scope": written, **_stamps(call), "effectiveAt": _effective_at(call)}
    call.store.put("role_assignment", (scope, name), document)
    return Answer(describe(call.world, scope, name, document), 201)


def _properties(call: Call) -> Document:
    """The properties of the body, checked for shape; principalType has ARM's default."""
    asked = call.body().get("properties")
    if not isinstance(asked, dict):
        raise bad_content("Required property 'properties' not found in JSON")
    unknown = set(asked) - _FIELDS
    if unknown:
        raise bad_content(f"Could not find member '{min(unknown)}' on object of type 'RoleAssignmentProperties'")
    for name in ("roleDefinitionId", "principalId"):
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise Refusal(400, "BadRequestFormat", f"The request was incorrectly formatted: '{name}' is required.")
    if not _GUID.match(asked["principalId"]):
        raise Refusal(
            400, "InvalidPrincipalId", f"A valid principal ID must be provided: '{asked['principalId']}' is none."
        )
    kind = asked.get("principalType") or "User"
    if kind not in _TYPES:
        raise Refusal(400, "InvalidPrincipalType", f"The principal type '{kind}' is not supported.")
    kept = ("roleDefinitionId", "description", "condition", "conditionVersion", "delegatedManagedIdentityResourceId")
    return {
        **{field: asked[field] for field in kept if isinstance(asked.get(field), str)},
        "principalId": asked["principalId"].lower(),
        "principalType": kind,
    }


def _check_role(definition: str) -> None:
    if role_guid(definition) not in BY_GUID:
        guid = role_guid(definition)
        raise Refusal(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{guid}' does not exist."
        )


def _check_principal(call: Call, asked: Document) -> None:
    """The principal must be in the directory and be of the type that was said."""
    principal = call.world.principal(asked["principalId"])
    if principal is None:
        # With principalType ServicePrincipal Azure relaxes this check for replication; in one tenant on one
        # machine nothing replicates, so an unknown id is a mistake and worth refusing.
        tenant = call.world.tenant
        raise Refusal(
            400, "PrincipalNotFound", f"Principal {asked['principalId']} does not exist in the directory {tenant}."
        )
    if principal["type"] != asked["principalType"]:
        raise Refusal(
            400,
            "UnmatchedPrincipalType",
            f"The PrincipalId '{asked['principalId']}' has type '{principal['type']}', which is different from "
            f"specified PrinciaplType '{asked['principalType']}'.",
        )


def _check_unique(call: Call, scope: str, asked: Document) -> None:
    rows = call.store.all("role_assignment")
    for (at, _), row in rows:
        if at == scope and _pair(row) == _pair(asked):
            raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")
    subscription = "/".join(scope.split("/")[:3])
    if sum(1 for (at, _), _row in rows if at.startswith(subscription)) >= LIMIT:
        raise Refusal(400, "RoleAssignmentLimitExceeded", "The role assignment limit for the subscription is reached.")


def _again(call: Call, existing: tuple[Key, Document], scope: str, asked: Document) -> Answer:
    """A PUT over an existing name: 200 or 409 (a switch), and never a change of who, what or where."""
    (at, name), document = existing
    if at != scope or _pair(document) != _pair(asked):
        raise Refusal(
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    fields = ("description", "condition", "conditionVersion")
    changed = {field: asked[field] for field in fields if field in asked and asked[field] != document.get(field)}
    if not changed and load(call.store).repeated_role_assignment == "conflict":
        raise Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")
    stamps = _stamps(call)
    document = {**document, **changed, "updatedOn": stamps["updatedOn"], "updatedBy": stamps["updatedBy"]}
    call.store.put("role_assignment", (at, name), document)
    return Answer(describe(call.world, at, name, document))


def _pair(row: Document) -> tuple[str, str]:
    return str(row["principalId"]).lower(), role_guid(str(row["roleDefinitionId"]))


def _stamps(call: Call) -> Document:
    now, caller = call.world.stamp(), str(call.world.caller.get("objectId", ""))
    return {"createdOn": now, "updatedOn": now, "createdBy": caller, "updatedBy": caller}


def _effective_at(call: Call) -> str | None:
    """When the assignment begins to count: the weather, or meta ``propagation``, says how many seconds it takes."""
    usual: float = (call.store.get("meta", "propagation") or {}).get("seconds", 0)
    seconds = float(call.request.environ.get("kxrecon.delay", usual))
    return (call.world.clock.now() + timedelta(seconds=seconds)).isoformat() if seconds else None


def _by_name(call: Call, name: str) -> tuple[Key, Document] | None:
    """Names are unique in the whole tenant."""
    return next(((key, row) for key, row in call.store.all("role_assignment") if key[1] == name), None)


def get(call: Call) -> Answer:
    """RoleAssignments_Get."""
    scope, name = normal(call.path["scope"] or "/"), call.path["roleAssignmentName"].lower()
    require(call.world, f"{_ACTION}/read", scope)
    found = call.store.get("role_assignment", scope, name)
    if not found:
        raise Refusal(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")
    return Answer(describe(call.world, scope, name, found))


def delete(call: Call) -> Answer:
    """RoleAssignments_Delete: 200 with what was deleted, 204 if there was nothing."""
    scope, name = normal(call.path["scope"] or "/"), call.path["roleAssignmentName"].lower()
    require(call.world, f"{_ACTION}/delete", scope)
    found = call.store.get("role_assignment", scope, name)
    if not found:
        return Answer(None, 204)
    call.store.delete("role_assignment", scope, name)
    return Answer(describe(call.world, scope, name, found))


def listed(call: Call) -> Answer:
    """RoleAssignments_ListForScope, with the documented filters."""
    scope = normal(call.path.get("scope") or "/")
    require(call.world, f"{_ACTION}/read", scope)
    asked = odata.parse(call.query("$filter"))
    rows = call.store.all("role_assignment")
    chosen = [(at, name, row) for (at, name), row in rows if _in_reach(at, scope, asked.at_scope)]
    matches = _who(call.world, asked)
    return pages(call, [describe(call.world, at, name, row) for at, name, row in chosen if matches(row)])


def _in_reach(at: str, scope: str, above_only: bool) -> bool:
    return covers(at, scope) or (not above_only and covers(scope, at))


def _who(world: World, asked: odata.Filter) -> Callable[[Document], bool]:
    if asked.assigned_to:
        # A group's id finds nothing: the documentation allows users and service principals only.
        known = world.principal(asked.assigned_to)
        is_group = bool(known and known["type"] == "Group")
        holders = set() if is_group else {asked.assigned_to} | world.groups_of(asked.assigned_to)
        return lambda row: str(row["principalId"]) in holders
    if asked.principal:
        return lambda row: str(row["principalId"]) == asked.principal
    return lambda row: True


def describe(world: World, scope: str, name: str, document: Document) -> Document:
    """An assignment as ARM answers it, with its own scope and the role's id below its subscription."""
    shown = str(document.get("scope", scope))
    parts = shown.split("/")
    above = "/".join(parts[:3]) if len(parts) > 2 and parts[1].lower() == "subscriptions" else ""
    guid = role_guid(str(document["roleDefinitionId"]))
    optional = ("description", "condition", "conditionVersion", "delegatedManagedIdentityResourceId")
    known = world.principal(str(document["principalId"]))
    properties: Document = {
        "roleDefinitionId": f"{above}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
        "principalId": document["principalId"],
        "principalType": known["type"] if known else document.get("principalType", "User"),
        "scope": shown,
        **{field: document[field] for field in optional if document.get(field) is not None},
        **{
            field: document[field]
            for field in ("createdOn", "updatedOn", "createdBy", "updatedBy")
            if field in document
        },
    }
    return {
        "properties": properties,
        "id": f"{shown.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
    }


ROUTES = (
    route("PUT", _ONE, "RoleAssignments_Create", create),
    route("GET", _ONE, "RoleAssignments_Get", get),
    route("DELETE", _ONE, "RoleAssignments_Delete", delete),
    route("GET", _ONE.rpartition("/")[0], "RoleAssignments_ListForScope", listed),
)
