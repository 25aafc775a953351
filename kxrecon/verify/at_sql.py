"""The links at a SQL database: it answers, the identity has a user there, the user may write.

("learn.microsoft.com, Create and alter SQL external tables"; "Permissions (Database Engine)".)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kxrecon.kinds import kind
from kxrecon.kinds.sql import _reads as sql_reads
from kxrecon.kinds.sql import sql_grant
from kxrecon.model import Entity, Hidden, Ref
from kxrecon.verdicts import Fix, Link, broken, holds, unknown
from kxrecon.verify import fixes
from kxrecon.verify.known import Subject

Connection = Mapping[str, Any]
_MASKED = "whoever opens the connection is masked: it may carry a password"
ABSENT = ("does not exist", "cannot open database", "could not be resolved", "cannot open server")


def target(subject: Subject, connection: Connection) -> Link:
    """The database answers."""
    server, database = connection.get("server"), connection.get("database")
    if isinstance(server, Hidden) or isinstance(database, Hidden):
        return unknown("the service masks the connection string: a spec with this table would tell")
    where = f"{database} on {server}"
    if subject.known.scope.manages("sql") == "off":
        return unknown(f"{where}: the spec switches SQL off (manage: sql: off)")
    failure = sql_reads.failure(subject.known.answers, sql_reads.server_key(str(server)), str(database))
    if failure is None:
        return holds(f"{where} answers")
    if failure.reason == "absent" or (failure.reason != "denied" and subject.failed_with(*ABSENT)):
        return broken(
            f"{where} is not there ({failure.message})", Fix("person", f"create {where}, or correct the target")
        )
    return unknown(f"{where} could not be read ({fixes.words(failure)})")


def grant(subject: Subject, connection: Connection) -> Link:
    """The user of whoever opens the connection has every permission that an insert takes."""
    writer = subject.writer(connection)
    if writer is None:
        return holds(f"the connection carries its own {connection.get('auth')}; whether it is still valid is not asked")
    if not isinstance(writer, str) or subject.table is None:
        return unknown("the service does not show who writes")
    wanted = _wanted(subject, connection, writer, subject.table)
    user = wanted[0]
    known = subject.known
    if hidden := known.hidden(user.ref):
        return unknown(f"the users of {connection['database']} {hidden}")
    if user.ref not in known.observed.entities:
        if not isinstance(known.scope.identity(writer, "clientId"), str):
            return unknown(f"not reached: '{writer}' has no client id yet")
        if isinstance(connection.get("auth"), Hidden):
            return unknown(_MASKED)
        commands = [fix for entity in wanted for fix in fixes.single(entity, known)]
        text = f"'{writer}' has no user in {connection['database']} on {connection['server']}"
        return broken(text, *commands, *fixes.everything(user, known))
    found = _permissions(wanted[1:], subject)
    masked = isinstance(connection.get("auth"), Hidden) and found.verdict == "broken"
    return unknown(_MASKED) if masked else found


def _wanted(subject: Subject, connection: Connection, writer: str, table: Entity) -> list[Entity]:
    named = subject.known.scope.targets.get(str(table.attributes.get("target") or ""))
    return sql_grant.grants(
        (str(connection["server"]), str(connection["database"])),
        writer,
        str(table.fields.get("table")),
        create=bool(table.fields.get("createIfNotExists")),
        doc=named.doc if named else {},
        reasons=(),
    )


def _permissions(wanted: list[Entity], subject: Subject) -> Link:
    seen = subject.known.observed
    missing: list[Entity] = []
    for entity in wanted:
        held = seen.entities.get(entity.ref)
        denied = _denied(entity, subject)
        if denied:
            return broken(f"{entity.ref.name[3]} on {entity.ref.name[4]}: {denied[0]} wins over any grant", denied[1])
        if held is None and not kind(entity.ref.kind).covers(entity, seen):
            missing.append(entity)
    names = ", ".join(f"{one.ref.name[3]} on {one.ref.name[4]}" for one in wanted)
    if not missing:
        return holds(f"its user has {names}")
    commands = [fix for entity in missing for fix in fixes.single(entity, subject.known)]
    lacks = ", ".join(f"{one.ref.name[3]} on {one.ref.name[4]}" for one in missing)
    return broken(f"its user has not {lacks}", *commands, *fixes.everything(missing[0], subject.known))


def _denied(entity: Entity, subject: Subject) -> tuple[str, Fix] | None:
    """The DENY that stands against a permission, with the statement that takes it away."""
    *user, permission, securable = entity.ref.name
    reading = subject.known.observed.readings.get(Ref("sql_user", tuple(user)))
    if reading is None:
        return None
    found = sql_grant._denied(permission, securable, reading.values["roles"], reading.values["denied"])
    if found is None:
        return None
    name = sql_reads.bracketed(str(subject.known.observed.entities[Ref("sql_user", tuple(user))].fields["name"]))
    where = f"{user[0]}/{user[1]}"
    if found.startswith("member of "):
        return found, Fix("sql", f"ALTER ROLE {found.removeprefix('member of ')} DROP MEMBER {name}", where)
    _, denial, _, on = found.split(" ", 3)
    return found, Fix("sql", f"REVOKE {denial}{sql_grant._on(on)} FROM {name}", where)
