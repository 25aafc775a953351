"""The catalog views of a database as tables of an in-memory SQLite, and the functions beside them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from kxrecon.sandbox.sql.names import find_table, parts
from kxrecon.sandbox.sql.session import BUILT_IN, FIXED_ROLES, Session

Row = tuple[Any, ...]

VIEWS = {
    "database_principals": (
        "name, principal_id, type, type_desc, default_schema_name, create_date, modify_date, owning_principal_id, "
        "sid BLOB, is_fixed_role, authentication_type, authentication_type_desc"
    ),
    "database_permissions": (
        "class, class_desc, major_id, minor_id, grantee_principal_id, grantor_principal_id, type, permission_name, "
        "state, state_desc"
    ),
    "database_role_members": "role_principal_id, member_principal_id",
    "schemas": "name, schema_id, principal_id",
    "objects": "name, object_id, principal_id, schema_id, parent_object_id, type, type_desc, is_ms_shipped",
    "tables": "name, object_id, principal_id, schema_id, parent_object_id, type, type_desc, is_ms_shipped",
    "columns": (
        "object_id, name, column_id, system_type_id, user_type_id, max_length, precision, scale, is_nullable, "
        "is_identity"
    ),
    "types": "name, system_type_id, user_type_id, schema_id, max_length, is_user_defined",
    "databases": "name, database_id",
}
_TYPE_IDS = {
    "uniqueidentifier": 36, "date": 40, "time": 41, "datetime2": 42, "datetimeoffset": 43, "tinyint": 48,
    "smallint": 52, "int": 56, "real": 59, "money": 60, "datetime": 61, "float": 62, "bit": 104, "decimal": 106,
    "numeric": 108, "bigint": 127, "varbinary": 165, "varchar": 167, "char": 175, "nvarchar": 231, "nchar": 239,
    "xml": 241,
}  # fmt: skip
_PERMISSION_TYPES = {
    "CONNECT": "CO", "CREATE TABLE": "CRTB", "INSERT": "IN", "UPDATE": "UP", "SELECT": "SL", "DELETE": "DL",
    "ALTER": "AL", "CONTROL": "CL", "EXECUTE": "EX", "REFERENCES": "RF", "VIEW DEFINITION": "VW",
    "CREATE SCHEMA": "CRSM", "ALTER ANY USER": "ALUS", "TAKE OWNERSHIP": "TO",
}  # fmt: skip
_STATES = {"G": "GRANT", "W": "GRANT_WITH_GRANT_OPTION", "D": "DENY", "R": "REVOKE"}
_CLASSES = {"DATABASE": (0, "DATABASE"), "OBJECT": (1, "OBJECT_OR_COLUMN"), "SCHEMA": (3, "SCHEMA")}
_KINDS = {
    "E": ("EXTERNAL_USER", 4, "EXTERNAL"),
    "X": ("EXTERNAL_GROUP", 4, "EXTERNAL"),
    "S": ("SQL_USER", 0, "NONE"),
    "R": ("DATABASE_ROLE", 0, "NONE"),
}


def open_catalog(session: Session) -> sqlite3.Connection:
    """A throw-away SQLite that holds the views as the caller sees them, names compared without case."""
    catalog = sqlite3.connect(":memory:", isolation_level=None)
    catalog.execute("ATTACH ':memory:' AS sys")
    for name, columns in VIEWS.items():
        typed = ", ".join(one if " " in one else f"{one} COLLATE NOCASE" for one in columns.split(", "))
        catalog.execute(f"CREATE TABLE sys.{name} ({typed})")
    for name, rows in _content(session):
        for row in rows:
            catalog.execute(f"INSERT INTO sys.{name} VALUES ({', '.join('?' * len(row))})", row)
    for function, body in _functions(session).items():
        catalog.create_function(function, -1, body)
    return catalog


def _content(session: Session) -> Iterator[tuple[str, Iterable[Row]]]:
    tables = list(_tables(session))
    yield "database_principals", _principals(session)
    yield "database_permissions", _permissions(session)
    yield "database_role_members", _members(session)
    yield "schemas", [(name, schema_id(session, name), 1) for name in session.schemas()]
    yield "objects", tables
    yield "tables", tables
    yield "columns", _columns(session)
    yield "types", [(name, number, number, 4, -1, 0) for name, number in _TYPE_IDS.items()]
    yield "databases", [("master", 1), (session.content()["name"], 5)]


def principal_id(session: Session, name: str) -> int | None:
    """The id of a user or role, built-in ones included."""
    known = {one.lower(): number for one, number in (*FIXED_ROLES.items(), *BUILT_IN.items())}
    if name.lower() in known:
        return known[name.lower()]
    found = session.principal(name)
    return int(found["id"]) if found else None


def schema_id(session: Session, name: str) -> int | None:
    """The id of a schema; those that are not built in are numbered after them."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    own = [one.lower() for one in session.schemas() if one not in BUILT_IN]
    return 5 + own.index(name.lower()) if name.lower() in own else None


def object_id(schema: str, table: str) -> int:
    """The id of a table: the same in every process."""
    return zlib.crc32(f"{schema}.{table}".lower().encode()) & 0x7FFFFFFF


def _principals(session: Session) -> Iterator[Row]:
    for name, number in FIXED_ROLES.items():
        fixed = int(name != "public")
        yield name, number, "R", "DATABASE_ROLE", None, None, None, 1, None, fixed, 0, "NONE"
    for name, number in BUILT_IN.items():
        yield name, number, "S", "SQL_USER", name if name == "dbo" else None, None, None, None, b"\x01", 0, 0, "NONE"
    for _, one in session.all("sql_principal"):
        described, authentication, words = _KINDS[one["type"]]
        sid = bytes.fromhex(one["sid"][2:]) if one.get("sid") else None
        schema, created = one.get("default_schema", "dbo"), one.get("created")
        yield (
            one["name"], one["id"], one["type"], described, schema, created, created, None,
            sid, 0, authentication, words,
        )  # fmt: skip


def _permissions(session: Session) -> Iterator[Row]:
    """Explicit permissions; a caller without VIEW DEFINITION sees none but its own."""
    for (name, level, what, permission), one in session.all("sql_permission"):
        grantee = principal_id(session, name)
        if grantee is None or not session.is_owner:
            continue
        number, described = _CLASSES[level]
        kind = _PERMISSION_TYPES.get(permission, "".join(word[0] for word in permission.split())[:4])
        state = one["state"]
        yield (
            number, described, _major(session, level, what), 0, grantee, 1, kind, permission, state, _STATES[state],
        )  # fmt: skip


def _major(session: Session, level: str, what: str) -> int | None:
    if level == "DATABASE":
        return 0
    if level == "SCHEMA":
        spelled = next((one for one in session.schemas() if one.lower() == what), what)
        return schema_id(session, spelled)
    schema, _, table = what.partition(".")
    return object_id(schema, table)


def _members(session: Session) -> Iterator[Row]:
    for _, one in session.all("sql_principal"):
        for role in one.get("roles") or ():
            number = principal_id(session, role)
            if number is not None:
                yield number, one["id"]


def _tables(session: Session) -> Iterator[Row]:
    for schema, table in session.tables():
        number = object_id(schema, table)
        yield table, number, None, schema_id(session, schema), 0, "U ", "USER_TABLE", 0


def _columns(session: Session) -> Iterator[Row]:
    for (schema, table), columns in session.tables().items():
        for index, (name, written, *rest) in enumerate(columns, start=1):
            kind = str(written).lower().partition("(")[0].strip()
            number = _TYPE_IDS.get(kind, 231)
            nullable = 0 if "not null" in [str(one).lower() for one in rest] else 1
            yield object_id(schema, table), name, index, number, number, -1, 0, 0, nullable, 0


def _functions(session: Session) -> dict[str, Callable[..., Any]]:
    """T-SQL's functions that questions about users and tables call."""

    def find_object(name: Any = None, kind: Any = "U") -> int | None:
        found = find_table(session, parts(name)) if name else None
        return object_id(*found) if found and str(kind).strip().upper() == "U" else None

    def find_schema(name: Any = "dbo") -> int | None:
        return schema_id(session, next((one for one in session.schemas() if one.lower() == str(name).lower()), ""))

    def has_permission(*_: Any) -> int:
        return int(session.is_owner)

    def in_role(role: Any = None, member: Any = None) -> int | None:
        if member is None:
            return int(session.is_owner) if principal_id(session, str(role)) is not None else None
        found = session.principal(str(member))
        return int(str(role).lower() in {one.lower() for one in found["roles"]}) if found else None

    return {
        "OBJECT_ID": find_object,
        "SCHEMA_ID": find_schema,
        "DATABASE_PRINCIPAL_ID": lambda name="dbo": principal_id(session, str(name)),
        "HAS_PERMS_BY_NAME": has_permission,
        "IS_ROLEMEMBER": in_role,
        "IS_MEMBER": in_role,
        "DB_NAME": lambda *_: session.content()["name"],
        "DB_ID": lambda *_: 5,
        "SUSER_SNAME": lambda *_: session.world.caller.get("displayName", ""),
        "USER_NAME": lambda *_: "dbo" if session.is_owner else session.world.caller.get("displayName", ""),
        "QUOTENAME": lambda name=None, *_: None if name is None else f"[{str(name).replace(']', ']]')}]",
        "TSQL_CONVERT": convert,
    }


def convert(kind: str, value: Any, style: int = 0) -> Any:
    """CAST and CONVERT between text, numbers, binary and uniqueidentifier."""
    if value is None:
        return None
    if kind == "guid-bytes":
        return UUID(str(value)).bytes_le
    if kind == "uniqueidentifier":
        return str(UUID(bytes_le=value[:16]) if isinstance(value, bytes) else UUID(str(value))).upper()
    if kind == "varbinary":
        return value if isinstance(value, bytes) else str(value).encode("utf-16-le")
    if kind in ("int", "bigint", "smallint", "tinyint", "bit"):
        return int(value)
    if isinstance(value, bytes) and style in (1, 2):
        return ("0x" if style == 1 else "") + value.hex().upper()
    if isinstance(value, bytes):
        return value.decode("utf-16-le", "replace")
    return str(value)
