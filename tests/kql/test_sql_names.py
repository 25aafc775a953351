"""Names of SQL tables: one spelling, whatever quotes they come in."""

from __future__ import annotations

import pytest

from kxrecon.sql_names import canonical, schema_and_table


@pytest.mark.parametrize(
    ("written", "shown", "taken_apart"),
    [
        ("Events", "Events", ("dbo", "Events")),
        ("dbo.Events", "dbo.Events", ("dbo", "Events")),
        ("[dbo].[Events]", "dbo.Events", ("dbo", "Events")),
        ('"dbo".Events', "dbo.Events", ("dbo", "Events")),
        (" [dbo] . Events ", "dbo.Events", ("dbo", "Events")),
        ("[dbo].[my.table]", "dbo.[my.table]", ("dbo", "my.table")),
        ("[a]]b].[c d]", "[a]]b].c d", ("a]b", "c d")),
        ('"say ""hi"""', '[say "hi"]', ("dbo", 'say "hi"')),
        ("Dwh.dbo.Events", "Dwh.dbo.Events", ("dbo", "Events")),
        ("Dwh..Events", "Dwh..Events", ("dbo", "Events")),
        ("[unclosed", "[unclosed", ("dbo", "[unclosed")),
        ("dbo.", "dbo.", ("dbo", "dbo.")),
        ("", "", ("dbo", "")),
    ],
)
def test_one_spelling(written, shown, taken_apart):
    assert canonical(written) == shown
    assert canonical(shown) == shown
    assert schema_and_table(written) == schema_and_table(shown) == taken_apart
