"""Roles on a database: one entity per database, role and principal.

Roles are additive unless the spec says ``exact:``. Whoever else is in a role stays; the role is never set
as a whole, so that no spec can empty it (learn.microsoft.com, Manage database security roles).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

from kxrecon import kql
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.kusto import _reads
from kxrecon.kinds.kusto._cells import cells, needed_cell, text_cell
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
)
from kxrecon.principals import (
    fqn_of,
    identity_fqn,
    is_identity,
    observed_symbol,
    parse,
    symbol_of,
    unknown_principal,
)
from kxrecon.scope import Scope, owner_of

PLANE: Plane = "kusto"
SECTION: tuple[str, ...] = ("databases", "*", "roles", "*")
KIND = "database_role"
ROLES = ("admins", "users", "viewers", "unrestrictedviewers", "ingestors", "monitors")
_PLURALS = {role[:-1]: role for role in ROLES}
CALLER = "caller"

# Roles that include another one (learn.microsoft.com, Kusto role-based access control).
_IMPLIED_BY = {
    "users": ("admins",),
    "viewers": ("admins", "users"),
    "ingestors": ("admins",),
    "monitors": ("admins",),
}
_CLUSTER_IMPLIED_BY = {
    "admins": ("AllDatabasesAdmin",),
    "users": ("AllDatabasesAdmin",),
    "viewers": ("AllDatabasesAdmin", "AllDatabasesViewer"),
    "ingestors": ("AllDatabasesAdmin",),
    "monitors": ("AllDatabasesAdmin", "AllDatabasesMonitor"),
}


def grant(database: str, role: str, symbol: str, reasons: tuple[str, ...]) -> Entity:
    """The entity that puts ``symbol`` into a role (plural) of a database."""
    return Entity(Ref(KIND, (database, role, symbol)), {}, reasons=reasons)


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """``{add: […]}`` or ``{exact: […]}`` under the role's name."""
    database, role = name
    path = ("databases", database, "roles", role)
    if role not in ROLES:
        remedy = f"roles are {', '.join(ROLES)}"
        yield Problem(f"unknown role '{role}'", path=path, entity=database, remedy=remedy)
        return
    exact = "exact" in doc
    principals = doc["exact"] if exact else doc.get("add") or ()
    if exact and not principals:
        remedy = "list who stays, or use add: and leave the others alone"
        yield Problem(f"exact: [] would empty the role {role}", path=(*path, "exact"), entity=database, remedy=remedy)
    for index, written in enumerate(principals):
        at = (*path, "exact" if exact else "add", index)
        symbol = symbol_of(written, scope)
        if symbol is None:
            yield unknown_principal(written, at, f"{database}/{role}")
            continue
        attributes: dict[str, Any] = {"exact": True} if exact else {}
        if parse(written):
            attributes["fqn"] = written
        yield Entity(Ref(KIND, (database, role, symbol)), {}, attributes=attributes, path=at)


def describe(entity: Entity) -> Any:
    """The role with this one principal; the entries of one role are joined by whoever writes the spec."""
    return {"exact" if entity.attributes.get("exact") else "add": [entity.ref.name[2]]}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """The principals of each database; and where some may be taken away, who the caller is."""
    for database in scope.databases:
        yield _reads.principals(database)
        if _may_take(database, scope):
            yield _reads.own_roles(database)


def _may_take(database: str, scope: Scope) -> bool:
    """Whether a spec like this one can remove principals from roles: by ``exact:`` or by pruning."""
    stated = {("databases", database, "roles"), ("cluster", "roles")} & scope.declared
    return bool(stated) or scope.prune.get("grants", "none") != "none"


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """Everybody in a role of a database; rows inherited from the cluster are another kind's."""
    for database in scope.databases:
        answer = answers.get(_reads.principals(database))
        if isinstance(answer, Failure):
            yield Gap(KIND, (database,), answer)
        elif isinstance(answer, Table):
            yield from _entities(database, answer, scope)
        own = answers.get(_reads.own_roles(database))
        if isinstance(own, Table):
            yield _caller(database, own)


def _caller(database: str, own: Table) -> Reading:
    """Under which object ids the caller has roles: its own, and those of groups that it is a member of."""
    take = cells(own, "AADObjectID", "Role")
    rows = [(str(object_id).lower(), str(role or "")) for object_id, role in map(take, own.rows) if object_id]
    admin = tuple(sorted({object_id for object_id, role in rows if role.endswith("Admin")}))
    values = {"ids": tuple(sorted({object_id for object_id, _ in rows})), "admin": admin}
    return Reading(Ref(KIND, (database, "", CALLER)), values)


def _entities(database: str, answer: Table, scope: Scope) -> Iterator[Entity]:
    take = cells(answer, "Role", "PrincipalObjectId", "PrincipalFQN", "PrincipalDisplayName?", "Notes?")
    taken: dict[Ref, str] = {}
    for row in answer.rows:
        role, object_id, fqn, display, notes = (text_cell(cell) or "" for cell in take(row))
        plural = _plural(needed_cell(role))
        if plural is None:
            continue
        symbol = observed_symbol(object_id, fqn, display, scope)
        ref = Ref(KIND, (database, plural, symbol))
        if taken.setdefault(ref, object_id) != object_id:
            # Two principals answer to one name of the spec: neither may be taken for the other.
            ref = Ref(KIND, (database, plural, observed_symbol(object_id, fqn, "", Scope())))
        attributes = {"fqn": fqn, "objectId": object_id.lower(), "notes": notes}
        yield Entity(ref, {}, attributes=attributes, owner=owner_of(notes))


def _plural(role: str) -> str | None:
    """``Database Samples Viewer`` → ``viewers``; None for roles of the cluster (``AllDatabasesViewer``)."""
    if role.startswith("All"):
        return None
    lowered = role.lower()
    if lowered.endswith("unrestricted viewer"):
        return "unrestrictedviewers"
    word = lowered.rpartition(" ")[2]
    return _PLURALS.get(word) or (word if word in ROLES else None)


def needs(entity: Entity) -> Iterable[Need]:
    """The identity, where the principal is one: before, it has no id to grant to."""
    symbol = entity.ref.name[2]
    return () if "=" in symbol else (Need(Ref("cluster_identity", (symbol,))),)


def group(change: Change) -> Hashable:
    """Each principal by itself: one whom the directory does not know lets the whole command fail, for others too."""
    return change.ref


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """``.add`` or ``.drop`` of a principal."""
    return tuple(_step(change, world) for change in changes)


def _step(change: Change, world: World) -> Step:
    database, role, _ = change.ref.name
    name = kql.identifier(database)
    gone = change.verb == "delete"
    principal = kql.command(_principal(change.entity, world.scope))
    owner = None if gone else change.entity.owner or world.scope.mark
    note = f" {kql.verbatim(owner)}" if owner else ""
    text = kql.command(f".{'drop' if gone else 'add'} database {name} {role} (", principal, f"){note}")
    hazards = (_hazard(change.ref, world),) if gone else ()
    if gone and role == "admins" and not _remaining(database, world):
        return Step((), hazards=hazards, notes=("a database must keep an admin: nothing is sent",))
    return Step((Request("kusto", database, text),), hazards=hazards)


def _principal(entity: Entity, scope: Scope) -> tuple[str | Leaf, ...]:
    symbol = entity.ref.name[2]
    observed = entity.attributes.get("fqn")
    if entity.attributes.get("objectId") and observed:
        return kql.quoted(observed)  # as the service itself names whoever is to go
    if is_identity(symbol, scope):
        return kql.quoted(*identity_fqn(symbol, scope))
    return kql.quoted(fqn_of(symbol, observed, scope))


def _remaining(database: str, world: World) -> bool:
    desired = world.desired.entities
    return any(ref.kind == KIND and ref.name[:2] == (database, "admins") for ref in desired)


def _hazard(ref: Ref, world: World) -> Hazard:
    database, role, symbol = ref.name
    if role == "admins" and not _remaining(database, world):
        return Hazard("locks-out", ref, f"{symbol} is the last admin of {database}")
    return Hazard("removes-access", ref, f"{symbol} leaves the {role} of {database}")


def covers(entity: Entity, observed: State) -> str | None:
    """A wider role of the same principal, on the database or on the cluster; groups are not looked into."""
    database, role, symbol = entity.ref.name
    for wider in _IMPLIED_BY.get(role, ()):
        if Ref(KIND, (database, wider, symbol)) in observed.entities:
            return f"{symbol} is among the {wider} of {database}"
    for wider in _CLUSTER_IMPLIED_BY.get(role, ()):
        if Ref("cluster_role", (wider, symbol)) in observed.entities:
            return f"{symbol} is {wider} of the cluster"
    return None
