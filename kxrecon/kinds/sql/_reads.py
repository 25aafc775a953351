"""What is asked of a SQL database, and what the answers say about an identity: its user, roles, grants and denies.

Each question is one constant statement per database, whatever the number of identities and tables
(learn.microsoft.com, sys.database_principals, sys.database_permissions, sys.database_role_members).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kxrecon.model import FUNCTIONS, Answer, Answers, Failure, Read, Table
from kxrecon.principals import is_guid
from kxrecon.scope import Scope

USERS = (
    "SELECT p.name, p.principal_id, p.type, CONVERT(varchar(200), p.sid, 1) AS sid_hex "
    "FROM sys.database_principals AS p"
)
MEMBERS = "SELECT m.role_principal_id, m.member_principal_id FROM sys.database_role_members AS m"
PERMISSIONS = (
    "SELECT pe.class, pe.permission_name, pe.state, pe.minor_id, pe.grantee_principal_id, "
    "COALESCE(s.name, os.name) AS schema_name, o.name AS object_name "
    "FROM sys.database_permissions AS pe "
    "LEFT JOIN sys.schemas AS s ON pe.class = 3 AND s.schema_id = pe.major_id "
    "LEFT JOIN sys.objects AS o ON pe.class = 1 AND o.object_id = pe.major_id "
    "LEFT JOIN sys.schemas AS os ON os.schema_id = o.schema_id "
    "WHERE pe.class IN (0, 1, 3) AND pe.major_id >= 0"
)
# A caller without this right sees its own permissions only: then nothing shown does not mean nothing there.
VISIBLE = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION') AS view_definition"

STATES = frozenset({"G", "W", "D", "R"})  # grant, with grant option, deny, revoke
PUBLIC = 0  # the principal id of the role that everybody is in
Grant = tuple[str, str]  # (PERMISSION, securable)


@dataclass(frozen=True, slots=True)
class Holder:
    """An identity's user in a database, with what it has directly and through roles."""

    symbol: str
    name: str
    roles: tuple[str, ...]
    direct: tuple[Grant, ...]
    granted: tuple[Grant, ...]
    denied: tuple[Grant, ...]


def databases(scope: Scope) -> list[tuple[str, str]]:
    """(server, database) of every SQL target that an identity writes to, each once."""
    targets = (target.doc for target in scope.targets.values())
    wanted = [doc for doc in targets if doc.get("server") and doc.get("auth") != "password"]
    return sorted({(server_key(str(doc["server"])), str(doc.get("database") or "")) for doc in wanted})


def server_key(server: str) -> str:
    """A server's comparable name: lower-case, without protocol and default port."""
    return server.strip().lower().removeprefix("tcp:").removesuffix(",1433")


def reads(scope: Scope) -> Iterator[Read]:
    """All questions to all databases."""
    for server, database in databases(scope):
        for text in (USERS, MEMBERS, PERMISSIONS, VISIBLE):
            yield question(server, database, text)


def question(server: str, database: str, text: str) -> Read:
    """One statement for one database."""
    return Read("sql", f"{server}/{database}", text)


def failure(answers: Answers, server: str, database: str) -> Failure | None:
    """Why a database's principals cannot be known, if they cannot; also if the caller may not see them all."""
    for text in (USERS, MEMBERS, PERMISSIONS, VISIBLE):
        answer = answers.get(question(server, database, text))
        if isinstance(answer, Failure):
            return answer
        if text == VISIBLE and isinstance(answer, Table) and not (answer.rows and answer.rows[0][0]):
            return Failure("denied", f"VIEW DEFINITION in {database} is missing: permissions of others are not shown")
    return None


def names(answers: Answers, server: str, database: str) -> tuple[str, ...]:
    """The names of all principals of a database, lower-case, as far as they are known."""
    return tuple(str(row["name"]).lower() for row in _rows(answers, server, database, USERS))


def holders(answers: Answers, server: str, database: str, scope: Scope) -> Iterator[Holder]:
    """The users of the spec's identities, found by SID and never by name."""
    if not isinstance(answers.get(question(server, database, USERS)), Table):
        return  # not asked yet, or refused
    users = _rows(answers, server, database, USERS)
    by_id = {int(user["principal_id"]): str(user["name"]) for user in users}
    if len(by_id) < max(len(users), 1):  # every database has principals, each with an id of its own
        raise ValueError("the principals of the database are told by ids that are not their own")
    symbols = _sids(scope)
    parents: dict[int, set[int]] = {}
    for row in _rows(answers, server, database, MEMBERS):
        parents.setdefault(int(row["member_principal_id"]), set()).add(int(row["role_principal_id"]))
    permissions = _rows(answers, server, database, PERMISSIONS)
    for user in users:
        # A login-based user's SID is longer by a suffix; the identity is in its first 16 bytes.
        symbol = symbols.get(str(user["sid_hex"] or "")[:34].upper())
        if symbol is not None:
            own = int(user["principal_id"])
            yield _holder(symbol, own, _closure(own, parents), by_id, permissions)


def _rows(answers: Answers, server: str, database: str, text: str) -> list[dict[str, Any]]:
    answer: Answer | None = answers.get(question(server, database, text))
    if not isinstance(answer, Table):
        return []
    return [{key.lower(): cell for key, cell in record.items()} for record in answer.records()]


def _sids(scope: Scope) -> dict[str, str]:
    """SID as upper-case hex → symbol, for identities whose client id is known."""
    ids = ((symbol, scope.identity(symbol, "clientId")) for symbol in scope.identities)
    return {FUNCTIONS["sid"](client_id).upper(): symbol for symbol, client_id in ids if isinstance(client_id, str)}


def _closure(own: int, parents: dict[int, set[int]]) -> set[int]:
    """Every role that a principal is in, roles in roles included."""
    found: set[int] = {PUBLIC}
    waiting = [own]
    while waiting:
        for role in parents.get(waiting.pop(), set()) - found:
            found.add(role)
            waiting.append(role)
    return found


def _holder(symbol: str, own: int, roles: set[int], by_id: dict[int, str], permissions: list[dict[str, Any]]) -> Holder:
    direct: list[Grant] = []
    granted: list[Grant] = []
    denied: list[Grant] = []
    for row in permissions:
        grantee, state = int(row["grantee_principal_id"]), str(row["state"]).strip()
        if state not in STATES:
            raise ValueError(f"{state[:20]!r} is no state of a permission")
        if grantee != own and grantee not in roles:
            continue
        grant = (_text(row["permission_name"]).strip().upper(), _securable(row))
        if state == "D":
            denied.append(grant)
        elif state in ("G", "W") and not int(row["minor_id"]):  # a right on some columns is not one on the table
            granted.append(grant)
            direct += [grant] if grantee == own else []
    named = sorted(by_id[role].lower() for role in roles if role in by_id)
    return Holder(symbol, by_id[own], tuple(named), tuple(direct), tuple(granted), tuple(denied))


def _securable(row: dict[str, Any]) -> str:
    if int(row["class"]) == 1:
        return f"OBJECT::{_text(row['schema_name'])}.{_text(row['object_name'])}"
    return f"SCHEMA::{_text(row['schema_name'])}" if int(row["class"]) == 3 else "DATABASE"


def _text(cell: Any) -> str:
    if not isinstance(cell, str) or not cell:
        raise TypeError(f"{str(cell)[:40]!r} is no name")
    return cell


def bracketed(name: str) -> str:
    """A name as T-SQL takes it: ``[dbo]``; SQL allows 128 characters."""
    return f"[{name.replace(']', ']]')}]"


def default_name(symbol: str, scope: Scope) -> str:
    """How SQL's own directory lookup would name the user: as the identity's resource, or as the cluster."""
    resource_id = scope.identities.get(symbol) or (symbol if is_guid(symbol) else scope.cluster_id)
    name = resource_id.rstrip("/").rpartition("/")[2]
    return name or scope.cluster_uri.partition("://")[2].partition(".")[0] or symbol
