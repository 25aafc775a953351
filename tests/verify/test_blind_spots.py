"""What a caller may not read is not well: status, its metrics and verify say how much they do not see."""

from __future__ import annotations

import json

import pytest

from kxrecon.history import History
from kxrecon.model import Ref, Table
from kxrecon.verify.past import past
from tests.estates.two import CLUSTER, two

ME = "aaduser=5d8f0c3a-1b2e-4f60-8a9b-c7d6e5f40312"


@pytest.fixture
def estate(kxrecon_sandbox):
    """Databases A and B, each with an export; afterwards the caller has rights on A alone."""
    found = two(kxrecon_sandbox)
    kxrecon_sandbox.kql(f".add database A admins ('{ME}')", "A")
    may(kxrecon_sandbox, [])
    return found


def may(sandbox, roles):
    world = sandbox._world
    world.store.put("meta", ("caller",), {**world.caller, "roles": roles})


def test_what_cannot_be_read_is_neither_well_nor_green(estate):
    told = estate.run("status", str(estate.spec))
    assert told.code == 1
    assert "2 exports, none to look after, 1 not readable;" in told.text
    metrics = estate.run("status", str(estate.spec), "--openmetrics").text.splitlines()
    assert [line for line in metrics if "B/ArchiveEvents" in line] == [
        f'kxrecon_export_readable{{cluster="{CLUSTER}",export="B/ArchiveEvents"}} 0'
    ]
    healthy = f'kxrecon_export_healthy{{cluster="{CLUSTER}",export="A/ArchiveEvents"}} 1'
    assert healthy in metrics
    found = json.loads(estate.run("status", str(estate.spec), "--json").text)["exports"]
    assert [one["healthy"] for one in found] == [True, None]


def test_something_to_look_after_wins(estate):
    estate.sandbox.kql(".disable continuous-export ArchiveEvents", "A")
    assert estate.run("status", str(estate.spec)).code == 2


def test_a_database_whose_exports_cannot_be_listed_is_not_empty(estate):
    may(estate.sandbox, ["AllDatabasesAdmin"])
    estate.sandbox.kql(f".add database B ingestors ('{ME}')", "B")
    may(estate.sandbox, [])
    told = estate.run("status", "--cluster", CLUSTER)
    assert told.code == 1 and "B/*" in told.text and "1 not readable" in told.text
    told = estate.run("verify", "--cluster", CLUSTER, "--strict")
    assert told.code == 1 and "B/*" in told.text
    page = estate.sandbox.folder / "verify.html"
    assert estate.run("verify", "--cluster", CLUSTER, "--html", str(page)).code == 0
    assert "B/*" in page.read_text()


@pytest.mark.parametrize(("sizes", "expected"), [((10, 5), 15), ((10, None), None), ((None, None), None)])
def test_bytes_are_summed_where_the_service_tells_them(sizes, expected):
    from datetime import UTC, datetime

    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    rows = [("2026-01-01T10:00:00Z", 1, size) for size in sizes]

    class Plane:
        def read(self, read):
            return Table(("Timestamp", "NumRecords", "SizeInBytes"), tuple(rows))

    ref = Ref("continuous_export", ("D", "Job"))
    found, why = past(ref, Plane(), History(since, until), 600, files=True, failures=False)
    assert (found.size, why) == (expected, "")
