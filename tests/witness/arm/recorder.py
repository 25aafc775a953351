"""A WSGI middleware that keeps every exchange, to be judged when the test ends."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl

from tests.witness.tally import tally

from .contract import Exchange, Finding, find, judge
from .exceptions import excuse

TITLE = "ARM's contract, over every exchange of an SDK with the sandbox"
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*")


class Recorder:
    """``embed(…, middleware=recorder.around)`` records what goes over the ARM port."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._guard = threading.Lock()

    def around(self, service: str, app: Any) -> Any:
        """The middleware: only ARM is recorded, the other wires have their own witnesses."""
        return self._recording(app) if service == "arm" else app

    def _recording(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def recorded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            sent = environ["wsgi.input"].read()
            environ["wsgi.input"] = io.BytesIO(sent)
            started: list[Any] = []

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                started[:] = [status, headers]
                return start_response(status, headers)

            body = b"".join(app(environ, start))
            self._keep(environ, sent, int(started[0].split()[0]), dict(started[1]), body)
            return [body]

        return recorded

    def _keep(self, environ: dict[str, Any], sent: bytes, status: int, headers: dict[str, str], body: bytes) -> None:
        exchange = Exchange(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            dict(parse_qsl(environ["QUERY_STRING"])),
            json.loads(sent) if sent else None,
            status,
            headers,
            json.loads(body) if body else None,
        )
        with self._guard:
            self.exchanges.append(exchange)

    def verdict(self) -> tuple[list[Finding], set[str]]:
        """Disagreements that nobody excused, and the reasons of those that were."""
        findings = [finding for exchange in self.exchanges for finding in judge(exchange)]
        reasons = {reason for reason in map(excuse, findings) if reason}
        return [one for one in findings if not excuse(one)], reasons


class Watch(Recorder):
    """A recorder of everything that SDKs and sandboxes say to each other while it watches.

    Exchanges that differ in nothing but ids and times are judged once; all are counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Any, list[Finding]] = {}

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Every sandbox that is opened in the block; weather is part of what is seen, a test's own tampering is not."""
        from kxrecon.sandbox import embedded

        made = embedded.weather

        def weather(world: Any, service: str, *rest: Any, **options: Any) -> Any:
            return self.around(service, made(world, service, *rest, **options))

        with mock.patch.object(embedded, "weather", weather):
            yield self

    def _recording(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        recording = super()._recording(app)

        def recorded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            by_sdk = "azsdk-" in environ.get("HTTP_USER_AGENT", "")
            return (recording if by_sdk else app)(environ, start_response)

        return recorded

    def judged(self) -> list[Finding]:
        """What nobody excused since this was asked last; everything is counted."""
        with self._guard:
            seen, self.exchanges = self.exchanges, []
        counted = tally(TITLE)
        wrong = []
        for one in seen:
            operation = find(one.method, one.path)
            counted.count("exchanges validated")
            counted.count(f"{operation.name if operation else 'no operation'} {one.status}")
            for finding in self._judged(one):
                reason = excuse(finding)
                wrong += [] if reason else [finding]
                counted.reasons.update([reason] if reason else [])
        return wrong

    def _judged(self, one: Exchange) -> list[Finding]:
        told = json.dumps([one.method, one.path, sorted(one.query.items()), one.request, one.status, one.response])
        key = _TIME.sub("time", _GUID.sub("id", told))
        if key not in self._known:
            self._known[key] = judge(one)
        return self._known[key]
