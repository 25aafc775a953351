"""The sandbox by itself, asked by a plain client (``http.client``): commands a second, a large schema, embedding.

The server is a process of its own, ``kxrecon sandbox serve``. Its processor time is what counts: commands per
second *of one core*, whatever else the machine does meanwhile.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measure import ROOT

CLUSTER = "https://bench.westeurope.kusto.windows.net"
INVENTORY = {"version": 1, "clusters": [{"uri": CLUSTER, "databases": {"Db": {}}}]}
COMMANDS = 2_000
TABLES = 10_000
COLUMNS = ", ".join(
    f"c{number}:{kind}" for number, kind in enumerate(("datetime", "string", "long", "real", "dynamic"))
)


@dataclass(frozen=True)
class Served:
    """A sandbox that is served: its address, and its process."""

    port: int
    process: int

    def processor(self) -> float:
        """Seconds of processor time that it has used so far."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """``kxrecon sandbox serve`` over a new file in ``folder``."""
    (folder / "inventory.json").write_text(json.dumps(INVENTORY))
    command = [sys.executable, "-u", "-m", "kxrecon", "sandbox", "serve", "--sandbox-file", str(folder / "bench.db")]
    with subprocess.Popen(
        [*command, "--inventory", str(folder / "inventory.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield Served(int(line.rsplit(":", 1)[1]), process.pid)
        finally:
            process.terminate()


class Client:
    """One keep-alive connection that sends management commands."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(self, command: str) -> bytes:
        """The body of the answer; RuntimeError for a refusal."""
        body = json.dumps({"db": "Db", "csl": command})
        self._connection.request("POST", "/v1/rest/mgmt", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{command}: {content[:500]!r}")
        return content


def commands(folder: Path) -> dict[str, float]:
    """Small control commands, reads and writes mixed: how many a second of wall time and of the server's core."""
    kinds = (
        ".show tables",
        ".create-merge table T{} (a:string, b:long)",
        ".show database Db policy managed_identity",
        ".alter table T{} docstring 'x{}'",
        ".show continuous-exports",
        ".show table T{} policy ingestiontime",
    )
    with served(folder) as server:
        client = Client(server.port)
        client.send(".create-merge table T0 (a:string)")
        used, began = server.processor(), time.perf_counter()
        for number in range(COMMANDS):
            turn, kind = divmod(number, len(kinds))
            client.send(kinds[kind].replace("{}", str(turn % 50)))
        wall, used = time.perf_counter() - began, server.processor() - used
    return {"wall": COMMANDS / wall, "core": COMMANDS / used}


def schema(folder: Path) -> dict[str, float]:
    """``.show database schema as json`` of many tables: seconds of wall time and of the server's core."""
    with served(folder) as server:
        client = Client(server.port)
        for start in range(0, TABLES, 1_000):
            some = ", ".join(f"Table{number} ({COLUMNS})" for number in range(start, start + 1_000))
            client.send(f".create tables {some}")
        used, began = server.processor(), time.perf_counter()
        content = client.send(".show database Db schema as json")
        wall, used = time.perf_counter() - began, server.processor() - used
    found = json.loads(json.loads(content)["Tables"][0]["Rows"][0][0])
    assert len(found["Databases"]["Db"]["Tables"]) == TABLES
    return {"wall": wall, "core": used, "bytes": len(content)}


def embedded(folder: Path) -> dict[str, float]:
    """What embedding adds to a command that has its spec: seconds to open, and to close, a new sandbox and an old one."""
    from kxrecon.commands import _flow, _wire  # noqa: F401  what a plan has imported by then
    from kxrecon.inventory import inventory
    from kxrecon.spec import load

    spec = load([str(ROOT / "specs" / "quickstart.yaml")])
    found = {}
    for name in ("new", "old"):
        began = time.perf_counter()
        from kxrecon.sandbox.embedded import embed

        with embed(folder / "embedded.db", inventory(spec)):
            pass
        found[name] = time.perf_counter() - began
    return found


if __name__ == "__main__":
    print(json.dumps(embedded(Path(sys.argv[1]))))
