"""One run of one continuous export: check the chain, read what is new, write it, and only then move the cursor.

Files come first and are recorded together with the cursor in one transaction: a crash leaves at most files
that no list names ("learn.microsoft.com, Continuous data export: exactly once" holds for listed artifacts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from kxrecon.sandbox.kusto.errors import KustoError
from kxrecon.sandbox.kusto.session import Caller, Session
from kxrecon.sandbox.kusto.values import iso
from kxrecon.sandbox.scheduler import evaluation, sql_writer, window, writer
from kxrecon.sandbox.scheduler.chain import first_broken
from kxrecon.sandbox.scheduler.documents import Job, moment
from kxrecon.sandbox.scheduler.verdicts import Subject, Verdict
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.switches import load
from kxrecon.sandbox.world import World

PATIENCE = timedelta(days=7)
SERVICE = Caller("", "aadapp=continuous-export", frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did. ``link``: the broken link, or "export" when reading or writing failed; "" if it succeeded."""

    cluster_uri: str
    database: str
    export: str
    succeeded: bool
    records: int = 0
    files: tuple[str, ...] = ()
    link: str = ""
    details: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Artifact:
    """What ``exported-artifacts`` lists of one file or table."""

    path: str
    records: int
    size: int


class Overtaken(Exception):
    """Another run moved the cursor, or the job was changed or dropped, while this one was at work."""


def run(world: World, job: Job, folder: Path) -> Run:
    """Run an export once and remember how it went."""
    subject = Subject(world, job)
    broken = first_broken(subject)
    if broken is not None:
        return _fail(subject, broken, "Failure")
    span = window.span(
        world.store, subject.uri, subject.facts, job.cursor, window.latest(world.clock.now(), job.latency)
    )
    written: list[writer.Written] = []
    try:
        rows = [] if span.is_empty else evaluation.rows(subject, span)
        if subject.target()["kind"] == "storage":
            writer.write(subject, rows, folder, written.append)
    except (KustoError, OSError) as error:
        text = error.text if isinstance(error, KustoError) else f"Writing failed: {error}"
        return _fail(subject, Verdict("export", False, text, False), "PartialFailure" if written else "Failure")
    try:
        return _succeed(subject, span, rows, written)
    except Overtaken as overtaken:
        return _outcome(subject, succeeded=False, link="export", details=str(overtaken))


def _outcome(subject: Subject, **fields: Any) -> Run:
    return Run(*subject.job.key, **fields)


def _current(subject: Subject) -> Document:
    """The job's document now, inside the transaction; Overtaken if it is not the one that ran."""
    found = subject.world.store.get("continuous_export", *subject.job.key)
    if found is None:
        raise Overtaken("the export was dropped while it ran")
    if found.get("cursor") != subject.job.document.get("cursor"):
        raise Overtaken("another run of the export was faster")
    return found


def _succeed(
    subject: Subject, span: window.Span, rows: Sequence[Sequence[Any]], written: Sequence[writer.Written]
) -> Run:
    """Record the artifacts and move the cursor, in one transaction."""
    world, key = subject.world, subject.job.key
    now = iso(world.clock.now())
    with world.store.transaction():
        document = _current(subject)
        artifacts = [Artifact(one.path, one.records, one.size) for one in written]
        if rows and subject.target()["kind"] == "sql":
            path, size = sql_writer.insert(subject, rows)
            artifacts = [Artifact(path, len(rows), size)]
        for one in artifacts:
            _add(subject, "artifact", {"path": one.path, "records": one.records, "bytes": one.size, "timestamp": now})
        moved = {} if span.is_empty else {"cursor": str(int(span.until)), "exportedTo": span.ingested}
        state = {"lastRunTime": now, "lastRunResult": "Completed", "lastSuccess": now, "failingSince": None}
        world.store.put("continuous_export", key, {**document, **state, **moved})
    return _outcome(subject, succeeded=True, records=len(rows), files=tuple(one.path for one in artifacts))


def _add(subject: Subject, kind: str, document: Document) -> None:
    """Append to the job's list of artifacts or failures."""
    store, key = subject.world.store, subject.job.key
    known = store.all(kind, *key)
    number = int(known[-1][0][3]) + 1 if known else 1
    full = {"externalTable": subject.job.document["externalTable"], **document}
    store.put(kind, (*key, f"{number:012}"), full)


def _fail(subject: Subject, broken: Verdict, kind: str) -> Run:
    """Record a failure; after seven days of failing for permanent reasons the service disables the job."""
    world, key = subject.world, subject.job.key
    if broken.link == "cluster":
        # a cluster that is not running runs no exports and records nothing
        return _outcome(subject, succeeded=False, link=broken.link, details=broken.details)
    now = world.clock.now()
    with world.store.transaction():
        document = world.store.get("continuous_export", *key)
        if document is None:
            return _outcome(subject, succeeded=False, link="job", details="the export was dropped while it ran")
        since = (document.get("failingSince") or iso(now)) if broken.permanent else document.get("failingSince")
        begun = moment(since)
        disable = broken.permanent and begun is not None and now - begun > PATIENCE
        state = {"lastRunTime": iso(now), "lastRunResult": "Failed", "failingSince": since}
        _add(
            subject,
            "failure",
            {
                "timestamp": iso(now),
                "operation": str(uuid4()),
                "kind": kind,
                "details": broken.details,
                "lastSuccess": document.get("lastSuccess"),
            },
        )
        if disable:
            state |= {"isDisabled": True, "disabledBy": "service"}
        after = {**document, **state}
        world.store.put("continuous_export", key, after)
        if disable:
            _journal(subject, document, after)
    return _outcome(subject, succeeded=False, link=broken.link, details=broken.details, disabled=disable)


def _journal(subject: Subject, before: Document, after: Document) -> None:
    """The service's own entry in the database's journal."""
    world, (uri, database, name) = subject.world, subject.job.key
    text = f".disable continuous-export {name}"
    session = Session(world.store, world.clock, uri, load(world.store), SERVICE, database, text, str(uuid4()))
    session.record("ALTER-CONTINUOUS-EXPORT", name, before, after)
