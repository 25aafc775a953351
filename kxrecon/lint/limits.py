"""KX12x: what a continuous export may not do, or should not (learn.microsoft.com, Continuous data export)."""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon import kql
from kxrecon.lint.rules import Export, Said, rule

SHORT = 2 * kql.MINUTE
LONG = 24 * kql.HOUR


@rule("KX120", "error", "the query reads another cluster")
def other_cluster(export: Export) -> Iterator[Said]:
    """Cross-cluster queries are not supported."""
    for part, after in zip(export.tokens, export.tokens[1:], strict=False):
        if part.text == "cluster" and after.text == "(":
            yield "a continuous export cannot read another cluster", "use a follower database", part.start


@rule("KX121", "error", "another database is read without a managed identity", "managedIdentity")
def other_database(export: Export) -> Iterator[Said]:
    """Cross-database queries run as a managed identity only."""
    others = sorted(export.databases - {export.database})
    if others and export.entity.fields.get("managedIdentity") is None:
        yield f"the query reads {', '.join(others)}, and no managedIdentity is set", "set managedIdentity:"


@rule("KX122", "error", "impersonation without a managed identity", "managedIdentity")
def impersonation(export: Export) -> Iterator[Said]:
    """An external table that impersonates needs somebody to impersonate."""
    if "impersonate" in export.forms and export.entity.fields.get("managedIdentity") is None:
        yield "its external table impersonates, and no managedIdentity is set", "set managedIdentity:"


@rule("KX123", "error", "the external table does not say how to get in", "to")
def no_credentials(export: Export) -> Iterator[Said]:
    """A connection without authentication writes nowhere."""
    if "none" in export.forms:
        yield "its external table has a connection without authentication", "append ;impersonate, or use a target"


@rule("KX124", "note", "short intervals make many small files", "intervalBetweenRuns")
def short_interval(export: Export) -> Iterator[Said]:
    """Each run writes at least one file a node, however few its records are."""
    interval = export.entity.fields.get("intervalBetweenRuns")
    storage = export.table is not None and export.table.fields.get("kind") == "storage"
    distributed = export.entity.fields.get("distributed", True) is not False
    if storage and distributed and interval is not None and interval < SHORT:
        runs = LONG // interval
        message = f"{runs} runs a day, each with a file or more per node"
        yield message, "a longer interval, or distributed: false, makes fewer and larger files"


@rule("KX125", "note", "long intervals notice failures late", "intervalBetweenRuns")
def long_interval(export: Export) -> Iterator[Said]:
    """An export that fails for seven days is disabled; with one run a day that is seven chances."""
    interval = export.entity.fields.get("intervalBetweenRuns")
    if interval is not None and interval > LONG:
        runs = 7 * LONG // interval
        yield f"{runs} runs in the seven days after which a failing export is disabled", "run it at least daily"


@rule("KX126", "warning", "parquetRowGroupSize without Parquet", "parquetRowGroupSize")
def row_group(export: Export) -> Iterator[Said]:
    """The property means something for Parquet files only."""
    form = export.table.fields.get("dataFormat") if export.table else None
    if "parquetRowGroupSize" in export.entity.fields and export.table is not None and form != "parquet":
        yield f"the external table's format is {form or 'SQL'}, which has no row groups", "leave it out"


@rule("KX127", "warning", "two exports write into one external table", "to")
def shared_target(export: Export) -> Iterator[Said]:
    """Readers then find the records of both, and each record twice if the queries overlap."""
    writers = export.world.writers[export.database, str(export.entity.fields.get("to"))]
    same = [label for label in writers if label != export.entity.ref.label]
    if same:
        yield f"{', '.join(same)} writes there too", "give each export its own external table and path"
