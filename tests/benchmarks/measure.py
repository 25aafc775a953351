"""Commands as processes of their own: how long they run, how much of it on a processor, and the memory they take.

Other work on the machine makes wall time longer, and processor time hardly: ratios are taken of the latter, of
runs in turn, so that a noisy moment hits all of them alike.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall and of processor time, and what it said about itself on its last line."""

    wall: float
    processor: float
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """Several runs of one command."""

    each: tuple[Run, ...]

    @property
    def wall(self) -> float:
        """The median, in seconds."""
        return statistics.median(run.wall for run in self.each)

    @property
    def processor(self) -> float:
        """The median, in seconds."""
        return statistics.median(run.processor for run in self.each)

    def ratio(self, other: Runs) -> float:
        """How many times the processor time of ``other``: the median over the runs in pairs."""
        pairs = zip(self.each, other.each, strict=False)
        return statistics.median(one.processor / two.processor for one, two in pairs)

    def said(self, name: str) -> float:
        """The median of a figure that the process told of itself; nan if it told none."""
        found = [run.said[name] for run in self.each if name in run.said]
        return statistics.median(found) if found else float("nan")


def environment() -> dict[str, str]:
    """Ours, but compiled code is kept, as it is for an installed package."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def once(command: Sequence[str], folder: Path = ROOT) -> Run:
    """Run a command in a process of its own; SystemExit with its last words if it fails."""
    with tempfile.TemporaryFile("w+") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder, env=environment())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{text[-2000:]}")
    last = text.strip().rpartition("\n")[2]
    return Run(wall, usage.ru_utime + usage.ru_stime, json.loads(last) if last.startswith("{") else {})


def in_turn(commands: Mapping[str, Sequence[str]], rounds: int, folder: Path = ROOT) -> dict[str, Runs]:
    """All commands, ``rounds`` times, in turn."""
    each: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            each[name].append(once(command, folder))
    return {name: Runs(tuple(runs)) for name, runs in each.items()}


def module(name: str, *arguments: object) -> list[str]:
    """The command that runs a module of the benchmark."""
    return [sys.executable, "-m", f"tests.benchmarks.{name}", *map(str, arguments)]


def peak_mib() -> float:
    """The largest resident size of this program; getrusage would count the parent's before exec as well."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
