"""A copy of the checkout in which mistakes are made; the checkout itself is never touched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.table import PACKAGE, Mutation

ROOT = PACKAGE.parent
PARTS = ("kxrecon", "tests", "schemas", "specs", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
_CAUGHT = re.compile(r"^(?:FAILED|ERROR) tests/(\S+?)(?:\[| |$)", re.MULTILINE)
_PASSED = re.compile(r"^\d+ passed", re.MULTILINE)


@dataclass(frozen=True)
class Copy:
    """``folder`` holds what a test run needs."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Copy:
        """A copy of the checkout in an empty folder."""
        for name in PARTS:
            path = ROOT / name
            if path.is_dir():
                shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".kxrecon"))
            elif path.exists():
                shutil.copy(path, folder / name)
        return cls(folder)

    @contextmanager
    def spoiled(self, mutation: Mutation) -> Iterator[None]:
        """The mistake is in the copy, for the block."""
        place = self.folder / "kxrecon" / mutation.file
        right = place.read_text("utf-8")
        place.write_text(right.replace(mutation.old, mutation.new), "utf-8")
        try:
            yield
        finally:
            place.write_text(right, "utf-8")

    def failing(self, *tests: str) -> str:
        """The first of the tests that fails here (``folder/file.py::name``, below tests/); empty if all pass."""
        # The copy's package comes before the installed one: its root is the first place where modules are looked for.
        environ = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environ.pop("KXRECON_CHAOS", None)
        command = [sys.executable, "-m", "pytest", "-x", "--tb=no", *(f"tests/{one}" for one in tests)]
        ran = subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=900)
        found = _CAUGHT.search(ran.stdout)
        # Not the exit code: .NET's runtime may end a process that succeeded with one of its own.
        told = f"exit code {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        assert found or _PASSED.search(ran.stdout), told
        return found[1] if found else ""
