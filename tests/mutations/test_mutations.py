"""Each mistake of the table is made in a copy of the checkout, and a test there has to fail.

``make chaos`` makes them all and prints which test caught each (the table in docs/testing.md); otherwise it
is only held that the table still fits the code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.mutations.table import PACKAGE, Mutation, every

FULL = bool(os.environ.get("KXRECON_CHAOS"))
ROOT = PACKAGE.parent
COPIED = ("kxrecon", "tests", "schemas", "specs", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
_CAUGHT = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_PASSED = re.compile(r"^\d+ passed", re.MULTILINE)


def _id(one: Mutation) -> str:
    return f"{one.file}: {one.what}"


@pytest.mark.parametrize("mutation", every(), ids=_id)
def test_the_table_fits_the_code(mutation):
    assert (PACKAGE / mutation.file).read_text("utf-8").count(mutation.old) == 1
    assert mutation.old != mutation.new
    assert all((ROOT / path).exists() for path in mutation.tests)


def run(folder: Path, tests: tuple[str, ...]) -> str:
    """The test that fails first in a copy of the checkout; empty if all pass."""
    # The copy's package comes before the installed one: its root is the first place where modules are looked for.
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("KXRECON_CHAOS", None)
    command = [sys.executable, "-m", "pytest", "-x", "--tb=no", *tests]
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=600)
    found = _CAUGHT.search(ran.stdout)
    # Not the exit code: .NET's runtime may end a process that succeeded with one of its own.
    told = f"exit code {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    assert found or _PASSED.search(ran.stdout), told
    return found[1] if found else ""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the checkout: the checkout itself is never touched."""
    folder = tmp_path_factory.mktemp("mutations")
    for name in COPIED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".kxrecon"))
        elif path.exists():
            shutil.copy(path, folder / name)
    return folder


@cache
def _passes(folder: Path, tests: tuple[str, ...]) -> bool:
    assert run(folder, tests) == ""
    return True


@pytest.mark.skipif(not FULL, reason="make chaos")
@pytest.mark.parametrize("mutation", every(), ids=_id)
def test_a_mistake_is_caught(copy, mutation, record_property):
    assert _passes(copy, mutation.tests)
    place = copy / "kxrecon" / mutation.file
    right = place.read_text("utf-8")
    place.write_text(right.replace(mutation.old, mutation.new), "utf-8")
    try:
        caught = run(copy, mutation.tests)
    finally:
        place.write_text(right, "utf-8")
    record_property("mistake", f"{mutation.file}: {mutation.what}")
    record_property("caught by", caught)
    print(f"| `{mutation.file}` | {mutation.what} | {caught} |")
    assert caught, f"no test noticed: {mutation.what} ({mutation.file})"
