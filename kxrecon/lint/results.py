"""KX10x: the query's result and the external table (learn.microsoft.com, Create or alter continuous export)."""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon.lint.columns import Columns, result
from kxrecon.lint.rules import Export, Said, rule


@rule("KX101", "error", "the query's result columns are not those of the external table")
def columns_differ(export: Export) -> Iterator[Said]:
    """Names, types and order have to be the same."""
    wanted: Columns = tuple((export.table.fields.get("columns") or ()) if export.table else ())
    found = result(export.query, export.database, export.world.tables, export.world.stored, tokens=export.tokens)
    if found is None or not wanted or found == wanted:
        return
    yield difference(found, wanted), "project the external table's columns, in their order, at the end of the query"


def difference(found: Columns, wanted: Columns) -> str:
    """The first way in which two lists of columns differ, in words."""
    if len(found) != len(wanted):
        return f"the query gives {len(found)} columns, the external table has {len(wanted)}"
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), 1):
        if one != other:
            said = f"column {number} is {one[0]}:{one[1]} in the query's result"
            return f"{said}, {other[0]}:{other[1]} in the external table"
    return "the columns are the same"


@rule("KX102", "error", "the query names a table or function that is not there")
def source_missing(export: Export) -> Iterator[Said]:
    """Only where everything that is there was read: a spec need not hold all tables."""
    if export.world.observed is None or not export.tokens or export.tokens[0].kind != "word":
        return
    first = export.tokens[0]
    called = len(export.tokens) > 1 and export.tokens[1].text == "("
    functions = export.world.stored.functions(export.database)
    there = first.text in functions or (export.database, first.text) in export.world.tables
    if not there and not called and first.text not in ("union", "let", "set", "print", "range", "declare"):
        yield f"'{first.text}' is neither a table nor a function of {export.database}", "correct its name", first.start
