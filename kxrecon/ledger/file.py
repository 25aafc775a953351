"""A ledger in a file: one JSON object a line, only ever appended to, private, on the disk before an append returns.

A process that dies in the middle of a line leaves a piece without an end: it had not been told that the line is
written, so whoever appends next takes the piece away. Any other line that cannot be read is damage, and said.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kxrecon.errors import LedgerError
from kxrecon.files import append, appending, why
from kxrecon.ledger.rows import COLUMNS, RUN, Damage, Row, row_of

_JSON = ("Entity", "Body")
_BEGIN = f'{{"{next(iter(COLUMNS))}": "'.encode()  # of every line, a first one that was cut off included
MOST = 256 << 20  # octets: whatever is larger is no ledger
MOST_OF_A_LINE = 1 << 20


class LedgerFile:
    """Keeps rows in a file. Raises LedgerError where it cannot."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return f"the ledger {self.path}"

    def read(self) -> list[Row | Damage]:
        """The rows about entities, and what cannot be read; a file that is not there yet has none."""
        return [row for row in self._lines() if isinstance(row, Damage) or row.kind != RUN]

    def runs(self) -> list[Row | Damage]:
        """The rows about applies."""
        return [row for row in self._lines() if isinstance(row, Damage) or row.kind == RUN]

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows, all or none."""
        if not rows:
            return
        text = "".join(f"{_line(row)}\n" for row in rows).encode()
        try:
            with appending(self.path) as descriptor:
                self._check(descriptor)
                _append(descriptor, text)
        except OSError as error:
            raise LedgerError(f"{self} cannot be written: {why(error)}") from error

    def _check(self, descriptor: int) -> None:
        """Refuse a file that is something else: nothing of it may be cut off or appended to."""
        first, end, _ = os.pread(descriptor, MOST_OF_A_LINE, 0).partition(b"\n")
        whole = end or len(first) == MOST_OF_A_LINE
        if _row(first) is None if whole else first[: len(_BEGIN)] != _BEGIN[: len(first)]:
            raise LedgerError(f"{self} cannot be written: {self.path} does not begin like a ledger")

    def _lines(self) -> Iterator[Row | Damage]:
        try:
            with self.path.open("rb") as file:
                octets = file.read(MOST + 1)
        except FileNotFoundError:
            return
        except OSError as error:
            raise LedgerError(f"{self} cannot be read: {why(error)}") from error
        if len(octets) > MOST:
            raise LedgerError(f"{self} cannot be read: it has more than {MOST >> 20} MiB")
        *lines, _ = octets.split(b"\n")  # what follows the last line end was never finished
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _row(line) or Damage(f"line {number}")


def _line(row: Row) -> str:
    cells = dict(zip(COLUMNS, row.cells(), strict=True))
    return json.dumps({name: json.loads(cell) if name in _JSON else cell for name, cell in cells.items()})


def _row(line: bytes) -> Row | None:
    try:
        found = json.loads(line)
        cells = [json.dumps(found[name]) if name in _JSON else found[name] for name in COLUMNS]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return row_of(cells) if all(isinstance(cell, str) for cell in cells) else None


def _append(descriptor: int, text: bytes) -> None:
    os.fchmod(descriptor, 0o600)
    size = os.fstat(descriptor).st_size
    whole = _end_of_lines(descriptor, size)
    if whole < size:
        os.ftruncate(descriptor, whole)
    append(descriptor, text)


def _end_of_lines(descriptor: int, size: int) -> int:
    """Where the last complete line ends."""
    end = size
    while end > 0:
        start = max(0, end - 4096)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def kept(rows: Iterable[Row | Damage]) -> list[Row]:
    """The rows without the damage."""
    return [row for row in rows if isinstance(row, Row)]
