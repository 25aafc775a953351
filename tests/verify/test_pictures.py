"""graph and explain: below an export what it needs itself; two of one name are told apart."""

from __future__ import annotations

import pytest

from tests.estates.two import two


@pytest.fixture
def estate(kxrecon_sandbox):
    return two(kxrecon_sandbox)


def trees(text):
    """The lines below each export."""
    found = {}
    for line in text.splitlines():
        if line.startswith("export "):
            found[line] = below = []
        else:
            below.append(line)
    return found


def test_a_tree_has_the_links_of_its_own_export(estate):
    estate.sandbox.kql(".set database A viewers none", "A")
    found = trees(estate.run("graph", str(estate.spec)).text)
    assert list(found) == ["export A/ArchiveEvents", "export B/ArchiveEvents"]
    broken = {name: [line for line in lines if "✗" in line] for name, lines in found.items()}
    assert [line.rpartition("✗ ")[2] for line in broken["export A/ArchiveEvents"]] == ["may read database A"]
    assert broken["export B/ArchiveEvents"] == []
    assert not any("database A" in line or "A/" in line for line in found["export B/ArchiveEvents"])
    told = estate.run("explain", str(estate.spec), "B/ArchiveEvents").text
    assert told.startswith("export B/ArchiveEvents\n├─ ✓ reads table B/Events\n")


@pytest.mark.parametrize("form", ["--mermaid", "--dot", "--svg"])
def test_no_two_nodes_of_a_picture_read_alike(estate, form):
    told = estate.run("graph", str(estate.spec), form).text
    for name in ("ArchiveEvents", "EventsArchive", "Events"):
        for database in ("A", "B"):
            assert f"{database}/{name}" in told.replace("#47;", "/"), told
