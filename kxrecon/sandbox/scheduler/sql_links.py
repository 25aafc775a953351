"""The links at a SQL target: database, user, permissions ("learn.microsoft.com, Permissions (Database Engine)").

A managed identity is the user whose SID holds the bytes of its client id; a group, of its object id.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kxrecon.sandbox.scheduler.documents import Identity
from kxrecon.sandbox.scheduler.verdicts import Broken, Subject, Unreached
from kxrecon.sandbox.sql.names import parts
from kxrecon.sandbox.sql.session import Session
from kxrecon.sandbox.store import Document, Store

LOGIN_FAILED = "Login failed for user '<token-identified principal>'."
FIXED = {
    "db_owner": {"INSERT", "UPDATE", "CREATE TABLE", "ALTER"},
    "db_datawriter": {"INSERT", "UPDATE"},
    "db_ddladmin": {"CREATE TABLE", "ALTER"},
}
IMPLYING = {
    "CONNECT": {"CONNECT", "CONTROL"},
    "INSERT": {"INSERT", "CONTROL"},
    "UPDATE": {"UPDATE", "CONTROL"},
    "CREATE TABLE": {"CREATE TABLE", "ALTER", "CONTROL"},
    "ALTER": {"ALTER", "CONTROL", "ALTER ANY SCHEMA"},
}


@dataclass(frozen=True, slots=True)
class Table:
    """Where the rows go: names as the database spells them. ``creates``: the export makes a missing table."""

    server: str
    database: str
    schema: str
    name: str
    exists: bool
    creates: bool
    schema_exists: bool

    @property
    def full(self) -> str:
        """schema.table"""
        return f"{self.schema}.{self.name}"


def table(subject: Subject) -> Table:
    """The target of a SQL external table; Unreached if its database is not there."""
    external = subject.target()
    connection = external["connection"]
    server, database = server_name(str(connection["server"])), str(connection["database"]).lower()
    if subject.world.store.get("sql_database", server, database) is None:
        raise Unreached(f"the database '{database}' does not exist")
    *before, name = parts(str(external.get("table") or ""))
    schema = before[-1] if before else ""
    place = ((schema or "dbo").lower(), name.lower())
    content = Session(subject.world, server, database)
    existing = next((found for found in content.tables() if (found[0].lower(), found[1].lower()) == place), None)
    return Table(
        server,
        database,
        *(existing or (schema or "dbo", name)),
        exists=existing is not None,
        creates=bool((external.get("properties") or {}).get("createIfNotExists")),
        schema_exists=place[0] in {one.lower() for one in content.schemas()},
    )


def server_name(written: str) -> str:
    """The host in ``tcp:host,1433``, lower case."""
    return written.lower().removeprefix("tcp:").partition(",")[0].strip()


def database(subject: Subject) -> str:
    """The server and database exist, and the table does or may be created."""
    connection = subject.target()["connection"]
    try:
        target = table(subject)
    except Unreached as missing:
        raise Broken(
            f"Cannot open database '{connection['database']}' requested by the login on '{connection['server']}'. "
            "The login failed."
        ) from missing
    if not target.exists and not target.creates:
        raise Broken(f"Invalid object name '{target.full}'.")
    return f"'{target.server}/{target.database}' is there"


def grant(subject: Subject) -> str:
    """The user exists and may write; for a new table it may also create it."""
    connection = subject.target()["connection"]
    who = subject.connection_identity(connection)
    if who is None:
        return f"user '{connection.get('user')}' signs in with a password, taken on trust"
    return granted(subject, who)


def granted(subject: Subject, who: Identity) -> str:
    """The user that an identity (or a person: principal and client id are the object id) is, which may write."""
    target = table(subject)
    names = users(subject, who, target)
    if not names:
        raise Broken(LOGIN_FAILED)
    if not allowed(subject.world.store, target, names, "CONNECT"):
        raise Broken(LOGIN_FAILED)
    if not target.schema_exists:
        raise Broken(_denied("ALTER", target))
    for permission in ("INSERT", "UPDATE") if target.exists else ("CREATE TABLE", "ALTER", "INSERT", "UPDATE"):
        if not allowed(subject.world.store, target, names, permission):
            raise Broken(_denied(permission, target))
    return f"user '{sorted(names)[0]}' may write to '{target.full}'"


def _denied(permission: str, target: Table) -> str:
    if permission == "CREATE TABLE":
        return f"CREATE TABLE permission denied in database '{target.database}'."
    if permission == "ALTER":
        return (
            f"The specified schema name '{target.schema}' either does not exist or "
            "you do not have permission to use it."
        )
    return (
        f"The {permission} permission was denied on the object '{target.name}', database '{target.database}', "
        f"schema '{target.schema}'."
    )


def users(subject: Subject, who: Identity, target: Table) -> set[str]:
    """The database principals that an identity is: its own user, its groups' users, and all their roles."""
    sids = {_sid(who.client)} | {_sid(one) for one in subject.world.groups_of(who.principal)}
    known = {
        key[2]: document for key, document in subject.world.store.all("sql_principal", target.server, target.database)
    }
    found = {name for name, document in known.items() if _bytes(document) in sids - {""}}
    todo = list(found)
    while todo:
        for role in map(str.lower, known.get(todo.pop(), {}).get("roles") or ()):
            if role not in found:
                found.add(role)
                todo.append(role)
    return found


def _sid(guid: str) -> str:
    return UUID(guid).bytes_le.hex().lower() if guid else ""


def _bytes(document: Document) -> str:
    # 16 of them: a user that came with a login has a suffix
    return str(document.get("sid") or "").lower().removeprefix("0x")[:32]


def allowed(store: Store, target: Table, names: set[str], permission: str) -> bool:
    """Whether one of the principals has the permission on the table (or schema, or database); a deny wins."""
    places = {("database", ""), ("schema", target.schema.lower())}
    if permission in ("INSERT", "UPDATE"):
        places.add(("object", target.full.lower()))
    if permission in ("CREATE TABLE", "CONNECT"):
        places = {("database", "")}
    granted = any(permission in FIXED.get(name, ()) for name in names)
    for key, document in store.all("sql_permission", target.server, target.database):
        if key[2] not in names | {"public"} or (key[3].lower(), key[4]) not in places:
            continue
        if document["state"] == "D" and key[5].upper() in (permission, "CONTROL"):
            return False
        granted = granted or (document["state"] in ("G", "W") and key[5].upper() in IMPLYING[permission])
    return granted and not ("db_denydatawriter" in names and permission in ("INSERT", "UPDATE"))
