"""Roles over all databases of the cluster: one entity per role and principal.

They are resources of ARM, not commands (learn.microsoft.com, Manage cluster permissions; Cluster Principal
Assignments REST API). A row is told by (role, principal); its name is free and chosen by whoever made it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.arm._ids import UNSTATED, exclusive, last_segment, subscription
from kxrecon.model import (
    FUNCTIONS,
    Answer,
    Answers,
    Change,
    Deferred,
    Entity,
    Failure,
    Gap,
    Hazard,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    Request,
    State,
    Step,
    Unknown,
)
from kxrecon.principals import (
    KUSTO_TYPES,
    fqn_of,
    is_guid,
    is_identity,
    observed_symbol,
    parse,
    symbol_of,
    unknown_principal,
)
from kxrecon.scope import Scope

PLANE: Plane = "arm"
SECTION: tuple[str, ...] = ("cluster", "roles", "*")
KIND = "cluster_role"
ROLES = ("AllDatabasesAdmin", "AllDatabasesViewer", "AllDatabasesMonitor")
_PREFIXES = {kind: prefix for prefix, kind in KUSTO_TYPES.items() if prefix != "msauser"}


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """``{add: […]}`` or ``{exact: […]}`` under the role's name."""
    (role,) = name
    path = ("cluster", "roles", role)
    if role not in ROLES:
        yield Problem(f"unknown cluster role '{role}'", path=path, entity=role, remedy=f"roles are {', '.join(ROLES)}")
        return
    exact = "exact" in doc
    principals = doc["exact"] if exact else doc.get("add") or ()
    if exact and not principals:
        remedy = "list who stays, or use add: and leave the others alone"
        yield Problem(f"exact: [] would empty the role {role}", path=(*path, "exact"), entity=role, remedy=remedy)
    for index, written in enumerate(principals):
        at = (*path, "exact" if exact else "add", index)
        symbol = symbol_of(written, scope)
        if symbol is None:
            yield unknown_principal(written, at, role)
            continue
        attributes: dict[str, Any] = {"exact": True} if exact else {}
        if parse(written):
            attributes["fqn"] = written
        yield Entity(Ref(KIND, (role, symbol)), {}, attributes=attributes, path=at)


def describe(entity: Entity) -> Any:
    """The role with this one principal."""
    return {"exact" if entity.attributes.get("exact") else "add": [entity.ref.name[1]]}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """All principal assignments of the cluster."""
    return (_list(scope),) if scope.cluster_id else ()


def _list(scope: Scope) -> Read:
    return Read("arm", subscription(scope.cluster_id), "clusterPrincipals.list", (("resourceId", scope.cluster_id),))


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """Everybody in a role of the cluster."""
    answer: Answer | None = answers.get(_list(scope)) if scope.cluster_id else UNSTATED
    if isinstance(answer, Failure):
        yield Gap(KIND, (), answer)
    elif isinstance(answer, list):
        yield from (_entity(row, scope) for row in answer)


def _entity(row: Mapping[str, Any], scope: Scope) -> Entity:
    properties = row.get("properties") or {}
    principal = str(properties.get("principalId") or "")
    # The service echoes what was sent, which may be a client id or a mail address, and adds the object id.
    object_id = str(properties.get("aadObjectId") or (principal if is_guid(principal) else "")).lower()
    prefix = _PREFIXES.get(str(properties.get("principalType")), "aadapp")
    symbol = observed_symbol(object_id, f"{prefix}={principal}", str(properties.get("principalName") or ""), scope)
    attributes = {
        "assignmentName": last_segment(str(row.get("id") or row.get("name") or "")),
        "principalId": principal,
        "objectId": object_id,
    }
    return Entity(Ref(KIND, (str(properties.get("role")), symbol)), {}, attributes=attributes)


def needs(entity: Entity) -> Iterable[Need]:
    """The identity, where the principal is one."""
    symbol = entity.ref.name[1]
    return () if "=" in symbol else (Need(Ref("cluster_identity", (symbol,))),)


def group(change: Change) -> Hashable:
    """Each assignment is a resource of its own."""
    return change.ref.name


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """Create or delete assignments, one at a time: each takes the cluster's lock."""
    return tuple(_step(change, world) for change in changes)


def _step(change: Change, world: World) -> Step:
    scope = world.scope
    target = subscription(scope.cluster_id)
    if change.verb != "delete":
        text = ("clusterPrincipals.create",)
        return Step((Request("arm", target, text, _creation(change.entity, scope), exclusive=exclusive(scope)),))
    role, symbol = change.ref.name
    hazard = Hazard("removes-access", change.ref, f"{symbol} is no longer {role} of the cluster")
    if role == "AllDatabasesAdmin" and not _admins(world):
        last = Hazard("locks-out", change.ref, f"{symbol} is the last {role} of the cluster")
        return Step((), hazards=(last,), notes=("a cluster must keep an admin: nothing is sent",))
    body = {"resourceId": scope.cluster_id, "name": str(change.entity.attributes["assignmentName"])}
    request = Request("arm", target, ("clusterPrincipals.delete",), body, exclusive=exclusive(scope))
    return Step((request,), hazards=(hazard,))


def _admins(world: World) -> bool:
    return any(ref.kind == KIND and ref.name[0] == "AllDatabasesAdmin" for ref in world.desired.entities)


def _creation(entity: Entity, scope: Scope) -> dict[str, Any]:
    role, symbol = entity.ref.name
    properties: dict[str, Any] = {"role": role}
    if is_identity(symbol, scope):
        principal: str | Unknown = scope.identity(symbol, "principalId")
        properties |= {"principalId": principal, "principalType": "App"}
    else:
        fqn = parse(fqn_of(symbol, entity.attributes.get("fqn"), scope))
        assert fqn is not None, symbol  # desire lets no other name through
        principal = fqn.id
        properties |= {"principalId": principal, "principalType": KUSTO_TYPES[fqn.prefix]}
        if is_guid(fqn.tenant):
            properties["tenantId"] = fqn.tenant
    key = (scope.cluster_id.lower(), principal, role)
    name = Deferred("uuid5", key) if isinstance(principal, Unknown) else FUNCTIONS["uuid5"](*key)
    return {"resourceId": scope.cluster_id, "name": name, "properties": properties}


def covers(entity: Entity, observed: State) -> str | None:
    """AllDatabasesAdmin includes the other two."""
    role, symbol = entity.ref.name
    if role != "AllDatabasesAdmin" and Ref(KIND, ("AllDatabasesAdmin", symbol)) in observed.entities:
        return f"{symbol} is AllDatabasesAdmin of the cluster"
    return None
