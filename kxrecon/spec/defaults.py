"""``defaults``: laid under every entry of a section by RFC 7396, so that the entry's own fields win."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from json_merge_patch import merge as merge_patch

from kxrecon.model import Value
from kxrecon.spec.source import SpecPath

SECTIONS: Final = ("tables", "functions", "externalTables", "continuousExports")
Removed = Callable[[SpecPath], bool]

STORAGE_TABLE: Final = frozenset(
    ("path", "dataFormat", "partitions", "pathFormat", "compressed", "compressionType")
    + ("includeHeaders", "namePrefix", "fileExtension", "encoding")
)
SQL_TABLE: Final = frozenset(("table", "createIfNotExists", "primaryKey", "fireTriggers", "sqlDialect"))
STORAGE_TARGET: Final = frozenset(
    ("url", "secret", "resourceId", "role", "grantScope", "createContainer", "acceptConditional")
)
SQL_TARGET: Final = frozenset(("server", "database", "user", "password", "extra", "userName"))

# Fields that exclude a default: an entry that says one of them does not want the other's default.
_EXCLUDES: Final = {
    "target": ("connections",),
    "connections": ("target", "path"),
    "path": ("connections",),
    "query": ("queryFile",),
    "queryFile": ("query",),
    "body": ("bodyFile",),
    "bodyFile": ("body",),
}


def apply_defaults(document: dict[str, Value], removed: Removed | None) -> dict[str, Value]:
    """The document with ``defaults`` under its entries; entries and mappings on the way are new, never changed.

    ``removed`` tells whether a file says null for a path: that entry wants no default there. None if no
    file has any null.
    """
    defaults = document.get("defaults")
    if not isinstance(defaults, dict):
        return document
    result = dict(document)
    if isinstance(document.get("targets"), dict) and _is_filled(defaults.get("targets")):
        result["targets"] = _under(document["targets"], defaults["targets"], ("targets",), removed)
    databases = document.get("databases")
    if isinstance(databases, dict):
        result["databases"] = {
            name: _database(database, defaults, ("databases", name), removed) for name, database in databases.items()
        }
    return result


def _is_filled(value: Value) -> bool:
    return isinstance(value, dict) and bool(value)


def _database(database: Value, defaults: dict[str, Any], path: SpecPath, removed: Removed | None) -> Value:
    if not isinstance(database, dict):
        return database
    changed = {
        section: _under(database[section], defaults[section], (*path, section), removed)
        for section in SECTIONS
        if _is_filled(database.get(section)) and _is_filled(defaults.get(section))
    }
    return {**database, **changed} if changed else database


def _under(entries: dict[str, Value], default: dict[str, Value], path: SpecPath, removed: Removed | None) -> Value:
    flat = not any(isinstance(value, dict) for value in default.values())
    result: dict[str, Value] = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) and entry is not None:
            result[name] = entry
            continue
        own = entry or {}
        below = dict(wanted(default, own, (*path, name), removed))
        result[name] = {**below, **own} if flat else merge_patch({}, below, own)
    return result


def wanted(
    default: dict[str, Value], own: dict[str, Value], path: SpecPath, removed: Removed | None
) -> Iterator[tuple[str, Value]]:
    """The defaults that an entry neither rules out by a field of its own nor removes by null."""
    alien = _alien(default, own)
    for key, value in default.items():
        if any(other in own for other in _EXCLUDES.get(key, ())):
            continue
        if key in alien:
            continue
        if key not in own and removed is not None and removed((*path, key)):
            continue
        yield key, value


def _alien(default: dict[str, Value], own: dict[str, Value]) -> frozenset[str]:
    """Fields that an entry of its kind cannot have: a default dataFormat is not meant for SQL tables."""
    if "server" in own:
        return STORAGE_TARGET
    if "url" in own:
        return SQL_TARGET
    kind = own.get("kind", default.get("kind"))
    return {"sql": STORAGE_TABLE, "storage": SQL_TABLE}.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
