"""A cluster with an empty database, one that is in use, and all that the probes can be given."""

from __future__ import annotations

import json
from typing import Any

from kxrecon.testing import Sandbox

CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
GROUP = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/data/providers"
EXPORTER = "11111111-aaaa-4aaa-8aaa-111111111111"
ONCALL = "aadgroup=6f0e9c1e-0000-4000-8000-000000000001;contoso.com"
STORAGE = "https://contosolake.blob.core.windows.net/archive"
ACCOUNT = f"{GROUP}/Microsoft.Storage/storageAccounts/contosolake"
IDENTITY = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
WORLD: dict[str, Any] = {
    "version": 1,
    "clusters": [
        {
            "uri": CLUSTER,
            "resourceId": f"{GROUP}/Microsoft.Kusto/clusters/telemetry",
            "identity": {"system": True, "user": [IDENTITY]},
            "databases": {
                "Scratch": {"tables": {}},
                "Telemetry": {"tables": {"Events": {"columns": [["Timestamp", "datetime"], ["Level", "string"]]}}},
            },
        }
    ],
    "identities": [{"resourceId": IDENTITY, "principalId": EXPORTER, "clientId": EXPORTER.replace("a", "c")}],
    "storageAccounts": [{"name": "contosolake", "resourceId": ACCOUNT, "containers": ["archive"]}],
    "principals": [{"objectId": ONCALL.partition("=")[2].partition(";")[0], "type": "Group", "displayName": "oncall"}],
}
EVERYTHING = (
    *("--storage", STORAGE, "--identity", "system", "--identity", EXPORTER),
    *("--principal", ONCALL, "--role-at", ACCOUNT),
)
HOUSEKEEPING = ("journal", "meta")
"""What remembers that something happened; everything else has to be as it was."""


def documents(sandbox: Sandbox) -> dict[str, Any]:
    """All that exists, without what only remembers; versions rise with every change."""
    found = {}
    for kind, key, body in sandbox._world.store._db.execute("SELECT kind, key, body FROM document").fetchall():
        document = {name: value for name, value in json.loads(body).items() if name != "version"}
        if kind not in HOUSEKEEPING and document != {"policy": None}:
            found[f"{kind} {key}"] = document
    return found


def probe(sandbox: Sandbox, *arguments: str, database: str = "Scratch"):
    """The verb on the cluster: how it ended, and its report (None if it made none)."""
    saved = sandbox.folder / ".kxrecon" / "probe.json"
    saved.unlink(missing_ok=True)
    told = sandbox.run("probe", CLUSTER, "--database", database, *arguments)
    return told, json.loads(saved.read_text("utf-8")) if saved.exists() else None


def answers(report) -> dict[str, str]:
    """Probe → its answer, or what became of it."""
    return {one["id"]: one["answer"] or one["result"] for one in report["found"]}


def use(sandbox: Sandbox) -> None:
    """Somebody's own export, in the database that is in use."""
    for command in (
        f'.alter database Telemetry policy managed_identity ```[{{"ObjectId":"{EXPORTER}","AllowedUsages":"AutomatedFlows"}}]```',
        f".create external table Out (Timestamp:datetime, Level:string) kind=storage dataformat=csv (h@'{STORAGE}/out;impersonate')",
        f".create-or-alter continuous-export Job over (Events) to table Out with (managedIdentity='{EXPORTER}', intervalBetweenRuns=10m) <| Events",
    ):
        sandbox.kql(command, "Telemetry")
