"""KX108, KX11x: what fights the cursor, by which each record is exported exactly once.

("learn.microsoft.com, Continuous data export"; "Database cursors"; "Row level security"; "Restricted view access".)
"""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon import kql
from kxrecon.kinds.kusto import table
from kxrecon.kql_text import Token
from kxrecon.lint.columns import Step
from kxrecon.lint.rules import Path, Said, rule
from kxrecon.lint.world import Export
from kxrecon.model import Ref

CLOCKS = frozenset({"ago", "now", "ingestion_time"})
DROPPING = frozenset({"take", "limit", "top", "sample"})
AGGREGATING = frozenset({"summarize", "make-series", "distinct", "count"})
RESTRICTED, SECURED = table.ACCESS


@rule("KX108", "error", "the query reads no table of the export's own database", connected=True)
def no_fact(export: Export) -> Iterator[Said]:
    """At least one fact table is needed, and fact tables are local."""
    read = [name for name in export.facts if not export.over or name in export.words]
    if read or not export.world.is_read(export.database):
        return
    source = export.flow.table
    if source is not None and source[0] != export.database:
        yield Said(f"it reads '{source[1]}' of {source[0]}, and fact tables are local", "export where the table is")


@rule("KX110", "error", "a fact table keeps no ingestion times", "over")
def no_ingestion_time(export: Export) -> Iterator[Said]:
    """Without the ingestion-time policy there is no cursor."""
    for name in export.facts:
        if export.world.keeps_times(export.database, name) is False:
            remedy = "set ingestionTimePolicy: true on it, or take it out of over: if each run may read it whole"
            yield Said(f"fact table '{name}' keeps no ingestion times", remedy, path=_where_set(export, name))


def _where_set(export: Export, name: str) -> Path:
    """Where the spec says that a table keeps none; empty if only the cluster says so."""
    entity = export.world.desired.entities.get(Ref("table", (export.database, name)))
    stated = entity is not None and "ingestionTimePolicy" in entity.fields
    return (*entity.path, "ingestionTimePolicy") if entity is not None and stated else ()


@rule("KX111", "warning", "a filter on time fights the cursor")
def time_filter(export: Export) -> Iterator[Said]:
    """The cursor says what is new; a clock in a filter drops what arrives late, for good."""
    for step in export.flow.steps:
        clock = _clock(step) if step.operator in ("where", "filter") else None
        if clock is not None:
            inside = f" in function '{step.function}'" if step.function else ""
            message = f"the filter{inside} compares with {clock.text}(): records that arrive late are never exported"
            yield Said(message, "leave time to the cursor; forcedLatency waits for late records", clock, step.function)


def _clock(step: Step) -> Token | None:
    pairs = zip(step.tokens, step.tokens[1:], strict=False)
    return next((one for one, two in pairs if one.text in CLOCKS and two.text == "("), None)


@rule("KX112", "warning", "the query drops records for good")
def dropped(export: Export) -> Iterator[Said]:
    """``take`` keeps some records of a run; the cursor moves past all of them."""
    for step in export.flow.steps:
        if step.operator in DROPPING:
            message = f"'{step.operator}' keeps a part of each run's records, and the cursor passes all of them"
            yield Said(message, "leave it out, or filter by what the records hold", step.tokens[0], step.function)


@rule("KX113", "note", "an aggregation counts each run by itself")
def aggregated(export: Export) -> Iterator[Said]:
    """One result per run, not per hour or day."""
    for step in export.flow.steps:
        if step.operator in AGGREGATING:
            message = f"'{step.operator}' sees the records of one run only: readers have to aggregate once more"
            yield Said(message, "export records, or a materialized view's source", step.tokens[0], step.function)


@rule("KX114", "warning", "a fact table is not read by the query", "over")
def unused(export: Export) -> Iterator[Said]:
    """Its cursor would move without effect."""
    if not export.over or [(export.database, name) for name in export.over] == [export.flow.table]:
        return
    if not export.source_known or "table" in export.words:
        return
    for name in export.over:
        if name not in export.words:
            yield Said(f"the query does not read '{name}'", f"take {name} out of over:, or read it")


@rule("KX115", "warning", "without over: every table that is read counts as a fact table")
def over_left_out(export: Export) -> Iterator[Said]:
    """A joined dimension table would then give only its new records."""
    if not export.over and len(export.facts) > 1:
        message = f"{', '.join(export.facts)} are all read by cursor: a join finds only records that are new in both"
        yield Said(message, "name the fact table: over: [ … ]")


@rule("KX116", "error", "a materialized view is exported", "over", connected=True)
def view_as_fact(export: Export) -> Iterator[Said]:
    """Continuous export does not work over materialized views: what it has written, a view may change."""
    for name in export.over or sorted(export.read):
        if (export.database, name) in export.world.views:
            yield Said(f"'{name}' is a materialized view, which is not exported", "export from the view's source table")


@rule("KX117", "error", "a fact table is not a table of the export's own database", "over", connected=True)
def foreign_fact(export: Export) -> Iterator[Said]:
    """Fact tables are local; only dimension tables may come from elsewhere."""
    if not export.world.is_read(export.database):
        return
    for name in export.over:
        place = (export.database, name)
        if place not in export.world.tables and place not in export.world.views:
            remedy = "name a table of this database, or let the spec create it"
            yield Said(f"{export.database} has no table '{name}'", remedy)


def _guarded(export: Export, policy: str) -> list[str]:
    """The tables with an access policy that the export certainly reads."""
    guarded = export.world.policy(export.database, policy)
    return sorted(guarded & {*export.over, *export.read}) if guarded else []


@rule("KX118", "error", "a table that is read has restricted view access", connected=True)
def restricted(export: Export) -> Iterator[Said]:
    """Continuous export cannot be configured on such a table."""
    for name in _guarded(export, RESTRICTED):
        remedy = f".alter table {kql.identifier(name)} policy restricted_view_access false, or export another table"
        yield Said(f"table '{name}' has restricted view access", remedy)


@rule(
    "KX119",
    "error",
    "row level security without a managed identity and impersonation",
    "managedIdentity",
    connected=True,
)
def secured(export: Export) -> Iterator[Said]:
    """A table with row level security is exported as a managed identity that the external table impersonates."""
    identity = export.fields.get("managedIdentity")
    foreign = sorted(form for form in export.forms if form != "impersonate")
    for name in _guarded(export, SECURED):
        said = f"table '{name}' has row level security"
        if identity is None:
            yield Said(f"{said}, and no managedIdentity is set", "set managedIdentity:")
        elif foreign:
            yield Said(f"{said}, and the external table gets in by {', '.join(foreign)}", "use auth: impersonate")
