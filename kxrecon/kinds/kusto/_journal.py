"""What the database's journal tells of exports: who disabled one, and since when one runs as whom.

(``.show database DB journal``, learn.microsoft.com, Journal management: admins see every entry, others only their
own; its format is no contract, so an entry that does not look like this proves nothing.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kxrecon.kinds.kusto._cells import cells
from kxrecon.kql import identifier, string
from kxrecon.model import Read, Reading, Table, Value

_DISABLE = re.compile(r"(?i)^\s*\.disable\s+continuous-export\b")
_DISABLED = re.compile(r"(?is)^\s*\.create-or-alter\s+continuous-export\b(?:(?!<\|).)*\bisDisabled\s*=\s*['\"]?true\b")
_DEFINED = re.compile(
    r"""(?is)^\s*\.create-or-alter\s+continuous-export\b(?:(?!<\|).)*?\bmanagedIdentity\s*=\s*['"]?([0-9a-z-]+)"""
)
_OWN = "kxrecon;"


def journal(database: str) -> Read:
    """What was done to the continuous exports of a database."""
    what = string("continuous-export")
    return Read(
        "kusto", database, f".show database {identifier(database)} journal | where ChangeCommand contains {what}"
    )


def told(readings: Iterable[Reading], answer: Table) -> Mapping[str, Mapping[str, Value]]:
    """``disabledBy``, ``disabledAt`` and ``disabledWith`` by export, where the newest entry about it disabled it."""
    take = cells(answer, "EventTimestamp", "EntityName", "ChangeCommand", "Principal", "ClientRequestId")
    rows = sorted((row for row in map(take, answer.rows) if row[0]), key=lambda row: str(row[0]))
    newest = {str(name): row for row in rows for name in (row[1],)}
    found: dict[str, Mapping[str, Value]] = {}
    for reading in readings:
        row = newest.get(reading.ref.name[1])
        command = str(row[2] or "") if row else ""
        if row is None or not row[3] or not (_DISABLE.match(command) or _DISABLED.match(command)):
            continue
        client = str(row[4] or "")
        by = f"kxrecon (run {client.split(';')[1]}), as {row[3]}" if client.startswith(_OWN) else str(row[3])
        verb = ".disable" if _DISABLE.match(command) else ".create-or-alter with isDisabled=true"
        found[reading.ref.name[1]] = {"disabledBy": by, "disabledAt": str(row[0]), "disabledWith": verb}
    return found


def defined(answer: Table) -> Mapping[str, tuple[str, str]]:
    """(identity, instant) by export: as whom its newest definition makes it run, and when that was written. An export
    whose newest definition does not name an identity is left out."""
    take = cells(answer, "EventTimestamp", "EntityName", "ChangeCommand")
    found: dict[str, tuple[str, str]] = {}
    for when, name, command in sorted((row for row in map(take, answer.rows) if row[0]), key=lambda row: str(row[0])):
        if "create-or-alter" not in str(command or "").lower():
            continue
        match = _DEFINED.match(str(command))
        found.pop(str(name), None)
        if match:
            found[str(name)] = (match[1].lower(), str(when))
    return found
