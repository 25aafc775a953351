"""Managed identities of the cluster: the system-assigned one and user-assigned ones.

The identity block of a cluster has many owners: what the spec does not name stays attached. The ids that
every later link needs (principalId, clientId, tenantId) are learned here, before attachment where that is
possible (learn.microsoft.com, Configure managed identities for your cluster; REST: Clusters - Get,
User Assigned Identities - Get, System Assigned Identities - Get By Scope).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.arm._ids import UNSTATED, cluster_read, exclusive, needed, subscription
from kxrecon.model import (
    Answers,
    Change,
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
)
from kxrecon.scope import SYSTEM, Scope

PLANE: Plane = "arm"
SECTION: tuple[str, ...] = ("cluster", "identities", "*")
KIND = "cluster_identity"


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """``system: true``, or a name for the ARM id of a user-assigned identity."""
    (symbol,) = name
    path = ("cluster", "identities", symbol)
    wrong = _wrong(symbol, doc, scope)
    if wrong:
        yield Problem(wrong[0], path=path, entity=symbol, remedy=wrong[1])
        return
    yield Entity(Ref(KIND, (symbol,)), {"resourceId": _key(doc)}, path=path)


def _key(doc: Any) -> str:
    return "" if doc is True else str(doc).rstrip("/").lower()


def _wrong(symbol: str, doc: Any, scope: Scope) -> tuple[str, str] | None:
    """What is wrong with an entry, and its remedy."""
    if symbol == SYSTEM:
        return None if doc is True else ("the system identity has no id of its own", "write system: true")
    if not isinstance(doc, str) or "/userassignedidentities/" not in doc.lower() or not subscription(doc):
        return (
            f"'{doc}' is not the id of a user-assigned identity",
            "/subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>",
        )
    same = [other for other, identity in scope.identities.items() if _key(identity) == _key(doc) and other < symbol]
    return (f"the same identity is already named '{same[0]}'", "use one name for it") if same else None


def describe(entity: Entity) -> Any:
    """``true`` for the system identity, else the ARM id."""
    return entity.fields["resourceId"] or True


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """The cluster; then the identities whose ids it does not show."""
    if not scope.cluster_id:
        yield from (_identity_read(resource_id) for resource_id in scope.identities.values() if resource_id)
        return
    cluster = cluster_read(scope)
    yield cluster
    if cluster not in known:
        return
    answer = known[cluster]
    block = _block(answer)
    attached = _attached(block)
    for resource_id in scope.identities.values():
        # A cluster shows a user-assigned identity's ids only once attached, and its tenant only beside a system one.
        if resource_id and (resource_id.lower() not in attached or not block.get("tenantId")):
            yield _identity_read(resource_id)
    # The system identity's client id, which only SQL asks for, is not part of the cluster's answer.
    if _needs_client_id(scope) and (isinstance(answer, Failure) or block.get("principalId")):
        yield _system_read(scope)


def _identity_read(resource_id: str) -> Read:
    return Read("arm", subscription(resource_id), "userAssignedIdentities.get", (("resourceId", resource_id),))


def _system_read(scope: Scope) -> Read:
    return Read("arm", subscription(scope.cluster_id), "systemIdentity.get", (("scope", scope.cluster_id),))


def _needs_client_id(scope: Scope) -> bool:
    return SYSTEM in scope.identities and any("server" in target.doc for target in scope.targets.values())


def _block(answer: Any) -> Mapping[str, Any]:
    """The identity block of the cluster's answer; empty if there is none or it could not be read."""
    return (answer.get("identity") or {}) if isinstance(answer, Mapping) else {}


def _attached(block: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    users = block.get("userAssignedIdentities") or {}
    return {resource_id.lower(): ids or {} for resource_id, ids in users.items()}


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """All identities of the cluster, its state, and the ids of declared ones that are not attached yet."""
    if not scope.cluster_id:
        if scope.identities:
            yield Gap(KIND, (), UNSTATED)
        for symbol, resource_id in scope.identities.items():
            yield from _unattached(symbol, answers.get(_identity_read(resource_id))) if resource_id else ()
        return
    answer = answers.get(cluster_read(scope))
    block = _block(answer)
    if isinstance(answer, Failure):
        yield Gap(KIND, (), answer)
    elif isinstance(answer, Mapping):
        yield _cluster_reading(answer)
        yield from _entities(_block_of(answer, scope), answers, scope)
    attached = _attached(block)
    for symbol, resource_id in scope.identities.items():
        if resource_id and resource_id.lower() not in attached:
            yield from _unattached(symbol, answers.get(_identity_read(resource_id)))
    if isinstance(answer, Failure) and _needs_client_id(scope):
        yield from _unattached(SYSTEM, answers.get(_system_read(scope)))


def _block_of(answer: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
    """The identity block. Raises where it does not hold what its ``type`` says that it holds."""
    needed(answer, "id")
    block = _block(answer)
    if not isinstance(answer.get("identity", {}), Mapping | None):
        raise TypeError("identity is no object")
    said = str(block.get("type") or "").lower()
    if "systemassigned" in said:
        needed(block, "principalId", "-")
    if "userassigned" in said and not _attached(block):
        raise ValueError(f"identity.type is {said[:40]!r}, and no user-assigned identity is shown")
    mine = {resource_id.lower() for resource_id in scope.identities.values()}
    for resource_id, ids in _attached(block).items():
        # An identity that was deleted while it was attached may be shown without ids: of others that is no matter.
        for name in ("principalId", "clientId"):
            if resource_id in mine or ids.get(name) is not None:
                needed(ids, name, "-")
    return block


def _cluster_reading(answer: Mapping[str, Any]) -> Reading:
    properties = answer.get("properties") or {}
    values = {
        "state": properties.get("state"),
        "uri": properties.get("uri"),
        "provisioningState": properties.get("provisioningState"),
        "location": answer.get("location"),
        "etag": answer.get("etag"),
        "hasSystem": bool(_block(answer).get("principalId")),
    }
    return Reading(Ref(KIND, ("",)), values)


def _entities(block: Mapping[str, Any], answers: Answers, scope: Scope) -> Iterator[Entity]:
    tenant = block.get("tenantId")
    if block.get("principalId"):
        extra = answers.get(_system_read(scope))
        ids = dict(extra) if isinstance(extra, Mapping) else {}
        attributes = _ids(block) | _ids(ids.get("properties") or ids)
        yield Entity(Ref(KIND, (SYSTEM,)), {"resourceId": ""}, attributes=attributes)
    symbols = {resource_id.lower(): symbol for symbol, resource_id in scope.identities.items() if resource_id}
    spelled = {resource_id.lower(): resource_id for resource_id in block.get("userAssignedIdentities") or {}}
    for resource_id, shown in _attached(block).items():
        object_id = str(shown.get("principalId") or "").lower()
        by_id = object_id if object_id in scope.identities else resource_id
        symbol = symbols.get(resource_id, by_id)
        own = answers.get(_identity_read(scope.identities.get(symbol) or resource_id))
        more = _ids(own.get("properties") or own) if isinstance(own, Mapping) else {}
        attributes = ({"tenantId": tenant.lower()} if tenant else {}) | more | _ids(shown)
        attributes |= {"resourceId": resource_id} if symbol == object_id else {}
        attributes["spelled"] = spelled[resource_id]  # as ARM writes it, for whoever writes it down
        yield Entity(Ref(KIND, (symbol,)), {"resourceId": resource_id}, attributes=attributes)


def _ids(answer: Mapping[str, Any]) -> dict[str, str]:
    keys = ("principalId", "clientId", "tenantId")
    return {key: str(answer[key]).lower() for key in keys if answer.get(key)}


def _unattached(symbol: str, answer: Any) -> Iterator[Reading]:
    if isinstance(answer, Mapping):
        yield Reading(Ref(KIND, (symbol,)), _ids(answer.get("properties") or answer))
    elif isinstance(answer, Failure):
        yield Reading(Ref(KIND, (symbol,)), {} if answer.reason == "absent" else {"unread": answer})


def needs(entity: Entity) -> Iterable[Need]:
    """Nothing: the cluster itself is a prerequisite."""
    return ()


def group(change: Change) -> Hashable:
    """All identities together: the cluster's identity block is written as one."""
    return "cluster"


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """One request that names what to attach and what to detach; the plane keeps all others."""
    scope = world.scope
    gone = [change for change in changes if change.verb == "delete"]
    body = {
        "resourceId": scope.cluster_id,
        "ensure": sorted(_wire(change.entity, scope) for change in changes if change.verb != "delete"),
        "remove": sorted(_wire(change.entity, scope) for change in gone),
    }
    target = subscription(scope.cluster_id)
    request = Request("arm", target, ("clusters.identity",), body, exclusive=exclusive(scope))
    return (Step((request,), hazards=tuple(_hazard(change.ref) for change in gone)),)


def _wire(entity: Entity, scope: Scope) -> str:
    """The identity as the plane takes it, in the spelling of the spec where it has one."""
    (symbol,) = entity.ref.name
    return scope.identities.get(symbol) or entity.fields["resourceId"] or SYSTEM


def _hazard(ref: Ref) -> Hazard:
    (symbol,) = ref.name
    if symbol == SYSTEM:
        reason = "the system identity's principal id is lost for good, and every grant made to it with it"
    else:
        reason = "exports and external tables that use this identity stop working"
    return Hazard("removes-access", ref, reason)


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else stands in for an attached identity."""
    return None
