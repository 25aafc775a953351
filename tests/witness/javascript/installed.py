"""The JavaScript SDKs, as npm installs them from package-lock.json: once for each environment and lock file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json")
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")
SECONDS = 240


def folder() -> Path:
    """Where the packages are; made when it is first asked for. Skips, and says why, where that cannot be."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the JavaScript SDKs saw nothing")
    told = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:12]
    wanted = Path(sys.prefix) / "share" / f"kxrecon-javascript-{told}"
    if not (wanted / "node_modules").is_dir():
        _install(wanted)
    return wanted


def _install(wanted: Path) -> None:
    """Install beside, then move: whoever else does the same meanwhile finds all of it or nothing."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix="kxrecon-javascript-") as beside:
        for name in FILES:
            shutil.copy(HERE / name, beside)
        try:
            ran = subprocess.run(NPM, cwd=beside, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm could not install the JavaScript SDKs within {SECONDS} s: they saw nothing")
        if ran.returncode:
            said = " ".join(line for line in ran.stderr.splitlines()[:3])
            pytest.skip(f"npm could not install the JavaScript SDKs ({said[:200]}): they saw nothing")
        if not wanted.exists():
            try:
                os.rename(beside, wanted)
            except OSError:
                assert wanted.exists(), f"{wanted} could not be made"
            else:
                Path(beside).mkdir()  # for TemporaryDirectory to remove
