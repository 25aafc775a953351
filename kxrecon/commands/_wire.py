"""Which services a command talks to: Azure's, or those of the embedded sandbox."""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from kxrecon.commands import _onward
from kxrecon.commands._files import SANDBOX
from kxrecon.errors import FileError, LeftForLater, SpecError, UsageError
from kxrecon.files import named, why
from kxrecon.model import Plane
from kxrecon.planes import AZURE, Wire

if TYPE_CHECKING:
    from kxrecon.planes import PlaneClient
    from kxrecon.scope import Scope
    from kxrecon.spec import Spec
    from kxrecon.verify.gate import Clock

STOPPED = "apply was stopped while it waited: apply again to go on"


def sandbox_file(options: argparse.Namespace) -> Path | None:
    """The sandbox's file if the command is meant for the sandbox, else None."""
    if options.sandbox_file is not None:
        return Path(options.sandbox_file)
    return SANDBOX if options.sandbox else None


def wire_name(options: argparse.Namespace) -> str:
    """How plans name the wire: ``azure``, or ``sandbox:FILE``."""
    path = sandbox_file(options)
    return AZURE.name if path is None else f"sandbox:{path}"


def missing(path: Path) -> str:
    """What to do where a sandbox is not there yet."""
    return f"{_onward.command('plan', ['SPEC'], [], _onward.where_of(f'sandbox:{path}'))} makes one"


@contextmanager
def wire(options: argparse.Namespace, *specs: Spec) -> Iterator[Wire]:
    """The wire that the options choose; an embedded sandbox, with all that the specs take for granted, runs as
    long as the context. Without specs the sandbox has to be there."""
    path = sandbox_file(options)
    if path is None:
        if options.inventory is not None:
            raise UsageError("--inventory tells what exists in a sandbox: it needs --sandbox")
        yield AZURE
        return
    from kxrecon.inventory import inventory
    from kxrecon.sandbox.embedded import embed

    if options.inventory is not None:
        worlds = [read_inventory(options.inventory)]
    elif specs or path.exists():
        worlds = [inventory(spec) for spec in specs]
    else:
        raise UsageError(f"there is no sandbox in {path}: {missing(path)}")
    with ExitStack() as stack:
        with usable(path):
            for world in worlds[1:]:
                with embed(path, world):
                    pass
            ends = stack.enter_context(embed(path, worlds[0] if worlds else None))
        yield Wire(wire_name(options), ends.kusto, ends.arm, ends.dfs, ends.sql, wait=ends.wait)


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Around the opening of a sandbox: FileError for a file that is none, or that the system refuses."""
    import sqlite3

    try:
        with named(f"the sandbox {path} cannot be used"):
            yield
    except sqlite3.Error as error:
        raise FileError(f"the sandbox {path} cannot be used: {error} (name another file, or make room)") from error


@contextmanager
def clock(options: argparse.Namespace, stop: threading.Event) -> Iterator[Clock]:
    """Time for those who wait. In the sandbox it is the sandbox's own: whoever sleeps there wakes up no sooner than the
    next export is due, and it has run then. Once ``stop`` is set nobody sleeps on: LeftForLater is raised out of it."""
    from kxrecon.verify.gate import Clock

    path = sandbox_file(options)
    if path is None:

        def sleep(seconds: float) -> None:
            if stop.wait(seconds):
                raise LeftForLater(STOPPED)

        yield Clock(time.monotonic, sleep)
        return
    from kxrecon.sandbox.clock import Clock as Simulated
    from kxrecon.sandbox.scheduler import next_due, tick
    from kxrecon.sandbox.store import Store

    with usable(path):
        opened = Store(path)
    with closing(opened) as store:
        simulated = Simulated(store)

        def advance(seconds: float) -> None:
            if stop.is_set():
                raise LeftForLater(STOPPED)
            due = next_due(store)
            ahead = (due - simulated.now()).total_seconds() if due else 0.0
            simulated.advance(timedelta(seconds=max(seconds, ahead)))
            if store.files is not None:
                tick(store, simulated, store.files)

        yield Clock(lambda: simulated.now().timestamp(), advance)


@contextmanager
def planes(
    options: argparse.Namespace, spec: Spec, scope: Scope, *, read_only: bool
) -> Iterator[Mapping[Plane, PlaneClient]]:
    """All planes over the chosen wire, closed at the end. ``read_only`` ones refuse to write."""
    with planes_of(options, spec, scope, read_only=read_only) as made:
        yield made


@contextmanager
def planes_of(
    options: argparse.Namespace, spec: Spec | None, scope: Scope, *, read_only: bool
) -> Iterator[Mapping[Plane, PlaneClient]]:
    """The same where there may be no spec yet."""
    asked = read_only and asks_server(options)
    with (
        wire(options, *(() if spec is None else (spec,))) as chosen,
        planes_on(chosen, spec, scope, read_only, rehearses=asked) as made,
    ):
        yield made


def asks_server(options: argparse.Namespace) -> bool:
    """Whether the server is to judge queries and definitions itself: ``--server-check``, where a verb has it."""
    return bool(getattr(options, "server_check", False))


@contextmanager
def planes_on(
    chosen: Wire, spec: Spec | None, scope: Scope, read_only: bool, *, rehearses: bool = False
) -> Iterator[Mapping[Plane, PlaneClient]]:
    """All planes of one cluster over a wire that is open, closed at the end. One of them ``rehearses`` if asked to."""
    from kxrecon.planes.connect import connect, rehearsing

    with ExitStack() as stack:
        secrets = () if spec is None else _known_secrets(spec)
        made = {**connect(chosen, scope, read_only=read_only, secrets=secrets)}
        if rehearses:
            made["kusto"] = rehearsing(chosen, scope, secrets=secrets)
        for client in made.values():
            stack.callback(client.close)
        yield {plane: made[plane] for plane in get_args(Plane)}


def _known_secrets(spec: Spec) -> tuple[str, ...]:
    """The secrets that have a value here, so that messages can be masked; reading needs none of the others."""
    found: list[str] = []
    for name in spec.secrets:
        with suppress(SpecError):
            found.append(spec.secrets[name])
    return tuple(found)


def read_inventory(path: Path) -> dict[str, Any]:
    """An inventory file; UsageError if it is not there or is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--inventory {path} cannot be read: {why(error)}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as an inventory: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} is no inventory: it holds a {type(document).__name__}, not an object")
    return document
