"""``make bench``: figures measured in one run, medians of several processes taken in turn, and the goals beside them.

Seconds depend on the machine and are shown for orientation; the ratios are what is promised (docs/performance.md).
About six minutes. ``--only start,estates,reads,sandbox,import,fleet`` takes a part. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks import fleet, sandbox, takeover
from tests.benchmarks.measure import ROOT, Run, Runs, in_turn, module, once
from tests.benchmarks.reads import LATENCY, WORKERS
from tests.benchmarks.record import record

LARGE = 20_000  # estates beyond this are measured in fewer rounds, and not by check-jsonschema
FLEET = {"clusters": 200, "databases": 5, "exports": 20}


@dataclass
class Table:
    """What was measured, line by line, and which goals were reached."""

    rounds: int
    goals: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def line(self, what: str, runs: Runs, other: Runs | None = None, name: str = "") -> None:
        """One command: seconds of wall and of processor, memory, requests, and the ratio to another one."""
        asked = runs.said("requests")
        requests = f"{asked:5.0f} requests" if asked == asked else ""
        ratio = f"{runs.ratio(other):6.2f} x {name}" if other else ""
        print(
            f"{what:34} {runs.wall:8.3f} s {runs.processor:8.3f} s {runs.said('mib'):6.0f} MiB  {ratio:20} {requests}",
            flush=True,
        )

    def goal(self, what: str, measured: float, most: float, unit: str) -> None:
        """A goal that is reached up to ``most``; a negative ``most`` is the least that is wanted."""
        reached = measured <= most if most >= 0 else measured >= -most
        wanted = f"{'at most' if most >= 0 else 'at least'} {abs(most):g}"
        self.goals.append((what, f"{measured:.4g} {unit}", wanted, reached))

    def told(self) -> None:
        """The goals."""
        print(f"\n{'goal':78} {'measured':>18}  wanted")
        for what, measured, wanted, reached in self.goals:
            print(f"{what:78} {measured:>18}  {wanted}{'' if reached else '  MISSED'}")


def start(table: Table, folder: Path) -> None:
    """Starting: bare Python, ``--version`` and ``--help`` of the installed command, whose script is written here as
    pip 25 and later write it: older ones write one that imports ``re``, which takes longer than all of ours."""
    script = folder / "kxrecon"
    script.write_text("import sys\nfrom kxrecon.__main__ import main\nsys.exit(main())\n")
    asked = {one: [sys.executable, str(script), one] for one in ("--version", "--help")}
    runs = in_turn({"bare Python": [sys.executable, "-c", "pass"], **asked}, table.rounds * 5)
    for name, most in (("--version", 1.5), ("--help", 3.5)):
        peak = once(module("cases", "verb", name)).said
        told = Runs(tuple(Run(run.wall, run.processor, peak) for run in runs[name].each))
        table.line(name, told, runs["bare Python"], "bare Python")
        table.goal(f"{name} against bare Python", told.ratio(runs["bare Python"]), most, "x")


def estates(table: Table, folder: Path, sizes: list[int]) -> None:
    """Generated estates: validate, no-op plan and plan with 1 % changed, against the floor of the same run."""
    seconds: dict[int, float] = {}
    for entities in sizes:
        spec, changed, answers = record(entities, folder)
        commands = {
            "floor": module("cases", "floor", spec, answers),
            "validate": module("cases", "verb", "validate", spec),
            "no-op plan, offline part": module("cases", "offline", spec, answers),
            "no-op plan, the whole verb": module("cases", "plan", spec, answers),
            "plan, 1 % changed": module("cases", "plan", changed, answers),
        }
        runs = in_turn(commands, table.rounds if entities <= LARGE else max(table.rounds // 2, 1))
        for name in commands:
            table.line(f"{entities:6} {name}", runs[name], runs["floor"], "floor")
        offline = runs["no-op plan, offline part"]
        seconds[entities] = offline.processor
        if entities == 10_000:
            table.goal("no-op plan over 10 000 entities, offline part", offline.ratio(runs["floor"]), 2.0, "x floor")
            table.goal("peak memory of it", offline.said("mib"), 120, "MiB")
            _generic(table, spec, runs["validate"])
    if 10_000 in seconds and 50_000 in seconds:
        table.goal("no-op plan, 50 000 entities against 10 000", seconds[50_000] / seconds[10_000], 6, "x")


def _generic(table: Table, spec: Path, ours: Runs) -> None:
    """check-jsonschema on the same file and schema, as pip installs it."""
    if find_spec("check_jsonschema") is None:
        return
    name = "check-jsonschema"
    runs = in_turn({name: module("cases", "check_jsonschema", spec)}, max(table.rounds // 2, 1))[name]
    table.line(f" 10000 {name}", runs, ours, "validate")
    table.goal(f"validate, 10 000 entities, faster than {name}", runs.processor / ours.processor, -20, "x")


def reads(table: Table, folder: Path) -> None:
    """Requests, rounds, and the read phase against what latency allows."""
    found = {}
    for entities in (100, 10_000):
        spec, _, answers = record(entities, folder)
        found[entities] = once(module("reads", spec, answers)).said
        told = ", ".join(f"{name} {value:g}" for name, value in found[entities].items() if name != "ratio")
        print(f"{entities:6} read phase: {told}; {found[entities]['ratio']:.2f} x ceil(requests / {WORKERS}) x latency")
    large, small = found[10_000], found[100]
    table.goal("requests of a no-op plan, 10 000 entities against 100", large["requests"] / small["requests"], 1, "x")
    table.goal("requests to the cluster", large["cluster"], 4, "")
    table.goal("requests to one database", large["database"], 12, "")
    table.goal("rounds", large["rounds"], 4, "")
    limit = f"ceil(requests / {WORKERS}) x {LATENCY * 1000:.0f} ms"
    table.goal(f"read phase of 10 000 entities against {limit}", large["ratio"], 1.15, "x")


def play(table: Table, folder: Path) -> None:
    """The sandbox, asked by a plain client; embedding it."""
    rate, schema = sandbox.commands(_new(folder, "commands")), sandbox.schema(_new(folder, "schema"))
    print(f"sandbox: {rate['wall']:.0f} commands a second of wall time, {rate['core']:.0f} of one core's time")
    print(f"sandbox: a schema of {sandbox.TABLES} tables in {schema['wall']:.2f} s, {schema['core']:.2f} s of one core")
    opened = once(module("sandbox", _new(folder, "embedded"))).said
    print(f"sandbox: embedding takes {opened['new']:.3f} s for a new one, {opened['old']:.3f} s for an old one")
    table.goal("sandbox, small control commands a second of one core", rate["core"], -500, "")
    table.goal(f"sandbox, schema of {sandbox.TABLES} tables", schema["wall"], 1, "s")
    table.goal("sandbox, embedding a new one", opened["new"], 0.3, "s")


def imported(table: Table, folder: Path) -> None:
    """``import`` of an estate made by hand, the embedded sandbox in the same process."""
    place = _new(folder, "import")
    once(module("takeover", "make", place))
    runs = Runs((once(module("takeover", "import", place)),))
    table.line(f"import of {takeover.EXPORTS} exports", runs)
    table.goal(f"import of {takeover.EXPORTS} exports made by raw commands", runs.wall, 5, "s")


def many(table: Table, folder: Path) -> None:
    """A no-op plan of a fleet through the real SDKs, against services that only wait."""
    place = _new(folder, "fleets") / "fleet"
    fleet.write_specs(place, **FLEET)
    with fleet.served(FLEET["databases"] * FLEET["exports"], FLEET["databases"]) as port:
        run = once(module("fleet", place, port))
    limit = max(run.said["requests"] / WORKERS * LATENCY, run.processor)
    print(
        f"fleet of {FLEET['clusters']} clusters x {FLEET['databases']} databases x {FLEET['exports']} exports: "
        f"{run.said['wall']:.1f} s, {run.said['requests']:.0f} requests, {run.processor:.1f} s of processor, "
        f"{run.said['mib']:.0f} MiB; limit {limit:.1f} s"
    )
    table.goal("fleet, no-op plan against requests / 8 x latency", run.said["wall"] / limit, 1.3, "x")
    table.goal("fleet, peak memory", run.said["mib"], 400, "MiB")


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000,10000,50000", help="entities of the generated estates")
    parser.add_argument("--rounds", type=int, default=5, help="how often each command is run (default 5)")
    parser.add_argument("--only", default="start,estates,reads,sandbox,import,fleet", help="parts, by comma")
    options = parser.parse_args()
    parts: dict[str, Callable[[Table, Path], None]] = {
        "start": start,
        "estates": partial(estates, sizes=[int(size) for size in options.sizes.split(",")]),
        "reads": reads,
        "sandbox": play,
        "import": imported,
        "fleet": many,
    }
    for name in ("kxrecon", "tests/benchmarks", "tests/estates"):
        compileall.compile_dir(ROOT / name, quiet=1)  # as pip does when it installs
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'':34} {'wall':>10} {'processor':>10} {'peak':>10}")
    table = Table(options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only.split(","):
            parts[name](table, Path(folder))
    table.told()


if __name__ == "__main__":
    main()
