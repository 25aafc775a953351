"""The HTTP side: keep-alive, framing, cut connections, and Kusto's client over it."""

from __future__ import annotations

import json
import socket
import stat
import threading

import pytest
import requests

from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.inventory import InventoryError
from kxrecon.sandbox.server import CutConnection, Exchange, Listener
from kxrecon.sandbox.store import Store

URI = "https://telemetry.westeurope.kusto.windows.net"
GROUP = "/subscriptions/s/resourceGroups/g/providers"
INVENTORY = {
    "clusters": [
        {"uri": URI, "resourceId": f"{GROUP}/Microsoft.Kusto/clusters/telemetry", "databases": {"Telemetry": {}}}
    ],
    "identities": [{"resourceId": f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"}],
}


def echo(environ, start_response):
    """Answers what it was sent."""
    if environ["PATH_INFO"] == "/cut":
        raise CutConnection
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["wsgi.input"].read()]


@pytest.fixture
def listener():
    with Listener(echo) as opened:
        yield opened


@pytest.fixture
def session():
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def raw(listener, *messages):
    """Send bytes on one connection; everything that comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as peer:
        for message in messages:
            peer.sendall(message)
        peer.shutdown(socket.SHUT_WR)
        parts = []
        while part := peer.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_connection_serves_many_requests(listener):
    answer = raw(
        listener, *(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n" + bytes([65 + at]) for at in range(3))
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [part[:6] for part in answer.split(b"\r\n\r\n")[1:]] == [b"POST A", b"POST B", b"POST C"]


def test_an_answer_leaves_in_one_piece():
    """Two small writes would cost every request the 40 ms of a delayed acknowledgement."""
    assert Exchange.wbufsize == -1
    assert Exchange.disable_nagle_algorithm


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Length: x", 400),
        ("Content-Length: -1", 400),
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: 99999999999", 413),
    ],
)
def test_bad_framing_is_refused_and_closed(listener, header, status):
    answer = raw(listener, f"POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer


def test_head_has_no_body(listener):
    answer = raw(listener, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: 5" in answer and answer.endswith(b"\r\n\r\n")


def test_an_application_may_cut_the_connection(listener, session):
    with pytest.raises(requests.ConnectionError):
        session.get(listener.url + "/cut")
    assert session.get(listener.url).text == "GET "


def test_stopping_ends_open_connections():
    listener = Listener(echo)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peer.recv(1)
        listener.stop()
        while peer.recv(65536):
            pass
    assert not [one for one in threading.enumerate() if one is listener._thread]


def test_the_file_is_private_and_keeps_everything(tmp_path):
    path = tmp_path / "deep" / "sandbox.db"
    with embed(path, INVENTORY) as first:
        ids = first.world.store.all("identity")
        assert first.kusto.keys() == {URI}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with embed(path, INVENTORY) as again:
        assert again.world.store.all("identity") == ids


def test_addresses_are_found_as_the_inventory_writes_them(tmp_path):
    spelled = {"clusters": [{"uri": "https://Telemetry.westeurope.kusto.windows.net/"}]}
    with embed(tmp_path / "s.db", spelled) as opened:
        assert opened.kusto["https://Telemetry.westeurope.kusto.windows.net/"] == opened.kusto[URI]


def test_bare_adds_what_is_missing_and_strict_is_closed(tmp_path):
    path = tmp_path / "s.db"
    with embed(path, INVENTORY) as opened:
        opened.world.store.put("table", (URI, "Telemetry", "Mine"), {"columns": []})
    more = {**INVENTORY, "storageAccounts": [{"name": "Lake", "containers": ["a"]}], "strict": True}
    with embed(path, more) as opened:
        assert opened.world.store.get("container", "lake", "a")
        assert opened.world.store.get("table", URI, "Telemetry", "Mine")
    with embed(path, {"storageAccounts": [{"name": "later"}]}) as opened:
        assert opened.world.store.get("account", "later") is None


@pytest.mark.parametrize(
    "document",
    [
        {"clusters": [{"resourceId": "x"}]},
        {"identities": ["x"]},
        {"clusters": 5},
        {"custers": []},
        {"identities": [{"resourceId": "exporter"}]},
        {"principals": [{"objectId": "x", "type": "Robot"}]},
        {"roleAssignments": [{"scope": "/subscriptions/s", "role": "Emperor", "principalId": "x"}]},
    ],
)
def test_a_wrong_inventory_changes_nothing(tmp_path, document):
    path = tmp_path / "s.db"
    with pytest.raises(InventoryError), embed(path, {**INVENTORY, **document, "tenantId": "t"}):
        pass
    store = Store(path)
    assert store.all("cluster") == store.all("meta") == []
    store.close()


def test_kusto_s_own_client_talks_to_a_cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    from azure.kusto.data import KustoClient
    from azure.kusto.data.exceptions import KustoApiError

    with embed(tmp_path / "s.db", INVENTORY) as opened, KustoClient(opened.kusto[URI]) as client:
        rows = client.execute_mgmt("", ".show databases").primary_results[0]
        assert [row["DatabaseName"] for row in rows] == ["Telemetry"]
        with pytest.raises(KustoApiError):
            client.execute_mgmt("Telemetry", ".make coffee")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/rest/auth/metadata", None, 200),
        ("GET", "/v1/rest/mgmt", None, 405),
        ("GET", "/v1/rest/query?db=Telemetry&csl=print%201", None, 200),
        ("GET", "/v2/rest/query?db=Telemetry&csl=.show%20tables", None, 200),
        ("GET", "/v2/rest/query?db=Telemetry", None, 400),
        ("POST", "/v3/rest/mgmt", b"{}", 404),
        ("POST", "/v1/rest/mgmt", b"{", 400),
        ("POST", "/v1/rest/mgmt", b"[]", 400),
        ("POST", "/v1/rest/mgmt", json.dumps({"csl": 7}).encode(), 400),
        ("POST", "/v1/rest/mgmt", json.dumps({"csl": ".show databases", "db": 7}).encode(), 400),
        ("POST", "/v1/rest/mgmt", json.dumps({"csl": ".show databases", "properties": "{"}).encode(), 400),
        ("POST", "/v1/rest/mgmt", json.dumps({"csl": ".show databases", "properties": "[1]"}).encode(), 400),
        ("POST", "/v1/rest/mgmt", b"[" * 100_000, 400),
    ],
)
def test_requests_to_a_cluster(tmp_path, session, method, path, body, status):
    with embed(tmp_path / "s.db", INVENTORY) as opened:
        answer = session.request(method, opened.kusto[URI] + path, data=body)
    assert answer.status_code == status
    assert (status == 200) == ("error" not in answer.json())
    if "/rest/auth" not in path:
        assert len(answer.headers["x-ms-activity-id"]) == 36


def test_the_header_that_forces_reading_is_heard(tmp_path, session):
    body = {"db": "Telemetry", "csl": ".create table Ro (x:int)"}
    with embed(tmp_path / "s.db", INVENTORY) as opened:
        url = opened.kusto[URI] + "/v1/rest/mgmt"
        refused = session.post(url, json=body, headers={"x-ms-readonly": "true"})
        assert refused.status_code == 400 and "only reads" in refused.json()["error"]["@message"]
        assert not opened.world.store.all("table")
        assert session.post(url, json=body).status_code == 200
