"""KX12x: what a continuous export may not do, or should not (learn.microsoft.com, Continuous data export)."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from kxrecon import kql
from kxrecon.lint.rules import Said, rule
from kxrecon.lint.world import Export
from kxrecon.model import Value

SHORT = 2 * kql.MINUTE
LONG = 24 * kql.HOUR
FILES_A_DAY = 50_000
NAME_THEM = "name the databases in reads:, which is taken for all of them"


@rule("KX120", "error", "the query reads another cluster")
def other_cluster(export: Export) -> Iterator[Said]:
    """Cross-cluster queries are not supported. A cluster may call itself by its name."""
    texts = (("", export.query, export.tokens), *((name, "cluster", body) for name, body in export.bodies.items()))
    for function, text, tokens in texts:
        for place, token in enumerate(tokens) if "cluster" in text else ():
            after = tokens[place + 1 : place + 3]
            if token.text != "cluster" or not after or after[0].text != "(":
                continue
            if not _is_own(after[-1].name, export.world.host):
                inside = f" (in function '{function}')" if function else ""
                remedy = "use a follower database"
                yield Said(f"a continuous export cannot read another cluster{inside}", remedy, token, function)


def _is_own(name: str, host: str) -> bool:
    """Whether ``cluster('name')`` is the cluster itself: by its host, with or without the domain."""
    bare = name.lower().removeprefix("https://").rstrip("/")
    return bool(bare) and host in (bare, f"{bare}.kusto.windows.net")


@rule("KX121", "error", "another database is read without a managed identity", "managedIdentity")
def other_database(export: Export) -> Iterator[Said]:
    """Cross-database queries run as a managed identity only."""
    if export.fields.get("managedIdentity") is not None:
        return
    others = sorted(export.databases - {export.database})
    if others:
        yield Said(f"the query reads {', '.join(others)}, and no managedIdentity is set", "set managedIdentity:")


@rule("KX132", "warning", "which databases the query reads cannot be told")
def open_reads(export: Export) -> Iterator[Said]:
    """Its identity gets a role on every database that it is known to read, and on no other."""
    for said in export.reads.open:
        yield Said(f"not known: {said}", NAME_THEM)


@rule("KX122", "error", "impersonation without a managed identity", "managedIdentity")
def impersonation(export: Export) -> Iterator[Said]:
    """An external table that impersonates needs somebody to impersonate."""
    if "impersonate" in export.forms and export.fields.get("managedIdentity") is None:
        yield Said("its external table impersonates, and no managedIdentity is set", "set managedIdentity:")


@rule("KX123", "error", "the external table does not say how to get in", "to")
def no_credentials(export: Export) -> Iterator[Said]:
    """A connection without authentication writes nowhere."""
    if "none" in export.forms:
        remedy = "append ;impersonate, or use a target"
        yield Said("its external table has a connection without authentication", remedy)


@rule("KX124", "note", "short intervals make many small files", "intervalBetweenRuns", on="storage")
def short_interval(export: Export) -> Iterator[Said]:
    """Each run writes at least one file a node, however few its records are."""
    interval = export.fields.get("intervalBetweenRuns")
    if interval is None or interval >= SHORT:
        return
    if export.fields.get("distributed", True) is not False:
        message = f"{LONG // interval} runs a day, each with a file or more per node"
        yield Said(message, "a longer interval, or distributed: false, makes fewer and larger files")


@rule("KX125", "note", "long intervals notice failures late", "intervalBetweenRuns")
def long_interval(export: Export) -> Iterator[Said]:
    """An export that fails for seven days is disabled; with one run a day that is seven chances."""
    interval = export.fields.get("intervalBetweenRuns")
    if interval is not None and interval > LONG:
        runs = 7 * LONG // interval
        message = f"{runs} runs in the seven days after which a failing export is disabled"
        yield Said(message, "run it at least daily")


@rule("KX126", "warning", "parquetRowGroupSize without Parquet", "parquetRowGroupSize")
def row_group(export: Export) -> Iterator[Said]:
    """The property means something for Parquet files only."""
    if "parquetRowGroupSize" not in export.fields or export.table is None:
        return
    form = export.target.get("dataFormat")
    if form != "parquet":
        yield Said(f"the external table's format is {form or 'SQL'}, which has no row groups", "leave it out")


@rule("KX127", "warning", "two exports write into one external table", "to")
def shared_target(export: Export) -> Iterator[Said]:
    """Readers then find the records of both, and each record twice if the queries overlap."""
    writers = export.world.writers[export.database, str(export.fields.get("to"))]
    if len(writers) > 1:
        same = [label for label in writers if label != export.entity.ref.label]
        yield Said(f"{', '.join(same)} writes there too", "give each export its own external table and path")


@rule("KX128", "note", "partitions and interval make many files", "intervalBetweenRuns", on="storage")
def many_files(export: Export) -> Iterator[Said]:
    """Each run writes a file at least for each value of the partitions that its records have."""
    interval = export.fields.get("intervalBetweenRuns")
    partitions = export.target.get("partitions")
    if not partitions or not interval:
        return
    values = prod(_values(partition, interval) for partition in partitions)
    files = values * (LONG // interval)
    if files > FILES_A_DAY:
        message = f"{values} partitions in each of {LONG // interval} runs a day: {files} files a day, or more"
        yield Said(message, "fewer partitions or a longer interval makes larger files, which are read faster")


def _values(partition: Value, interval: int) -> int:
    """How many values of a partition a run meets at least, if its records are of the time since the run before."""
    argument = partition.get("argument")
    if not isinstance(argument, int):
        return 1
    return argument if partition.get("function") == "hash" else max(1, interval // argument)


@rule("KX129", "error", "the database follows another cluster's", "query", connected=True)
def follower(export: Export) -> Iterator[Said]:
    """Continuous export is not supported in follower databases."""
    if export.world.follows(export.database):
        yield Said(f"{export.database} is a follower database: it cannot export", "export where it is led from")
