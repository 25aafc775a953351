"""A proving ground: the real commands' code over a sandbox that stays open, with its state saved and put back.

Opening listeners and SDK clients costs more than a plan, so one ground serves many examples: each starts
from a snapshot. What is sent is recorded where it arrives; a ``Pilot`` may crash or disturb what leaves.
"""

from __future__ import annotations

import json
import os
import random
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from unittest import mock

from kxrecon.commands import _flow
from kxrecon.commands.apply import _Apply
from kxrecon.inventory import inventory
from kxrecon.model import Outcome
from kxrecon.plan import Plan
from kxrecon.planes import Wire, transport
from kxrecon.planes import sql as sql_plane
from kxrecon.planes.connect import connect
from kxrecon.planes.retry import Budget, Clock
from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.forecast import Event, Forecast
from kxrecon.sandbox.scheduler import Run, ingest, tick
from kxrecon.sandbox.sql.connection import Connection
from kxrecon.sandbox.sql.connection import connect as open_sql
from kxrecon.sandbox.watch import Lookout
from kxrecon.sandbox.weather import Weather, named
from kxrecon.spec import Spec, load
from tests.dumps import Snapshot, dump

SPECS = Path(__file__).parents[1] / "specs"
CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
EXPORTER = "11111111-aaaa-4aaa-8aaa-111111111111"
EXPORTER_CLIENT = "11111111-cccc-4ccc-8ccc-111111111111"


@dataclass(frozen=True)
class Sent:
    """One request as it arrived: the service, the HTTP method (or SQL), the operation's name, the command."""

    service: str
    method: str
    operation: str
    text: str = ""

    @property
    def is_read(self) -> bool:
        """True for what cannot change anything."""
        if self.service == "sql":
            return self.text.lstrip().lower().startswith(("select", "with"))
        if self.service in ("arm", "dfs"):
            return self.method in ("GET", "HEAD") or self.operation == "Resources"
        return self.method == "GET" or self.operation == "query" or self.operation.startswith(".show")


class Pilot:
    """What stands between the planes and the wire; this one lets everything pass."""

    def around(self, what: str, send: Callable[[], Any]) -> Any:
        """Send one request."""
        return send()


class Ground:
    """An open sandbox and the planes to it; make one with ``ground``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: list[Sent] = []
        self.pilot = Pilot()
        self.forecast = Forecast()
        self.tamper: Callable[[Sent, Any], Any] | None = None
        """Turns the JSON that a service answers into another one."""
        self.ends: Any = None
        self.name = f"sandbox:{folder / 'sandbox.db'}"
        self.clients: Mapping[str, Any] = {}
        self._weathers: dict[str, Weather] = {}
        self._lookout = Lookout("sql", self.forecast)

    # what is asked of kxrecon

    def options(self, **more: Any) -> Namespace:
        """As the command line would give them."""
        common = {"variables": [], "max_parallel": 8, "sandbox": False, "inventory": None, "yes": True, "json": True}
        given = {"sandbox_file": self.folder / "sandbox.db", "markdown": False, "no_color": True}
        given |= {"lane": [], "no_wait": False}
        return Namespace(**common, **given, **more)

    def plan(self, spec: Spec, *, read_only: bool = True) -> Plan:
        """What ``kxrecon plan`` makes."""
        return _flow.plan_over(self.options(), spec, self.readers if read_only else self.clients)[0]

    def apply(self, spec: Spec, plan: Plan | None = None, *, workers: int = 8) -> tuple[Outcome, ...]:
        """What ``kxrecon apply`` does between the question and the reading back."""
        options = self.options()
        options.max_parallel = workers
        before, seen = _flow.plan_over(options, spec, self.clients)
        return _Apply(options, plan or before, spec, self.clients)._execute(seen.scope, seen.state)[0]

    def converge(self, spec: Spec) -> Plan:
        """Apply, check that every action was done, and give the plan that is left."""
        failed = [outcome for outcome in self.apply(spec) if outcome.result != "done"]
        assert not failed, failed
        return self.plan(spec)

    # what is asked of the sandbox

    @property
    def store(self) -> Any:
        """The sandbox's documents."""
        return self.ends.world.store

    def snapshot(self) -> Snapshot:
        """All documents as they are."""
        with self.store._lock:
            return self.store._db.execute("SELECT kind, key, body FROM document").fetchall()

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back, and forget the journal and what was sent."""
        with self.store.transaction():
            self.store._db.execute("DELETE FROM document")
            self.store._db.executemany("INSERT INTO document VALUES (?, ?, ?)", snapshot)
        self.sent.clear()
        (self.folder / ".kxrecon" / "journal.jsonl").unlink(missing_ok=True)

    def kql(self, command: str, database: str = "Telemetry") -> list[dict[str, Any]]:
        """A command from somebody else; AssertionError if it is refused."""
        from kxrecon.sandbox.wire import KustoApp

        world = self.ends.world
        cluster = world.store.all("cluster")[0][0][0]
        status, body = KustoApp(world, cluster)._service.handle_management(database, command, {})
        assert status == 200, body
        first = body["Tables"][0]
        names = [column["ColumnName"] for column in first["Columns"]]
        return [dict(zip(names, row, strict=True)) for row in first["Rows"]]

    def tick(self, *, force: bool = False, minutes: float = 0) -> list[Run]:
        """Time passes, and exports run."""
        self.ends.world.clock.advance(timedelta(minutes=minutes))
        return tick(self.store, self.ends.world.clock, self.store.files, force=force)

    def ingest(self, table: str, rows: Sequence[Sequence[Any]], database: str = "Telemetry") -> None:
        """New rows in a table."""
        cluster = self.store.all("cluster")[0][0][0]
        ingest(self.store, self.ends.world.clock, cluster, database, table, [list(row) for row in rows])

    def dump(self) -> dict[str, Any]:
        """Everything that a spec can decide, without what differs from one world to the next."""
        return dump(self.snapshot())

    # inside

    def _serve(self, service: str, app: Any) -> Any:
        def served(environ: dict[str, Any], start_response: Any) -> Any:
            operation = named(service, environ)
            text = ""
            if service not in ("arm", "dfs") and environ["REQUEST_METHOD"] == "POST":
                text = str(json.loads(environ["wsgi.input"].getvalue()).get("csl"))
            sent = Sent(service, environ["REQUEST_METHOD"], operation, text)
            self.sent.append(sent)
            if self.tamper is not None:
                answered = b"".join(app(environ, start_response))
                return [json.dumps(self.tamper(sent, json.loads(answered or b"null"))).encode()]
            if not self.forecast.rules:
                return app(environ, start_response)
            weather = self._weathers.get(service)
            if weather is None or weather._forecast is not self.forecast:
                weather = self._weathers[service] = Weather(self.ends.world, service, app, self.forecast)
            return weather(environ, start_response)

        return served

    @property
    def is_idle(self) -> bool:
        """As a ``Lookout``: nothing can strike."""
        return not self.forecast.rules

    def event(self, method: str, operation: str, text: str = "") -> Event | None:
        """As the ``Lookout`` of SQL connections, which outlive a forecast."""
        if self._lookout.forecast is not self.forecast:
            self._lookout = Lookout("sql", self.forecast)
        return self._lookout.event(method, operation, text)

    def _connect(self, server: str, database: str) -> Connection:
        place = server.removeprefix("tcp:").partition(",")[0]
        return open_sql(self.ends.world, place, database, autocommit=True, lookout=cast(Lookout, self))

    def _execute(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(connection: Any, statement: str, values: Sequence[str]) -> Any:
            def send() -> Any:
                self.sent.append(Sent("sql", "SQL", statement.split(maxsplit=1)[0].upper(), statement))
                return original(connection, statement, values)

            return self.pilot.around(f"SQL {statement}", send)

        return execute

    def _send(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def send(gate: Any, request: Any, *rest: Any, **options: Any) -> Any:
            line = f"{request.method} {request.url}"
            return self.pilot.around(line, lambda: original(gate, request, *rest, **options))

        return send


@contextmanager
def ground(
    folder: Path, spec: Spec, world: Mapping[str, Any] | None = None, *, time: Simulated | None = None
) -> Iterator[Ground]:
    """A ground for a spec's bare world (or the one given); the working directory is its folder.

    With ``time`` the planes are as patient as with Azure, and nobody waits for it.
    """
    made = Ground(folder)
    before = Path.cwd()
    with ExitStack() as stack:
        stack.callback(os.chdir, before)
        os.chdir(folder)
        stack.enter_context(mock.patch.object(transport.Gate, "send", made._send(transport.Gate.send)))
        stack.enter_context(mock.patch.object(sql_plane, "_execute", made._execute(sql_plane._execute)))
        bare = pinned(inventory(spec)) if world is None else world
        made.ends = stack.enter_context(embed(folder / "sandbox.db", bare, middleware=made._serve))
        budget = None
        if time is not None:
            time.world, budget = made.ends.world, Budget()
            simulated = Clock(time.now, time.sleep, random.Random(1).random)
            stack.enter_context(mock.patch("kxrecon.planes.connect._clock", lambda wire: simulated))
            stack.enter_context(mock.patch("kxrecon.apply.PAUSES", (0.0, 0.0, 0.0)))
        wire = Wire(made.name, made.ends.kusto, made.ends.arm, made.ends.dfs, made._connect)
        known = tuple(spec.secrets[name] for name in spec.secrets)
        for read_only in (False, True):
            planes = connect(wire, spec.scope, read_only=read_only, secrets=known, budget=budget)
            for plane in planes.values():
                stack.callback(plane.close)
            made.clients, made.readers = (made.clients, planes) if read_only else (planes, {})
        yield made


def pinned(world: Mapping[str, Any]) -> dict[str, Any]:
    """A bare world whose user-assigned identities have the same ids every time."""
    identities = [
        {
            **one,
            "principalId": EXPORTER[:-1] + str(number + 1),
            "clientId": EXPORTER_CLIENT[:-1] + str(number + 1),
        }
        for number, one in enumerate(world["identities"])
    ]
    return {**world, "identities": identities}


def spec_of(text: str, folder: Path, name: str = "spec.yaml", **values: str) -> Spec:
    """A spec from its text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load([str(path)], variables=values, environ={})


def example(name: str) -> Spec:
    """One of the examples under specs/."""
    return load([str(SPECS / name)], environ={})


class Simulated:
    """A clock per thread that moves only when somebody sleeps on it; the sandbox's clock moves along."""

    def __init__(self) -> None:
        self._local = threading.local()
        self.world: Any = None

    def now(self) -> float:
        """Seconds."""
        return float(getattr(self._local, "now", 0.0))

    def sleep(self, seconds: float) -> None:
        """Nobody waits; time passes all the same."""
        self._local.now = self.now() + seconds
        if self.world is not None:
            self.world.clock.advance(timedelta(seconds=seconds))
