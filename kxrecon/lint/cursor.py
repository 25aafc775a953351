"""KX11x: what fights the cursor, by which each record is exported exactly once.

("learn.microsoft.com, Continuous data export"; "Database cursors".)
"""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon.lint.rules import Export, Said, rule
from kxrecon.model import Ref

CLOCKS = frozenset({"ago", "now", "ingestion_time", "startofday", "endofday"})
DROPPING = frozenset({"take", "limit", "top", "sample"})


@rule("KX110", "error", "a fact table keeps no ingestion times", "over")
def no_ingestion_time(export: Export) -> Iterator[Said]:
    """Without the ingestion-time policy there is no cursor."""
    for name in export.entity.fields.get("over") or ():
        table = export.world.get(Ref("table", (export.database, name)))
        if table is not None and table.fields.get("ingestionTimePolicy") is False:
            yield f"table '{name}' keeps no ingestion times", "set ingestionTimePolicy: true on it"


@rule("KX111", "warning", "a filter on time fights the cursor")
def time_filter(export: Export) -> Iterator[Said]:
    """The cursor says what is new; a clock in a filter drops what arrives late, for good."""
    for stage in export.stages:
        if stage[0].text not in ("where", "filter"):
            continue
        for part, after in zip(stage, stage[1:], strict=False):
            if part.text in CLOCKS and after.text == "(":
                message = f"the filter compares with {part.text}(): records that arrive late are never exported"
                yield message, "leave time to the cursor; forcedLatency waits for late records", part.start
                break


@rule("KX112", "warning", "the query drops records for good")
def dropped(export: Export) -> Iterator[Said]:
    """``take`` keeps some records of a run; the cursor moves past all of them."""
    for stage in export.stages[1:]:
        if stage[0].text in DROPPING:
            message = f"'{stage[0].text}' keeps a part of each run's records, and the cursor passes all of them"
            yield message, "leave it out, or filter by what the records hold", stage[0].start


@rule("KX113", "note", "an aggregation counts each run by itself")
def aggregated(export: Export) -> Iterator[Said]:
    """One result per run, not per hour or day."""
    for stage in export.stages[1:]:
        if stage[0].text in ("summarize", "make-series", "distinct"):
            message = f"'{stage[0].text}' sees the records of one run only: readers have to aggregate once more"
            yield message, "export records, or a materialized view's source", stage[0].start


@rule("KX114", "warning", "a fact table is not read by the query", "over")
def unused(export: Export) -> Iterator[Said]:
    """Its cursor would move without effect."""
    if not export.source_known or "table" in export.words:
        return
    for name in export.entity.fields.get("over") or ():
        if name not in export.words and not _quoted(name, export):
            yield f"the query does not read '{name}'", f"take {name} out of over:, or read it"


def _quoted(name: str, export: Export) -> bool:
    bodies = export.world.stored.functions(export.database).values()
    return any(f"'{name}'" in text or f'"{name}"' in text for text in (export.query, *bodies))


@rule("KX115", "warning", "without over: every table that is read counts as a fact table")
def over_left_out(export: Export) -> Iterator[Said]:
    """A joined dimension table would then give only its new records."""
    if export.entity.fields.get("over"):
        return
    named = sorted(table for where, table in export.world.tables if where == export.database and table in export.words)
    if len(named) > 1:
        message = f"{', '.join(named)} are all read by cursor: a join finds only records that are new in both"
        yield message, "name the fact table: over: [ … ]"
