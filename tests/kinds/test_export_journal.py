"""Since when an export runs as whom, as far as the database's journal tells."""

from __future__ import annotations

import pytest

from kxrecon.kinds.kusto._journal import defined
from kxrecon.model import Table

ID = "6f0e9c1e-0000-4000-8000-000000000001"
COLUMNS = ("Event", "EventTimestamp", "EntityName", "ChangeCommand", "Principal")


def journal(*commands):
    return Table(COLUMNS, [["x", f"2026-03-01T00:0{at}:00Z", "E", one, "me"] for at, one in enumerate(commands)])


DEFINED = (
    ".create-or-alter continuous-export E over (T) to table X with (managedIdentity={}, intervalBetweenRuns=10m) <| T"
)


@pytest.mark.parametrize("written", ["system", "'system'", '"system"', ID, f"'{ID.upper()}'"])
def test_the_newest_definition_tells(written):
    found = defined(journal(DEFINED.format("other"), DEFINED.format(written), ".disable continuous-export E"))
    assert found == {"E": (written.strip("'\"").lower(), "2026-03-01T00:01:00Z")}


@pytest.mark.parametrize(
    "newest",
    [
        ".create-or-alter continuous-export E to table X with (intervalBetweenRuns=10m) <| T | where managedIdentity='x'",
        ".create-or-alter continuous-export E to table X <| T",
    ],
)
def test_a_newest_definition_without_an_identity_tells_nothing(newest):
    assert defined(journal(DEFINED.format("system"), newest)) == {}


def test_a_journal_without_its_columns_tells_nothing():
    assert defined(Table(("Event",), [["x"]])) == {}
