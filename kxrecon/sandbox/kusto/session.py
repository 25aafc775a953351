"""One command's view of the sandbox: the store, the cluster, the database in context, the caller."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.kusto import values
from kxrecon.sandbox.kusto.errors import (
    AlreadyExists,
    DatabaseGone,
    DatabaseNotFound,
    EntityNotFound,
    NameRefused,
    TableNotFound,
)
from kxrecon.sandbox.once import once
from kxrecon.sandbox.store import Document, Store
from kxrecon.sandbox.switches import Switches

WORDS = {
    "table": "Table",
    "function": "ExpressionFunction",
    "external_table": "ExternalTable",
    "continuous_export": "ContinuousExport",
}
NAME = re.compile(r"[\w .-]{1,1024}", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ids (own and of groups), the name in messages, cluster roles held."""

    object_id: str
    fqn: str
    ids: frozenset[str]
    cluster_roles: frozenset[str]


@dataclass(frozen=True)
class Session:
    """What a command may touch. ``database`` is the database's key in the store, "" at cluster level."""

    store: Store
    clock: Clock
    uri: str
    switches: Switches
    caller: Caller
    database: str = ""
    text: str = ""
    request_id: str = ""
    exporter: Callable[[Session, Document], list[Document]] | None = None
    activity: str = field(default_factory=lambda: str(uuid.uuid4()))

    @once
    def now(self) -> datetime:
        """The moment of this command."""
        return self.clock.now()

    @once
    def cluster(self) -> Document:
        """The cluster's document (shared with ARM)."""
        return self.store.get("cluster", self.uri) or {}

    @once
    def database_name(self) -> str:
        """The database's name in its stored case."""
        document = self.store.get("database", self.uri, self.database) or {}
        return str(document.get("name", self.database))

    @property
    def access_mode(self) -> str:
        """ReadWrite, or one of the read-only modes (a follower's is ReadOnlyFollowing)."""
        document = self.store.get("database", self.uri, self.database) or {}
        return str(document.get("accessMode") or "ReadWrite")

    def within(self, name: str) -> Session:
        """The same command in another database; the documented refusal when it is missing."""
        return replace(self, database=self.find_database(name))

    def find_database(self, name: str) -> str:
        """The key of a database, found without regard to case."""
        if self.store.get("database", self.uri, name) is not None:
            return name
        for key, document in self.store.all("database", self.uri):
            if name.lower() in (key[1].lower(), str(document.get("name", "")).lower()):
                return key[1]
        raise DatabaseGone(name) if self.switches.missing_database == "404" else DatabaseNotFound(name)

    # ---- entities of the database
    def find(self, kind: str, name: str) -> Document | None:
        """An entity's document, or None."""
        return self.store.get(kind, self.uri, self.database, name)

    def get(self, kind: str, name: str) -> Document:
        """An entity's document; the documented refusal when it is missing."""
        document = self.find(kind, name)
        if document is None:
            raise TableNotFound(name) if kind == "table" else EntityNotFound(name, WORDS[kind])
        return document

    def all(self, kind: str) -> list[Document]:
        """Every entity of a kind in the database, by name."""
        return [document for _, document in self.store.all(kind, self.uri, self.database)]

    def put(self, kind: str, name: str, document: Document, event: str) -> Document:
        """Create or replace an entity: the version rises and the journal tells."""
        before = self.find(kind, name)
        self.store.put(kind, (self.uri, self.database, name), document)
        self.record(event, name, before, document)
        return document

    def remove(self, kind: str, name: str, event: str) -> Document:
        """Delete an entity that exists."""
        before = self.get(kind, name)
        self.store.delete(kind, self.uri, self.database, name)
        self.record(event, name, before, None)
        return before

    def fresh(self, kind: str, name: str) -> str:
        """A name for a new entity: valid and not taken by its kind (or by the kind it may not share with)."""
        if not NAME.fullmatch(name):
            raise NameRefused(f"Entity name '{name}' is not valid")
        for rival in {"table": ("external_table",), "external_table": ("table",)}.get(kind, ()):
            if self.find(rival, name) is not None:
                raise AlreadyExists(name, WORDS[rival])
        return name

    # ---- history
    def version(self) -> str:
        """The database's version, ``vM.m``."""
        document = self.store.get("database", self.uri, self.database) or {}
        return str(document.get("version") or "v1.0")

    def raise_version(self, minor: bool = False) -> str:
        """The database's next version; ingestion raises the minor number."""
        document = self.store.get("database", self.uri, self.database) or {"name": self.database}
        major, _, small = str(document.get("version") or "v1.0").removeprefix("v").partition(".")
        raised = f"v{major}.{int(small or 0) + 1}" if minor else f"v{int(major) + 1}.0"
        self.store.put("database", (self.uri, self.database), {**document, "version": raised})
        return raised

    def record(self, event: str, entity: str, before: Any, after: Any) -> None:
        """Add a journal entry ("learn.microsoft.com, .show journal command") and raise the version."""
        old = self.version() if self.database else ""
        new = self.raise_version() if self.database else ""
        entry = {
            "event": event,
            "timestamp": values.iso(self.now),
            "database": self.database_name if self.database else "",
            "entity": entity,
            "before": before,
            "after": after,
            "command": self.text,
            "principal": self.caller.fqn,
            "activity": self.activity,
            "requestId": self.request_id,
            "oldVersion": old,
            "newVersion": new,
        }
        number = self.next_number("journal", self.database)
        self.store.put("journal", (self.uri, self.database, f"{number:012}"), entry)

    def next_number(self, purpose: str, scope: str) -> int:
        """1, 2, 3… per purpose and scope."""
        key = ("number", purpose, self.uri, scope)
        number = int((self.store.get("meta", *key) or {"last": 0})["last"]) + 1
        self.store.put("meta", key, {"last": number})
        return number

    def next_sequence(self, count: int = 1) -> int:
        """The first of ``count`` new row sequences; also what ``cursor_current`` would say."""
        key = ("sequence", self.uri, self.database)
        last = int((self.store.get("meta", *key) or {"last": 0})["last"])
        first = max(values.cursor(self.now), last + 1)
        self.store.put("meta", key, {"last": first + count - 1})
        return first
