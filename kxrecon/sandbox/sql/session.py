"""One database as a connection sees it: the store's documents under the connection's uncommitted changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from kxrecon.sandbox.store import Document, Key
from kxrecon.sandbox.world import World

FIXED_ROLES: Mapping[str, int] = {
    "public": 0,
    "db_owner": 16384,
    "db_accessadmin": 16385,
    "db_securityadmin": 16386,
    "db_ddladmin": 16387,
    "db_backupoperator": 16389,
    "db_datareader": 16390,
    "db_datawriter": 16391,
    "db_denydatareader": 16392,
    "db_denydatawriter": 16393,
}
BUILT_IN: Mapping[str, int] = {"dbo": 1, "guest": 2, "INFORMATION_SCHEMA": 3, "sys": 4}
FIRST_USER = 5


class Session:
    """Reads and buffered writes of one database. ``commit`` stores them, ``rollback`` forgets them."""

    def __init__(self, world: World, server: str, database: str) -> None:
        self.world, self.server, self.database = world, server, database
        self._pending: dict[tuple[str, Key], Document | None] = {}

    @property
    def prefix(self) -> tuple[str, str]:
        """The first two parts of every key of this database."""
        return self.server, self.database

    @property
    def is_owner(self) -> bool:
        """Whether the caller may change users and grants: without ``roles``, or with ``db_owner`` among them."""
        roles = self.world.caller.get("roles")
        return roles is None or "db_owner" in roles

    def get(self, kind: str, *rest: str) -> Document | None:
        """A document of this database."""
        key = (*self.prefix, *rest)
        if (kind, key) in self._pending:
            return self._pending[kind, key]
        return self.world.store.get(kind, *key)

    def put(self, kind: str, rest: Key, document: Document) -> None:
        """Create or replace, once committed."""
        self._pending[kind, (*self.prefix, *rest)] = document

    def delete(self, kind: str, *rest: str) -> None:
        """Delete, once committed."""
        self._pending[kind, (*self.prefix, *rest)] = None

    def all(self, kind: str) -> Iterator[tuple[Key, Document]]:
        """All documents of a kind, keys without server and database, in key order."""
        rows: dict[Key, Document | None] = {key: one for key, one in self.world.store.all(kind, *self.prefix)}
        rows |= {key: one for (of, key), one in self._pending.items() if of == kind}
        for key in sorted(rows):
            document = rows[key]
            if document is not None:
                yield key[2:], document

    def commit(self) -> None:
        """Make the changes, all or none."""
        with self.world.store.transaction():
            for (kind, key), document in self._pending.items():
                if document is None:
                    self.world.store.delete(kind, *key)
                else:
                    self.world.store.put(kind, key, document)
        self._pending.clear()

    def rollback(self) -> None:
        """Forget the changes."""
        self._pending.clear()

    def content(self) -> Document:
        """The database's own document: name, tables, schemas."""
        return self.get("sql_database") or {"name": self.database, "tables": {}}

    def tables(self) -> dict[tuple[str, str], list[list[str]]]:
        """(schema, table) → columns."""
        found = {}
        for name, columns in (self.content().get("tables") or {}).items():
            schema, dot, table = str(name).partition(".")
            found[(schema, table) if dot else ("dbo", schema)] = columns
        return found

    def schemas(self) -> list[str]:
        """All schemas; SQL Server has these four in every database."""
        own = [*(self.content().get("schemas") or ()), *(schema for schema, _ in self.tables())]
        found = {name.lower(): name for name in (*reversed(own), "sys", "INFORMATION_SCHEMA", "guest", "dbo")}
        return sorted(found.values(), key=lambda name: (BUILT_IN.get(name, FIRST_USER), name))

    def principal(self, name: str) -> Document | None:
        """A user or role that statements made."""
        return self.get("sql_principal", name.lower())

    def knows(self, name: str) -> bool:
        """Whether a user or role of this name exists."""
        lowered = name.lower()
        return lowered in {one.lower() for one in (*FIXED_ROLES, *BUILT_IN)} or self.principal(name) is not None

    def next_id(self) -> int:
        """A principal id that nobody has."""
        return max([FIRST_USER - 1, *(int(one.get("id", 0)) for _, one in self.all("sql_principal"))]) + 1


def sid_of(identifier: str) -> str:
    """The SID of an Entra principal: the bytes of its client id (applications) or object id, as hex."""
    return "0x" + UUID(identifier).bytes_le.hex().upper()
