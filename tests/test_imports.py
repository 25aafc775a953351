"""What a command imports: start-up is paid on every run, so heavy libraries wait until they are needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import sys
sys.argv = ["kxrecon", *{argv!r}]
from kxrecon.__main__ import main
try:
    main()
finally:
    sys.stderr.write("\\n" + " ".join(sorted({{name.split(".")[0] for name in sys.modules}})))
"""
HEAVY = {"azure", "requests", "ruamel", "jsonschema", "jsonschema_rs", "deepdiff", "rich", "werkzeug", "duckdb", "lark"}


def imported(*argv: str) -> set[str]:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE.format(argv=list(argv))], capture_output=True, text=True, timeout=60, check=True
    )
    return set(probe.stderr.rsplit("\n", 1)[-1].split())


def test_version_imports_not_even_argparse():
    assert not imported("--version") & (HEAVY | {"argparse", "importlib_metadata", "json", "logging"})


@pytest.mark.parametrize(
    "argv", [("--help",), ("plan", "--help"), ("apply", "--help"), ("sandbox", "--help"), ("probe", "--help")]
)
def test_help_imports_nothing_heavy(argv):
    assert not imported(*argv) & (HEAVY | {"sqlite3", "asyncio"})


def test_validate_talks_to_nobody_and_imports_no_sdk():
    assert not imported("validate", "specs/quickstart.yaml") & {
        "azure",
        "requests",
        "deepdiff",
        "rich",
        "werkzeug",
        "duckdb",
    }
