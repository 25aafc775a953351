"""What the database's journal tells of exports: who disabled one, and since when one runs as whom.

(``.show database DB journal``, learn.microsoft.com, Journal management: admins see every entry, others only their
own; its format is no contract, so an entry that does not look like this proves nothing.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kxrecon.kinds.kusto._cells import cells
from kxrecon.kql import identifier, string
from kxrecon.model import Read, Reading, Table, Value

_DISABLE = re.compile(r"(?i)^\s*\.disable\s+continuous-export\b")
_DISABLED = re.compile(r"(?is)^\s*\.create-or-alter\s+continuous-export\b(?:(?!<\|).)*\bisDisabled\s*=\s*['\"]?true\b")
_DEFINED = re.compile(
    r"""(?is)^\s*\.create-or-alter\s+continuous-export\b(?:(?!<\|).)*?\bmanagedIdentity\s*=\s*['"]?([0-9a-z-]+)"""
)
_STARTED = re.compile(r"(?i)^\s*\.(enable|create-or-alter)\s+continuous-export\b")
_ENDED = re.compile(r"(?i)^\s*\.drop\s+continuous-export\b")
_OWN = "kxrecon;"


def journal(database: str) -> Read:
    """What was done to the continuous exports of a database."""
    what = string("continuous-export")
    return Read(
        "kusto", database, f".show database {identifier(database)} journal | where ChangeCommand contains {what}"
    )


def told(readings: Iterable[Reading], answer: Table) -> Mapping[str, Mapping[str, Value]]:
    """``disabledBy``, ``disabledAt`` and ``disabledWith`` by export, where the newest entry about it disabled it; of
    several in a row that did, the first: who writes a disabled export again did not stop it. But who stops what
    kxrecon let stand still means it. ``disabledByUs``: a run of kxrecon did it."""
    take = cells(answer, "EventTimestamp?", "EntityName?", "ChangeCommand?", "Principal?", "ClientRequestId?")
    stopped: dict[str, tuple[Any, ...]] = {}
    for row in sorted((row for row in map(take, answer.rows) if row[0]), key=lambda row: str(row[0])):
        if row[3] and _verb(row[2]):
            before = stopped.setdefault(str(row[1]), row)
            if _ours(before) and not _ours(row) and _DISABLE.match(str(row[2] or "")):
                stopped[str(row[1])] = row
        else:
            stopped.pop(str(row[1]), None)
    names = {reading.ref.name[1] for reading in readings}
    return {name: _disabled(*row) for name, row in stopped.items() if name in names}


def enabled(answer: Table) -> Mapping[str, str]:
    """By export the instant since when it is enabled: it was made, or the last ``.enable`` after it stood still."""
    take = cells(answer, "EventTimestamp?", "EntityName?", "ChangeCommand?")
    found: dict[str, str] = {}
    for when, name, command in sorted((row for row in map(take, answer.rows) if row[0]), key=lambda row: str(row[0])):
        if _STARTED.match(str(command or "")) and not _verb(command):
            found.setdefault(str(name), str(when))
        elif _ENDED.match(str(command or "")) or _verb(command):
            found.pop(str(name), None)
    return found


def _ours(row: Sequence[Any]) -> bool:
    """Whether an entry is of a run of kxrecon."""
    return str(row[4] or "").startswith(_OWN)


def _verb(command: Value) -> str:
    """How a command disables an export; empty if it does not."""
    text = str(command or "")
    return (
        ".disable" if _DISABLE.match(text) else ".create-or-alter with isDisabled=true" if _DISABLED.match(text) else ""
    )


def _disabled(when: Value, name: Value, command: Value, principal: Value, client: Value) -> Mapping[str, Value]:
    run = str(client or "")
    by = f"kxrecon (run {run.split(';')[1]}), as {principal}" if run.startswith(_OWN) else str(principal)
    ours = run.startswith(_OWN)
    return {"disabledBy": by, "disabledAt": str(when), "disabledWith": _verb(command), "disabledByUs": ours}


def defined(answer: Table) -> Mapping[str, tuple[str, str]]:
    """(identity, instant) by export: as whom its newest definition makes it run, and when that was written. An export
    whose newest definition does not name an identity is left out."""
    take = cells(answer, "EventTimestamp?", "EntityName?", "ChangeCommand?")
    found: dict[str, tuple[str, str]] = {}
    for when, name, command in sorted((row for row in map(take, answer.rows) if row[0]), key=lambda row: str(row[0])):
        if "create-or-alter" not in str(command or "").lower():
            continue
        match = _DEFINED.match(str(command))
        found.pop(str(name), None)
        if match:
            found[str(name)] = (match[1].lower(), str(when))
    return found
