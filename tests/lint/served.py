"""A Kusto plane that judges as told, and the actions about which it is asked."""

from __future__ import annotations

from typing import Any

from kxrecon.kinds.kusto import external_table
from kxrecon.model import Action, Answer, Change, Entity, Failure, Read, Ref, Request, Table

SCHEMA = ("ColumnName", "ColumnOrdinal", "DataType", "ColumnType")
GIVEN = [["Level", 1, "System.String", "string"], ["Timestamp", 0, "System.DateTime", "datetime"]]
ARCHIVE = Ref("external_table", ("Telemetry", "Archive"))


class Client:
    """Answers queries and dry runs as told, and shows external tables before and after."""

    def __init__(self, answer: Any = None, dry: Any = None, shown: Any = None) -> None:
        self.answer: Answer = Table(SCHEMA, GIVEN) if answer is None else answer
        self.dry: Answer = Table(("TableName",), [["Archive"]]) if dry is None else dry
        self.shown = shown or [[], []]
        self.asked: list[Read] = []

    def read(self, read: Read) -> Answer:
        """What it was told to say."""
        self.asked.append(read)
        if read == external_table.shown("Telemetry"):
            seen = sum(one == read for one in self.asked)
            return Table(("TableName", "DocString"), self.shown[seen - 1])
        return self.dry if read.text.startswith(".create-or-alter external") else self.answer

    def write(self, request: Request) -> dict[str, Any]:
        """Never called."""
        raise AssertionError("a check writes nothing")

    def close(self) -> None:
        """Nothing is open."""


def made(fields: Any, ref: Ref = ARCHIVE, after: tuple[str, ...] = ()) -> Action:
    """The action that makes an external table."""
    change = Change(ref, "create", None, Entity(ref, fields))
    return Action("a", (ref,), "apply", "create", (), after=after, changes=(change,))


def told(data: dict[str, Any]) -> Client:
    """The client of a case: ``query`` and ``definition`` are refusals with a code, ``wrote`` changes what is shown."""

    def answer(name: str) -> Failure | None:
        said = data.get(name)
        return Failure("failed", said.get("message", "no"), said["code"]) if said else None

    return Client(answer("query"), answer("definition"), [[], [["Archive", ""]]] if data.get("wrote") else None)
