"""Who changed it: the newest entry of the database's journal for each thing that differs.

(".show database DB journal", learn.microsoft.com, Journal management: only metadata, and only for admins of the
database. An entry whose client request id starts with ``kxrecon;`` was sent by an apply.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kxrecon.kql import identifier
from kxrecon.model import Answers, Failure, Finding, Read, Ref, Table

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


def blame(refs: Iterable[Ref], answers: Answers, mask: Callable[[str], str]) -> Iterator[Finding]:
    """A note for each ref that the journal speaks of; one for each journal that could not be read."""
    unread: set[str] = set()
    for ref in dict.fromkeys(refs):
        database = database_of(ref)
        answer = answers.get(journal(database)) if database else None
        if isinstance(answer, Failure) and database not in unread:
            unread.add(str(database))
            yield Finding(
                "note", None, f"the journal of {database} could not be read ({answer.reason}: {answer.message})"
            )
        row = _newest(ref, answer) if isinstance(answer, Table) else None
        if row is not None:
            yield Finding("note", ref, _said(row, mask))


def _newest(ref: Ref, answer: Table) -> Mapping[str, Any] | None:
    lowered = [{key.lower(): value for key, value in row.items()} for row in answer.records()]
    mine = [row for row in lowered if _is_about(ref, row)]
    return max(mine, key=lambda row: str(row.get("eventtimestamp") or ""), default=None)


def _is_about(ref: Ref, row: Mapping[str, Any]) -> bool:
    event, command = str(row.get("event") or ""), str(row.get("changecommand") or "").lower()
    if ref.kind in _NAMED:
        names = {str(row.get("entityname") or ""), str(row.get("updatedentityname") or "")}
        return ref.name[1] in names and ref.kind.replace("_", "-").upper() in event.upper().replace("_", "-")
    if ref.kind == "database_role":
        return "PRINCIPALS" in event.upper() and ref.name[1] in command
    return "POLICY" in event.upper() and "managed_identity" in command


def _said(row: Mapping[str, Any], mask: Callable[[str], str]) -> str:
    """``changed 2026-… by …: DROP-EXTERNAL-TABLE with .drop …``"""
    when = str(row.get("eventtimestamp") or "")[:19].replace("T", " ")
    client = str(row.get("clientrequestid") or "")
    who = str(row.get("user") or "") or str(row.get("principal") or "somebody")
    by = f"kxrecon (run {client.split(';')[1]}), as {who}" if client.startswith(OWN) else who
    command = " ".join(mask(str(row.get("changecommand") or "")).split())
    short = command if len(command) <= 160 else command[:159] + "…"
    return f"last changed {when}Z by {by}: {row.get('event')}" + (f" with {short}" if short else "")
