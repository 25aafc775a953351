"""What a principal may do at a scope: role assignments, groups and role definitions put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from kxrecon.sandbox.arm.builtin import BY_GUID, BY_NAME, Role
from kxrecon.sandbox.arm.errors import denied
from kxrecon.sandbox.arm.ids import covers, normal
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World


def role_guid(role_definition_id: str) -> str:
    """The last segment, lower-cased: Azure answers and accepts differing prefixes."""
    return role_definition_id.rstrip("/").rsplit("/", 1)[-1].lower()


def effective(world: World, principal: str, scope: str) -> Iterator[tuple[str, Document]]:
    """Assignments (with their scope) that count for a principal at a scope now, through groups too.

    Assignments younger than their ``effectiveAt`` are left out: Azure takes up to ten minutes.
    """
    holders = {principal.lower()} | world.groups_of(principal)
    now = world.clock.now()
    for (at, _), document in world.store.all("role_assignment"):
        if str(document["principalId"]).lower() in holders and covers(at, normal(scope)) and _is_due(document, now):
            yield at, document


def _is_due(document: Document, now: datetime) -> bool:
    due = document.get("effectiveAt")
    return not due or datetime.fromisoformat(due) <= now


def grants(roles: Iterable[Role], action: str) -> bool:
    """Whether any of the roles allows the control-plane action."""
    return any(_matches(role.actions, action) and not _matches(role.not_actions, action) for role in roles)


def grants_content(roles: Iterable[Role], action: str) -> bool:
    """Whether any of the roles allows the data action."""
    return any(_matches(role.data_actions, action) for role in roles)


def roles_at(world: World, principal: str, scope: str) -> list[Role]:
    """The built-in roles that a principal has at a scope, conditional assignments left out."""
    found = (
        role_guid(str(row["roleDefinitionId"]))
        for _, row in effective(world, principal, scope)
        if not row.get("condition")
    )
    return [BY_GUID[guid] for guid in found if guid in BY_GUID]


def caller_roles(world: World, scope: str) -> list[Role] | None:
    """The caller's roles at a scope; None: the caller may do everything.

    ``caller.roles`` holds names of built-in roles, either bare (they hold everywhere) or as
    ``{"role": …, "scope": …}``. Names of other services' roles are theirs to judge.
    """
    listed = world.caller.get("roles")
    if listed is None:
        return None
    named = (_named(entry, scope) for entry in listed)
    own = [role for role in named if role]
    return own + roles_at(world, str(world.caller.get("objectId", "")), scope)


def _named(entry: Any, scope: str) -> Role | None:
    if isinstance(entry, dict):
        return (
            BY_NAME.get(str(entry.get("role", "")).lower())
            if covers(normal(str(entry.get("scope", "/"))), normal(scope))
            else None
        )
    return BY_NAME.get(str(entry).lower())


def require(world: World, action: str, scope: str) -> None:
    """403 AuthorizationFailed unless the caller may do this here."""
    roles = caller_roles(world, scope)
    if roles is not None and not grants(roles, action):
        raise denied(world.caller, action, scope)


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_match(pattern.lower(), action.lower()) for pattern in patterns)


@lru_cache(maxsize=4096)
def _match(pattern: str, action: str) -> bool:
    """A pattern's ``*`` stands for anything, slashes included."""
    head, *rest = pattern.split("*")
    if not rest:
        return pattern == action
    if not action.startswith(head) or not action.endswith(rest[-1]):
        return False
    at = len(head)
    for part in rest[:-1]:
        at = action.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(action) - len(rest[-1]) >= at
