"""Serving WSGI applications on loopback: HTTP/1.1 with keep-alive, one thread per connection.

werkzeug's own development server closes every connection after one answer, so the connections are kept
by http.server here. Answers leave in one buffered write with Nagle's algorithm off: header and body in
two small writes would cost each request the 40 ms of a delayed acknowledgement.
"""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

MAX_BODY = 64 * 1024 * 1024
IDLE_SECONDS = 120
log = logging.getLogger("kxrecon.sandbox")


class CutConnection(Exception):
    """Raised by an application to drop the connection instead of answering."""


class Exchange(BaseHTTPRequestHandler):
    """One connection: requests in, answers of the listener's application out."""

    protocol_version = "HTTP/1.1"
    server_version = "kxrecon-sandbox"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: Listener

    def setup(self) -> None:
        """Take part in the listener's list of open connections."""
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        """Leave the list; a peer that is already gone is no error."""
        self.server.closed(self.connection)
        try:
            super().finish()
        except OSError as error:
            log.debug("peer left early: %s", error)

    def handle(self) -> None:
        """Serve requests until either side closes."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError) as error:
            log.debug("connection lost: %s", error)

    def do_GET(self) -> None:
        """Answer one request (all methods come here)."""
        body = self._body()
        if body is None:
            return
        try:
            status, headers, chunks = self._run(self._environ(body))
        except CutConnection:
            self.close_connection = True
            return
        self._send(status, headers, chunks)

    def __getattr__(self, name: str) -> Any:
        """Any other method comes to ``do_GET`` too: what a method means is the application's business."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no HTTP that this server speaks (the standard library answers a page, and 505)."""
        self._refuse(code if code < 500 else 400, message or "Bad Request")

    def _body(self) -> bytes | None:
        """The request's body; None if the request was refused for its framing."""
        if "transfer-encoding" in self.headers:
            self._refuse(411, "A request needs a Content-Length; chunks are not taken")
            return None
        length = self.headers.get("Content-Length") or "0"
        if not length.isascii() or not length.isdigit():
            self._refuse(400, "Content-Length is no number")
            return None
        if int(length) > MAX_BODY:
            self._refuse(413, "The body is too large")
            return None
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        return self.rfile.read(int(length))

    def _refuse(self, status: int, reason: str) -> None:
        """Answer without asking the application, and close: the rest of the stream cannot be trusted."""
        self.close_connection = True
        phrase, code = HTTPStatus(status).phrase, "".join(HTTPStatus(status).phrase.split())
        error = {"code": code, "message": reason, "@type": "HttpException", "@message": reason, "@permanent": True}
        body = json.dumps({"error": error}).encode()
        self._send(f"{status} {phrase}", [("Connection", "close"), ("Content-Type", "application/json")], body)

    def _run(self, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        """Call the application and collect its whole answer."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started.append((status, headers))

        chunks = self.server.app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        status, headers = started[-1]
        return status, headers, body

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if code != "204":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _environ(self, body: bytes) -> Environ:
        """The WSGI environment (PEP 3333) of this request."""
        path, _, query = self.path.partition("?")
        if "://" in path:
            path = urlsplit(path).path
        environ: Environ = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "RAW_PATH": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
        }
        for name, value in self.headers.items():
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Keep standard error clean; the log has it at debug level."""
        log.debug(format, *args)


class Listener(ThreadingHTTPServer):
    """A WSGI application on a free port of 127.0.0.1, served by background threads until ``stop``."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, app: Wsgi, port: int = 0) -> None:
        self.app = app
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), Exchange)
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of http.server, which may wait for a name server."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def _serve(self) -> None:
        """Accept until told to stop; waits without polling, ``stop`` wakes it with a connection of its own."""
        while not self._stopping.is_set():
            self.handle_request()

    def opened(self, connection: socket.socket) -> None:
        """Remember an open connection, so that ``stop`` can end it."""
        with self._guard:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._guard:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A defect of the sandbox: to the log, with its traceback."""
        log.exception("the sandbox failed to answer")

    def stop(self) -> None:
        """Stop accepting, end open connections, close the port."""
        self._stopping.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            self._thread.join()
        self.server_close()
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                log.debug("already closed: %s", error)

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
