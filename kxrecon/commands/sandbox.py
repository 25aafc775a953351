"""``kxrecon sandbox …``: serve the embedded Azure, look into it, change it by hand, let its exports run."""

from __future__ import annotations

import argparse
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _flow, _options
from kxrecon.commands._exit import DONE, FAILED
from kxrecon.commands._files import SANDBOX
from kxrecon.commands._terminal import show, write
from kxrecon.commands._wire import missing, usable
from kxrecon.errors import KxreconError, UsageError
from kxrecon.report import sandbox as report
from kxrecon.report.table import table

if TYPE_CHECKING:
    from kxrecon.sandbox.embedded import Endpoints
    from kxrecon.sandbox.scheduler import Run

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The four things to do with a sandbox."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    _serve(what.add_parser("serve", help="listen until Ctrl-C, for tools that speak to Azure"))
    _tick(what.add_parser("tick", help="let the exports that are due run"))
    _kql(what.add_parser("kql", help="send one management command or query, as somebody else would"))
    _inventory(
        what.add_parser("inventory", help="print what a spec takes for granted, to be edited and used with --inventory")
    )


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sandbox", action="store_true", help=f"the sandbox in {SANDBOX} (the default)")
    parser.add_argument(
        "--sandbox-file", type=Path, default=SANDBOX, metavar="FILE", help=f"the sandbox in FILE (default {SANDBOX})"
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _options.specs(parser, nargs="*")
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="what exists (else what the specs address)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="first of the ports (default: any free ones)")


def _tick(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _options.output(parser, markdown=False)
    parser.add_argument("--times", type=int, default=1, metavar="N", help="how often (default 1)")
    parser.add_argument(
        "--advance", default="", metavar="SPAN", help="move the sandbox's clock on before each, as 10m or 1h"
    )


def _kql(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _options.output(parser, markdown=False)
    parser.add_argument("--cluster", metavar="URI", help="which cluster, if the sandbox has several")
    parser.add_argument("--database", default="", metavar="NAME", help="which database (default: none, the cluster)")
    parser.add_argument("command", help="a management command (it starts with a dot) or a query")


def _inventory(parser: argparse.ArgumentParser) -> None:
    _options.specs(parser)


def run(options: argparse.Namespace) -> int:
    """Do one of them."""
    return {"serve": serve, "tick": tick, "kql": kql, "inventory": inventory}[options.what](options)


def inventory(options: argparse.Namespace) -> int:
    """Print the bare world of a spec."""
    from kxrecon.inventory import inventory as bare_world

    write(json.dumps(bare_world(_flow.load(options)), indent=2, ensure_ascii=False) + "\n")
    return DONE


def serve(options: argparse.Namespace) -> int:
    """Listen until interrupted, and say where."""
    from kxrecon.commands._wire import read_inventory
    from kxrecon.inventory import inventory as bare_world

    world = None
    if options.inventory is not None:
        world = read_inventory(options.inventory)
    elif options.specs:
        world = bare_world(_flow.load(options))
    ports = tuple(range(options.port, options.port + 64)) if options.port else ()
    with _opened(options.sandbox_file, world, ports) as ends:
        for uri, url in sorted(ends.kusto.items()):
            write(f"Kusto  {uri}  at  {url}\n")
        write(f"ARM    at  {ends.arm}\ndfs    at  {ends.dfs}/ACCOUNT\nserving {options.sandbox_file} until Ctrl-C\n")
        threading.Event().wait()
    return DONE


@contextmanager
def _opened(path: Path, world: Mapping[str, Any] | None = None, ports: tuple[int, ...] = ()) -> Iterator[Endpoints]:
    from kxrecon.sandbox.embedded import embed

    if world is None and not path.exists():
        raise UsageError(f"there is no sandbox in {path}: {missing(path)}")
    with ExitStack() as stack:
        with usable(path):
            ends = stack.enter_context(embed(path, world, ports=ports))
        yield ends


def kql(options: argparse.Namespace) -> int:
    """Send one command over the sandbox's own wire, past everything that kxrecon checks."""
    with _opened(options.sandbox_file) as ends:
        columns, rows = _sent(_endpoint(ends, options.cluster), options.database, options.command)
    if options.json:
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        write(json.dumps(records, indent=2, ensure_ascii=False) + "\n")
    else:
        show(options, table(columns, rows))
    return DONE


def _endpoint(ends: Endpoints, cluster: str | None) -> str:
    if cluster is not None:
        found = ends.kusto.get(cluster.rstrip("/").lower())
        if found is None:
            raise UsageError(f"the sandbox has no cluster {cluster}; it has {', '.join(sorted(ends.kusto)) or 'none'}")
        return found
    if len(ends.kusto) != 1:
        raise UsageError(f"which cluster? --cluster, one of {', '.join(sorted(ends.kusto)) or 'none'}")
    return next(iter(ends.kusto.values()))


def _sent(endpoint: str, database: str, command: str) -> tuple[list[str], list[list[Any]]]:
    """Post a command or query to a cluster of the sandbox; its first result table, or KxreconError with its words."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    path = "mgmt" if command.lstrip().startswith(".") else "query"
    body = json.dumps({"db": database, "csl": command}).encode()
    request = Request(f"{endpoint}/v1/rest/{path}", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request) as answer:
            document = json.load(answer)
    except HTTPError as error:
        refusal = json.load(error).get("error", {})
        raise KxreconError(f"the sandbox refused: {refusal.get('@message') or refusal.get('message')}") from error
    first = document["Tables"][0]
    return [column["ColumnName"] for column in first["Columns"]], first["Rows"]


def tick(options: argparse.Namespace) -> int:
    """Let the exports that are due run; 0 if all of them succeeded, 1 if one failed."""
    from kxrecon.sandbox.clock import Clock
    from kxrecon.sandbox.scheduler import tick as run_due
    from kxrecon.sandbox.store import Store

    path: Path = options.sandbox_file
    if not path.exists():
        raise UsageError(f"there is no sandbox in {path}: {missing(path)}")
    step = _span(options.advance)
    runs: list[Run] = []
    with usable(path):
        opened = Store(path)
    with closing(opened) as store:
        clock = Clock(store)
        for _ in range(options.times):
            clock.advance(step)
            runs += run_due(store, clock, _containers(path))
    if options.json:
        write(json.dumps([asdict(one) for one in runs], indent=2, default=str, ensure_ascii=False) + "\n")
    else:
        show(options, report.runs(runs))
    return DONE if all(one.succeeded for one in runs) else FAILED


def _containers(path: Path) -> Path:
    """The folder that plays the storage accounts, beside the sandbox's file."""
    return path.with_suffix(".files")


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text) if text else None
    if text and not found:
        raise UsageError(f"--advance takes a number and s, m, h or d, as 10m: not {text!r}")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else timedelta()
