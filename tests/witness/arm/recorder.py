"""A WSGI middleware that keeps every exchange, to be judged when the test ends."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from .contract import Exchange, Finding, judge
from .exceptions import excuse

JUDGED: Counter[str] = Counter()
EXCUSED: Counter[str] = Counter()


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
        """Disagreements that nobody excused, and the reasons of those that were; both are counted."""
        JUDGED.update(f"{one.method} {one.status}" for one in self.exchanges)
        findings = [finding for exchange in self.exchanges for finding in judge(exchange)]
        reasons = Counter(reason for reason in map(excuse, findings) if reason)
        EXCUSED.update(reasons)
        return [one for one in findings if not excuse(one)], set(reasons)
