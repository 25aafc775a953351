"""docs/testing.md as it lists the mistakes."""

from __future__ import annotations

import re

from tests.mutations.copied import ROOT
from tests.mutations.table import Mutation

PAGE = ROOT / "docs" / "testing.md"
_ROW = re.compile(r"^\| `([^`]+)` \| (.+) \| `([^`]+)` \|$", re.MULTILINE)


def told() -> dict[tuple[str, str], str]:
    """(file, mistake) → the test that catches it."""
    return {(file, what): caught for file, what, caught in _ROW.findall(PAGE.read_text("utf-8"))}


def row(mutation: Mutation, caught: str) -> str:
    """A line of the table."""
    return f"| `{mutation.file}` | {mutation.what} | `{caught}` |"
