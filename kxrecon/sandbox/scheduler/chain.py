"""The permission chain of one export, link by link, in the order in which the service would meet it."""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.scheduler import callouts, kusto_links, sql_links, storage_links
from kxrecon.sandbox.scheduler.documents import job
from kxrecon.sandbox.scheduler.verdicts import Link, Subject, Verdict, judge
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World

ON_CLUSTER: tuple[tuple[str, Link], ...] = (
    ("cluster", kusto_links.cluster),
    ("identity", kusto_links.assigned),
    ("policy", kusto_links.allowed),
    ("role", kusto_links.role),
    ("external-table", kusto_links.external_table),
    ("schema", kusto_links.schema),
    ("facts", kusto_links.facts),
    ("authentication", kusto_links.authentication),
)
AT_STORAGE: tuple[tuple[str, Link], ...] = (
    ("target", storage_links.account),
    ("grant", storage_links.grant),
    ("network", storage_links.network),
)
AT_SQL: tuple[tuple[str, Link], ...] = (("target", sql_links.database), ("grant", sql_links.grant))
OUTBOUND: tuple[tuple[str, Link], ...] = (("callout", callouts.callouts),)


def links(subject: Subject) -> Iterator[Verdict]:
    """The verdicts, lazily and in order. A table that isn't there has no target: those links are unreached."""
    at_target = AT_SQL if subject.external and subject.external["kind"] == "sql" else AT_STORAGE
    for name, link in (*ON_CLUSTER, *at_target, *OUTBOUND):
        yield judge(name, link, subject)


def first_broken(subject: Subject) -> Verdict | None:
    """The first link that does not hold; what comes after it is not looked at."""
    return next((verdict for verdict in links(subject) if verdict.holds is False), None)


def why(store: Store, cluster_uri: str, database: str, export: str) -> list[Verdict]:
    """All verdicts of an export, with the job itself last; one broken ``job`` if there is none."""
    found = job(store, cluster_uri, database, export)
    if found is None:
        return [Verdict("job", False, f"Continuous export '{export}' was not found in database '{database}'.")]
    verdicts = list(links(Subject(World(store, Clock(store)), found)))
    disabled = bool(found.document.get("isDisabled"))
    by = found.document.get("disabledBy")
    text = f"the export is disabled by the {by or 'user'}" if disabled else "the export is enabled"
    return [*verdicts, Verdict("job", not disabled, text)]
