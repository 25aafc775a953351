"""A sandbox's answers, recorded where they reach the SDKs, and played again with any of them changed.

Nothing travels: an answer is put together at the last adapter, so that ten thousand of them take minutes. What
only a wire can do (a certificate, a body that ends early) is in ``tests/e2e/test_hostile_servers.py``.
"""

from __future__ import annotations

import io
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from kxrecon.model import Table
from kxrecon.planes import sql as sql_plane
from tests.ground import Ground

Key = tuple[str, ...]


@dataclass(frozen=True)
class Played:
    """One answer: over HTTP its status, headers and body, or an exception in its place; over SQL a table."""

    key: Key
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    table: Table | None = None
    error: Exception | None = None

    @property
    def is_sql(self) -> bool:
        """Whether it answers a statement."""
        return self.key[0] == "sql"

    @property
    def is_kusto(self) -> bool:
        """Whether it answers a command or a query."""
        return len(self.key) > 2 and self.key[1].endswith(("/mgmt", "/query"))

    @property
    def is_read(self) -> bool:
        """Whether what it answers cannot change anything."""
        if self.is_sql:
            return self.key[1].lstrip().lower().startswith(("select", "with"))
        return (
            self.key[0] in ("GET", "HEAD") or "resourcegraph" in self.key[1].lower() or self.key[-1].startswith(".show")
        )


def key_of(request: requests.PreparedRequest) -> Key:
    """What makes two requests the same question: ids of runs and requests do not count."""
    body = request.body if isinstance(request.body, str) else (request.body or b"").decode("utf-8", "replace")
    url, method = str(request.url), str(request.method)
    if url.endswith(("/v1/rest/mgmt", "/v1/rest/query", "/v2/rest/query")):
        asked = json.loads(body)
        return method, url, str(asked.get("db")), asked["csl"]
    return method, url, body


@contextmanager
def recording() -> Iterator[list[Played]]:
    """Everything that is answered while the block runs, in order."""
    found: list[Played] = []
    send, execute = HTTPAdapter.send, sql_plane._execute

    def sent(adapter: HTTPAdapter, request: requests.PreparedRequest, *rest: Any, **more: Any) -> requests.Response:
        answer = send(adapter, request, *rest, **more)
        found.append(Played(key_of(request), answer.status_code, dict(answer.headers), answer.content))
        return answer

    def executed(connection: Any, statement: str, values: Any) -> Table:
        table = execute(connection, statement, values)
        found.append(Played(("sql", statement), table=table))
        return table

    with mock.patch.object(HTTPAdapter, "send", sent), mock.patch.object(sql_plane, "_execute", executed):
        yield found


class Player:
    """Answers from a recording: equal questions in the order of their answers, the last one for ever.

    ``leaks`` are requests that went to hosts which the recording does not know.
    """

    def __init__(self, recorded: list[Played]) -> None:
        self._answers: dict[Key, list[Played]] = defaultdict(list)
        for one in recorded:
            self._answers[one.key].append(one)
        self.hosts = {urlsplit(one.key[1]).netloc for one in recorded if not one.is_sql}
        self._served: dict[Key, int] = defaultdict(int)
        self._guard = threading.Lock()
        self.leaks: list[str] = []

    def changed(self, *wounded: tuple[int, Played]) -> Player:
        """The same with some answers, told by their number of their key, replaced."""
        other = Player([])
        other.hosts = self.hosts
        other._answers = defaultdict(list, {key: list(answers) for key, answers in self._answers.items()})
        for number, one in wounded:
            other._answers[one.key][number] = one
        return other

    def numbered(self) -> list[tuple[int, Played]]:
        """Every answer with its number."""
        return [pair for answers in self._answers.values() for pair in enumerate(answers)]

    def _next(self, key: Key) -> Played | None:
        with self._guard:
            answers = self._answers.get(key)
            if not answers:
                return None
            number = min(self._served[key], len(answers) - 1)
            self._served[key] += 1
            return answers[number]

    def send(self, adapter: HTTPAdapter, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """In place of ``HTTPAdapter.send``."""
        host = urlsplit(str(request.url)).netloc
        if host not in self.hosts:
            told = (
                "with a token" if "authorization" in {name.lower() for name in request.headers} else "without a token"
            )
            self.leaks.append(f"{request.method} {request.url} {told}")
        found = self._next(key_of(request))
        if found is None:
            found = Played(
                ("",), 404, {"Content-Type": "application/json"}, b'{"error":{"code":"NotFound","message":"?"}}'
            )
        if found.error is not None:
            raise found.error
        raw = HTTPResponse(
            io.BytesIO(b"" if request.method == "HEAD" else found.body),
            headers=dict(found.headers),
            status=found.status,
            reason="-",
            preload_content=False,
            request_method=request.method,
        )
        return adapter.build_response(request, raw)

    def execute(self, connection: Any, statement: str, values: Any) -> Table:
        """In place of the SQL plane's ``_execute``."""
        found = self._next(("sql", statement))
        if found is None or found.table is None:
            raise (found and found.error) or RuntimeError("nothing was recorded for this statement")
        return found.table

    @contextmanager
    def playing(self) -> Iterator[Player]:
        """While the block runs, nobody is asked but this player."""
        send: Callable[..., Any] = lambda adapter, request, *rest, **more: self.send(adapter, request)  # noqa: E731
        with mock.patch.object(HTTPAdapter, "send", send), mock.patch.object(sql_plane, "_execute", self.execute):
            yield self


def without(answer: Played, *, ends_early: bool = False, **more: Any) -> Played:
    """The same answer with other fields; its length is told right, unless the connection is to end early."""
    if ends_early:
        return replace(answer, **more)
    headers = more.pop("headers", answer.headers)
    kept = {
        name: value for name, value in headers.items() if name.lower() not in ("content-length", "transfer-encoding")
    }
    return replace(answer, headers=kept, **more)


__all__ = ["Ground", "Played", "Player", "key_of", "recording", "without"]
