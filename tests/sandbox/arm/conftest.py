"""A sandbox's ARM without HTTP: requests go straight into the application."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from kxrecon.sandbox.arm.app import NEWEST, ArmApp
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World

SUBSCRIPTION = "/subscriptions/11111111-0000-4000-8000-000000000000"
GROUP = f"{SUBSCRIPTION}/resourceGroups/lake"
CLUSTER = f"{GROUP}/providers/Microsoft.Kusto/clusters/telemetry"
EXPORTER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
OTHER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosolake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/archive"
ADA = "22222222-0000-4000-8000-000000000001"
TEAM = "22222222-0000-4000-8000-000000000002"
ALL_TEAMS = "22222222-0000-4000-8000-000000000003"
URI = "https://telemetry.westeurope.kusto.windows.net"


@dataclass
class Arm:
    """``arm("GET", path)`` → (status, JSON body, headers)."""

    world: World

    def __call__(self, method, path, body=None, *, query=None, headers=None):
        last = path.lower().rpartition("/providers/")[2]
        provider = next((name for name in NEWEST if last.startswith(name.lower())), "Microsoft.Kusto")
        asked = {"api-version": NEWEST[provider][0], **(query or {})}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        client = Client(ArmApp(self.world), Response)
        answer = client.open(path, method=method, query_string=asked, data=content, headers=headers)
        return answer.status_code, json.loads(answer.data) if answer.data else None, answer.headers

    def code(self, *args, **kwargs):
        """Status and error code of a refusal."""
        status, body, _ = self(*args, **kwargs)
        return status, body["error"]["code"]

    def patch_identity(self, block):
        """PATCH and wait; the identity block afterwards."""
        status, body, headers = self("PATCH", CLUSTER, {"identity": block})
        assert status == 202, body
        path = headers["Azure-AsyncOperation"].partition("localhost")[2]
        while self("GET", path.partition("?")[0])[1]["status"] == "Running":
            pass
        return self("GET", CLUSTER)[1]["identity"]


@pytest.fixture
def arm():
    store = Store(":memory:")
    world = World(store, Clock(store))
    stock(
        world,
        {
            "clusters": [{"uri": URI, "resourceId": CLUSTER, "databases": {"Telemetry": {}}}],
            "identities": [{"resourceId": EXPORTER}, {"resourceId": OTHER}],
            "storageAccounts": [{"name": "contosolake", "resourceId": ACCOUNT, "containers": ["archive"]}],
            "principals": [
                {"objectId": ADA, "type": "User", "displayName": "Ada"},
                {"objectId": TEAM, "type": "Group", "displayName": "Team", "members": [ADA]},
                {"objectId": ALL_TEAMS, "type": "Group", "displayName": "All", "members": [TEAM]},
            ],
        },
    )
    yield Arm(world)
    store.close()
