"""The real SDK clients, pointed at the sandbox as a user's own test would do it."""

from __future__ import annotations

import time
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy

SUBSCRIPTION = "11111111-0000-4000-8000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/lake"
CLUSTER = f"{GROUP}/providers/Microsoft.Kusto/clusters/telemetry"
EXPORTER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosolake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/archive"
PERSON = "22222222-0000-4000-8000-000000000001"
TEAM = "22222222-0000-4000-8000-000000000002"

INVENTORY: dict[str, Any] = {
    "version": 1,
    "clusters": [
        {
            "uri": "https://telemetry.westeurope.kusto.windows.net",
            "resourceId": CLUSTER,
            "databases": {"Telemetry": {"tables": {"Events": {"columns": [["Timestamp", "datetime"]]}}}},
        }
    ],
    "identities": [{"resourceId": EXPORTER}],
    "storageAccounts": [
        {"name": "contosolake", "resourceId": ACCOUNT, "hierarchicalNamespace": True, "containers": ["archive"]}
    ],
    "principals": [
        {"objectId": PERSON, "type": "User", "displayName": "Ada", "upn": "ada@contoso.com"},
        {"objectId": TEAM, "type": "Group", "displayName": "Operators", "members": [PERSON]},
    ],
}


class Token:
    """A credential whose token nobody checks."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken("sandbox", int(time.time()) + 3600)


def options(url: str) -> dict[str, Any]:
    """No retries, no waiting between polls, no bearer policy (it refuses plain http)."""
    return {
        "base_url": url,
        "retry_total": 0,
        "polling_interval": 0,
        "authentication_policy": SansIOHTTPPolicy(),
    }


def kusto(url: str) -> Any:
    from azure.mgmt.kusto import KustoManagementClient

    return KustoManagementClient(Token(), SUBSCRIPTION, **options(url))


def authorization(url: str) -> Any:
    from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

    return AuthorizationManagementClient(Token(), SUBSCRIPTION, **options(url))


def storage(url: str) -> Any:
    from azure.mgmt.storage import StorageManagementClient

    return StorageManagementClient(Token(), SUBSCRIPTION, **options(url))


def msi(url: str) -> Any:
    from azure.mgmt.msi.v2024_11_30 import ManagedServiceIdentityClient

    return ManagedServiceIdentityClient(Token(), SUBSCRIPTION, **options(url))


def graph(url: str) -> Any:
    from azure.mgmt.resourcegraph import ResourceGraphClient

    return ResourceGraphClient(Token(), **options(url))
