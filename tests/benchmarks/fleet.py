"""A no-op plan of many clusters through the real SDKs, against services that take a fixed time for each request.

``python -m tests.benchmarks.fleet FOLDER PORT`` is the measured process; prints one JSON line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.estate import Estate
from tests.benchmarks.reads import LATENCY, WORKERS


@contextmanager
def served(feeds: int, databases: int, latency: float = LATENCY) -> Iterator[int]:
    """The services as a process of their own; their port."""
    command = [sys.executable, "-m", "tests.benchmarks.services", str(latency), str(feeds), str(databases)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def write_specs(folder: Path, clusters: int, databases: int, exports: int) -> None:
    """One spec for each cluster, ``exports`` in each database."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(clusters):
        estate = Estate(databases * exports, databases, f"cluster{number}")
        (folder / f"cluster{number}.yaml").write_text("name: spec\n" + estate.spec())


def planned(folder: str, port: int) -> dict[str, float]:
    """``kxrecon plan FOLDER`` in this process, with every service at ``port``."""
    from kxrecon import cli
    from kxrecon.commands import _fleet, _wire
    from kxrecon.planes import Wire

    end = f"http://127.0.0.1:{port}"
    clusters = [f"https://{path.stem}.westeurope.kusto.windows.net" for path in Path(folder).iterdir()]
    wire = Wire(kusto=dict.fromkeys(clusters, end), arm=end, dfs=end)
    sent = _counted()

    @contextmanager
    def here(*_: Any) -> Iterator[Wire]:
        yield wire

    _fleet.wire = _wire.wire = here  # type: ignore[assignment]
    said = io.StringIO()
    began = time.perf_counter()
    with contextlib.redirect_stdout(said):
        code = cli.main(["plan", folder, "--json", "--max-parallel", str(WORKERS)])
    wall = time.perf_counter() - began
    rows = json.loads(said.getvalue())["specs"]
    assert code == 0 and len(rows) == len(clusters), said.getvalue()[:2000]
    assert all(row["plan"] and not row["plan"]["actions"] for row in rows), said.getvalue()[:2000]
    used = os.times()
    return {"wall": wall, "processor": used.user + used.system, "requests": float(len(sent))}


def _counted() -> list[str]:
    """The lines of all requests that will be sent, as the SDKs send them."""
    from kxrecon.planes.transport import Gate

    sent: list[str] = []
    send = Gate.send

    def noted(self: Gate, request: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(str(request.url))
        return send(self, request, *arguments, **options)

    Gate.send = noted  # type: ignore[method-assign]
    return sent


if __name__ == "__main__":
    from tests.benchmarks.measure import peak_mib

    os.chdir(Path(sys.argv[1]).parent)
    print(json.dumps({**planned(sys.argv[1], int(sys.argv[2])), "mib": peak_mib()}))
