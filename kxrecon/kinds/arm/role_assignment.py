"""Azure role assignments: who has which role at which scope, through what.

Rows are told by (scope, role, principal), never by name, because other tools name them otherwise. What
holds at a wider scope, through a group or by a wider role is recognised; a conditional row is not trusted,
since a condition cannot be evaluated here (learn.microsoft.com, Role Assignments REST API; Azure built-in
roles; What is Azure attribute-based access control).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from kxrecon.errors import Problem, SpecError
from kxrecon.kinds import World
from kxrecon.kinds.arm._ids import cluster_read, enclosing, last_segment, needed, subscription
from kxrecon.kinds.arm._mark import mark as mark  # the kind's own, if it is asked for it
from kxrecon.kinds.arm._roles import GUIDS, NAMES, WIDER, role_guid
from kxrecon.model import (
    FUNCTIONS,
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
from kxrecon.principals import ARM_TYPES, is_guid, is_identity, parse, unknown_principal
from kxrecon.scope import Scope, owner_of

PLANE: Plane = "arm"
SECTION: tuple[str, ...] = ("roleAssignments", "*")
KIND = "role_assignment"


def assignment(
    scope_id: str, role: str, symbol: str, reasons: tuple[str, ...], *, accept_conditional: bool = False
) -> Entity:
    """The entity that gives ``symbol`` a role at an ARM scope. Raises SpecError for an unknown role name.

    A row with a condition differs from it, unless ``accept_conditional`` leaves the condition open.
    """
    guid = role_guid(role)
    if guid is None:
        raise SpecError([Problem(f"unknown role '{role}'", remedy="use the GUID of its definition")])
    attributes = {"roleName": NAMES.get(guid, role), "scope": scope_id, "acceptConditional": accept_conditional}
    fields = {} if accept_conditional else {"condition": None}
    return Entity(Ref(KIND, (_scope_key(scope_id), guid, symbol)), fields, attributes=attributes, reasons=reasons)


def _scope_key(scope_id: str) -> str:
    return "/" + scope_id.strip("/").lower()


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """``{principal, role, scope}``, and ``acceptConditional`` where a condition is known to do, under a free name."""
    path = ("roleAssignments", *name)
    principal, role, scope_id = (doc.get(key) for key in ("principal", "role", "scope"))
    problems = list(_problems(principal, role, scope_id, scope, path))
    yield from problems
    if principal and role and scope_id and not problems:
        accept = bool(doc.get("acceptConditional"))
        yield replace(assignment(scope_id, role, principal, (), accept_conditional=accept), path=path)


def _problems(
    principal: str | None, role: str | None, scope_id: str | None, scope: Scope, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    """What is wrong with each of them; one that is missing is told where the spec is loaded."""
    label = str(path[-1])
    if principal is not None and not is_identity(principal, scope):
        fqn = parse(scope.principals.get(principal, ""))
        if fqn is None:
            yield unknown_principal(principal, (*path, "principal"), label)
        elif not is_guid(fqn.id):
            remedy = f"write {fqn.prefix}=<object id> under principals:"
            yield Problem(f"'{principal}' has no object id", path=(*path, "principal"), entity=label, remedy=remedy)
    if role is not None and role_guid(role) is None:
        near = get_close_matches(role.lower(), GUIDS, 1)
        remedy = f"did you mean '{NAMES[GUIDS[near[0]]]}'?" if near else "use the GUID of its definition"
        yield Problem(f"unknown role '{role}'", path=(*path, "role"), entity=label, remedy=remedy)
    if scope_id is not None and not scope_id.startswith("/"):
        remedy = "write an ARM id: /subscriptions/<id>/resourceGroups/<group>/…"
        yield Problem(f"'{scope_id}' is no scope", path=(*path, "scope"), entity=label, remedy=remedy)


def describe(entity: Entity) -> Any:
    """The entry as a spec holds it; the role by name where it is built in."""
    scope_id, guid, symbol = entity.ref.name
    where = entity.attributes.get("scope") or scope_id
    doc = {"principal": symbol, "role": NAMES.get(guid, guid), "scope": where}
    return doc if entity.fields.get("condition", "") is None else {**doc, "acceptConditional": True}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """Per subscription and principal, all rows at, above and below it; through groups too where that can be asked."""
    for target in _subscriptions(scope):
        for _, object_id, question in _askable(scope):
            yield _list_read(target, object_id, question)


def _subscriptions(scope: Scope) -> list[str]:
    stated = [str(target.doc["resourceId"]) for target in scope.targets.values() if target.doc.get("resourceId")]
    ids = [subscription(resource_id) for resource_id in (*stated, *scope.directory.accounts.values())]
    return sorted({one.lower() for one in (*scope.subscriptions, *ids) if one})


def _askable(scope: Scope) -> Iterator[tuple[str, str, str]]:
    """(symbol, object id, filter) of everybody whose assignments matter and whose object id is known."""
    for symbol in scope.identities:
        object_id = scope.identity(symbol, "principalId")
        if isinstance(object_id, str):
            yield symbol, object_id.lower(), "assignedTo"
    if ("roleAssignments",) not in scope.declared:
        return
    for symbol, written in scope.principals.items():
        fqn = parse(written)
        if fqn and is_guid(fqn.id):
            # Groups cannot be asked for what is assigned to them through others.
            yield symbol, fqn.id.lower(), "principalId" if fqn.prefix == "aadgroup" else "assignedTo"


def _list_read(target: str, object_id: str, question: str) -> Read:
    arguments = (("scope", f"/subscriptions/{target}"), (question, object_id))
    return Read("arm", target, "roleAssignments.list", arguments)


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """Every row that concerns somebody of the spec, at the scope that it is made at.

    A reading per principal sums up what ``covers`` asks for: the groups that it acts through, and the
    scopes above the subscriptions where rows were found.
    """
    found: dict[Ref, Entity] = {}
    above: dict[str, dict[str, set[str]]] = {}
    for target in _subscriptions(scope):
        for symbol, object_id, question in _askable(scope):
            answer = answers.get(_list_read(target, object_id, question))
            if isinstance(answer, Failure):
                yield Gap(KIND, (), answer)
            elif isinstance(answer, list):
                for row in answer:
                    entity = _entity(row, symbol, object_id, scope)
                    found[entity.ref] = _joined(found.get(entity.ref), entity)
                    if not subscription(entity.ref.name[0]):
                        above.setdefault(symbol, {}).setdefault(target, set()).add(entity.ref.name[0])
    yield from _unresolved(answers, scope)
    yield from found.values()
    yield from _readings(found.values(), above)


def _entity(row: Mapping[str, Any], symbol: str, object_id: str, scope: Scope) -> Entity:
    properties = row["properties"]
    principal = needed(properties, "principalId", "").lower()
    direct = principal == object_id
    prefix = "aadgroup" if properties.get("principalType") == "Group" else "aadapp"
    named = symbol if direct else scope.directory.symbol(principal, f"{prefix}={principal}") or f"{prefix}={principal}"
    name = (
        _scope_key(needed(properties, "scope")),
        last_segment(needed(properties, "roleDefinitionId", "/roleDefinitions/")).lower(),
        named,
    )
    attributes = {
        "assignmentName": row.get("name") or last_segment(str(row.get("id") or "")),
        "roleName": NAMES.get(name[1], name[1]),
        "scope": properties.get("scope"),
        "principalType": properties.get("principalType"),
        "description": properties.get("description"),
        "row": properties,
        "via": () if direct else (symbol,),
    }
    fields, owner = {"condition": properties.get("condition") or None}, owner_of(properties.get("description") or "")
    return Entity(Ref(KIND, name), fields, attributes=attributes, owner=owner)


def _joined(before: Entity | None, entity: Entity) -> Entity:
    """The same row seen from two principals of one group: reached by both."""
    if before is None:
        return entity
    via = tuple(sorted({*before.attributes["via"], *entity.attributes["via"]}))
    return replace(before, attributes={**before.attributes, "via": via})


def _unresolved(answers: Answers, scope: Scope) -> Iterator[Gap]:
    """Without the cluster's answer nobody knows whose rows to ask for."""
    failure = answers.get(cluster_read(scope)) if scope.cluster_id else None
    known = {symbol for symbol, _, _ in _askable(scope)}
    if isinstance(failure, Failure) and not known >= set(scope.identities):
        yield Gap(KIND, (), failure)


def _readings(found: Iterable[Entity], above: Mapping[str, Mapping[str, set[str]]]) -> Iterator[Reading]:
    groups: dict[str, set[str]] = {}
    for entity in found:
        for symbol in entity.attributes["via"]:
            groups.setdefault(symbol, set()).add(entity.ref.name[2])
    for symbol in sorted({*groups, *above}):
        higher = {target: tuple(sorted(scopes)) for target, scopes in above.get(symbol, {}).items()}
        values = {"groups": tuple(sorted(groups.get(symbol, ()))), "above": higher}
        yield Reading(Ref(KIND, (symbol,)), values)


def needs(entity: Entity) -> Iterable[Need]:
    """The identity, and the container where the scope is one."""
    scope_id, _, symbol = entity.ref.name
    yield Need(Ref("cluster_identity", (symbol,)))
    parts = scope_id.split("/")
    if "containers" in parts[:-1] and "storageaccounts" in parts[:-1]:
        account = parts[parts.index("storageaccounts") + 1]
        yield Need(Ref("container", (account, parts[parts.index("containers") + 1])))


def group(change: Change) -> Hashable:
    """Each assignment is a resource of its own."""
    return change.ref.name


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """Create under a name that follows from the triple, or delete the row that was seen.

    Somebody's condition on the row is never taken off: that change is left to people.
    """
    return tuple(_step(change, world.scope) for change in changes)


def _step(change: Change, scope: Scope) -> Step:
    if change.verb == "update":
        remedy = "set acceptConditional: true if it lets the export write, else have it removed"
        return Step((), notes=(f"the assignment has a condition, which cannot be evaluated here: {remedy}",))
    return _delete(change) if change.verb == "delete" else _create(change, scope)


def _create(change: Change, scope: Scope) -> Step:
    key, guid, symbol = change.ref.name
    entity = change.entity
    scope_id = str(entity.attributes.get("scope") or key)
    fqn = parse(scope.principals.get(symbol, symbol))
    identity = is_identity(symbol, scope)
    principal = scope.identity(symbol, "principalId") if identity or fqn is None else fqn.id.lower()
    target = subscription(scope_id)
    prefix = f"/subscriptions/{target}" if target else ""
    properties = {
        "roleDefinitionId": f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
        "principalId": principal,
        # Left out, the SDK would ask for a user; a wrong type is refused.
        "principalType": "ServicePrincipal" if identity or fqn is None else ARM_TYPES[fqn.prefix],
        "description": entity.owner or scope.mark,
    }
    body = {"scope": scope_id, "name": _row_name(key, principal, guid), "properties": properties}
    request = Request("arm", target, ("roleAssignments.create",), body, accepts=("RoleAssignmentExists",))
    return Step((request,))


def _row_name(key: str, principal: str | Unknown, guid: str) -> str | Deferred:
    if isinstance(principal, Unknown):
        return Deferred("uuid5", (key, principal, guid))
    return FUNCTIONS["uuid5"](key, principal, guid)


def _delete(change: Change) -> Step:
    key, guid, symbol = change.ref.name
    attributes = change.entity.attributes
    scope_id = str(attributes.get("scope") or key)
    body = {"scope": scope_id, "name": str(attributes["assignmentName"])}
    request = Request("arm", subscription(scope_id), ("roleAssignments.delete",), body)
    hazard = Hazard("removes-access", change.ref, f"{symbol} loses {NAMES.get(guid, guid)} at {scope_id}")
    return Step((request,), hazards=(hazard,))


def covers(entity: Entity, observed: State) -> str | None:
    """The same or a wider role at the same or an enclosing scope, directly or through a group, unconditioned."""
    scope_id, guid, symbol = entity.ref.name
    reading = observed.readings.get(Ref(KIND, (symbol,)))
    groups = reading.values["groups"] if reading else ()
    above = reading.values["above"].get(subscription(scope_id), ()) if reading else ()
    for scope_above in dict.fromkeys((*enclosing(scope_id), *above)):
        for role in WIDER.get(guid, (guid,)):
            for holder in (symbol, *groups):
                evidence = _evidence(observed, Ref(KIND, (scope_above, role, holder)), entity)
                if evidence:
                    return evidence
    return None


def _evidence(observed: State, ref: Ref, entity: Entity) -> str | None:
    row = observed.entities.get(ref)
    symbol = entity.ref.name[2]
    if row is None or (row.fields["condition"] and not entity.attributes.get("acceptConditional")):
        return None
    if ref.name[2] != symbol and symbol not in row.attributes.get("via", ()):
        return None
    through = "" if ref.name[2] == symbol else f" through {ref.name[2]}"
    return f"{symbol} has {NAMES.get(ref.name[1], ref.name[1])} at {ref.name[0]}{through}"
