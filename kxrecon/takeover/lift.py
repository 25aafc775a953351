"""What most entries of a section share goes into ``defaults``, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kxrecon.spec.defaults import SQL_TABLE, STORAGE_TABLE
from kxrecon.takeover.targets import Doc

SECTIONS: Final = ("tables", "functions", "externalTables", "continuousExports")
_OWN: Final = frozenset(("to", "query", "over", "body", "columns", "path", "connections", "table", "docString"))


def lift(document: Doc) -> Doc:
    """``defaults`` for a document; what they give is taken out of its entries. Empty if nothing is shared."""
    defaults: Doc = {}
    for section in SECTIONS:
        entries = [entry for database in document["databases"].values() for entry in _of(database, section)]
        shared = _shared(section, entries) if len(entries) > 1 else {}
        for entry in entries:
            for name, value in shared.items():
                if name in entry and entry[name] == value:
                    del entry[name]
        if shared:
            defaults[section] = shared
    return defaults


def _of(database: Mapping[str, Any], section: str) -> Iterable[Doc]:
    return (database.get(section) or {}).values()


def _shared(section: str, entries: list[Doc]) -> Doc:
    """Scalars that every entry of their kind has, with the value that most of them have."""
    names = dict.fromkeys(name for entry in entries for name in entry)
    found: Doc = {}
    for name in names:
        those = [entry for entry in entries if _takes(section, entry, name)]
        values = [entry[name] for entry in those if name in entry]
        if name in _OWN or len(values) < len(those) or not all(isinstance(one, str | int) for one in values):
            continue
        value, times = Counter((type(one), one) for one in values).most_common(1)[0]
        if times > 1:
            found[name] = value[1]
    return found


def _takes(section: str, entry: Doc, name: str) -> bool:
    """Whether an entry of its kind can have a field at all; what it writes out instead of a target excludes one."""
    if section != "externalTables":
        return True
    if name == "target":
        return "connections" not in entry
    return name not in (STORAGE_TABLE if entry.get("kind") == "sql" else SQL_TABLE)
