"""Two databases with tables and exports of the same names: what is told of one must not be the other's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kxrecon.testing import Sandbox

CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@dataclass(frozen=True)
class Two:
    """The estate, applied."""

    sandbox: Sandbox
    spec: Path

    def run(self, verb: str, *arguments: str) -> Any:
        """A verb on it."""
        return self.sandbox.run(verb, *arguments)


def text() -> str:
    """The spec: the database of quickstart.yaml as A, and as B."""
    return QUICKSTART.read_text().replace("  Telemetry:", "  A: &database", 1) + "  B: *database\n"


def two(sandbox: Sandbox) -> Two:
    """Apply it."""
    spec = sandbox.folder / "two.yaml"
    spec.write_text(text())
    assert sandbox.run("apply", str(spec), "--yes").code == 0
    return Two(sandbox, spec)
