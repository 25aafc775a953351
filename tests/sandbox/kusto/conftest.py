"""A Kusto cluster of the sandbox in memory, with the walking skeleton's neighbours already there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kxrecon.sandbox import switches
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.kusto.service import KustoService
from kxrecon.sandbox.store import Store

URI = "https://telemetry.westeurope.kusto.windows.net"
SYSTEM = "aaaaaaaa-0000-4000-8000-000000000001"
EXPORTER = "bbbbbbbb-0000-4000-8000-000000000002"
CLIENT = "cccccccc-0000-4000-8000-000000000003"
TENANT = "0f2b6d5e-7c1a-4a0e-9a53-6f1d2c3b4a59"
RESOURCE = "/subscriptions/2222/providers/microsoft.managedidentity/userassignedidentities/exporter"
LAKE = "https://contosolake.dfs.core.windows.net/archive/events"


class Kusto:
    """Commands in, rows as dicts out."""

    def __init__(self) -> None:
        self.store = Store(":memory:")
        self.clock = Clock(self.store)
        identity = {"system": SYSTEM, "user": [RESOURCE]}
        self.store.put("cluster", (URI,), {"resourceId": "/clusters/t", "state": "Running", "identity": identity})
        ids = {"principalId": EXPORTER, "clientId": CLIENT, "tenantId": TENANT}
        self.store.put("identity", (RESOURCE,), {"name": "exporter", **ids})
        for database in ("Telemetry", "Reference"):
            self.store.put("database", (URI, database), {"name": database, "accessMode": "ReadWrite"})
        self.service = KustoService(self.store, self.clock, URI)
        self.caller: dict[str, Any] | None = None

    def send(self, command: str, database: str = "Telemetry") -> tuple[int, Any]:
        return self.service.handle_management(database, command, {}, self.caller)

    def run(self, command: str, database: str = "Telemetry") -> list[dict[str, Any]]:
        status, body = self.send(command, database)
        assert status == 200, body["error"]["@message"]
        table = body["Tables"][0]
        names = [column["ColumnName"] for column in table["Columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["Rows"]]

    def refused(self, command: str, database: str = "Telemetry") -> dict[str, Any]:
        status, body = self.send(command, database)
        assert status >= 400, body
        return {"status": status, **body["error"]}

    def query(self, text: str, database: str = "Telemetry") -> tuple[int, Any]:
        return self.service.handle_query(database, text, {}, self.caller)

    def switch(self, **fields: Any) -> None:
        switches.save(self.store, replace(switches.load(self.store), **fields))

    def advance(self, **spans: float) -> None:
        self.clock.advance(timedelta(**spans))

    # what most tests stand on
    def table(self, name: str = "Events") -> None:
        self.run(f".create-merge table {name} (Timestamp:datetime, Level:string, Message:string)")

    def allow(self, identity: str = "system", usage: str = "AutomatedFlows") -> None:
        entry = f'[{{"ObjectId":"{identity}","AllowedUsages":"{usage}"}}]'
        self.run(f".alter-merge database Telemetry policy managed_identity ```{entry}```")

    def external(self, name: str = "Archive", connection: str = f"{LAKE};impersonate", rest: str = "") -> None:
        columns = "Timestamp:datetime, Level:string, Message:string"
        self.run(
            f".create-or-alter external table {name} ({columns}) kind=storage dataformat=parquet (h@'{connection}') {rest}"
        )

    def export(
        self, properties: str = "managedIdentity='system', intervalBetweenRuns=5m", query: str = "Events"
    ) -> None:
        self.run(f".create-or-alter continuous-export E over (Events) to table Archive with ({properties}) <| {query}")


@pytest.fixture
def kusto() -> Kusto:
    return Kusto()


@pytest.fixture
def ready(kusto: Kusto) -> Kusto:
    """Table, policy and external table are there: an export can be made."""
    kusto.table()
    kusto.allow()
    kusto.external()
    return kusto
