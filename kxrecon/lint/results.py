"""KX101, KX105: the query's result and the external table (learn.microsoft.com, Continuous data export)."""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon.lint.columns import UNKNOWN, Columns
from kxrecon.lint.rules import Said, rule
from kxrecon.lint.world import Export

PROJECT = "project the external table's columns, in their order, at the end of the query"
STATE = "state the table's columns as the cluster has them, or end the query with a project"


@rule("KX101", "error", "the query's result columns are not those of the external table")
def columns_differ(export: Export) -> Iterator[Said]:
    """Names, types and order have to be the same. Offline only a query that lists its columns can be judged."""
    if (said := _difference(export)) and certain(export):
        yield Said(said, PROJECT)


@rule("KX105", "warning", "the columns that the spec gives the source are not those of the external table")
def columns_unstated(export: Export) -> Iterator[Said]:
    """The same offline for a query that passes on whatever its source has: the cluster's table may have more."""
    if (said := _difference(export)) and not certain(export):
        yield Said(f"as the spec states the source, {said}", STATE)


def certain(export: Export) -> bool:
    """Whether the result is known whatever else the cluster has: it was read, or the query lists its columns."""
    return export.flow.closed or export.world.is_read(export.database)


def _difference(export: Export) -> str:
    found, wanted = export.shapes[-1], export.wanted
    return difference(found, wanted) if found and wanted and found != wanted else ""


def difference(found: Columns, wanted: Columns) -> str:
    """The first way in which two lists of columns differ, in words; empty if they do not."""
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), 1):
        if one[0] != other[0] or one[1] not in (other[1], UNKNOWN):
            kind = f":{one[1]}" if one[1] else ""
            said = f"column {number} is {one[0]}{kind} in the query's result"
            return f"{said}, {other[0]}:{other[1]} in the external table"
    if len(found) == len(wanted):
        return ""
    more = [name for name, _ in found[len(wanted) :] or wanted[len(found) :]]
    where = "the external table does not have" if len(found) > len(wanted) else "the query does not give"
    return f"the query gives {len(found)} columns, the external table has {len(wanted)}: {where} {', '.join(more)}"
