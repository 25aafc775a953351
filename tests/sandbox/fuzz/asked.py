"""A request straight into a WSGI application, and what every answer must be."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.witness.tally import tally

TITLE = "bad input, to every wire of the sandbox"
HOST = "127.0.0.1:1"


@dataclass(frozen=True)
class Asked:
    """A request as HTTP has it; ``path`` is unquoted."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = b""
    headers: Mapping[str, str] | None = None

    def environ(self) -> dict[str, Any]:
        """What kxrecon.sandbox.server makes of it."""
        headers = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in (self.headers or {}).items()}
        return {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path.encode("utf-8", "surrogatepass").decode("latin-1"),
            "QUERY_STRING": urlencode(self.query, errors="surrogatepass"),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(self.body)),
            "CONTENT_TYPE": "application/json",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "HTTP_HOST": HOST,
            **headers,
        }


def answered(wire: str, app: Any, asked: Asked) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the answer; AssertionError, with the request, for what no service answers."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    try:
        body = b"".join(app(asked.environ(), lambda status, headers, exc_info=None: started.append((status, headers))))
        [(status, headers)] = started
        code, document = int(status.split()[0]), json.loads(body) if body else None
        assert code < 500, status
        if code >= 400 and asked.method != "HEAD":
            _envelope(wire, document, dict(headers))
    except Exception as problem:
        raise AssertionError(ascii(f"{wire}: {problem!r} {asked}")[:2000]) from problem
    tally(TITLE).count(f"{wire}: {'refused' if code >= 400 else 'answered'}")
    return code, dict(headers), document


def _envelope(wire: str, document: Any, headers: Mapping[str, str]) -> None:
    """A refusal has its service's own shape."""
    error = document["error"]
    assert isinstance(error["code"], str) and error["code"]
    assert isinstance(error["message"], str) and error["message"]
    if wire == "kusto":
        assert isinstance(error["@message"], str) and error["@message"] and error["@type"].endswith("Exception")
        assert isinstance(error["@permanent"], bool) and error["@context"]
    if wire == "dfs":
        assert headers["x-ms-error-code"] == error["code"]
    assert "Traceback" not in json.dumps(document)
