"""Bytes that are no HTTP, or HTTP that nobody expects, on a listener of each service."""

from __future__ import annotations

import json
import random
import socket

import pytest

from kxrecon.sandbox.embedded import embed
from tests.sandbox.fuzz.asked import TITLE
from tests.sandbox.fuzz.spoil import ROUNDS, wounded
from tests.witness.arm import clients
from tests.witness.tally import tally

URI = "https://telemetry.westeurope.kusto.windows.net"
GOOD = [
    "GET /v1/rest/auth/metadata HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n",
    'POST /v1/rest/mgmt HTTP/1.1\r\nHost: x\r\nContent-Length: 23\r\n\r\n{"csl":".show version"}',
    f"GET {clients.CLUSTER}?api-version=2023-08-15 HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD /contosolake/archive/?action=getAccessControl HTTP/1.1\r\nHost: x\r\n\r\n",
]
ODD = [
    b"",
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1 x\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"\xff" * 100 + b"\r\n\r\n",
]
METHODS = ["TRACE", "CONNECT", "PROPFIND", "BREW", "get", "OPTIONS"]


@pytest.fixture
def ports(tmp_path):
    """The port of each service."""
    with embed(tmp_path / "s.db", clients.INVENTORY) as opened:
        yield [int(url.rpartition(":")[2]) for url in (opened.arm, opened.dfs, opened.kusto[URI])]


def said(port: int, message: bytes) -> bytes:
    """Everything that comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        parts = []
        try:
            peer.sendall(message)
            peer.shutdown(socket.SHUT_WR)
            while part := peer.recv(65536):
                parts.append(part)
        except ConnectionError:  # closed before all of it was read
            parts.append(b"")
    return b"".join(parts)


def held(message: bytes, answer: bytes) -> None:
    """Nothing, or answers with a status below 500; the first refusal is JSON, if it has a body."""
    assert b"Traceback" not in answer and b"<html" not in answer.lower(), answer
    if not answer.startswith(b"HTTP/1.1"):
        assert answer == b"" or b'"error"' in answer, (message[:200], answer[:200])  # HTTP/0.9 has no head
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status < 500, (message[:200], head)
    length = next((int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.startswith(b"Content-Length")), 0)
    if status >= 400 and body[:length]:
        assert json.loads(body[:length])["error"]["message"], (message[:200], body)
    tally(TITLE).count(f"http: {'refused' if status >= 400 else 'answered'}")


def test_what_is_no_http_is_refused(ports, caplog):
    for port in ports:
        for message in ODD:
            held(message, said(port, message))
        for method in METHODS:
            for path in ("/v1/rest/mgmt", clients.CLUSTER, "/contosolake/archive/"):
                held(method.encode(), said(port, f"{method} {path}?api-version=2023-08-15 HTTP/1.1\r\n\r\n".encode()))
    assert [one.getMessage() for one in caplog.records if one.name == "kxrecon.sandbox"] == []


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_wounded_requests_are_answered_or_refused(ports, seed, caplog):
    order = random.Random(f"http/{seed}")
    for _ in range(120):
        message = wounded(order.choice(GOOD), order).encode("utf-8", "surrogatepass")
        held(message, said(order.choice(ports), message))
    assert [one.getMessage() for one in caplog.records if one.name == "kxrecon.sandbox"] == []
