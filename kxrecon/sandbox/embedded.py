"""The sandbox inside a process: listeners on loopback over one SQLite file, for as long as a block runs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.sandbox.arm.app import ArmApp
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.dfs import DfsApp
from kxrecon.sandbox.forecast import Forecast
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.server import Listener, Wsgi
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.watch import Lookout, Watch, forecast_of, watch_of
from kxrecon.sandbox.weather import weather
from kxrecon.sandbox.wire import KustoApp
from kxrecon.sandbox.world import World

if TYPE_CHECKING:
    from kxrecon.sandbox.sql.connection import Connection

REAL = 0.1  # seconds up to which a pause is one
Middleware = Callable[[str, Wsgi], Wsgi]
"""(service, application) → application; ``service`` is ``arm``, ``dfs`` or a cluster's URI."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an open sandbox listens. ``kusto``: cluster URI → URL; ``sql``: (server, database) → connection."""

    kusto: Mapping[str, str]
    arm: str
    dfs: str
    sql: Callable[[str, str], Connection]
    world: World

    def wait(self, seconds: float) -> None:
        """What waiting is for who talks to this sandbox: what a service asks for (``Retry-After: 60``) passes on the
        sandbox's clock, and only the pauses of loopback really pass."""
        if seconds > REAL:
            self.world.clock.advance(timedelta(seconds=seconds))
        else:
            time.sleep(seconds)


@contextmanager
def embed(
    path: Path,
    inventory: Mapping[str, Any] | None = None,
    *,
    forecast: Forecast | None = None,
    middleware: Middleware | None = None,
    ports: tuple[int, ...] = (),
) -> Iterator[Endpoints]:
    """Open the sandbox kept in ``path`` and serve it until the block ends; everything is stored at once.

    The file is created with its folders, readable by its owner only. ``inventory`` adds what is missing
    (inventory.py). ``forecast`` replaces the weather kept in the file, and that of a watch over it
    (watch.py); ``middleware`` wraps each application (a recorder, say); ``ports`` are taken in turn by
    ARM, dfs and the clusters (0: any).
    """
    private(path)
    watch = watch_of(path)
    watch = Watch(forecast or watch.forecast, watch.seen)
    with ExitStack() as stack:
        store = Store(path)
        stack.callback(store.close)
        world = World(store, Clock(store))
        if inventory is not None:
            stock(world, inventory)
        free = list(ports)

        def listen(service: str, app: Wsgi) -> str:
            served = weather(world, service, app, watch.forecast, watch.seen)
            wrapped = middleware(service, served) if middleware else served
            return stack.enter_context(Listener(wrapped, free.pop(0) if free else 0)).url

        arm, dfs = listen("arm", ArmApp(world)), listen("dfs", DfsApp(world))
        kusto = {uri: listen(uri, KustoApp(world, uri)) for (uri,), _ in store.all("cluster")}
        yield Endpoints(_spelled(kusto, inventory), arm, dfs, _sql(world, watch), world)


def private(path: Path) -> None:
    """Create the file with mode 0600 before SQLite does: what it holds may be somebody's estate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _spelled(kusto: Mapping[str, str], inventory: Mapping[str, Any] | None) -> dict[str, str]:
    """The endpoints under the store's keys and as the inventory writes the addresses."""
    written = [str(entry["uri"]) for entry in (inventory or {}).get("clusters") or ()]
    return {**kusto, **{uri: kusto[uri.rstrip("/").lower()] for uri in written if uri.rstrip("/").lower() in kusto}}


def _sql(world: World, watch: Watch) -> Callable[[str, str], Connection]:
    lookout = Lookout("sql", forecast_of(world, watch.forecast), watch.seen)

    def connect(server: str, database: str) -> Connection:
        # sqlglot takes a while to import, and most commands never open a SQL connection.
        from kxrecon.sandbox.sql.connection import connect as open_connection

        # autocommit: nobody who is given this connection would know when to commit
        return open_connection(world, re.sub(r"^tcp:|,\d+$", "", server), database, autocommit=True, lookout=lookout)

    return connect
