"""Cells of Kusto's answers as values: JSON given as text or already taken apart, booleans in every form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from kxrecon.kql import Columns, canonical_type, obfuscated
from kxrecon.model import Answer, Hidden, Table

_MASKED = re.compile(r"""\b[hH]@?(?:'\*+'|"\*+"|```\*+```|~~~\*+~~~)""")


def json_cell(cell: Any) -> Any:
    """The value of a cell that holds JSON, as text or as itself; None for an empty or broken one."""
    if not isinstance(cell, str):
        return cell
    try:
        return orjson.loads(cell) if cell else None
    except orjson.JSONDecodeError:
        return None


def json_key(cell: Any) -> str:
    """The text of a cell that holds JSON, fit to be looked up in a cache."""
    return cell if isinstance(cell, str) else orjson.dumps(cell).decode()


def bool_cell(cell: Any) -> bool:
    """True for ``true``, ``1`` and their texts."""
    return cell is True or cell == 1 or (isinstance(cell, str) and cell.lower() in ("true", "1"))


def shown_text(text: str) -> str | Hidden:
    """A query or body as shown; Hidden, with what is shown of it, if it holds an obfuscated literal (asterisks)."""
    return Hidden(obfuscated(text)) if "*" in text and _MASKED.search(text) else text


def text_cell(cell: Any) -> str | None:
    """A text, or None for an empty one."""
    return str(cell) if cell not in (None, "") else None


def cells(table: Table, *names: str) -> Callable[[Any], tuple[Any, ...]]:
    """A function from a row to the cells of the named columns, None for a column that is not there.

    A name may offer several spellings: ``Policy|Policies``.
    """
    places = tuple(table.index(*name.split("|")) for name in names)
    if len(places) > 1 and None not in places:
        return itemgetter(*places)

    def pick(row: Any) -> tuple[Any, ...]:
        return tuple([None if place is None else row[place] for place in places])

    return pick


@lru_cache(maxsize=16)
def _databases(text: str) -> Mapping[str, Any]:
    """``schema as json``, taken apart once for all kinds that read it: hashing a str costs only once."""
    found = json_cell(text)
    databases = found.get("Databases") if isinstance(found, dict) else None
    return databases if isinstance(databases, dict) else {}


def schema_section(answer: Answer | None, database: str, section: str) -> Mapping[str, Mapping[str, Any]] | None:
    """``Tables``, ``ExternalTables`` … of a database from ``schema as json``; None if that was not read.

    Source: learn.microsoft.com, .show database schema.
    """
    found = schema_of(answer, database)
    return None if found is None else found.get(section) or {}


def schema_of(answer: Answer | None, database: str) -> Mapping[str, Any] | None:
    """A database as ``schema as json`` shows it: its sections, its access mode; None if that was not read."""
    if not isinstance(answer, Table) or not answer.rows:
        return None
    cell = answer.rows[0][answer.index("DatabaseSchema") or 0]
    databases = _databases(cell) if isinstance(cell, str) else cell.get("Databases", {})
    lowered = database.lower()
    found: Mapping[str, Any] = databases.get(database) or next(
        (one for name, one in databases.items() if name.lower() == lowered), {}
    )
    return found


def schema_columns(entry: Mapping[str, Any]) -> Columns:
    """(name, type) of ``OrderedColumns``; a type that nobody knows stays as it is."""
    return tuple(
        [
            (column["Name"], column.get("CslType") or canonical_type(column.get("Type", "")) or column.get("Type", ""))
            for column in entry.get("OrderedColumns") or ()
        ]
    )
