"""What a managed identity may be used for: one entity per level, identity and usage.

Cluster and database policies add up, so a usage on the cluster is enough for every database. The service
keeps one list per level; elements of others in it are kept (learn.microsoft.com, Managed identity policy).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from kxrecon import kql
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.kusto import _reads
from kxrecon.kinds.kusto._cells import cells
from kxrecon.model import (
    Answers,
    Change,
    Entity,
    Failure,
    Gap,
    Hazard,
    Leaf,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    Request,
    State,
    Step,
    Table,
    Unknown,
)
from kxrecon.principals import is_guid, is_identity
from kxrecon.scope import SYSTEM, Scope

PLANE: Plane = "kusto"
SECTION: tuple[str, ...] = ("databases", "*", "managedIdentityPolicy", "*")
SECTIONS: tuple[tuple[str, ...], ...] = (SECTION, ("cluster", "managedIdentityPolicy", "*"))
KIND = "managed_identity_policy"
ALL = "All"
USAGES = (
    ALL,
    "AutomatedFlows",
    "AzureAI",
    "DataConnection",
    "ExportRequest",
    "ExternalDataRequest",
    "ExternalTable",
    "NativeIngestion",
    "SandboxArtifacts",
    "SqlRequest",
)
_BY_LOWER = {usage.lower(): usage for usage in USAGES}


def usage(level: str, database: str, symbol: str, usage: str, reasons: tuple[str, ...]) -> Entity:
    """The entity that lets ``symbol`` be used for ``usage``; ``database`` does not matter at level ``cluster``."""
    name = ("cluster", symbol, usage) if level == "cluster" else ("database", database, symbol, usage)
    return Entity(Ref(KIND, name), {}, reasons=reasons)


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """A list of usages under the identity's name; ``name`` is (database, symbol), or (symbol,) at the cluster."""
    *database, symbol = name
    level: tuple[str, ...] = ("database", database[0]) if database else ("cluster",)
    root = ("databases", database[0]) if database else ("cluster",)
    path = (*root, "managedIdentityPolicy", symbol)
    label = "/".join((*level, symbol))
    known = symbol if is_identity(symbol, scope) else symbol.lower() if is_guid(symbol) else None
    if known is None:
        near = get_close_matches(symbol, (SYSTEM, *scope.identities), 1)
        remedy = f"did you mean '{near[0]}'?" if near else "name it under cluster.identities, or use its object id"
        yield Problem(f"unknown identity '{symbol}'", path=path, entity=label, remedy=remedy)
        return
    for index, written in enumerate(doc):
        at = (*path, index)
        allowed = _BY_LOWER.get(str(written).lower(), str(written))
        problem = _wrong(allowed, level)
        if problem:
            yield replace(problem, path=at, entity=label)
        if problem is None or problem.severity == "note":
            yield Entity(Ref(KIND, (*level, known, allowed)), {}, path=at)


def _wrong(name: str, level: tuple[str, ...]) -> Problem | None:
    """What is wrong with a usage. One that resembles none may be newer than this list: that is only noted."""
    if name == "SandboxArtifacts" and level[0] == "database":
        return Problem(f"{name} can only be allowed on the cluster", remedy="move it to cluster.managedIdentityPolicy")
    if name in USAGES:
        return None
    near = get_close_matches(name.lower(), _BY_LOWER, 1)
    if near:
        return Problem(f"unknown usage '{name}'", remedy=f"did you mean '{_BY_LOWER[near[0]]}'?")
    severity = "note" if name.isalnum() else "error"
    return Problem(f"unknown usage '{name}'", remedy=f"usages are {', '.join(USAGES)}", severity=severity)


def describe(entity: Entity) -> Any:
    """The list with this one usage; the lists of one identity are joined by whoever writes the spec."""
    return [entity.ref.name[-1]]


def entry_name(ref: Ref) -> tuple[str, ...]:
    """What stands for the stars of the section that holds this entity: (database, symbol) or (symbol,)."""
    return ref.name[1:-1]


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """The policy of the cluster and of each database."""
    yield _reads.cluster_policy()
    for database in scope.databases:
        yield _reads.database_policy(database)


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """All usages at both levels; an unset policy is an empty one."""
    yield from _level(answers.get(_reads.cluster_policy()), ("cluster",), scope)
    for database in scope.databases:
        yield from _level(answers.get(_reads.database_policy(database)), ("database", database), scope)


def _level(answer: Any, level: tuple[str, ...], scope: Scope) -> Iterator[Entity | Gap]:
    if isinstance(answer, Failure):
        yield Gap(KIND, level, answer)
    if not isinstance(answer, Table):
        return
    try:
        items = list(_items(answer))
    except ValueError:
        yield Gap(KIND, level, Failure("failed", "the managed_identity policy is not readable as JSON"))
        return
    for item in items:
        yield from _usages(item, level, scope)


def _items(answer: Table) -> Iterator[dict[str, Any]]:
    """The policy's entries. The column is documented as ``Policies`` and seen as ``Policy``. Raises ValueError."""
    take = cells(answer, "Policy|Policies")
    for (cell,) in map(take, answer.rows):
        entries = json.loads(cell) if isinstance(cell, str) and cell.strip() else cell
        yield from entries or ()


def _usages(item: dict[str, Any], level: tuple[str, ...], scope: Scope) -> Iterator[Entity]:
    object_id = str(item["ObjectId"]).lower()
    client_id = str(item.get("ClientId") or "").lower()
    symbol = SYSTEM if _is_system(item, scope) else scope.directory.symbol(object_id, client_id) or object_id
    attributes = {"objectId": object_id, "displayName": item.get("DisplayName")}
    for word in str(item["AllowedUsages"]).split(","):
        if word.strip():
            name = _BY_LOWER.get(word.strip().lower(), word.strip())
            yield Entity(Ref(KIND, (*level, symbol, name)), {}, attributes=attributes)


def _is_system(item: dict[str, Any], scope: Scope) -> bool:
    """Whether an entry means the system identity as it is now: one that was switched off and on again is another."""
    object_id = str(item.get("ObjectId") or "").lower()
    if object_id == SYSTEM:
        return True
    now = scope.directory.attributes.get(SYSTEM, {}).get("principalId")
    return bool(item.get("IsSystem")) and now in (None, object_id)


def needs(entity: Entity) -> Iterable[Need]:
    """The identity: the service refuses the whole policy if one in it is not attached."""
    symbol = entity.ref.name[-2]
    return () if is_guid(symbol) else (Need(Ref("cluster_identity", (symbol,))),)


def group(change: Change) -> Hashable:
    """One policy: the cluster's, or one database's."""
    return change.ref.name[:-2]


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """Only additions: merge them in. With a removal the whole list is written, with all that stays in it."""
    level = changes[0].ref.name[:-2]
    gone = [change for change in changes if change.verb == "delete"]
    target = level[1] if len(level) > 1 else ""
    entity = f"database {kql.identifier(target)}" if target else "cluster"
    if not gone:
        text = kql.command(
            f".alter-merge {entity} policy managed_identity ", _json([change.ref for change in changes], world.scope)
        )
    else:
        stay = [ref for ref in world.desired.entities if ref.kind == KIND and ref.name[:-2] == level]
        if stay:
            text = kql.command(
                f".alter {entity} policy managed_identity ", _json(stay, world.scope, _unattached(stay, world))
            )
        else:
            text = (f".delete {entity} policy managed_identity",)
    request = Request("kusto", target, text, exclusive=f"managed_identity:{target}")
    return (Step((request,), hazards=tuple(_hazard(change.ref, world) for change in gone)),)


def _json(refs: Iterable[Ref], scope: Scope, waiting: frozenset[str] = frozenset()) -> tuple[str | Leaf, ...]:
    """The policy as a JSON literal, one object per identity, usages as one list in one string."""
    usages: dict[str, list[str]] = {}
    for ref in sorted(refs):
        usages.setdefault(ref.name[-2], []).append(ref.name[-1])
    items = [
        {"ObjectId": _object_id(symbol, scope, symbol in waiting), "AllowedUsages": ", ".join(usages[symbol])}
        for symbol in usages
    ]
    if any(isinstance(item["ObjectId"], Unknown) for item in items):
        return kql.json_quoted(items)
    return (kql.json_literal(items),)


def _object_id(symbol: str, scope: Scope, waits: bool) -> str | Unknown:
    """What the policy takes for an identity; a leaf where the write has to wait until it is attached."""
    if is_guid(symbol):
        return symbol
    if waits:
        return Unknown(Ref("cluster_identity", (symbol,)), "principalId")
    return SYSTEM if symbol == SYSTEM else scope.identity(symbol, "principalId")


def _unattached(refs: Iterable[Ref], world: World) -> frozenset[str]:
    """Identities that this plan attaches. A list that leaves them out would take their new usages away again,
    one that has them too early is refused; needs cannot tell, since a removal needs nothing."""
    made = world.desired.entities.keys() - world.observed.entities.keys()
    return frozenset(ref.name[-2] for ref in refs if Ref("cluster_identity", (ref.name[-2],)) in made)


def _hazard(ref: Ref, world: World) -> Hazard:
    other = covers(Entity(ref, {}), world.desired)
    effect = f"no effect yet, for {other}" if other else "flows of this identity that rely on it stop"
    return Hazard("removes-access", ref, f"{ref.name[-2]} loses {ref.name[-1]}: {effect}")


def covers(entity: Entity, observed: State) -> str | None:
    """``All`` at the same level, or the usage or ``All`` on the cluster."""
    *_, symbol, name = entity.ref.name
    level = entity.ref.name[:-2]
    candidates = [(*level, symbol, ALL), ("cluster", symbol, name), ("cluster", symbol, ALL)]
    for candidate in candidates:
        if candidate != entity.ref.name and Ref(KIND, candidate) in observed.entities:
            where = "cluster" if candidate[0] == "cluster" else f"database {candidate[1]}"
            return f"the {where} policy allows {candidate[-1]} to {symbol}"
    return None
