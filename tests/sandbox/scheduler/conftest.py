"""A small Azure in which exports run: one cluster, a lake, a plain account, a SQL server; all in memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from kxrecon.sandbox.arm.builtin import BY_NAME
from kxrecon.sandbox.arm.ids import normal
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.kusto.service import KustoService
from kxrecon.sandbox.scheduler import ingest, tick, why
from kxrecon.sandbox.sql.session import sid_of
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World

URI = "https://telemetry.westeurope.kusto.windows.net"
SUB = "/subscriptions/11111111-0000-4000-8000-000000000001"
GROUP = f"{SUB}/resourceGroups/data"
EXPORTER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
PRINCIPAL = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT = "cccccccc-0000-4000-8000-000000000001"
TEAM = "99999999-0000-4000-8000-000000000001"
LAKE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosolake"
ARCHIVE = f"{LAKE}/blobServices/default/containers/archive"
CLUSTER = f"{GROUP}/providers/Microsoft.Kusto/clusters/telemetry"
SQL = "contoso.database.windows.net"
COLUMNS = [["Timestamp", "datetime"], ["Level", "string"], ["Message", "string"]]
INVENTORY = {
    "version": 1,
    "clusters": [
        {
            "uri": URI,
            "resourceId": CLUSTER,
            "identity": {"system": True, "user": [EXPORTER]},
            "databases": {
                "Telemetry": {"tables": {"Events": {"columns": COLUMNS}, "Other": {"columns": COLUMNS}}},
                "Ref": {"tables": {"Levels": {"columns": [["Level", "string"], ["Number", "long"]]}}},
            },
        }
    ],
    "identities": [{"resourceId": EXPORTER, "principalId": PRINCIPAL, "clientId": CLIENT}],
    "storageAccounts": [
        {"name": "contosolake", "resourceId": LAKE, "hierarchicalNamespace": True, "containers": ["archive", "other"]},
        {"name": "flat", "resourceId": LAKE.replace("contosolake", "flat"), "containers": ["archive"]},
    ],
    "sqlServers": [{"server": SQL, "databases": {"Dwh": {"tables": {"dbo.Events": COLUMNS}}}}],
    "principals": [{"objectId": TEAM, "type": "Group", "displayName": "exporters", "members": [PRINCIPAL]}],
}
TARGET = "https://contosolake.dfs.core.windows.net/archive/events"
SQL_TARGET = "Server=tcp:contoso.database.windows.net,1433;Database=Dwh;Authentication=Active Directory Integrated"
SCHEMA = "(Timestamp:datetime, Level:string, Message:string)"


class Town:
    """The sandbox and the few moves that a test makes in it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(":memory:")
        self.clock = Clock(self.store)
        self.world = World(self.store, self.clock)
        self.folder = folder
        stock(self.world, INVENTORY)
        self.kusto = KustoService(self.store, self.clock, URI)

    def do(self, command: str, database: str = "Telemetry") -> None:
        status, body = self.kusto.handle_management(database, command, {})
        assert status == 200, body

    def external(
        self, target: str = f"{TARGET};impersonate", form: str = "csv", more: str = "", name: str = "Archive"
    ) -> None:
        """An external table; ``more``: what follows the connection."""
        partition, _, properties = more.partition("|")
        self.do(
            f".create-or-alter external table {name} {SCHEMA} kind=storage {partition} dataformat={form} (h@'{target}') {properties}"
        )

    def export(
        self, query: str = "Events", over: str = "over (Events)", more: str = "", identity: str = PRINCIPAL
    ) -> None:
        identity = f'managedIdentity="{identity}", ' if identity else ""
        self.do(
            f".create-or-alter continuous-export Job {over} to table Archive "
            f"with ({identity}intervalBetweenRuns=5m{more}) <| {query}"
        )

    def allow(self, usages: str = "AutomatedFlows", who: str = PRINCIPAL, level: str = "database Telemetry") -> None:
        self.do(
            f'.alter-merge {level} policy managed_identity ```[{{"ObjectId":"{who}","AllowedUsages":"{usages}"}}]```'
        )

    def viewer(self, database: str = "Telemetry", role: str = "viewers", who: str = f"aadapp={PRINCIPAL}") -> None:
        self.do(f".add database {database} {role} ('{who}')")

    def assign(
        self, role: str = "Storage Blob Data Contributor", scope: str = ARCHIVE, who: str = PRINCIPAL, **more
    ) -> None:
        document = {
            "roleDefinitionId": BY_NAME[role.lower()].guid,
            "principalId": who,
            "principalType": "ServicePrincipal",
        }
        self.store.put("role_assignment", (normal(scope), str(uuid4())), {**document, **more})

    def give_sql(
        self, *permissions: str, level: str = "OBJECT", what: str = "dbo.events", client: str = CLIENT, kind: str = "E"
    ) -> None:
        """The user and its permissions, as CREATE USER and GRANT leave them."""
        user = {"name": "exporter", "type": kind, "sid": sid_of(client), "roles": [], "id": 5}
        self.store.put("sql_principal", (SQL, "dwh", "exporter"), user)
        for name, *place in (("CONNECT", "DATABASE", ""), *((one, level, what) for one in permissions)):
            self.store.put("sql_permission", (SQL, "dwh", "exporter", *place, name), {"state": "G"})

    def unassign(self) -> None:
        for key, _ in self.store.all("role_assignment"):
            self.store.delete("role_assignment", *key)

    def healthy(self, **export: str) -> Town:
        """Everything that an export to the lake needs."""
        self.allow()
        self.viewer()
        self.external()
        self.assign()
        self.export(**export)
        return self

    def change(self, kind: str, *key: str, **fields) -> None:
        document = self.store.get(kind, *key)
        assert document is not None
        self.store.put(kind, key, {**document, **fields})

    def rows(self, *messages: str, table: str = "Events", day: int = 5, level: str = "info") -> None:
        rows = [[f"2026-03-{day:02}T10:00:00Z", level, message] for message in messages]
        ingest(self.store, self.clock, URI, "Telemetry", table, rows)

    def tick(self, **options):
        return tick(self.store, self.clock, self.folder, **options)

    def run(self):
        """The one run of a forced tick."""
        (run,) = self.tick(force=True)
        return run

    def why(self):
        return why(self.store, URI, "Telemetry", "Job")

    def broken(self) -> str:
        """The first broken link; empty if all hold."""
        return next((verdict.link for verdict in self.why() if verdict.holds is False), "")

    def job(self):
        return self.store.get("continuous_export", URI, "Telemetry", "Job")

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def lines(self) -> list[str]:
        return [line for path in self.files() for line in path.read_text().splitlines()]

    def later(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path / "lake")
    yield made
    made.store.close()
