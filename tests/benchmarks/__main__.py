"""``make bench``: ratios measured in one run, medians of several processes taken in turn.

Seconds depend on the machine and are shown for orientation; the ratios are what is promised
(docs/performance.md). Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.record import record


def once(*command: str) -> dict[str, float]:
    """Run one case in a fresh process."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def medians(cases: list[tuple[str, Path, Path]], rounds: int) -> list[dict[str, float]]:
    """The median of each case, all cases taken in turn so that a noisy moment hits them alike."""
    seen: list[list[dict[str, float]]] = [[] for _ in cases]
    for _ in range(rounds):
        for index, (case, spec, answers) in enumerate(cases):
            seen[index].append(once("-m", "tests.benchmarks.cases", case, str(spec), str(answers)))
    return [{key: statistics.median(run[key] for run in runs) for key in runs[0]} for runs in seen]


def starts(rounds: int) -> list[tuple[str, float]]:
    """Seconds of bare Python, ``--version`` and ``--help``."""
    import time

    commands = {
        "bare": ["-c", "pass"],
        "--version": ["-m", "kxrecon", "--version"],
        "--help": ["-m", "kxrecon", "--help"],
    }
    seen: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds * 5):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-S" if name == "never" else "-X", "utf8", *command], capture_output=True, check=True
            )
            seen[name].append(time.perf_counter() - began)
    return [(name, statistics.median(times)) for name, times in seen.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100,1000,10000,50000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = starts(options.rounds)
    bare = table[0][1]
    for name, seconds in table:
        print(f"{name:28} {seconds:8.3f} s   {seconds / bare:5.2f} x bare Python")
    with tempfile.TemporaryDirectory() as folder:
        for entities in (int(size) for size in options.sizes.split(",")):
            _size(entities, Path(folder), options.rounds)


def _size(entities: int, folder: Path, rounds: int) -> None:
    plain, changed, answers = record(entities, folder)
    cases = [
        ("floor", plain, answers),
        ("plan", plain, answers),
        ("plan", changed, answers),
        ("validate", plain, answers),
    ]
    if find_spec("check_jsonschema") and entities <= 10000:
        cases.append(("check_jsonschema", plain, answers))
    names = ["floor", "plan, nothing to do", "plan, 1 % changed", "validate", "check-jsonschema"]
    results = medians(cases, rounds)
    for name, result in zip(names, results, strict=False):
        ratio = result["seconds"] / results[0]["seconds"]
        requests = f"{result['requests']:.0f} reads" if name.startswith("plan") else ""
        print(
            f"{entities:6} {name:22} {result['seconds']:7.3f} s {ratio:6.2f} x floor {result['mib']:7.0f} MiB {requests}"
        )


if __name__ == "__main__":
    main()
