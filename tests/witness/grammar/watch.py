"""A middleware that keeps every command of kxrecon's Kusto plane and the columns of its answer, to be judged.

Whatever a verb asks or sends (plan, apply, verify, status, import, a backfill, a blame …) in any test that opens a
sandbox in its process comes by here.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.witness.grammar.exceptions import COLUMNS, TEXTS
from tests.witness.tally import tally

TITLE = "Kusto's grammar (a): every command and read of kxrecon"
OWN = "kxrecon;"  # how the plane's request ids begin (kxrecon/planes/kusto.py)
SCHEMA = {"D": {"T": "(a:int)"}}
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """A command, and the columns of what was answered; None if it was refused or answered no table."""

    text: str
    columns: tuple[tuple[str, str], ...] | None


class Watch:
    """What passes while it watches; texts that differ in nothing but ids are judged once, all are counted."""

    def __init__(self) -> None:
        self._seen: list[Said] = []
        self._known: set[Said] = set()
        self._guard = threading.Lock()

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Every sandbox that is opened in the block."""
        from kxrecon.sandbox import embedded

        made = embedded.weather

        def weather(world: Any, service: str, *rest: Any, **options: Any) -> Any:
            app = made(world, service, *rest, **options)
            return app if service in ("arm", "dfs") else self._listening(app)

        with mock.patch.object(embedded, "weather", weather):
            yield self

    def _listening(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def heard(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if not environ.get("HTTP_X_MS_CLIENT_REQUEST_ID", "").startswith(OWN):
                return app(environ, start_response)
            sent = environ["wsgi.input"].read()
            environ["wsgi.input"] = io.BytesIO(sent)
            statuses: list[str] = []

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                statuses.append(status)
                return start_response(status, headers)

            body = b"".join(app(environ, start))
            self._keep(json.loads(sent)["csl"], body if statuses[0].startswith("200") else b"")
            return [body]

        return heard

    def _keep(self, text: str, answer: bytes) -> None:
        said = Said(_GUID.sub("00000000-0000-4000-8000-00000000000a", text), _columns(answer))
        with self._guard:
            self._seen.append(said)

    def judged(self) -> list[str]:
        """What is wrong with what was said since this was asked last, in words."""
        with self._guard:
            seen, self._seen = self._seen, []
        if seen:
            tally(TITLE).count("requests seen", len(seen))
        fresh = [one for one in dict.fromkeys(seen) if one not in self._known]
        self._known.update(fresh)
        return [wrong for one in fresh for wrong in _wrong(one)]


def _columns(answer: bytes) -> tuple[tuple[str, str], ...] | None:
    """Name and type of each column of the first table; v1 answers only, which is what the plane asks for."""
    tables = json.loads(answer)["Tables"] if answer[:1] == b"{" else None
    return tuple((one["ColumnName"], one["ColumnType"]) for one in tables[0]["Columns"]) if tables else None


def _wrong(said: Said) -> Iterator[str]:
    from tests.witness.judge import judge  # starts the .NET runtime: only where a command was sent

    verdict = judge(said.text, SCHEMA, tokens=False)
    counted = tally(TITLE)
    counted.count("different texts judged")
    is_query = not said.text.lstrip().startswith(".")
    if not (verdict.accepted or (is_query and not verdict.syntax)):
        reason = _excuse(TEXTS, said.text)
        if reason is None:
            yield f"not a command to the grammar: {said.text!r}: {verdict.syntax}"
        else:
            counted.excuse(reason)
        return
    if not said.text.lstrip().startswith(".show") or said.columns is None:
        return
    counted.count("answers whose columns were compared")
    if said.columns != verdict.columns:
        reason = _excuse(COLUMNS, f"{said.text} -> {', '.join(name for name, _ in said.columns)}")
        if reason is None:
            yield f"other columns than the grammar declares: {said.text!r}: {said.columns} {verdict.columns}"
        else:
            counted.excuse(reason)


def _excuse(known: dict[str, str], text: str) -> str | None:
    return next((reason for pattern, reason in known.items() if re.search(pattern, text)), None)


def printed(text: str) -> None:
    """Judge a command that kxrecon does not send but tells a person to."""
    from tests.witness.judge import judge

    verdict = judge(text, tokens=False)
    assert verdict.accepted, (text, verdict.syntax)
    tally(TITLE).count("commands printed for people")
