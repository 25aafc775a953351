"""Who may do what ("learn.microsoft.com, Role-based access control")."""

from __future__ import annotations

from kxrecon.sandbox.kusto.errors import Forbidden
from kxrecon.sandbox.kusto.principals import assigned_ids
from kxrecon.sandbox.kusto.session import Session

READ = frozenset({"admins", "users", "viewers", "monitors"})
QUERY = frozenset({"admins", "users", "viewers"})
WATCH = frozenset({"admins", "monitors"})
USE = frozenset({"admins", "users"})
INGEST = frozenset({"admins", "ingestors"})
ADMIN = frozenset({"admins"})
CLUSTER_ADMIN = frozenset({"AllDatabasesAdmin"})
CLUSTER_WATCH = frozenset({"AllDatabasesAdmin", "AllDatabasesMonitor"})
ARM_ROLES = {
    "Admin": "admins",
    "Ingestor": "ingestors",
    "Monitor": "monitors",
    "User": "users",
    "UnrestrictedViewer": "unrestrictedviewers",
    "Viewer": "viewers",
}
IMPLIED = {
    "AllDatabasesAdmin": {"admins", "users", "viewers", "monitors", "ingestors"},
    "AllDatabasesViewer": {"viewers"},
    "AllDatabasesMonitor": {"monitors"},
}


def database_roles(session: Session) -> set[str]:
    """The database roles that the caller has in the database in context, inherited ones included."""
    roles: set[str] = set()
    for role in session.caller.cluster_roles:
        roles |= IMPLIED.get(role, set())
    if "admins" not in roles:
        for key, document in session.store.all("role", session.uri, "database", session.database):
            if str(document.get("objectId", "")).lower() in session.caller.ids:
                roles.add(key[3])
        for _, assignment in session.store.all("database_principal", session.uri, session.database):
            if assigned_ids(assignment) & session.caller.ids:
                roles.add(ARM_ROLES[str(assignment["role"])])
    return roles


def require(session: Session, roles: frozenset[str], operation: str) -> None:
    """Refuse a caller that has none of these database roles."""
    if not roles & database_roles(session):
        raise Forbidden(session.caller.fqn, operation, f"database '{session.database_name}'")


def require_cluster(session: Session, roles: frozenset[str], operation: str) -> None:
    """Refuse a caller that has none of these cluster roles."""
    if not roles & session.caller.cluster_roles:
        raise Forbidden(session.caller.fqn, operation, "cluster")


def require_entity(session: Session, kind: str, name: str, operation: str, least: frozenset[str] = USE) -> None:
    """Refuse a caller that is neither database admin nor admin of this entity (and has ``least`` on the database)."""
    held = database_roles(session)
    if "admins" in held or (least & held and entity_admin(session, kind, name)):
        return
    raise Forbidden(session.caller.fqn, operation, f"{kind.replace('_', ' ')} '{name}'")


def entity_admin(session: Session, kind: str, name: str) -> bool:
    """Whether the caller was made admin of the entity (its creator is)."""
    rows = session.store.all("role", session.uri, kind, session.database, name)
    return any(key[4] == "admins" and document["objectId"] in session.caller.ids for key, document in rows)


def own(session: Session, kind: str, name: str) -> None:
    """Make a creator that is no database admin the entity's admin ("…and become their admin")."""
    if "admins" in database_roles(session):
        return
    fqn = session.caller.fqn
    document = {"objectId": session.caller.object_id, "type": "User", "displayName": fqn, "fqn": fqn, "notes": ""}
    session.store.put("role", (session.uri, kind, session.database, name, "admins", fqn.lower()), document)
