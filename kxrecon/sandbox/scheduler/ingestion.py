"""Rows for tables: what ingestion does to the store, so that an export has something to export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.kusto.errors import DatabaseNotFound
from kxrecon.sandbox.kusto.rows import append
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.scheduler.documents import database_name, normal_uri
from kxrecon.sandbox.scheduler.run import SERVICE
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.switches import load


def ingest(
    store: Store, clock: Clock, cluster_uri: str, database: str, table: str, rows: Sequence[Sequence[Any]]
) -> None:
    """Append rows (values in the order of the table's columns) under rising sequence numbers.

    Raises DatabaseNotFound or TableNotFound.
    """
    uri = normal_uri(cluster_uri)
    name = database_name(store, uri, database)
    if name is None:
        raise DatabaseNotFound(database)
    session = Session(store, clock, uri, load(store), SERVICE, name)
    session.get("table", table)
    with store.transaction():
        append(session, table, rows)
