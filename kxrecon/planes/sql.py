"""SQL Server and Azure SQL behind the DB-API: who may write into a target table.

One connection per database, used by one thread at a time, autocommitting, as each statement of kxrecon
stands alone and is guarded against repetition.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kxrecon.errors import PlaneError
from kxrecon.model import Answer, Read, Request, Table
from kxrecon.planes import WriteRefused
from kxrecon.planes.failures import masked, to_failure
from kxrecon.planes.sql_errors import is_broken, plane_error
from kxrecon.planes.terms import Terms

Connect = Callable[[str, str], Any]
"""(server, database) → DB-API connection."""

_READ = re.compile(r"(?is)^\s*(--[^\n]*\n\s*)*(select|with)\b")


class SqlPlane:
    """All SQL databases of a run; ``connect`` opens one."""

    def __init__(self, connect: Connect, terms: Terms) -> None:
        self._connect = connect
        self._terms = terms
        self._open: dict[str, Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self.requests = 0

    def read(self, read: Read) -> Answer:
        """Run a SELECT with its arguments in order. Errors become a Failure; another statement is a defect."""
        if not _READ.match(read.text):
            raise WriteRefused(f"a read may only be a SELECT: {read.text[:80]}")
        values = [value for _, value in read.arguments]
        try:
            return self._terms.retry.read(lambda: self._run(read.target, read.text, values))
        except PlaneError as error:
            return to_failure(self._shown(error))

    def write(self, request: Request) -> Mapping[str, Any]:
        """Run a bound statement; ``{"columns", "rows"}`` if it answers with rows. Raises PlaneError.

        A statement whose answer was lost is not sent again: CREATE USER would fail on what it did itself.
        """
        statement = "".join(str(part) for part in request.text)
        if self._terms.read_only:
            raise WriteRefused("a read-only command tried to run a SQL statement; nothing was sent")
        try:
            table = self._terms.retry.write(
                lambda: self._run(request.target, statement, []), repeatable=_is_repeatable(statement)
            )
        except PlaneError as error:
            if error.code and error.code in request.accepts:
                return {"accepted": error.code}
            raise self._shown(error) from None
        return {"columns": list(table.columns), "rows": list(table.rows)}

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            connections, self._open = list(self._open.values()), {}
        for connection in connections:
            connection.close()

    def _run(self, target: str, statement: str, values: Sequence[str]) -> Table:
        """One statement, once, on the database's connection. Raises PlaneError."""
        with self._lock:
            self.requests += 1
            lock = self._locks.setdefault(target, threading.Lock())
        if self._terms.record is not None:
            self._terms.record(f"SQL {target} {statement.split(maxsplit=1)[0].upper()}")
        with lock:
            connection = self._connection(target)
            try:
                return _execute(connection, statement, values)
            except Exception as error:  # a DB-API driver's errors share no class but Exception
                if is_broken(error):
                    self._forget(target, connection)
                raise plane_error(error, target) from error

    def _connection(self, target: str) -> Any:
        if target not in self._open:
            server, _, database = target.partition("/")
            try:
                self._open[target] = self._connect(server, database)
            except PlaneError:
                raise
            except Exception as error:  # see above
                raise plane_error(error, target, connecting=True) from error
        return self._open[target]

    def _forget(self, target: str, connection: Any) -> None:
        """Drop a broken connection, so that the next statement opens a new one."""
        self._open.pop(target, None)
        try:
            connection.close()
        except Exception:  # it is broken: that closing fails as well says nothing new
            return

    def _shown(self, error: PlaneError) -> PlaneError:
        error.args = (masked(str(error), self._terms.secrets),)
        return error


def _execute(connection: Any, statement: str, values: Sequence[str]) -> Table:
    cursor = connection.cursor()
    try:
        cursor.execute(statement, list(values)) if values else cursor.execute(statement)
        if cursor.description is None:
            return Table((), [])
        columns = tuple(str(column[0]) for column in cursor.description)
        return Table(columns, [list(row) for row in cursor.fetchall()])
    finally:
        cursor.close()


def _is_repeatable(statement: str) -> bool:
    """GRANT, REVOKE and guarded statements end in the same state however often they run."""
    return bool(re.match(r"(?is)^\s*(grant|revoke|deny|if)\b", statement))
