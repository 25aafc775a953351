"""Security roles ("learn.microsoft.com, Security roles overview"): add, drop, set, show."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from kxrecon.sandbox.kusto import permissions, principals
from kxrecon.sandbox.kusto.answers import Answer, answer, columns
from kxrecon.sandbox.kusto.principals import SHOWN, Principal
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.store import Document, Key

PRINCIPALS = columns(
    "Role:string, PrincipalType:string, PrincipalDisplayName:string, PrincipalObjectId:string,"
    "PrincipalFQN:string, Notes:string, RoleAssignmentIdentifier:string"
)
ROLES = columns("Scope:string, DisplayName:string, AADObjectID:string, Role:string")
SINGULAR = {
    "admins": "Admin",
    "users": "User",
    "viewers": "Viewer",
    "unrestrictedviewers": "UnrestrictedViewer",
    "ingestors": "Ingestor",
    "monitors": "Monitor",
}
SCOPES = (
    ("table", "table", "table_role"),
    ("external", "external_table", "external_role"),
    ("function", "function", "function_role"),
)
WORD = {"database": "Database", "table": "Table", "external_table": "External Table", "function": "Function"}


def _scope(session: Session, given: dict[str, Any]) -> tuple[Session, tuple[str, ...], str]:
    """The session in the right database, the scope's key (kind, db[, name]) and the role of a role command."""
    for label, kind, role in SCOPES:
        if label in given:
            session.get(kind, given[label])
            permissions.require_entity(session, kind, given[label], "PrincipalsAlter")
            return session, (kind, session.database, given[label]), given[role]
    session = session.within(given["database"]) if "database" in given else session
    permissions.require(session, permissions.ADMIN, "DatabasePrincipalsAlter")
    return session, ("database", session.database), given["database_role"]


def _resolved(session: Session, given: dict[str, Any]) -> list[Principal]:
    strict = session.switches.strict
    return [principals.resolve(session.store, session.cluster, p.value, strict) for p in given.get("principals", [])]


def _key(session: Session, scope: tuple[str, ...], role: str, who: Principal) -> Key:
    return (session.uri, *scope, role, who.fqn.lower())


def _write(session: Session, scope: tuple[str, ...], role: str, who: Principal, notes: str | None) -> None:
    key = _key(session, scope, role, who)
    before = session.store.get("role", *key) or {}
    document = {
        "objectId": who.object_id,
        "type": who.kind,
        "displayName": who.shown,
        "fqn": who.fqn,
        "notes": notes if notes is not None else before.get("notes", ""),
    }
    session.store.put("role", key, document)


def add(session: Session, given: dict[str, Any]) -> Answer:
    """Adding a present principal changes its notes at most."""
    session, scope, role = _scope(session, given)
    notes = given["notes"].value if "notes" in given else None
    for who in _resolved(session, given):
        _write(session, scope, role, who, notes)
    return _changed(session, scope, role, given)


def drop(session: Session, given: dict[str, Any]) -> Answer:
    """Dropping an absent principal changes nothing."""
    session, scope, role = _scope(session, given)
    for who in _resolved(session, given):
        session.store.delete("role", *_key(session, scope, role, who))
    return _changed(session, scope, role, given)


def replace(session: Session, given: dict[str, Any]) -> Answer:
    """``.set``: the role's members become exactly these, or none."""
    session, scope, role = _scope(session, given)
    wanted = _resolved(session, given)
    for key, _ in session.store.all("role", session.uri, *scope, role):
        session.store.delete("role", *key)
    notes = given["notes"].value if "notes" in given else None
    for who in wanted:
        _write(session, scope, role, who, notes)
    return _changed(session, scope, role, given)


def _changed(session: Session, scope: tuple[str, ...], role: str, given: dict[str, Any]) -> Answer:
    session.record(f"ALTER-{scope[0].upper().replace('_', '-')}-PRINCIPALS", scope[-1], None, role)
    if "skip" in given:
        return answer(PRINCIPALS, [])
    return answer(PRINCIPALS, _database_rows(session) if scope[0] == "database" else _rows(session, scope))


def _label(session: Session, scope: tuple[str, ...], role: str) -> str:
    name = session.database_name if scope[0] == "database" else scope[-1]
    return f"{WORD[scope[0]]} {name} {SINGULAR[role]}"


def _rows(session: Session, scope: tuple[str, ...]) -> list[list[Any]]:
    rows = []
    width = 1 + len(scope)
    for key, document in session.store.all("role", session.uri, *scope):
        if len(key) == width + 2:
            rows.append(_row(_label(session, scope, key[width]), document, "\x1f".join(key)))
    return rows


def _row(role: str, document: Document, identity: str) -> list[Any]:
    return [
        role,
        SHOWN[document["type"]],
        document["displayName"],
        document["objectId"],
        document["fqn"],
        document.get("notes") or "",
        str(uuid.uuid5(uuid.NAMESPACE_OID, identity)),
    ]


def _assigned_rows(session: Session, kind: str, prefix: tuple[str, ...], label: str) -> list[list[Any]]:
    """Rows of what ARM assigned, for principals that the sandbox knows."""
    rows = []
    known = principals.everyone(session.store, session.cluster)
    for key, document in session.store.all(kind, *prefix):
        ids = principals.assigned_ids(document)
        who = next((p for p in known if ids & {p.object_id.lower(), (p.app_id or "").lower()}), None)
        if who is not None:
            shown = {"objectId": who.object_id, "type": who.kind, "displayName": who.shown, "fqn": who.fqn}
            rows.append(_row(label + str(document["role"]), shown, "\x1f".join(key)))
    return rows


def _cluster_rows(session: Session) -> list[list[Any]]:
    """Rows inherited from the cluster: their role has no scope in front."""
    return _assigned_rows(session, "cluster_principal", (session.uri,), "")


def _database_rows(session: Session) -> list[list[Any]]:
    """Everything on the database: inherited, assigned by ARM, added by command."""
    place = (session.uri, session.database)
    assigned = _assigned_rows(session, "database_principal", place, f"Database {session.database_name} ")
    own = _rows(session, ("database", session.database))
    seen = {(row[0], row[3]) for row in own}
    return _cluster_rows(session) + own + [row for row in assigned if (row[0], row[3]) not in seen]


def database(session: Session, given: dict[str, Any]) -> Answer:
    """``.show database principals``: cluster-level roles first, then the database's own."""
    session = session.within(given["database"]) if "database" in given else session
    permissions.require(session, permissions.WATCH, "DatabasePrincipalsShow")
    return answer(PRINCIPALS, _database_rows(session))


def cluster(session: Session, given: dict[str, Any]) -> Answer:
    """``.show cluster principals``."""
    permissions.require_cluster(session, permissions.CLUSTER_WATCH, "ClusterPrincipalsShow")
    return answer(PRINCIPALS, _cluster_rows(session))


def _entity(session: Session, kind: str, name: str) -> Answer:
    session.get(kind, name)
    permissions.require_entity(session, kind, name, "PrincipalsShow", permissions.QUERY)
    return answer(PRINCIPALS, _rows(session, (kind, session.database, name)))


def table(session: Session, given: dict[str, Any]) -> Answer:
    """``.show table T principals``."""
    return _entity(session, "table", given["table"])


def external(session: Session, given: dict[str, Any]) -> Answer:
    """``.show external table T principals``."""
    return _entity(session, "external_table", given["name"])


def function(session: Session, given: dict[str, Any]) -> Answer:
    """``.show function F principals``."""
    return _entity(session, "function", given["name"])


def _roles_of(session: Session, given: dict[str, Any], rows: Iterable[list[Any]], scope: str) -> Answer:
    """The roles of the caller, or of the principal that was named."""
    if "principal" in given:
        who = principals.resolve(session.store, session.cluster, given["principal"].value, True)
        wanted = {who.object_id.lower()}
    else:
        wanted = set(session.caller.ids)
    found = [[scope, row[2], row[3], row[0]] for row in rows if str(row[3]).lower() in wanted]
    if "principal" not in given and scope.startswith(("Cluster", "Database")):
        found = [*_given(session, scope, {row[3] for row in found}), *found]
    return answer(ROLES, found)


def _given(session: Session, scope: str, shown: set[str]) -> list[list[Any]]:
    """The cluster roles that the sandbox's inventory gives the caller (all, if it is silent), inherited everywhere."""
    caller = session.caller
    return [[scope, caller.fqn, caller.object_id, role] for role in sorted(caller.cluster_roles) if role not in shown]


def cluster_roles(session: Session, given: dict[str, Any]) -> Answer:
    """``.show [cluster] principal roles``."""
    return _roles_of(session, given, _cluster_rows(session), "Cluster")


def database_roles(session: Session, given: dict[str, Any]) -> Answer:
    """``.show database D principal roles``."""
    session = session.within(given["database"])
    rows = _database_rows(session)
    return _roles_of(session, given, rows, f"Database {session.database_name}")


def table_roles(session: Session, given: dict[str, Any]) -> Answer:
    """``.show table T principal roles``."""
    session.get("table", given["table"])
    return _roles_of(session, given, _rows(session, ("table", session.database, given["table"])), "Table")


def external_roles(session: Session, given: dict[str, Any]) -> Answer:
    """``.show external table T principal roles``."""
    session.get("external_table", given["name"])
    rows = _rows(session, ("external_table", session.database, given["name"]))
    return _roles_of(session, given, rows, "External Table")


def function_roles(session: Session, given: dict[str, Any]) -> Answer:
    """``.show function F principal roles``."""
    session.get("function", given["name"])
    return _roles_of(session, given, _rows(session, ("function", session.database, given["name"])), "Function")


COMMANDS = {
    "role_add": add,
    "role_drop": drop,
    "role_set": replace,
    "database_principals": database,
    "cluster_principals": cluster,
    "table_principals": table,
    "external_principals": external,
    "function_principals": function,
    "cluster_roles": cluster_roles,
    "database_roles": database_roles,
    "table_roles": table_roles,
    "external_roles": external_roles,
    "function_roles": function_roles,
}
