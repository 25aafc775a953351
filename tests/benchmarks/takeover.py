"""``kxrecon import`` of an estate of 300 exports that somebody made by raw commands, on the sandbox.

``python -m tests.benchmarks.takeover make|import FOLDER``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from tests.benchmarks.measure import peak_mib

DATABASES = ("Telemetry", "Reference", "Sales", "Billing", "Ops")
EXPORTS = 300


def make(folder: Path) -> None:
    """The estate, by KQL, ACLs and T-SQL on the sandbox's wires."""
    from kxrecon.sandbox.embedded import embed
    from tests.estates.raw import Estate, Feed, inventory

    with embed(folder / "sandbox.db", inventory(DATABASES)) as ends:
        estate = Estate(ends, databases=DATABASES)
        for number in range(EXPORTS // 10):
            estate.function(f"Kept{number}", "Events | where isnotempty(Level)", DATABASES[number % len(DATABASES)])
        for number in range(EXPORTS):
            place = ("role", "acl", "sql")[number % 3] if number % 7 else "role"
            estate.feed(
                Feed(
                    name=f"Export{number}",
                    database=DATABASES[number % len(DATABASES)],
                    identity=("exporter", "system", "other")[number % 3],
                    place=place,
                    data_format=("parquet", "csv", "json", "parquet")[number % 4],
                    partitioned=number % 2 == 0 and place != "sql",
                    query="Events"
                    if number % 5
                    else "Kept0() | where Level == 'Error' | project Timestamp, Level, Message",
                )
            )


def take(folder: Path) -> dict[str, float]:
    """Import it, the spec written to a folder."""
    from kxrecon.__main__ import main
    from tests.estates.raw import CLUSTER

    os.chdir(folder)
    sandbox = ["--sandbox-file", "sandbox.db"]
    sys.argv = ["kxrecon", "import", "--cluster", CLUSTER, "--out", "out", "--json", *sandbox]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = main()
    told = json.loads(said.getvalue())
    assert code == 0 and told["counts"]["continuousExports"] == EXPORTS and not told["planWouldChange"], said.getvalue()
    return {"mib": peak_mib()}


if __name__ == "__main__":
    print(json.dumps({"make": make, "import": take}[sys.argv[1]](Path(sys.argv[2])) or {}))
