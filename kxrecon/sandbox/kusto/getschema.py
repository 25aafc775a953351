"""``… | getschema``: the columns of a query's result ("learn.microsoft.com, getschema operator").

The evaluator gives some computed columns another type than Kusto: it adds two ints to an int, and takes dates apart
into longs. Where such a thing may have made a column, nothing is answered rather than the wrong type.
"""

from __future__ import annotations

from collections.abc import Iterable

from kxrecon.sandbox.kusto.answers import Answer, Columns, answer, columns
from kxrecon.sandbox.kusto.cursor_functions import Token, tokens
from kxrecon.sandbox.kusto.errors import NotImitated
from kxrecon.sandbox.kusto.values import DOTNET

SCHEMA = columns("ColumnName:string, ColumnOrdinal:int, DataType:string, ColumnType:string")
# Functions of which the evaluator's type is not always Kusto's.
_DIFFERENT = frozenset(
    {"avg", "make_list", "percentile", "array_index_of", "bin", "floor", "ceiling", "round", "dynamic", "getyear"}
    | {"case", "iff", "iif", "coalesce", "max_of", "min_of", "week_of_year", "weekofyear", "dayofyear", "dayofmonth"}
    | {"getmonth", "monthofyear", "hourofday", "datetime_part"}
)
_HYPHENED = frozenset({"project", "mv", "make", "sample", "top", "parse"})
_NEVER_WRONG = frozenset({"bool", "datetime", "timespan", "guid"})


def without(query: str) -> str | None:
    """The query in front of a last ``getschema``; None if it has none."""
    found = [token for token in tokens(query) if token.text != ";"]
    if len(found) < 3 or [token.text for token in found[-2:]] != ["|", "getschema"]:
        return None
    return query[: found[-2].start]


def schema(texts: Iterable[str], shape: Columns, known: Iterable[tuple[str, str]]) -> Answer:
    """The answer for a result of this shape: ``texts`` are the query and the functions that it calls, ``known`` the
    columns of the tables that were read.

    Raises NotImitated where a column's type may be the evaluator's own.
    """
    stored = set(known)
    for name, kind in shape if any(_computes(tokens(text)) for text in texts) else ():
        if (name, kind) not in stored and kind not in _NEVER_WRONG:
            raise NotImitated(f"the type of the computed column '{name}'")
    rows = [[name, place, DOTNET[kind], kind] for place, (name, kind) in enumerate(shape)]
    return answer(SCHEMA, rows)


def _computes(read: list[Token]) -> bool:
    """Whether something in a query may have another type than in Kusto."""
    none = Token("", "", 0, 0)
    for before, token, after in zip([none, *read], read, [*read[1:], none], strict=False):
        if token.text in ("+", "*", "/", "%") or (token.text in _DIFFERENT and after.text == "("):
            return True
        if token.text == "-" and before.text not in _HYPHENED:
            return True
    return False
