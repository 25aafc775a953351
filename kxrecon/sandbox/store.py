"""The sandbox's memory: JSON documents by kind and key in one SQLite file.

WAL with ``synchronous=NORMAL`` survives ``kill -9``, and two processes (plan, then apply) see the same
world. All parts of the sandbox agree on these documents; keys are lower-cased where Azure ignores case.

=====================  ================================  =======================================================
kind                   key                               document
=====================  ================================  =======================================================
cluster                (uri,)                            resourceId, location, state, etag, identity{system:
                                                         principalId|null, user: [resourceId…]}, outbound…
database               (uri, name)                       name, accessMode, version
table                  (uri, db, name)                   columns [[name, type]…], folder, docString, created
function               (uri, db, name)                   parameters, body, folder, docString, view
external_table         (uri, db, name)                   as stored by sandbox/kusto
continuous_export      (uri, db, name)                   as stored by sandbox/kusto
policy                 (uri, level, entity…, policy)     the policy's JSON; level: cluster | database | table
role                   (uri, scope, name…, role, fqn)    objectId, type, displayName, notes
cluster_principal      (uri, assignment name)            role, principalId, principalType, tenantId, aadObjectId
database_principal     (uri, db, assignment name)        the same, made through ARM for a database
operation              (id,)                             a long-running operation on a cluster: status, change
identity               (resource id,)                    name, principalId, clientId, tenantId, location
principal              (object id,)                      type User|Group|ServicePrincipal, displayName, upn,
                                                         clientId, tenantId, members [object id…]
role_assignment        (scope, name)                     roleDefinitionId, principalId, principalType,
                                                         description, condition, createdOn (ISO), effectiveAt
account                (name,)                           resourceId, kind, location, hns, publicNetworkAccess,
                                                         networkAcls{…}, allowSharedKeyAccess
container              (account, name)                   immutability, legalHold, metadata
path                   (account, container, path)        owner, group, acl (string as dfs answers it), etag
sql_database           (server, database)                tables {schema.table: [columns…]}
sql_principal          (server, database, name)          name, type E|X|S|R, sid ("0x…"), roles [name…]
sql_permission         (server, db, name, class, what,   state G|W|D; class DATABASE|SCHEMA|OBJECT, what "",
                       permission)                       "dbo" or "dbo.t" (lower case)
sql_row                (server, db, schema.table,        values {column: value}, as an export inserted them
                       number)
rows                   (uri, db, table, sequence)        ingested (ISO), values [..]
artifact               (uri, db, export, number)         timestamp, path, records, bytes
failure                (uri, db, export, number)         timestamp, operation, kind, details
meta                   (name,)                           schema version, clock offset, caller, tenant, switches
=====================  ================================  =======================================================
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SEPARATOR = "\x1f"
Key = tuple[str, ...]
Document = dict[str, Any]


class Store:
    """Documents by (kind, key). One connection, one lock: the sandbox serves a team, not a datacentre."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self.files = None if str(path) == ":memory:" else Path(path).with_suffix(".files")
        """The folder that plays the storage accounts, beside the file; None in memory."""
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None, timeout=30)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS document"
                " (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )
        except sqlite3.Error:  # it is no database, or there is no room for one
            self._db.close()
            raise

    def get(self, kind: str, *key: str) -> Document | None:
        """The document, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM document WHERE kind=? AND key=?", (kind, SEPARATOR.join(key))
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: Key, document: Document) -> None:
        """Create or replace."""
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO document VALUES (?, ?, ?)",
                (kind, SEPARATOR.join(key), json.dumps(document)),
            )

    def delete(self, kind: str, *key: str) -> bool:
        """Delete; False if there was none."""
        with self.transaction():
            return (
                self._db.execute("DELETE FROM document WHERE kind=? AND key=?", (kind, SEPARATOR.join(key))).rowcount
                > 0
            )

    def all(self, kind: str, *prefix: str) -> list[tuple[Key, Document]]:
        """All documents of a kind whose key starts with ``prefix``, in key order."""
        start = SEPARATOR.join(prefix) + (SEPARATOR if prefix else "")
        with self._lock:
            rows = self._db.execute(
                "SELECT key, body FROM document WHERE kind=? AND key>=? AND key<? ORDER BY key",
                (kind, start, start + "\U0010ffff"),
            ).fetchall()
        return [(tuple(key.split(SEPARATOR)), json.loads(body)) for key, body in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested uses join the outer one. Other threads and processes wait."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
