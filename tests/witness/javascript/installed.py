"""The JavaScript SDKs, as npm installs them from package-lock.json: once for each environment and lock file.

``python -m tests.witness.javascript.installed`` installs them, or says why not; CI does so before its tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.witness.tally import tally

TITLE = "Microsoft's JavaScript SDKs"
HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json")
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")
SECONDS = 240


class Absent(Exception):
    """They cannot be installed here, and why."""


def folder() -> Path:
    """Where the packages are; made when it is first asked for. Skips where that cannot be: the witness's section of
    the report says why."""
    try:
        return _folder()
    except Absent as reason:
        tally(TITLE).miss(str(reason))
        pytest.skip(str(reason))


def _folder() -> Path:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Absent(f"{program} is not installed")
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
            raise Absent(f"npm could not install them within {SECONDS} s") from None
        if ran.returncode:
            said = " ".join(line for line in ran.stderr.splitlines()[:3])
            raise Absent(f"npm could not install them ({said[:200]})")
        if not wanted.exists():
            try:
                os.rename(beside, wanted)
            except OSError:
                assert wanted.exists(), f"{wanted} could not be made"
            else:
                Path(beside).mkdir()  # for TemporaryDirectory to remove


if __name__ == "__main__":
    try:
        print(f"the JavaScript SDKs are in {_folder()}")
    except Absent as reason:
        print(f"no JavaScript SDKs: {reason}")
