"""Databases, the cluster and the journal ("learn.microsoft.com, System information commands")."""

from __future__ import annotations

import json
import uuid
from typing import Any

from kxrecon.sandbox.kusto import permissions, policies
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, mark
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.store import Document

HEAD = (
    "DatabaseName:string, PersistentStorage:string, Version:string, IsCurrent:bool, DatabaseAccessMode:string,"
    "PrettyName:string"
)
PLAIN = columns(f"{HEAD}, ReservedSlot1:bool, DatabaseId:guid, InTransitionTo:string")
IDENTITY = columns(f"{HEAD}, CurrentUserIsUnrestrictedViewer:bool, DatabaseId:guid, InTransitionTo:string")
SIX = "CachingPolicy:string, ShardingPolicy:string, StreamingIngestionPolicy:string, IngestionBatchingPolicy:string"
DETAILS = columns(
    f"{HEAD}, AuthorizedPrincipals:string, RetentionPolicy:string, MergePolicy:string, ReservedSlot1:string, {SIX},"
    "TotalSize:real, DatabaseId:guid, InTransitionTo:string"
)
POLICIES = columns(
    f"{HEAD}, DatabaseId:guid, AuthorizedPrincipals:string, RetentionPolicy:string, MergePolicy:string, {SIX}"
)
PRETTY = columns("DatabaseName:string, PrettyName:string")
VERSION = columns("BuildVersion:string, BuildTime:datetime, ServiceType:string, ProductVersion:string")
CLUSTER = columns(
    "NodeId:string, Address:string, Name:string, StartTime:datetime, IsAdmin:bool, MachineTotalMemory:long,"
    "MachineAvailableMemory:long, ProcessorCount:int, EnvironmentDescription:string"
)
JOURNAL = columns(
    "Event:string, EventTimestamp:datetime, Database:string, EntityName:string, UpdatedEntityName:string,"
    "EntityVersion:string, EntityContainerName:string, OriginalEntityState:string, UpdatedEntityState:string,"
    "ChangeCommand:string, Principal:string, RootActivityId:guid, ClientRequestId:string, User:string,"
    "OriginalEntityVersion:string"
)
BUILT = "2026-01-01T00:00:00.0000000Z"


def _visible(session: Session, given: dict[str, Any]) -> list[Session]:
    """The databases that the caller has any role on (all of them for a cluster role)."""
    names = given.get("names") or [key[1] for key, _ in session.store.all("database", session.uri)]
    scopes = [session.within(name) for name in names]
    return [scope for scope in scopes if permissions.database_roles(scope)]


def _head(session: Session, current: str) -> tuple[list[Any], str]:
    document = session.store.get("database", session.uri, session.database) or {}
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{session.uri}/{session.database}"))
    row = [
        session.database_name,
        f"https://sandbox.invalid/{identity}",
        session.version(),
        session.database == current,
        document.get("accessMode") or "ReadWrite",
        document.get("prettyName") or "",
    ]
    return row, identity


def _plain(session: Session, current: str) -> list[Any]:
    head, identity = _head(session, current)
    return [*head, None, identity, ""]


def _identity(session: Session, current: str) -> list[Any]:
    head, identity = _head(session, current)
    return [*head, "unrestrictedviewers" in permissions.database_roles(session), identity, ""]


def _people(session: Session) -> str:
    rows = session.store.all("role", session.uri, "database", session.database)
    words = {"User": "AadUser", "Group": "AadGroup", "ServicePrincipal": "AadApplication"}
    shown = [
        {"Role": key[3][:-1].capitalize(), "PrincipalName": d["displayName"], "PrincipalType": words[d["type"]]}
        for key, d in rows
    ]
    return mark(shown)


def _effective(session: Session) -> tuple[str, str]:
    kept = policies.read(session, "database", "retention")
    hot = policies.read(session, "database", "caching") or policies.read(session, "cluster", "caching")
    kept = kept or {"SoftDeletePeriod": policies.FOREVER, "Recoverability": "Enabled"}
    return mark(kept), "null" if hot is None else mark(hot)


def _details(session: Session, current: str) -> list[Any]:
    head, identity = _head(session, current)
    kept, hot = _effective(session)
    return [*head, _people(session), kept, "null", None, hot, *["null"] * 3, 0.0, identity, ""]


def _policies(session: Session, current: str) -> list[Any]:
    head, identity = _head(session, current)
    kept, hot = _effective(session)
    return [*head, identity, _people(session), kept, "null", hot, *["null"] * 3]


def _context(shown: Any, row: Any) -> Any:
    """``.show database …``: the database in context only."""

    def run(session: Session, given: dict[str, Any]) -> Answer:
        permissions.require(session, permissions.READ, "DatabaseShow")
        return answer(shown, [row(session, session.database)])

    return run


def _every(shown: Any, row: Any) -> Any:
    """``.show databases …``."""

    def run(session: Session, given: dict[str, Any]) -> Answer:
        return answer(shown, [row(scope, session.database) for scope in _visible(session, given)])

    return run


def pretty_name(session: Session, given: dict[str, Any]) -> Answer:
    """``.alter database D prettyname 'x'`` and ``.drop database D prettyname``."""
    session = session.within(given["database"]) if "database" in given else session
    permissions.require(session, permissions.ADMIN, "DatabasePrettyNameAlter")
    text = given["text"].value if "text" in given else ""
    document = session.store.get("database", session.uri, session.database) or {}
    session.store.put("database", (session.uri, session.database), {**document, "prettyName": text})
    session.record("ALTER-DATABASE-PRETTY-NAME", session.database_name, document.get("prettyName"), text)
    return answer(PRETTY, [[session.database_name, text]])


def version(session: Session, given: dict[str, Any]) -> Answer:
    """``.show version``."""
    return answer(VERSION, [["1.0.0.0", BUILT, "Engine", "kxrecon sandbox"]])


def cluster(session: Session, given: dict[str, Any]) -> Answer:
    """``.show cluster``: one node."""
    permissions.require_cluster(session, permissions.CLUSTER_WATCH, "ClusterShow")
    return answer(CLUSTER, [["KEngine000000", session.uri, "Sandbox", BUILT, True, 1 << 34, 1 << 33, 2, "sandbox"]])


def journal(session: Session, given: dict[str, Any]) -> Answer:
    """``.show [database D | cluster] journal``: admins see all, others their own changes."""
    session = session.within(given["database"]) if "database" in given else session
    prefix = (session.uri,) if "cluster journal" in session.text else (session.uri, session.database)
    admin = "admins" in permissions.database_roles(session)
    entries = [d for _, d in session.store.all("journal", *prefix) if admin or d["principal"] == session.caller.fqn]
    return answer(JOURNAL, [_entry(d) for d in entries])


def _entry(d: Document) -> list[Any]:
    before, after = (json.dumps(d[side]) if d[side] is not None else "" for side in ("before", "after"))
    entity = [d["event"], d["timestamp"], d["database"], d["entity"], d["entity"], d["newVersion"], d["database"]]
    return [*entity, before, after, d["command"], d["principal"], d["activity"], d["requestId"], "", d["oldVersion"]]


COMMANDS = {
    "database_identity": _context(IDENTITY, _identity),
    "database_details": _context(DETAILS, _details),
    "database_policies": _context(POLICIES, _policies),
    "databases_show": _every(PLAIN, _plain),
    "databases_identity": _every(IDENTITY, _identity),
    "databases_details": _every(DETAILS, _details),
    "databases_policies": _every(POLICIES, _policies),
    "database_prettyname": pretty_name,
    "database_plain": pretty_name,
    "version_show": version,
    "cluster_show": cluster,
    "journal_show": journal,
}
