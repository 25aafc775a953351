"""A role assignment's mark: a PUT over the name that it has, with everything else as it was read.

Only the description and the condition of an assignment can be changed (learn.microsoft.com, Role Assignments REST
API; ``az role assignment update`` does the same), so that access is never interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

from kxrecon.kinds import World
from kxrecon.kinds.arm._ids import subscription
from kxrecon.model import Change, Request, Step

KEPT = (
    "roleDefinitionId",
    "principalId",
    "principalType",
    "condition",
    "conditionVersion",
    "delegatedManagedIdentityResourceId",
)


def mark(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """One PUT for each assignment. No answer means "already so": a conflict is an error."""
    return tuple(_step(change) for change in changes)


def _step(change: Change) -> Step:
    attributes = change.entity.attributes
    scope_id = str(attributes.get("scope") or change.ref.name[0])
    properties = {name: attributes["row"][name] for name in KEPT if attributes["row"].get(name)}
    body = {
        "scope": scope_id,
        "name": str(attributes["assignmentName"]),
        "properties": {**properties, "description": change.entity.owner},
    }
    return Step((Request("arm", subscription(scope_id), ("roleAssignments.create",), body),))
