"""Cells of Kusto's answers as values: JSON given as text or already taken apart, booleans in every form.

What has not the documented form raises, so that it is a read that failed (``misread.py``) and never a value that
nobody wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from kxrecon.kql import Columns, canonical_type, obfuscated, parse_timespan
from kxrecon.model import Answer, Hidden, Table

_MASKED = re.compile(r"""\b[hH]@?(?:'\*+'|"\*+"|```\*+```|~~~\*+~~~)""")


def json_cell(cell: Any) -> Any:
    """The value of a cell that holds JSON, as text or as itself; None for an empty one. Raises ValueError."""
    if not isinstance(cell, str):
        return cell
    return orjson.loads(cell) if cell else None


def json_key(cell: Any) -> str:
    """The text of a cell that holds JSON, fit to be looked up in a cache."""
    return cell if isinstance(cell, str) else orjson.dumps(cell).decode()


def bool_cell(cell: Any) -> bool:
    """True for ``true``, ``1`` and their texts; False for their opposites, null and nothing. Raises ValueError."""
    value = cell.lower() if isinstance(cell, str) else cell
    if value in (True, "true", "1"):
        return True
    if value in (False, None, "", "false", "0"):
        return False
    raise ValueError(f"{str(cell)[:40]!r} is neither true nor false")


def shown_text(text: str) -> str | Hidden:
    """A query or body as shown; Hidden, with what is shown of it, if it holds an obfuscated literal (asterisks)."""
    return Hidden(obfuscated(text)) if "*" in text and _MASKED.search(text) else text


def text_cell(cell: Any) -> str | None:
    """A text, or None for an empty one. Raises TypeError."""
    if cell is None or isinstance(cell, str):
        return cell or None
    raise TypeError(f"{str(cell)[:40]!r} is no text")


def list_cell(cell: Any) -> list[Any]:
    """The values of a cell that holds a JSON list; an empty one for none. Raises ValueError or TypeError."""
    found = json_cell(cell)
    if found is None or isinstance(found, list):
        return found or []
    raise TypeError(f"{str(cell)[:40]!r} is no list")


def needed_cell(cell: Any) -> str:
    """A text that is never empty: a name, a query. Raises TypeError."""
    found = text_cell(cell)
    if found is None:
        raise TypeError("a name or a definition is empty")
    return found


def ticks_cell(cell: Any) -> int | None:
    """A timespan in ticks; None where none is set. Raises ValueError."""
    found = parse_timespan(cell)
    if found is None and cell not in (None, ""):
        raise ValueError(f"{str(cell)[:40]!r} is no timespan")
    return found


def cells(table: Table, *names: str) -> Callable[[Any], tuple[Any, ...]]:
    """A function from a row to the cells of the named columns. Raises KeyError for a column that is not there.

    A name may offer several spellings: ``Policy|Policies``. With a ``?`` it may be missing; then its cell is None.
    """
    places = tuple(table.index(*name.rstrip("?").split("|")) for name in names)
    missing = next((name for name, place in zip(names, places, strict=True) if place is None and name[-1] != "?"), None)
    if missing is not None and table.rows:  # of no rows nothing is lost
        raise KeyError(f"column {missing}")
    if len(places) > 1 and None not in places:
        return itemgetter(*places)

    def pick(row: Any) -> tuple[Any, ...]:
        return tuple([None if place is None else row[place] for place in places])

    return pick


@lru_cache(maxsize=16)
def _databases(text: str) -> Mapping[str, Any]:
    """``schema as json``, taken apart once for all kinds that read it: hashing a str costs only once."""
    databases: Mapping[str, Any] = json_cell(text)["Databases"]
    return databases


def schema_section(answer: Answer | None, database: str, section: str) -> Mapping[str, Mapping[str, Any]] | None:
    """``Tables``, ``ExternalTables`` … of a database from ``schema as json``; None if that was not read.

    Source: learn.microsoft.com, .show database schema.
    """
    found = schema_of(answer, database)
    return None if found is None else found.get(section) or {}


def schema_of(answer: Answer | None, database: str) -> Mapping[str, Any] | None:
    """A database as ``schema as json`` shows it: its sections, its access mode; None if that was not read.

    Raises KeyError, or another error of a wrong form, where the answer does not show it.
    """
    if not isinstance(answer, Table):
        return None
    cell = answer.rows[0][answer.index("DatabaseSchema") or 0]
    databases = _databases(cell) if isinstance(cell, str) else cell["Databases"]
    lowered = database.lower()
    named = database if database in databases else next((name for name in databases if name.lower() == lowered), None)
    found: Mapping[str, Any] = databases[named or database]
    return found


def schema_columns(entry: Mapping[str, Any]) -> Columns:
    """(name, type) of ``OrderedColumns``; a type that nobody knows stays as it is."""
    return tuple(
        [
            (needed_cell(column["Name"]), column.get("CslType") or canonical_type(column["Type"]) or column["Type"])
            for column in entry["OrderedColumns"] or ()
        ]
    )
