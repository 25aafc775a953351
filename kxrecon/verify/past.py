"""Asking what an export did: its files and its failures, as ``History``.

(".show continuous-export failures" and "… exported-artifacts" take a monitor or an admin of the database, so they may
be denied where the state of the export is not: learn.microsoft.com.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from kxrecon.history import Failed, History, runs
from kxrecon.kql import identifier
from kxrecon.model import Answer, Failure, Read, Ref, Table
from kxrecon.planes import PlaneClient
from kxrecon.verify import reads
from kxrecon.verify.first_run import instant


def past(
    ref: Ref, kusto: PlaneClient, empty: History, interval: float, *, files: bool, failures: bool
) -> tuple[History, str]:
    """What was asked for of the time of the ``empty`` history, and why it is not known ("" if it is)."""
    found, why = empty, ""
    if failures:
        answer = kusto.read(reads.failures(ref))
        why = _why(answer)
        failed = sorted((_failed(when, row) for when, row in _rows(answer, empty.since)), key=lambda one: one.when)
        found = replace(found, failures=tuple(failed))
    if files:
        answer = kusto.read(artifacts(ref))
        why = why or _why(answer)
        rows = list(_rows(answer, empty.since))
        wrote = ((when, count(row.get("NumRecords"))) for when, row in rows)
        sizes = [count(row["SizeInBytes"]) for _, row in rows if row.get("SizeInBytes") is not None]
        found = replace(found, runs=runs(wrote, interval), size=sum(sizes) if len(sizes) == len(rows) else None)
    return found, why


def artifacts(ref: Ref) -> Read:
    """The files of one export in the last 14 days."""
    return Read("kusto", ref.name[0], f".show continuous-export {identifier(ref.name[1])} exported-artifacts")


def count(cell: Any) -> int:
    """A number as Kusto gives it or as a text; 0 for what is none."""
    return cell if isinstance(cell, int) else int(cell) if str(cell).isdecimal() and len(cell) < 20 else 0


def _failed(when: datetime, row: Mapping[str, Any]) -> Failed:
    kind = str(row.get("FailureKind") or "Failure")
    return Failed(when, kind, str(row.get("Details") or ""), instant(row.get("LastSuccessRun")))


def _rows(answer: Answer, since: datetime) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    for row in answer.records() if isinstance(answer, Table) else ():
        when = instant(row.get("Timestamp"))
        if when is not None and when >= since:
            yield when, row


def _why(answer: Answer) -> str:
    return f"could not be read ({answer.reason}: {answer.message})" if isinstance(answer, Failure) else ""
