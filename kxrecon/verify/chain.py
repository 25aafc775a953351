"""The chain of one export: its links in the order in which a run meets them, each judged by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from kxrecon import kql
from kxrecon.errors import MALFORMED
from kxrecon.model import Ref
from kxrecon.report.status import moment, span
from kxrecon.report.values import value
from kxrecon.verdicts import Chain, Fix, Link, broken, holds, unknown
from kxrecon.verify import at_sql, at_storage, content, first_run, fixes, on_cluster, reads
from kxrecon.verify.callouts import callouts
from kxrecon.verify.known import EXPORT, Known, Subject

Judge = Callable[[Subject], Link]
AtTarget = Callable[[Subject, Mapping[str, Any]], Link]

BEFORE: tuple[tuple[str, Judge], ...] = (
    ("cluster", on_cluster.cluster),
    ("identity", on_cluster.assigned),
    ("policy", on_cluster.allowed),
    ("role", on_cluster.role),
    ("external-table", content.external_table),
    ("schema", content.schema),
    ("facts", content.facts),
    ("authentication", content.authentication),
)
STORAGE: tuple[tuple[str, AtTarget], ...] = (
    ("target", at_storage.target),
    ("grant", at_storage.grant),
    ("network", at_storage.network),
    ("callout", callouts),
)
SQL: tuple[tuple[str, AtTarget], ...] = (("target", at_sql.target), ("grant", at_sql.grant), ("callout", callouts))


def chains(known: Known, labels: Iterable[str] = ()) -> list[Chain]:
    """The chains of all exports that are known, or of those named; broken ones first."""
    wanted = set(labels)
    found = [
        chain(subject)
        for subject in known.subjects()
        if not wanted or wanted & {subject.export.ref.label, subject.name}
    ]
    rank = {"broken": 0, "unknown": 1, "holds": 2}
    return sorted(found, key=lambda one: (rank[one.verdict], one.export))


def hidden(known: Known) -> list[Chain]:
    """One chain of one link for each database whose exports could not be listed: nobody knows what is in there."""
    there = {subject.database for subject in known.subjects()}
    gaps = {gap.prefix[0]: gap.failure for gap in known.observed.gaps if gap.kind == EXPORT}
    return [
        Chain(f"{name}/*", (replace(unknown(f"could not be read ({fixes.words(failure)})"), name="job"),))
        for name, failure in sorted(gaps.items())
        if name not in there and failure.reason != "absent"
    ]


def chain(subject: Subject) -> Chain:
    """All links of one export."""
    return Chain(subject.export.ref.label, tuple(_links(subject)))


def _links(subject: Subject) -> Iterator[Link]:
    for name, judge in BEFORE:
        yield _judged(name, partial(judge, subject))
    sql = subject.table is not None and subject.table.fields.get("kind") == "sql"
    for name, at in SQL if sql else STORAGE:
        yield _worst([_judged(name, partial(at, subject, one)) for one in subject.connections], name)
    yield _judged("job", partial(job, subject))
    yield _judged("run", partial(run, subject))


def _judged(name: str, judge: Callable[[], Link]) -> Link:
    """One link. An answer that has not the documented form proves nothing, and hides no other link."""
    try:
        return replace(judge(), name=name)
    except MALFORMED as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        return replace(unknown(f"what was answered about the {name} cannot be understood: {what[:200]}"), name=name)


def _worst(links: list[Link], name: str) -> Link:
    """Several connections are one link: the worst of them, or all evidence if all hold."""
    for verdict in ("broken", "unknown"):
        found = next((link for link in links if link.verdict == verdict), None)
        if found is not None:
            return found
    if not links:
        return replace(unknown("not reached: there is no external table"), name=name)
    return replace(holds("; ".join(dict.fromkeys(link.evidence for link in links))), name=name)


def job(subject: Subject) -> Link:
    """The export is there, enabled, and as the spec has it."""
    known, ref = subject.known, subject.export.ref
    if ref not in known.observed.entities:
        if hidden := known.hidden(ref):
            return unknown(f"the exports of '{subject.database}' {hidden}")
        return broken("there is no such export yet", *fixes.definition(known))
    change = known.changes.get(ref)
    fields = [one for one in change.fields if one.field != "isDisabled"] if change else []
    if fields:
        told = "; ".join(
            f"{one.field} is {value(one.field, one.observed)}, not {value(one.field, one.desired)}" for one in fields
        )
        return broken(f"the export is not what the spec says: {told}", *fixes.definition(known))
    if subject.export.fields.get("isDisabled"):
        wanted = known.desired.entities.get(ref)
        if wanted is not None and wanted.fields.get("isDisabled") is True and wanted.path and change is None:
            return holds("the export is disabled, as the spec wants it")
        text = f".enable continuous-export {kql.identifier(subject.name)}"
        return broken("the export is disabled", Fix("kusto", text, subject.database))
    return holds("the export is enabled" + (", as the spec has it" if _in_spec(ref, known) else ""))


def _in_spec(ref: Ref, known: Known) -> bool:
    wanted = known.desired.entities.get(ref)
    return wanted is not None and bool(wanted.path)


def run(subject: Subject) -> Link:
    """How the last run went. A failure that no link explains may have been mended since: that is not known."""
    reading = subject.known.observed.readings.get(subject.export.ref)
    if reading is None:
        return unknown("not reached: no such export is seen")
    last = reading.values.get("lastRunTime")
    if not last:
        return _first_run(subject)
    if subject.failure:
        return unknown(f"the last run, at {last}, failed: {subject.failure}")
    return holds(f"the last run, at {last}, succeeded")


def _first_run(subject: Subject) -> Link:
    """An export that never ran proves nothing, until it should have."""
    if subject.export.fields.get("isDisabled"):
        return holds("it has not run yet: it is disabled")
    known = subject.known
    began, clock = reads.enabled_since(known.answers, known.observed.readings[subject.export.ref])
    interval = (subject.export.fields.get("intervalBetweenRuns") or 0) / kql.SECOND
    odd = span(first_run.odd_after(interval))
    if began is None or clock is None:
        return unknown(f"it has not run yet, and since when it is enabled is not known: more than {odd} would be odd")
    told = (
        f"it is enabled since {moment(began)} ({span((clock - began).total_seconds())}), and due every {span(interval)}"
    )
    if first_run.overdue(began, interval, clock):
        return unknown(f"it never ran: {told}")
    return holds(f"it has not run yet: {told}")
