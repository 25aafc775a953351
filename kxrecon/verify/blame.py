"""Who changed it: the newest entry of the database's journal about each thing that differs.

(".show database DB journal", learn.microsoft.com, Journal management: only metadata, and only for admins of the
database; others see their own entries. An entry whose client request id starts with ``kxrecon;`` was sent by an apply.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kxrecon.kql import identifier
from kxrecon.model import Answers, Change, Failure, Finding, Read, Ref, Table
from kxrecon.scope import Scope
from kxrecon.verify.entries import about, explains

OWN = "kxrecon;"
_NAMED = frozenset({"table", "function", "external_table", "continuous_export"})


def journal(database: str) -> Read:
    """Every change of a database's metadata."""
    return Read("kusto", database, f".show database {identifier(database)} journal")


def database_of(ref: Ref) -> str | None:
    """The database in whose journal a change of ``ref`` stands; None for what is in no journal."""
    if ref.kind in _NAMED or ref.kind == "database_role":
        return ref.name[0]
    if ref.kind == "managed_identity_policy" and ref.name[0] == "database":
        return ref.name[1]
    return None


def blame(changes: Iterable[Change], answers: Answers, scope: Scope, mask: Callable[[str], str]) -> Iterator[Finding]:
    """A note for each change that the journal speaks of; one for each journal that could not be read."""
    unread: set[str] = set()
    for ref, change in {change.ref: change for change in changes}.items():
        database = database_of(ref)
        answer = answers.get(journal(database)) if database else None
        if isinstance(answer, Failure) and database not in unread:
            unread.add(str(database))
            yield Finding(
                "note", None, f"the journal of {database} could not be read ({answer.reason}: {answer.message})"
            )
        told = _told(change, answer, scope, mask) if isinstance(answer, Table) else ""
        if told:
            yield Finding("note", ref, told)


def _told(change: Change, answer: Table, scope: Scope, mask: Callable[[str], str]) -> str:
    """When, by whom and with which command; or why that cannot be told; empty if no entry speaks of it."""
    lowered = [{key.lower(): value for key, value in row.items()} for row in answer.records()]
    for row in sorted(lowered, key=lambda row: str(row.get("eventtimestamp") or ""), reverse=True):
        match = about(change, row, scope)
        if match == "yes" and explains(change, row):
            return f"last changed {_said(row, mask)}"
        if match == "yes":
            seen = "is not there" if change.observed is None else "is there"
            return (
                f"who changed it last cannot be told: it {seen}, and the newest entry about it that is shown "
                f"is {_said(row, mask)} (only admins of the database see those of others)"
            )
        if match == "maybe" and explains(change, row):
            return f"who changed it last cannot be told: it may have been {_said(row, mask)}"
    return ""


def _said(row: Mapping[str, Any], mask: Callable[[str], str]) -> str:
    """``2026-… by …: DROP-EXTERNAL-TABLE with .drop …``"""
    when = str(row.get("eventtimestamp") or "")[:19].replace("T", " ")
    client = str(row.get("clientrequestid") or "")
    who = str(row.get("user") or "") or str(row.get("principal") or "somebody")
    by = f"kxrecon (run {client.split(';')[1]}), as {who}" if client.startswith(OWN) else who
    command = " ".join(mask(str(row.get("changecommand") or "")).split())
    short = command if len(command) <= 160 else command[:159] + "…"
    return f"{when}Z by {by}: {row.get('event')}" + (f" with {short}" if short else "")
