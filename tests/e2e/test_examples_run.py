"""Each example on an empty sandbox: it converges, its exports run green, the second plan is empty."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.ground import SPECS

COMMAND = str(Path(sys.executable).with_name("kxrecon"))


@pytest.mark.parametrize("name", ["quickstart", "dev", "test", "prod"])
def test_an_example_converges_its_exports_run_and_nothing_is_left(desk, name):
    spec = str(SPECS / f"{name}.yaml")
    code, told = desk.on("apply", spec, "--yes")
    assert code == 0, told
    desk.green()
    assert desk.json("plan", spec)["actions"] == []
    assert desk.on("drift", spec)[0] == 0
    assert desk.json("apply", spec, "--yes")["outcomes"] == []


def test_the_seed_through_the_installed_command(tmp_path):
    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([COMMAND, *argv], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    spec = str(SPECS / "seed.yaml")
    first = run("plan", spec, "--sandbox", "--detailed-exitcode")
    assert first.returncode == 2, first.stderr
    done = run("apply", "--sandbox", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    tick = run("sandbox", "tick", "--advance", "2h")
    assert tick.returncode == 0, tick.stdout
    again = run("drift", spec, "--sandbox")
    assert (again.returncode, again.stderr) == (0, "")
