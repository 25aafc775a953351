"""A scripted HTTP server on loopback for the planes: each test says what is answered, and sees what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Asked:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Answered:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False


@dataclass
class Fake:
    """``answer`` maps a request to an answer; ``asked`` keeps all requests in order."""

    answer: Callable[[Asked], Answered]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, unquote(path), unquote(query), headers, json.loads(text) if text else None)
            fake.asked.append(asked)
            answered = fake.answer(asked)
            if answered.cut:
                self.close_connection = True
                return
            body = answered.raw if answered.raw is not None else b""
            if answered.body is not None:
                body = json.dumps(answered.body).encode()
            self.send_response(answered.status)
            for name, value in {"Content-Type": "application/json", **answered.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

        do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def serving(answer: Callable[[Asked], Answered]) -> Iterator[Fake]:
    fake = Fake(answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
