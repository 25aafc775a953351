"""A cluster of three tables, played by a plane that obeys a handful of commands; for tests of what apply does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kxrecon.model import Answer, Read, Request, Table

EXPORT_COLUMNS = (
    *("Name", "ExternalTableName", "Query", "ForcedLatency", "IntervalBetweenRuns", "CursorScopedTables"),
    *("ExportProperties", "LastRunTime", "StartCursor", "IsDisabled", "LastRunResult", "ExportedTo", "IsRunning"),
)
PRINCIPAL_COLUMNS = ("Role", "PrincipalType", "PrincipalDisplayName", "PrincipalObjectId", "PrincipalFQN", "Notes")


def export(name: str, to: str = "Lake", *, cursor: str = "100", exported: str | None = None, disabled: bool = False):
    """A row of ``.show continuous-exports``."""
    return [
        *(name, to, "Events", None, "00:10:00", "[\"['D'].['Events']\"]"),
        *('{"ManagedIdentity": "system"}', None, cursor, disabled, None, exported, False),
    ]


def principal(object_id: str, role: str = "Viewer", *, prefix: str = "aadapp", fqn: str | None = None):
    """A row of ``.show database D principals``."""
    name = fqn or f"{prefix}={object_id};tenant"
    return [f"Database D {role}", "", object_id, object_id, name, ""]


@dataclass
class Kusto:
    """The Kusto plane of one database ``D``; ``on_write`` sees each command before it takes effect."""

    exports: list[list[Any]] = field(default_factory=list)
    principals: list[list[Any]] = field(default_factory=list)
    caller: list[list[Any]] = field(default_factory=list)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    on_write: Callable[[str], Any] = lambda text: None
    sent: list[str] = field(default_factory=list)

    def read(self, read: Read) -> Answer:
        if read.text in self.answers:
            return self.answers[read.text]
        if read.text == ".show continuous-exports":
            return Table(EXPORT_COLUMNS, [list(row) for row in self.exports])
        if read.text.endswith("principal roles"):
            return Table(("Scope", "DisplayName", "AADObjectID", "Role"), self.caller)
        if read.text.endswith("principals"):
            return Table(PRINCIPAL_COLUMNS, [list(row) for row in self.principals])
        return Table(("Empty",), [])

    def write(self, request: Request) -> Mapping[str, Any]:
        text = "".join(str(part) for part in request.text)
        self.sent.append(text)
        answer = self.on_write(text)
        self.obey(text)
        return answer or {"columns": [], "rows": []}

    def obey(self, text: str) -> None:
        switched = re.match(r"\.(enable|disable) continuous-export (\S+)", text)
        for row in self.exports:
            if switched and row[0] == switched[2]:
                row[9] = switched[1] == "disable"
        for object_id in re.findall(r"aadapp=([^;'\"]+)", text) if text.startswith(".add database") else ():
            self.principals.append(principal(object_id))

    def close(self) -> None:
        """Nothing to release."""
