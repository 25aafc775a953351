"""The pages under docs/ say what is there: links lead somewhere, lists are complete, commands are those that tests run."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from kxrecon.sandbox.forecast import EVENTS
from kxrecon.sandbox.switches import Switches
from tests.facts.test_table import values

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "tests").rglob("README.md"))]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def dangling(page: Path) -> list[str]:
    """Links to files, or headings of pages, that are not there."""
    wrong = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        name, _, anchor = link.partition("#")
        if "://" in name:
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert dangling(page) == []


def test_a_dangling_link_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](#other) [c](page.md#one-thing) [d](none.md) [e](https://x.y/z)")
    assert dangling(page) == ["#other", "none.md"]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of docs/sandbox.md."""
    text = (ROOT / "docs" / "sandbox.md").read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_lists_every_event_of_the_weather():
    assert sorted(name for row in rows("Weather") for name in re.findall(r"`([^`]+)`", row[0])) == sorted(EVENTS)


def test_the_page_lists_every_switch_with_its_values_the_default_first():
    told = {row[0].strip("`"): re.findall(r"`([^`]+)`", row[1]) for row in rows("Switches")}
    assert {name: sorted(listed) for name, listed in told.items()} == {
        name: sorted(listed) for name, listed in values().items()
    }
    defaults = {one.name: str(one.default) for one in fields(Switches)}
    assert {name: listed[0] for name, listed in told.items()} == {name: defaults[name] for name in told}
