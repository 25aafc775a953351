"""A ledger in a Kusto table, ``KxreconLedger``: constants are appended, the last row of each entity is read.

``.append`` asks for Table Ingestor, ``.create-merge table`` for Database User (learn.microsoft.com, Ingest from
query; .create-merge table). Repeating an append whose answer was lost only doubles rows, which mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from kxrecon import kql
from kxrecon.errors import LedgerError, PlaneError, Unanswered
from kxrecon.ledger.rows import COLUMNS, Damage, Row, row_of
from kxrecon.model import Answer, Failure, Read, Request, Table
from kxrecon.planes import PlaneClient
from kxrecon.scope import LEDGER

NEWEST_RUNS = 1000
_DOC = "What kxrecon wrote to this cluster: hashes, never values. See docs/ledger.md of kxrecon."
_SIZE = 200_000  # characters of one command
_TRIES = 3


class LedgerTable:
    """Keeps rows in a table of a database, over the Kusto plane of its cluster. Raises LedgerError where it cannot.

    It is made by the first append. ``cluster`` is the cell by which rows of one cluster are found.
    """

    def __init__(self, database: str, plane: PlaneClient, cluster: str) -> None:
        self._database, self._plane, self._cluster = database, plane, cluster
        self._missing = False

    def __str__(self) -> str:
        return f"the ledger {self._database}.{LEDGER}"

    def read(self) -> list[Row | Damage]:
        """The last row of each entity."""
        return self._rows('Kind != "" | summarize arg_max(At, *) by Cluster, Spec, Kind, Entity')

    def runs(self) -> list[Row | Damage]:
        """The last row of each of the newest applies."""
        last = 'Kind == "" | summarize arg_max(At, *) by Cluster, Spec, Kind, Entity'
        return self._rows(f"{last} | top {NEWEST_RUNS} by At")

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; they are there when this returns."""
        if not rows:
            return
        if self._missing:
            self._send(_creation())
            self._missing = False
        for command in _appends(rows):
            self._send(command)

    def _rows(self, chosen: str) -> list[Row | Damage]:
        answer = self._plane.read(Read("kusto", self._database, _query(self._cluster, chosen)))
        if isinstance(answer, Failure):
            self._missing = self._is_missing()
            if self._missing:
                return []
            raise LedgerError(f"{self} cannot be read ({answer.reason}: {answer.message})")
        return list(_read_rows(answer))

    def _is_missing(self) -> bool:
        """Whether there is no such table yet, which is no failure."""
        text = f".show tables | where TableName == {kql.string(LEDGER)}"
        answer = self._plane.read(Read("kusto", self._database, text))
        return isinstance(answer, Table) and not answer.rows

    def _send(self, command: str) -> None:
        request = Request("kusto", self._database, (command,))
        try:
            for _ in range(_TRIES - 1):
                with suppress(Unanswered):
                    self._plane.write(request)
                    return
            self._plane.write(request)
        except PlaneError as error:
            raise LedgerError(f"{self} cannot be written: {error}") from error


def _query(cluster: str, chosen: str) -> str:
    return f"{LEDGER} | where Cluster == {kql.verbatim(cluster)} and {chosen} | project {', '.join(COLUMNS)}"


def _read_rows(answer: Answer) -> Iterator[Row | Damage]:
    if not isinstance(answer, Table):
        return
    places = [answer.index(name) for name in COLUMNS]
    for number, cells in enumerate(answer.rows, 1):
        found = None if None in places else row_of(cells[place] for place in places if place is not None)
        yield found or Damage(f"row {number}")


def _creation() -> str:
    columns = kql.column_list(tuple(COLUMNS.items()))
    return (
        f".create-merge table {LEDGER} ({columns}) with (folder={kql.string('kxrecon')}, docstring={kql.string(_DOC)})"
    )


def _appends(rows: Sequence[Row]) -> Iterator[str]:
    """Commands of a bearable size that append the rows in order."""
    head = f".append {LEDGER} <| datatable ({', '.join(f'{name}:{kind}' for name, kind in COLUMNS.items())}) ["
    lines: list[str] = []
    size = 0
    for row in rows:
        line = ", ".join(_literal(cell, kind) for cell, kind in zip(row.cells(), COLUMNS.values(), strict=True))
        if lines and size + len(line) > _SIZE:
            yield f"{head}{', '.join(lines)}]"
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 2
    yield f"{head}{', '.join(lines)}]"


def _literal(cell: str, kind: str) -> str:
    if kind == "datetime":
        return f"datetime({cell})"
    return kql.verbatim(cell) if cell.isascii() and cell.isprintable() else kql.string(cell)
