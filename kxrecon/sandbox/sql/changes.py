"""Making the changes that statements ask for, with SQL Server's checks."""

from __future__ import annotations

import re
from functools import singledispatch

from kxrecon.sandbox.sql.errors import IntegrityError, ProgrammingError, cannot_find, no_permission, syntax
from kxrecon.sandbox.sql.names import find_table
from kxrecon.sandbox.sql.session import BUILT_IN, FIXED_ROLES, Session, sid_of
from kxrecon.sandbox.sql.statements import Create, CreateUser, Drop, Membership, Permit, Statement
from kxrecon.sandbox.store import Document

_ON_DATABASE = {"CONNECT", "CREATE TABLE", "CREATE SCHEMA", "CREATE VIEW", "ALTER ANY USER", "ALTER ANY ROLE"}
_ANYWHERE = {"SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "EXECUTE", "ALTER", "CONTROL"}
_ANYWHERE |= {"TAKE OWNERSHIP", "VIEW DEFINITION", "VIEW CHANGE TRACKING", "UNMASK"}
PERMISSIONS = {
    "DATABASE": (_ANYWHERE | _ON_DATABASE | {"VIEW DATABASE STATE", "ALTER ANY SCHEMA", "SHOWPLAN"}),
    "SCHEMA": _ANYWHERE | {"CREATE SEQUENCE"},
    "OBJECT": _ANYWHERE | {"RECEIVE"},
}


def make(session: Session, statement: Statement) -> None:
    """Make the change. Only an owner may; others get 15247 or 15151, as SQL Server words it."""
    if not session.is_owner:
        raise no_permission()
    _make(statement, session)


@singledispatch
def _make(statement: object, session: Session) -> None:
    raise syntax(type(statement).__name__)


@_make.register
def _create_user(statement: CreateUser, session: Session) -> None:
    if session.knows(statement.name):
        raise IntegrityError(f"User, group, or role '{statement.name}' already exists in the current database.", 15023)
    kind, sid = _identity(statement, session)
    for _, other in session.all("sql_principal"):
        if sid and other.get("sid") == sid:
            raise IntegrityError("The login already has an account under a different user name.", 15063)
    document: Document = {
        "name": statement.name,
        "id": session.next_id(),
        "type": kind,
        "sid": sid,
        "roles": [],
        "default_schema": statement.options.get("DEFAULT_SCHEMA", "dbo"),
        "created": session.world.clock.now().strftime("%Y-%m-%d %H:%M:%S"),
    }
    session.put("sql_principal", (statement.name.lower(),), document)
    permission = (statement.name.lower(), "DATABASE", "", "CONNECT")
    session.put("sql_permission", permission, {"state": "G", "grantee": statement.name})


def _identity(statement: CreateUser, session: Session) -> tuple[str, str]:
    """Type and SID of a new user."""
    options = statement.options
    if statement.external:
        if set(options) - {"OBJECT_ID", "DEFAULT_SCHEMA"}:
            raise syntax(min(options))
        return _in_directory(statement, session)
    if "SID" in options:
        kind = options.get("TYPE", "").upper()
        if kind not in ("E", "X") or not re.fullmatch(r"0x([0-9A-F]{32}|[0-9A-F]{36})", options["SID"]):
            raise ProgrammingError("The parameter SID or TYPE is invalid.", 33171)
        return kind, options["SID"]
    if statement.without_login:
        return "S", ""
    raise ProgrammingError(f"'{statement.name}' is not a valid login or you do not have permission.", 15007)


def _in_directory(statement: CreateUser, session: Session) -> tuple[str, str]:
    """Look a principal up in Entra, by display name (and object id where the name is not unique)."""
    wanted, found = statement.options.get("OBJECT_ID", "").lower(), []
    for (object_id,), document in session.world.store.all("principal"):
        names = {str(document.get(field, "")).lower() for field in ("displayName", "upn")}
        if statement.name.lower() in names and wanted in ("", object_id):
            found.append((object_id, document))
    if not found:
        raise ProgrammingError(
            f"Principal '{statement.name}' could not be found or this principal type is not supported.", 33130
        )
    if len(found) > 1:
        raise ProgrammingError(
            f"Principal '{statement.name}' has a duplicate display name. Make the display name unique in "
            "Azure Active Directory and execute this statement again.",
            33131,
        )
    object_id, document = found[0]
    return "X" if document["type"] == "Group" else "E", sid_of(str(document.get("clientId") or object_id))


@_make.register
def _drop(statement: Drop, session: Session) -> None:
    name = statement.name[-1]
    if statement.what in ("USER", "ROLE"):
        _drop_principal(statement, session, name)
    elif statement.what == "TABLE":
        _drop_table(statement, session)
    else:
        document = session.content()
        kept = [one for one in document.get("schemas") or () if one.lower() != name.lower()]
        if len(kept) == len(document.get("schemas") or ()) and not statement.if_exists:
            raise cannot_find("schema", name)
        session.put("sql_database", (), {**document, "schemas": kept})


def _drop_principal(statement: Drop, session: Session, name: str) -> None:
    found = session.principal(name)
    if not found or (found["type"] == "R") != (statement.what == "ROLE"):
        if statement.if_exists:
            return
        what = statement.what.lower()
        message = f"Cannot drop the {what} '{name}', because it does not exist or you do not have permission."
        raise ProgrammingError(message, 15151)
    session.delete("sql_principal", name.lower())
    for key, _ in list(session.all("sql_permission")):
        if key[0] == name.lower():
            session.delete("sql_permission", *key)


def _drop_table(statement: Drop, session: Session) -> None:
    document = session.content()
    key = find_table(session, statement.name)
    if key is None:
        if statement.if_exists:
            return
        message = "Cannot drop the table '{}', because it does not exist or you do not have permission."
        raise ProgrammingError(message.format(".".join(statement.name)), 3701)
    tables = {name: columns for name, columns in document["tables"].items() if _split(name) != key}
    session.put("sql_database", (), {**document, "tables": tables})
    what = ".".join(key).lower()
    for permission, _ in list(session.all("sql_permission")):
        if permission[1:3] == ("OBJECT", what):
            session.delete("sql_permission", *permission)


def _split(name: str) -> tuple[str, str]:
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else ("dbo", schema)


@_make.register
def _permit(statement: Permit, session: Session) -> None:
    what = _securable(statement, session)
    for permission in statement.permissions:
        if permission not in PERMISSIONS[statement.level]:
            raise syntax(permission)
    for principal in statement.principals:
        if not session.knows(principal):
            raise cannot_find("user", principal)
        if principal.lower() in ("dbo", "sys", "information_schema") or principal.lower().startswith("db_"):
            raise ProgrammingError(
                "Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, information_schema, sys, "
                "or yourself.",
                15151,
            )
        for permission in statement.permissions:
            _set(statement, session, principal, what, permission)


def _securable(statement: Permit, session: Session) -> str:
    """The name under which permissions on the securable are kept; 15151 if it does not exist."""
    if statement.level == "DATABASE":
        if statement.name and statement.name[-1].lower() != session.database:
            raise cannot_find("database", statement.name[-1])
        return ""
    if statement.level == "SCHEMA":
        if statement.name[-1].lower() not in {one.lower() for one in session.schemas()}:
            raise cannot_find("schema", statement.name[-1])
        return statement.name[-1].lower()
    found = find_table(session, statement.name)
    if not found:
        raise cannot_find("object", statement.name[-1])
    return ".".join(found).lower()


def _set(statement: Permit, session: Session, principal: str, what: str, permission: str) -> None:
    key = (principal.lower(), statement.level, what, permission)
    if statement.verb == "REVOKE" and not statement.grant_option:
        session.delete("sql_permission", *key)
        return
    state = {"GRANT": "W" if statement.grant_option else "G", "DENY": "D", "REVOKE": "G"}[statement.verb]
    if statement.verb == "REVOKE" and not session.get("sql_permission", *key):
        return
    session.put("sql_permission", key, {"state": state, "grantee": principal})


@_make.register
def _membership(statement: Membership, session: Session) -> None:
    own = session.principal(statement.role)
    if statement.role.lower() not in FIXED_ROLES and not (own and own["type"] == "R"):
        raise cannot_find("role", statement.role)
    member = session.principal(statement.member)
    if not member:
        raise cannot_find("principal", statement.member)
    name = next((one for one in FIXED_ROLES if one == statement.role.lower()), (own or {}).get("name", statement.role))
    roles = [one for one in member["roles"] if one.lower() != statement.role.lower()]
    session.put(
        "sql_principal", (statement.member.lower(),), {**member, "roles": [*roles, name] if statement.add else roles}
    )


@_make.register
def _create(statement: Create, session: Session) -> None:
    if statement.what == "SCHEMA":
        if statement.name.lower() in {one.lower() for one in session.schemas()}:
            raise IntegrityError(f"There is already an object named '{statement.name}' in the database.", 2714)
        document = session.content()
        session.put("sql_database", (), {**document, "schemas": [*(document.get("schemas") or ()), statement.name]})
        return
    if session.knows(statement.name):
        raise IntegrityError(f"User, group, or role '{statement.name}' already exists in the current database.", 15023)
    role = {"name": statement.name, "id": session.next_id(), "type": "R", "sid": "", "roles": []}
    session.put("sql_principal", (statement.name.lower(),), role)


def create_table(session: Session, name: tuple[str, ...], columns: list[list[str]]) -> None:
    """CREATE TABLE: 2714 if there is one, 2760 if its schema is missing."""
    if not session.is_owner:
        raise no_permission()
    schema = name[-2] if len(name) > 1 else "dbo"
    spelled = next((one for one in session.schemas() if one.lower() == schema.lower()), None)
    if spelled is None or spelled in BUILT_IN and spelled != "dbo":
        raise ProgrammingError(
            f'The specified schema name "{schema}" either does not exist or you do not have permission to use it.', 2760
        )
    if find_table(session, name):
        raise IntegrityError(f"There is already an object named '{name[-1]}' in the database.", 2714)
    document = session.content()
    tables = {**(document.get("tables") or {}), f"{spelled}.{name[-1]}": columns}
    session.put("sql_database", (), {**document, "tables": tables})
