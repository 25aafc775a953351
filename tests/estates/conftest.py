"""A command line on the sandbox of an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

QUICKSTART = (Path(__file__).parents[2] / "specs" / "quickstart.yaml").read_text()


def member(name, *, wave=0, text=QUICKSTART):
    """A spec of the folder ``fleet``, about a cluster of its own."""
    Path("fleet").mkdir(exist_ok=True)
    path = Path("fleet", f"{name}.yaml")
    own = text.replace("https://telemetry.", f"https://{name}.").replace("clusters/telemetry", f"clusters/{name}")
    path.write_text(own + f"wave: {wave}\n")
    return str(path)


def specs(out):
    """What is told of each spec of a fleet, by its name."""
    return {one["name"]: one for one in json.loads(out)["specs"]}


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        return call(*argv, "--sandbox")

    return run
