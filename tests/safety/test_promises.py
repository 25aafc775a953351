"""The page of promises names tests that exist, and every hazard that there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    defined = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    named = set(re.findall(r"\b(test_\w{12,})\b(?!\.py)", PAGE)) - {"test_graph_and_planfile"}
    assert len(named) > 20
    assert named <= defined
    files = set(re.findall(r"(?:tests/\w+/)?test_\w+\.py", PAGE))
    assert all((ROOT / one).exists() or (Path(__file__).parent / one).exists() for one in files)


def test_every_hazard_is_explained():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "kxrecon").rglob("*.py")]
    hazards = {name for source in sources for name in re.findall(r'Hazard\(\s*"([a-z-]+)"', source)}
    assert len(hazards) >= 9
    assert hazards == set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE))
