"""The export's query, run over a window of its fact tables: the seam to the sandbox's query evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kxrecon.sandbox.kusto import evaluate
from kxrecon.sandbox.kusto.values import canonical
from kxrecon.sandbox.scheduler.verdicts import Subject
from kxrecon.sandbox.scheduler.window import Span

NOTHING = Span("0", "0", None)  # sequences are greater


def columns(subject: Subject) -> list[tuple[str, str]]:
    """Names and canonical types of the result's columns. Raises KustoError as the query would."""
    found, _ = _run(subject, NOTHING)
    return [(str(name), canonical(str(kind))) for name, kind in found]


def rows(subject: Subject, span: Span) -> Sequence[Sequence[Any]]:
    """The result over the fact rows of a span. Raises KustoError, NotImitated among them."""
    _, found = _run(subject, span)
    return found


def _run(subject: Subject, span: Span) -> tuple[Sequence[Sequence[str]], Sequence[Sequence[Any]]]:
    after = {table: int(span.after) for database, table in subject.facts if database == subject.database}
    query = str(subject.job.document["query"])
    return evaluate.run(subject.world.store, subject.uri, subject.database, query, after, int(span.until))
