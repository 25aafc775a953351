"""KX15x: what the external table of an export cannot take, or takes without effect.

("learn.microsoft.com, Create and alter Azure Storage external tables"; "Create and alter SQL external tables";
"Export data to SQL"; "SQL external table authentication methods".) Formats that are not exported to, delta tables
and wrong compressions do not get this far: the spec's schema refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kxrecon.lint.rules import Path, Said, rule
from kxrecon.lint.world import Export

SQL_NAME = re.compile(r"[\w .\-]+", re.ASCII)
SIZELESS = ("string", "dynamic")
ENTRA = frozenset({"impersonate", "managedIdentity"})
PASSWORDS_ONLY = ("MySQL", "PostgreSQL")
DELIMITED = ("csv", "tsv")
FILES = ("sizeLimit", "distributionKind")


def _at(export: Export, *steps: str | int) -> Path:
    """A part of the external table in the spec; the export's own ``to`` if the table is not there."""
    return (*export.table.path, *steps) if export.table and export.table.path else ()


@rule("KX150", "warning", "a name that an export to SQL may not use", "to", on="sql")
def sql_name(export: Export) -> Iterator[Said]:
    """Names of SQL tables are restricted, against injection."""
    name = str(export.target.get("table") or "")
    if name and not SQL_NAME.fullmatch(name):
        said = f"the SQL table '{name}' has other characters than letters, digits, spaces, '_', '.' and '-'"
        yield Said(said, "give the SQL table, or a view on it, such a name", path=_at(export, "table"))


@rule("KX151", "warning", "columns that differ only by letter case, in SQL", "to", on="sql")
def sql_case(export: Export) -> Iterator[Said]:
    """SQL databases compare names without letter case unless somebody chose another collation."""
    seen: dict[str, str] = {}
    for name, _ in export.wanted:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            said = f"columns '{other}' and '{name}' are one name to a SQL database, unless its collation says otherwise"
            yield Said(said, "rename one of them", path=_at(export, "columns"))


@rule("KX152", "warning", "a primary key that SQL may not create", "to", on="sql")
def sql_key(export: Export) -> Iterator[Said]:
    """A key has a limited size in SQL, and texts have none in Kusto."""
    if not export.target.get("createIfNotExists"):
        return
    key = str(export.target.get("primaryKey"))
    kind = dict(export.wanted).get(key)
    if kind in SIZELESS:
        said = f"the key '{key}' of the table to create is of type {kind}, which has no size limit: SQL may refuse it"
        yield Said(said, "create the table in SQL beforehand, or use another key", path=_at(export, "primaryKey"))


@rule("KX153", "error", "a way to get in that this SQL does not have", "to", on="sql")
def sql_auth(export: Export) -> Iterator[Said]:
    """MySQL and PostgreSQL take a user and password only."""
    dialect, ways = export.target.get("sqlDialect"), sorted(export.forms & ENTRA)
    if dialect in PASSWORDS_ONLY and ways:
        said = f"{dialect} is reached by user and password, not by {ways[0]}"
        yield Said(said, "use a target with auth: password", path=_at(export, "target"))


@rule("KX154", "warning", "a property of files, and the external table is SQL", "to", on="sql")
def sql_files(export: Export) -> Iterator[Said]:
    """Nothing is written to files there."""
    for field in FILES:
        if field in export.fields:
            path = (*export.entity.path, field)
            yield Said(f"{field} means nothing where rows go to a SQL table", "leave it out", path=path)


@rule("KX155", "warning", "distributionKind: uniform without a partition by a text", "distributionKind", on="storage")
def uniform(export: Export) -> Iterator[Said]:
    """It spreads the values of such a partition, and means nothing without one."""
    if export.fields.get("distributionKind") != "uniform":
        return
    if not any(one.get("type") == "string" for one in export.target.get("partitions") or ()):
        yield Said("the external table has no partition by a string column", "leave it out")


@rule("KX156", "warning", "a property without effect on the files", "to", on="storage")
def formats(export: Export) -> Iterator[Said]:
    """Headers belong to CSV and TSV, encodings to text, a compression type to compressed files."""
    form = export.target.get("dataFormat")
    if export.target.get("includeHeaders") not in (None, "None") and form not in DELIMITED:
        yield Said(f"{form} files have no headers", "leave includeHeaders out", path=_at(export, "includeHeaders"))
    if export.target.get("encoding") not in (None, "UTF8NoBOM") and form == "parquet":
        yield Said("Parquet files are no text", "leave encoding out", path=_at(export, "encoding"))
    if export.target.get("compressionType") is not None and export.target.get("compressed") is False:
        remedy = "set compressed: true, or leave compressionType out"
        yield Said("compressionType without compressed files", remedy, path=_at(export, "compressionType"))


@rule("KX157", "warning", "a partition that an export has no value for", "to", on="storage")
def virtual(export: Export) -> Iterator[Said]:
    """A partition without a source column is read from folders; nothing says what an export would write there."""
    for number, one in enumerate(export.target.get("partitions") or ()):
        if one.get("column") is None:
            said = f"partition '{one.get('name')}' has no source column: documented for reading, not for writing"
            yield Said(
                said, "state the column: startOfDay, column, hash or bin", path=_at(export, "partitions", number)
            )
