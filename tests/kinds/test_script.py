"""Export identities out of a csl script, whose text form is documented nowhere: what is not recognised is not told."""

from __future__ import annotations

from kxrecon.kinds.kusto._script import export_identities
from kxrecon.model import Table


def told(*texts: str):
    return export_identities(Table(("DatabaseSchemaScript",), tuple([text] for text in texts)))


def export(name: str, identity: str = "", query: str = "<| T") -> str:
    shown = f"managedIdentity='{identity}', " if identity else ""
    return f".create-or-alter continuous-export {name} to table X with ({shown}intervalBetweenRuns=1h) {query}\n"


def test_each_export_has_its_own_identity():
    assert told(export("A", "system") + export("B") + export("['C D']", "1-2")) == {
        "A": "system",
        "B": None,
        "C D": "1-2",
    }
    assert told(export("A", "system"), export("B")) == {"A": "system", "B": None}


def test_an_export_that_is_cut_off_does_not_get_the_next_ones_identity():
    assert told(export("A", query="") + export("B", "system")) == {"A": None, "B": "system"}


def test_a_query_that_speaks_of_an_identity_has_none():
    assert told(export("A", query="<| T | extend managedIdentity='no'") + export("B", "system"))["A"] is None


def test_a_script_without_any_identity_proves_nothing():
    assert told(export("A") + export("B")) is None


def test_a_long_script_without_queries_is_looked_through_once():
    """Ten times as many as there may be; looking through the rest for each of them would take minutes."""
    many = 40_000
    found = told("".join(export(f"E{number}", query="") for number in range(many)) + export("Last", "system"))
    assert found is not None and len(found) == many + 1 and found["Last"] == "system"
    assert sum(one is not None for one in found.values()) == 1
