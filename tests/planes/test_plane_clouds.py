"""On Azure itself: which host is asked, with a token for which audience. The network is played by requests' adapter."""

from __future__ import annotations

import io
import json
import time
from types import SimpleNamespace

import pytest
import requests
from requests.adapters import HTTPAdapter

from kxrecon.errors import PlaneError
from kxrecon.model import Read, Table
from kxrecon.planes import AZURE, Wire
from kxrecon.planes.connect import connect
from kxrecon.scope import Scope

SUB = "/subscriptions/22222222-2222-4222-8222-222222222222"
CLUSTER = f"{SUB}/resourceGroups/rg/providers/Microsoft.Kusto/clusters/telemetry"
METADATA = {
    "AzureAD": {
        "LoginEndpoint": "https://login.microsoftonline.us",
        "LoginMfaRequired": False,
        "KustoClientAppId": "a",
        "KustoClientRedirectUri": "http://localhost",
        "KustoServiceResourceId": "https://kusto.kusto.usgovcloudapi.net",
        "FirstPartyAuthorityUrl": "f",
    }
}
TABLES = {"Tables": [{"TableName": "T", "Columns": [{"ColumnName": "A", "DataType": "String"}], "Rows": [["x"]]}]}


class Credential:
    """Tokens named after their scope."""

    def get_token(self, *scopes, **_):
        return SimpleNamespace(token=f"for {scopes[0]}", expires_on=int(time.time()) + 3600)


@pytest.fixture
def wire(monkeypatch):
    """Every request that would leave, with its Authorization; answered as Azure would."""
    seen = []

    def send(self, request, *_, **__):
        seen.append((request.method, request.url.partition("?")[0], request.headers.get("Authorization")))
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        body = (
            METADATA if request.url.endswith("auth/metadata") else TABLES if "rest" in request.url else {"id": CLUSTER}
        )
        response.headers.update({"Content-Type": "application/json", "x-ms-acl": "user::rwx", "ETag": '"1"'})
        response.raw = io.BytesIO(b"" if request.method == "HEAD" else json.dumps(body).encode())
        return response

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return seen


def planes(cloud, uri):
    return connect(Wire(credential=Credential()), Scope(cluster_uri=uri, cloud=cloud), read_only=True)


def test_a_sovereign_cloud_gets_its_own_audiences(wire):
    made = planes("usgov", "https://help.kusto.usgovcloudapi.net")
    assert isinstance(made["kusto"].read(Read("kusto", "D", ".show tables")), Table)
    assert made["arm"].read(Read("arm", "", "clusters.get", (("resourceId", CLUSTER),))) == {"id": CLUSTER}
    lake = Read("adls", "lake.blob.core.usgovcloudapi.net", "acl.get", (("filesystem", "f"), ("path", "/a")))
    assert made["adls"].read(lake)["acl"] == "user::rwx"
    assert wire == [
        ("GET", "https://help.kusto.usgovcloudapi.net/v1/rest/auth/metadata", None),
        (
            "POST",
            "https://help.kusto.usgovcloudapi.net/v1/rest/mgmt",
            "Bearer for https://kusto.kusto.usgovcloudapi.net/.default",
        ),
        (
            "GET",
            f"https://management.usgovcloudapi.net{CLUSTER}",
            "Bearer for https://management.core.usgovcloudapi.net/.default",
        ),
        (
            "HEAD",
            "https://lake.dfs.core.usgovcloudapi.net/f/a",
            "Bearer for https://storage.azure.com/.default",
        ),
    ]


def test_a_public_spec_sends_nothing_to_another_clouds_cluster(wire):
    failure = planes("public", "https://help.kusto.usgovcloudapi.net")["kusto"].read(Read("kusto", "", ".show cluster"))
    assert failure.code == "UntrustedHost"
    assert wire == []


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("roleAssignments.list", (("scope", SUB), ("principalId", "p"))),
        ("userAssignedIdentities.get", (("resourceId", CLUSTER.replace("Kusto/clusters", "ManagedIdentity/u")),)),
        ("storageAccounts.get", (("resourceId", CLUSTER.replace("Kusto/clusters", "Storage/storageAccounts")),)),
        ("resources.query", (("subscriptions", "s"), ("query", "resources"))),
    ],
)
def test_every_management_client_uses_the_clouds_endpoint_and_audience(wire, operation, arguments):
    planes("china", "https://c.kusto.chinacloudapi.cn")["arm"].read(Read("arm", "", operation, arguments))
    assert wire
    for _, url, authorization in wire:
        assert url.startswith("https://management.chinacloudapi.cn/")
        assert authorization == "Bearer for https://management.chinacloudapi.cn/.default"


def test_a_credential_that_fails_is_a_denied_read_that_says_so(wire):
    class Broken:
        def get_token(self, *_, **__):
            raise RuntimeError("no credential worked")

    made = connect(
        Wire(credential=Broken()),
        Scope(cluster_uri="https://a1.kusto.usgovcloudapi.net", cloud="usgov"),
        read_only=True,
    )
    for read in (
        Read("kusto", "D", ".show tables"),
        Read("arm", "", "clusters.get", (("resourceId", CLUSTER),)),
        Read("adls", "lake.dfs.core.usgovcloudapi.net", "acl.get", (("filesystem", "f"), ("path", "/"))),
    ):
        failure = made[read.plane].read(read)
        assert (failure.reason, failure.code) == ("denied", "NoToken"), failure
        assert "no credential worked" in failure.message
    assert [url for _, url, _ in wire if "metadata" not in url] == []


def test_metadata_that_names_another_clouds_login_is_not_believed(wire):
    failure = planes("public", "https://a2.kusto.windows.net")["kusto"].read(Read("kusto", "D", ".show tables"))
    assert failure.code == "UntrustedHost"
    assert [authorization for _, _, authorization in wire] == [None]


def test_azure_itself_is_the_default_wire():
    assert AZURE.name == "azure"
    with pytest.raises(PlaneError):
        connect(AZURE, Scope(cluster_uri="http://x.kusto.windows.net"), read_only=False)["kusto"]._made()
