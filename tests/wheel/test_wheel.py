"""The package as its users get it: built, installed elsewhere, used outside the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("kxrecon", "schemas", "pyproject.toml", "README.md", "LICENSE")


def run(command, folder, site=None, check=True):
    """A command in a folder, with the installed package first where modules are looked for."""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(site or ""), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing is written into the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in COPIED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """(folder with the package, an empty working folder): the dependencies are those of this environment."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(site)]
    run([*command, "--disable-pip-version-check", str(wheel)], site)
    work = tmp_path_factory.mktemp("work")
    shutil.copytree(ROOT / "specs", work / "specs")
    shutil.copytree(ROOT / "docs" / "testing-your-specs", work / "mine")
    return site, work


@pytest.fixture
def kxrecon(installed):
    """``kxrecon("plan", …)`` as installed."""
    site, work = installed

    def command(*arguments, code=0):
        done = run([sys.executable, "-m", "kxrecon", *arguments], work, site, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return command


def test_the_wheel_holds_everything_and_nothing_else(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kxrecon").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    schemas = {f"kxrecon/_schemas/{path.name}" for path in (ROOT / "schemas").iterdir()}
    meta = {one for one in held if one.partition("/")[0].endswith(".dist-info")}
    assert held - meta == package | schemas
    assert {one.partition("/")[2] for one in meta} >= {"METADATA", "entry_points.txt", "licenses/LICENSE"}
    assert "kxrecon/py.typed" in held


def test_it_is_the_installed_one_that_runs(installed):
    site, work = installed
    told = run([sys.executable, "-c", "import kxrecon; print(kxrecon.__file__)"], work, site)
    assert Path(told.stdout.strip()).is_relative_to(site)


def test_the_readmes_commands_work_outside_the_checkout(kxrecon):
    assert json.loads(kxrecon("schema"))["title"] == "kxrecon spec"
    assert "valid" in kxrecon("validate", "specs/quickstart.yaml", "specs/prod.yaml")
    assert "7 to create." in kxrecon("plan", "specs/quickstart.yaml", "--sandbox", "--brief")
    assert "converged" in kxrecon("apply", "--sandbox", "--yes")
    kxrecon("sandbox", "kql", "--database", "Telemetry", ".ingest inline into table Events <|\n2026-11-24,Info,x")
    assert "1 record" in kxrecon("sandbox", "tick", "--advance", "10m")
    assert "every link holds" in kxrecon("verify", "specs/quickstart.yaml", "--sandbox")
    assert "1 export" in kxrecon("status", "specs/quickstart.yaml", "--sandbox")
    kxrecon("sandbox", "kql", "--database", "Telemetry", ".delete database Telemetry policy managed_identity")
    assert "managed_identity_policy" in kxrecon("drift", "specs/quickstart.yaml", "--sandbox", code=2)
    kxrecon("lint", "specs/quickstart.yaml")
    kxrecon("render", "specs/prod.yaml")


def test_the_fixture_comes_with_it(installed):
    site, work = installed
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "test_orders_are_not_archived"]
    assert "1 passed" in run(command, work / "mine", site).stdout


def test_a_plain_client_talks_to_the_served_sandbox(installed):
    """What docs/sandbox.md shows with curl."""
    site, work = installed
    [body] = re.findall(r"-d '(.*)'", (ROOT / "docs" / "sandbox.md").read_text("utf-8"))
    environ = {**os.environ, "PYTHONPATH": str(site), "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        "-m",
        "kxrecon",
        "sandbox",
        "serve",
        "specs/quickstart.yaml",
        "--sandbox-file",
        "served.db",
    ]
    with subprocess.Popen(command, cwd=work, env=environ, stdout=subprocess.PIPE, text=True) as served:
        try:
            lines = [served.stdout.readline() for _ in range(4)]
            assert lines[3].startswith("serving served.db"), lines
            kusto, arm = lines[0].split()[-1], lines[1].split()[-1]
            headers = {"Content-Type": "application/json"}
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            asked = urllib.request.Request(f"{kusto}/v1/rest/mgmt", body.encode(), headers)
            assert json.load(opener.open(asked))["Tables"][0]["Rows"] == [["Telemetry"]]
            subscription = "/subscriptions/00000000-0000-0000-0000-000000000000"
            path = f"{arm}{subscription}/providers/Microsoft.Kusto/clusters?api-version=2023-08-15"
            assert "value" in json.load(opener.open(path))
        finally:
            served.terminate()
