"""Why nothing could be sent: from real errors, as the SDKs wrap them."""

from __future__ import annotations

import socket

import pytest
import requests
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError

from kxrecon.planes.unreachable import why


@pytest.fixture
def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def refusal(url):
    with pytest.raises(requests.ConnectionError) as caught, requests.Session() as session:
        session.trust_env = False
        session.get(url, timeout=5)
    return caught.value


def test_a_name_that_does_not_resolve():
    assert why(refusal("http://nobody.invalid/")).startswith("its name does not resolve")


def test_a_port_where_nobody_listens(closed_port):
    assert why(refusal(closed_port)) == "it refuses the connection"


def test_the_same_under_azure_core(closed_port):
    with RequestsTransport(use_env_settings=False) as transport, pytest.raises(ServiceRequestError) as caught:
        transport.send(HttpRequest("GET", closed_port))
    assert why(caught.value) == "it refuses the connection"


def test_nobody_answers():
    inner = ConnectTimeoutError(None, "Connection to a timed out.")
    assert why(requests.ConnectTimeout(MaxRetryError(None, "/", inner))).startswith("it does not answer")


def test_anything_else_keeps_its_own_words():
    assert why(ValueError("what it says")) == "what it says"
