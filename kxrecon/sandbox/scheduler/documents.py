"""The stored documents that a run needs, read into records: the only place that knows their shape.

Shapes: ``sandbox/store.py`` and ``sandbox/kusto/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kxrecon.sandbox.kusto.values import HOUR
from kxrecon.sandbox.store import Document, Store
from kxrecon.sandbox.world import World

DEFAULT_INTERVAL = HOUR  # no default is documented; as kusto/exports has it


@dataclass(frozen=True, slots=True)
class Identity:
    """A managed identity: how the job names it and its ids (empty if nothing has that name)."""

    name: str
    principal: str = ""
    client: str = ""
    resource: str = ""
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A continuous export. Spans are ticks; ``key`` is its place in the store."""

    key: tuple[str, str, str]
    document: Document

    @property
    def properties(self) -> Document:
        """What the ``with`` clause gave, by camelCase name."""
        return dict(self.document.get("properties") or {})

    @property
    def identity(self) -> str | None:
        """``managedIdentity``: "system", an object id, or None."""
        return self.properties.get("managedIdentity") or None

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The fact tables, as (database, table)."""
        return [(str(database), str(table)) for database, table in self.document.get("tables") or ()]

    @property
    def cursor(self) -> str:
        """Rows with a greater sequence are new."""
        return str(self.document.get("cursor") or self.document.get("startCursor") or "").zfill(20)

    @property
    def interval(self) -> int:
        """Ticks between runs."""
        return int(self.properties.get("intervalBetweenRuns") or DEFAULT_INTERVAL)

    @property
    def latency(self) -> int:
        """Ticks that a record must have waited."""
        return int(self.properties.get("forcedLatency") or 0)


def jobs(store: Store, cluster_uri: str | None) -> list[Job]:
    """The continuous exports of one cluster, or of all."""
    prefix = (normal_uri(cluster_uri),) if cluster_uri else ()
    return [Job((key[0], key[1], key[2]), one) for key, one in store.all("continuous_export", *prefix)]


def job(store: Store, cluster_uri: str, database: str, name: str) -> Job | None:
    """One continuous export; the database's name in any case."""
    uri = normal_uri(cluster_uri)
    database = database_name(store, uri, database) or database
    found = store.get("continuous_export", uri, database, name)
    return Job((uri, database, name), found) if found else None


def normal_uri(uri: str) -> str:
    """A cluster's URI as the store's keys have it."""
    return uri.rstrip("/").lower()


def database_name(store: Store, uri: str, name: str) -> str | None:
    """The database's name as in its key; names of databases ignore case."""
    keys = (key for key, _ in store.all("database", uri))
    return next((key[1] for key in keys if key[1].lower() == name.lower()), None)


def policy(store: Store, *key: str) -> Any:
    """The JSON of a policy, None if unset."""
    return (store.get("policy", *key) or {}).get("policy")


def is_enabled(store: Store, uri: str, database: str, table: str, name: str, default: bool = False) -> bool:
    """Whether a table's policy says ``IsEnabled``; ``default`` where nobody touched it (deleted means off)."""
    document = store.get("policy", uri, "table", database, table, name)
    if document is None:
        return default
    found = document["policy"]
    return bool(found.get("IsEnabled", True)) if isinstance(found, Mapping) else bool(found)


def identity(world: World, uri: str, name: str) -> Identity:
    """The identity that "system" or an object id means on a cluster."""
    block = (world.store.get("cluster", uri) or {}).get("identity") or {}
    system = str(block.get("system") or "").lower()
    if name.lower() in ("system", system):
        client = str((world.principal(system) or {}).get("clientId", "")) if system else ""
        return Identity(name, system, client.lower(), "", bool(system))
    users = {str(one).lower() for one in block.get("user") or ()}
    for (resource,), found in world.store.all("identity"):
        ids = {str(found.get(field, "")).lower() for field in ("principalId", "clientId")}
        if name.lower() in ids:
            principal, client = str(found["principalId"]).lower(), str(found["clientId"]).lower()
            return Identity(name, principal, client, resource, resource in users)
    return Identity(name)


def moment(text: str | None) -> datetime | None:
    """A stored time; None if there is none."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
