"""One export that somebody asked for: ``.export to table``, checked and written as the scheduler would.

("learn.microsoft.com, Export data to an external table".) It runs as whoever asks: where the external table
impersonates, the caller writes; a managed identity in its connection needs the usage ``ExternalTable``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kxrecon.sandbox.arm.ids import normal
from kxrecon.sandbox.arm.rights import caller_roles, grants_content
from kxrecon.sandbox.kusto import evaluate, permissions
from kxrecon.sandbox.kusto.errors import BadRequest, NotImitated
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.scheduler import acl, callouts, kusto_links, sql_links, sql_writer, storage_links, writer
from kxrecon.sandbox.scheduler.documents import Identity, Job, is_enabled
from kxrecon.sandbox.scheduler.verdicts import Broken, Link, Subject, Unreached
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World


@dataclass(frozen=True)
class Asked(Subject):
    """The chain's subject without a job: nobody but a connection's own identity is a managed one."""

    def connection_identity(self, connection: Document) -> Identity | None:
        """The identity in the connection; whoever asks, keys and signatures are none."""
        return None if connection["auth"] == "impersonate" else super().connection_identity(connection)


def export(session: Session, asked: Document, folder: Path) -> list[Document]:
    """Run the query and write its rows; ``[{path, records, bytes}]``. Raises KustoError with the broken link.

    ``asked``: ``to`` (the external table), ``query``, ``properties``, ``operation`` (names the files).
    """
    document = {"externalTable": asked["to"], "query": asked["query"], "properties": asked["properties"]}
    job = Job((session.uri, session.database, asked["operation"].replace("-", "")), document)
    subject = Asked(World(session.store, session.clock), job)
    _may_read(session, subject)
    try:
        for link in _links(subject):
            link(subject)
    except Broken as broken:
        raise BadRequest(broken.details) from broken
    except Unreached as unreached:
        raise BadRequest(f"The export cannot run: {unreached}.") from unreached
    _, rows = evaluate.run(session.store, session.uri, session.database, asked["query"])
    if subject.target()["kind"] == "sql":
        return _inserted(subject, rows)
    written: list[writer.Written] = []
    try:
        writer.write(subject, rows, folder, written.append)
    except OSError as error:
        raise BadRequest(f"Writing failed: {error}") from error
    return [{"path": one.path, "records": one.records, "bytes": one.size} for one in written]


def _inserted(subject: Subject, rows: list[list[Any]]) -> list[Document]:
    if not rows:
        return []
    path, size = sql_writer.insert(subject, rows)
    return [{"path": path, "records": len(rows), "bytes": size}]


def _may_read(session: Session, subject: Subject) -> None:
    """The caller reads every database of the query; what only the service could filter is not imitated."""
    if subject.reads.clusters:
        raise NotImitated("queries over other clusters")
    for database in sorted(subject.reads.databases):
        permissions.require(session.within(database), permissions.QUERY, "Query")
    for database, table in sorted(subject.reads.tables):
        for policy in ("row_level_security", "restricted_view_access"):
            if is_enabled(session.store, session.uri, database, table, policy):
                raise NotImitated(f"queries over table '{table}' with its {policy} policy")


def _links(subject: Subject) -> Iterator[Link]:
    yield from (kusto_links.assigned, kusto_links.allowed, kusto_links.external_table, kusto_links.schema)
    if subject.external and subject.external["kind"] == "sql":
        yield from (sql_links.database, _sql_grant)
    else:
        yield from (storage_links.account, _grant, storage_links.network)
    yield callouts.callouts


def _grant(subject: Subject) -> str:
    for connection in subject.connections():
        if connection["auth"] != "impersonate":
            storage_links.granted(subject, connection)
        elif not _caller_writes(subject, connection):
            refused = storage_links.DENIED.format(
                place=connection["uri"], why=" using this permission (AuthorizationPermissionMismatch)"
            )
            raise Broken(f"{refused}: the caller has no role or ACL entry that lets it write.")
    return "every connection may write"


def _caller_writes(subject: Subject, connection: Document) -> bool:
    account, scope = storage_links.place(subject, connection)
    roles = caller_roles(subject.world, normal(scope))
    if roles is None or grants_content(roles, storage_links.WRITE):
        return True
    caller = str(subject.world.caller.get("objectId", "")).lower()
    groups = subject.world.groups_of(caller)
    return bool(account.get("hns")) and acl.refusal(subject.world.store, connection, caller, groups) is None


def _sql_grant(subject: Subject) -> str:
    """Impersonated, the user in the database is the caller's; one who may do everything in Azure is its admin."""
    connection, caller = subject.target()["connection"], subject.world.caller
    if connection["auth"] != "impersonate":
        return sql_links.grant(subject)
    if caller.get("roles") is None:
        return "the caller may do everything"
    who = str(caller.get("objectId", "")).lower()
    return sql_links.granted(subject, Identity(str(caller.get("displayName", who)), who, who))
