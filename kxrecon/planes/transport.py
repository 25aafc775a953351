"""One HTTP session per plane, under the SDKs: counts requests, refuses writes, goes around proxies to loopback.

All SDKs used here end in a ``requests`` session; what must hold whatever an SDK does on its own
(registering a provider, following a link) is therefore enforced here, at the last gate before the wire.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from kxrecon.planes import WriteRefused
from kxrecon.planes.hosts import is_loopback
from kxrecon.planes.terms import Recorder

TIMEOUT = (10.0, 120.0)
"""Seconds to connect and between two bytes, where an SDK sets none."""

_CONNECTIONS = 32
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_RESOURCE_GRAPH = "/providers/microsoft.resourcegraph/resources"


class Gate(HTTPAdapter):
    """The last gate before the wire; keeps the latest response per thread for SDKs that lose it in an error."""

    def __init__(
        self, *, read_only: bool, record: Recorder | None = None, options: Sequence[tuple[int, int, int]] = ()
    ) -> None:
        self.read_only = read_only
        self.requests = 0
        self._record = record
        self._options = [*HTTPConnection.default_socket_options, *options]
        self._lock = threading.Lock()
        self._latest = threading.local()
        super().__init__(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0)

    @property
    def latest(self) -> requests.Response | None:
        """The response that this thread got last; None after an exception."""
        return getattr(self._latest, "response", None)

    def send(  # noqa: PLR0913 - the signature is requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request. Raises WriteRefused before anything leaves a read-only plane."""
        method, url = request.method or "", request.url or ""
        if self.read_only and not _is_read(method, url):
            raise WriteRefused(f"a read-only command tried to send {method} {_line(url)}; nothing was sent")
        self._latest.response = None
        with self._lock:
            self.requests += 1
        if self._record is not None:
            self._record(f"{method} {_line(url)}")
        around: dict[str, str] = {} if is_loopback(url) else dict(proxies or {})
        response = super().send(request, stream, timeout or TIMEOUT, verify, cert, around)
        self._latest.response = response
        return response

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Add the socket options (keep-alive for commands that take minutes) to each new connection."""
        super().init_poolmanager(*arguments, socket_options=self._options, **options)

    def mount(self, session: requests.Session, endpoint: str | None = None) -> requests.Session:
        """Put this gate under a session, for http and https alike.

        A session to a loopback ``endpoint`` takes nothing from the environment (proxies, certificates);
        no session takes a password from netrc, which would also replace the token.
        """
        session.auth = _as_signed
        if endpoint and is_loopback(endpoint):
            session.trust_env = False
        session.mount("https://", self)
        session.mount("http://", self)
        return session


def _as_signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The ``auth`` of a session that signs its requests elsewhere."""
    return request


def _is_read(method: str, url: str) -> bool:
    return method in _READS or (method == "POST" and _line(url).lower().endswith(_RESOURCE_GRAPH))


def _line(url: str) -> str:
    """A URL without its query, which may carry a signature."""
    return url.partition("?")[0]
