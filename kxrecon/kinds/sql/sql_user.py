"""The contained user that stands for a managed identity in a SQL database.

It is found and made by its SID, the bytes of the identity's client id, which needs no right to look into
the directory and cannot mistake one identity for another of the same name (learn.microsoft.com, CREATE
USER; sys.database_principals).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.sql import _reads
from kxrecon.model import (
    FUNCTIONS,
    Answers,
    Change,
    Deferred,
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
    Unknown,
)
from kxrecon.scope import Scope

PLANE: Plane = "sql"
SECTION: tuple[str, ...] = ()
KIND = "sql_user"
_NO_CLIENT_ID = Failure("failed", "the identity's client id could not be read, so its user cannot be told")


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """Nothing: users follow from SQL targets."""
    return ()


def describe(entity: Entity) -> Any:
    """What a target says about its user."""
    return {"userName": entity.fields["name"]} if "name" in entity.fields else {}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """Users, memberships and permissions of every target database."""
    return _reads.reads(scope)


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """The users of the spec's identities; a reading says what each may do, and one which names are taken."""
    for server, database in _reads.databases(scope):
        failure = _reads.failure(answers, server, database)
        if failure is not None:
            yield Gap(KIND, (server, database), failure)
            continue
        yield from (Gap(KIND, (server, database, symbol), _NO_CLIENT_ID) for symbol in _nameless(scope))
        names = _reads.names(answers, server, database)
        yield Reading(Ref(KIND, (server, database, "")), {"names": names})
        for holder in _reads.holders(answers, server, database, scope):
            ref = Ref(KIND, (server, database, holder.symbol))
            yield Entity(ref, {"name": holder.name})
            values = {"roles": holder.roles, "granted": holder.granted, "denied": holder.denied}
            yield Reading(ref, values)


def _nameless(scope: Scope) -> list[str]:
    """Identities that exist, but whose client id nobody could read."""
    ids = scope.directory.attributes
    return [one for one in scope.identities if ids.get(one, {}).get("principalId") and not ids[one].get("clientId")]


def needs(entity: Entity) -> Iterable[Need]:
    """The identity, whose client id the SID is made from."""
    return (Need(Ref("cluster_identity", (entity.ref.name[2],))),)


def group(change: Change) -> Hashable:
    """Each user by itself."""
    return change.ref.name


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """Create by SID, rename, or drop."""
    return tuple(_step(change, world) for change in changes)


def _step(change: Change, world: World) -> Step:
    server, database, symbol = change.ref.name
    name = str(change.entity.fields.get("name") or _reads.default_name(symbol, world.scope))
    if change.verb == "delete":
        hazard = Hazard("removes-access", change.ref, f"{name} can no longer enter {database} on {server}")
        return Step((_request(change, f"DROP USER {_reads.bracketed(name)}"),), hazards=(hazard,))
    if _taken(change, name, world):
        note = f"a user '{name}' with another SID is there already: drop it, or set userName: on the target"
        return Step((), notes=(note,))
    if change.observed is not None:
        old = _reads.bracketed(change.observed.fields["name"])
        return Step((_request(change, f"ALTER USER {old} WITH NAME = {_reads.bracketed(name)}"),))
    client_id = world.scope.identity(symbol, "clientId")
    sid = Deferred("sid", (client_id,)) if isinstance(client_id, Unknown) else FUNCTIONS["sid"](client_id)
    return Step((_request(change, f"CREATE USER {_reads.bracketed(name)} WITH SID = ", sid, ", TYPE = E"),))


def _taken(change: Change, name: str, world: World) -> bool:
    reading = world.observed.readings.get(Ref(KIND, (*change.ref.name[:2], "")))
    own = str(change.observed.fields["name"]).lower() if change.observed else None
    return reading is not None and name.lower() in reading.values["names"] and name.lower() != own


def _request(change: Change, *parts: str | Leaf) -> Request:
    server, database, _ = change.ref.name
    return Request("sql", f"{server}/{database}", parts)


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else stands in for a user; one through a group is not looked for."""
    return None
