"""What an identity's user may do in a SQL database: one entity per permission and securable.

An existing table takes INSERT and UPDATE on it; a table to be created takes CREATE TABLE, and ALTER, INSERT
and UPDATE on its schema, since there is no table to name yet. Wider grants and fixed roles count, and any
DENY on the way wins (learn.microsoft.com, Create and alter SQL external tables; GRANT; CREATE TABLE).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kxrecon import sql_names
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.sql import _reads
from kxrecon.model import (
    Answers,
    Change,
    Entity,
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
from kxrecon.scope import Scope

PLANE: Plane = "sql"
SECTION: tuple[str, ...] = ()
KIND = "sql_grant"
USER = "sql_user"

_WRITES = ("INSERT", "UPDATE", "DELETE")
# Fixed database roles, whose rights are in no catalogue view (learn.microsoft.com, Database-level roles).
_FIXED = {
    "db_datawriter": _WRITES,
    "db_datareader": ("SELECT",),
    "db_ddladmin": ("CREATE TABLE", "ALTER"),
}
_FIXED_DENIES = {"db_denydatawriter": _WRITES, "db_denydatareader": ("SELECT",)}
# Permissions on the database that include another one on what is in it.
_WIDER = {"ALTER": ("ALTER ANY SCHEMA",), "CREATE TABLE": ("ALTER",)}


def grants(
    where: tuple[str, str],
    symbol: str,
    table: str,
    *,
    create: bool,
    doc: Mapping[str, Any],
    reasons: tuple[str, ...],
) -> list[Entity]:
    """The user and the grants with which ``symbol`` can export into ``table``.

    ``where`` is (server, database), ``create`` whether the export makes the table, ``doc`` the target's
    entry with ``userName`` and ``extra``.
    """
    server, database = _reads.server_key(where[0]), where[1]
    name = (server, database, symbol)
    fields = {"name": doc["userName"]} if doc.get("userName") else {}
    user = Entity(Ref(USER, name), fields, reasons=reasons)
    schema, short = sql_names.schema_and_table(table)
    on = f"SCHEMA::{schema}" if create else f"OBJECT::{schema}.{short}"
    # CREATE USER gives CONNECT, but somebody may have revoked it since: then the user is there and of no use.
    wanted = [("CONNECT", "DATABASE"), *([("CREATE TABLE", "DATABASE"), ("ALTER", on)] if create else [])]
    extra = [str(permission).upper() for permission in doc.get("extra") or ()]
    wanted += [(permission, on) for permission in dict.fromkeys(("INSERT", "UPDATE", *extra))]
    return [user, *(Entity(Ref(KIND, (*name, *grant)), {"denied": None}, reasons=reasons) for grant in wanted)]


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """Nothing: grants follow from SQL targets."""
    return ()


def describe(entity: Entity) -> Any:
    """What a target says so that this permission is granted too."""
    return {"extra": [entity.ref.name[3]]}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """The same questions as for users: one answer serves both."""
    return _reads.reads(scope)


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """What is granted to the users of the spec's identities themselves, and which DENY stands against it."""
    for server, database in _reads.databases(scope):
        failure = _reads.failure(answers, server, database)
        if failure is not None:
            yield Gap(KIND, (server, database), failure)
            continue
        for holder in _reads.holders(answers, server, database, scope):
            # A DENY on the very thing is there too: a GRANT would take it away, and it may be somebody's intention.
            for permission, securable in dict.fromkeys((*holder.direct, *holder.denied)):
                denied = _denied(permission, securable, holder.roles, holder.denied)
                name = (server, database, holder.symbol, permission, securable)
                yield Entity(Ref(KIND, name), {"denied": denied})


def _chain(securable: str) -> list[str]:
    """A securable and what it is in, lower-case: the table, its schema, the database."""
    kind, _, name = securable.lower().partition("::")
    if kind == "object":
        return [securable.lower(), f"schema::{name.partition('.')[0]}", "database"]
    return [securable.lower(), "database"] if kind == "schema" else ["database"]


def _denied(permission: str, securable: str, roles: Iterable[str], denied: Iterable[tuple[str, str]]) -> str | None:
    """The DENY that takes ``permission`` away again, in words; None if there is none."""
    chain = _chain(securable)
    for name, where in denied:
        if name in (permission, "CONTROL") and where.lower() in chain:
            return f"DENY {name} ON {where}"
    return next((f"member of {role}" for role in roles if permission in _FIXED_DENIES.get(role, ())), None)


def needs(entity: Entity) -> Iterable[Need]:
    """The user."""
    return (Need(Ref(USER, entity.ref.name[:3])),)


def group(change: Change) -> Hashable:
    """What one statement gives to one user: a table or schema that is not there keeps no other export waiting, and a
    permission on the database that may not be granted none that does without it."""
    *user, permission, securable = change.ref.name
    return (*user, change.verb, securable, permission if securable == "DATABASE" else "")


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """One GRANT or REVOKE per securable; a DENY is never taken away."""
    if changes[0].verb == "update":
        return (Step((), notes=tuple(_standing(change) for change in changes)),)
    server, database, symbol = changes[0].ref.name[:3]
    name = _reads.bracketed(_user_name(changes[0].ref, world))
    verb, word = ("REVOKE", "FROM") if changes[0].verb == "delete" else ("GRANT", "TO")
    requests = [
        Request("sql", f"{server}/{database}", (f"{verb} {', '.join(permissions)}{_on(securable)} {word} {name}",))
        for securable, permissions in _by_securable(changes)
    ]
    gone = [change for change in changes if change.verb == "delete"]
    hazards = tuple(Hazard("removes-access", one.ref, f"{symbol} loses {one.ref.name[3]}") for one in gone)
    return (Step(tuple(requests), hazards=hazards, notes=() if gone else _warnings(changes, world)),)


def _standing(change: Change) -> str:
    permission, securable = change.ref.name[3:]
    denied = change.observed.fields["denied"] if change.observed else ""
    return f"{permission} on {securable} is granted, but {denied} wins: have it removed"


def _warnings(changes: Sequence[Change], world: World) -> tuple[str, ...]:
    """Denies that will make a new grant void."""
    reading = world.observed.readings.get(Ref(USER, changes[0].ref.name[:3]))
    if reading is None:
        return ()
    roles, denied = reading.values["roles"], reading.values["denied"]
    grants = [(change.ref.name[3], change.ref.name[4]) for change in changes]
    found = [(name, on, _denied(name, on, roles, denied)) for name, on in grants]
    return tuple(f"{name} on {on} will have no effect: {denial}" for name, on, denial in found if denial)


def _by_securable(changes: Sequence[Change]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for change in changes:
        found.setdefault(change.ref.name[4], []).append(change.ref.name[3])
    return iter(found.items())


def _on(securable: str) -> str:
    kind, _, name = securable.partition("::")
    if kind == "OBJECT":
        schema, _, table = name.partition(".")
        return f" ON OBJECT::{_reads.bracketed(schema)}.{_reads.bracketed(table)}"
    return f" ON SCHEMA::{_reads.bracketed(name)}" if kind == "SCHEMA" else ""


def _user_name(ref: Ref, world: World) -> str:
    """The user's name: as it will be, as it is, or as it is made by default."""
    user = Ref(USER, ref.name[:3])
    sides = (world.desired.entities.get(user), world.observed.entities.get(user))
    names = [side.fields["name"] for side in sides if side is not None and "name" in side.fields]
    return str(names[0]) if names else _reads.default_name(ref.name[2], world.scope)


def covers(entity: Entity, observed: State) -> str | None:
    """A wider grant, a fixed role or another role of the user, with no DENY on the way."""
    *user, permission, securable = entity.ref.name
    reading = observed.readings.get(Ref(USER, tuple(user)))
    if reading is None:
        return None
    roles, granted = reading.values["roles"], reading.values["granted"]
    if _denied(permission, securable, roles, reading.values["denied"]):
        return None
    symbol = user[2]
    for role in roles:
        if role == "db_owner" or permission in _FIXED.get(role, ()):
            return f"{symbol} is in {role} of {user[1]}"
    chain = _chain(securable)
    for name, where in granted:
        wider = where == "DATABASE" and name in _WIDER.get(permission, ())
        if where.lower() in chain and (name in (permission, "CONTROL") or wider):
            return f"{symbol} has {name} on {where} of {user[1]}"
    return None
