"""The DB-API seam (PEP 249): connection and cursor over one database of the sandbox.

Like mssql-python's: ``autocommit`` is off, parameters are ``?`` or ``%(name)s``, and rows are tuples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from kxrecon.sandbox.sql.batch import run
from kxrecon.sandbox.sql.errors import InterfaceError, OperationalError
from kxrecon.sandbox.sql.session import Session
from kxrecon.sandbox.sql.weather import ConnectionLost, operation, under
from kxrecon.sandbox.watch import Lookout
from kxrecon.sandbox.world import World

apilevel, threadsafety, paramstyle = "2.0", 1, "pyformat"
Row = tuple[Any, ...]
_NAMED = re.compile(r"'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|%\((\w+)\)s|(%s)")


def connect(
    world: World, server: str, database: str, *, autocommit: bool = False, lookout: Lookout | None = None
) -> Connection:
    """Open a database. OperationalError as the driver raises it if server or database is not there.

    ``lookout``: the weather that opening it (``connect``) and its statements meet.
    """
    server, name = server.lower(), database.lower()

    def login() -> Connection:
        if not world.store.all("sql_database", server):
            raise OperationalError(f"Cannot open server '{server}' requested by the login. The login failed.", 40532)
        if not world.store.get("sql_database", server, name):
            raise OperationalError(f'Cannot open database "{database}" requested by the login. The login failed.', 4060)
        return Connection(Session(world, server, name), autocommit, lookout)

    return under(world, lookout, "connect", f"{server}/{name}", login)


class Connection:
    """An open connection; changes are stored by ``commit`` or, with ``autocommit``, statement by statement."""

    def __init__(self, session: Session, autocommit: bool = False, lookout: Lookout | None = None) -> None:
        self._session: Session | None = session
        self._lookout = lookout
        self.autocommit = autocommit

    def setautocommit(self, value: bool) -> None:
        """The driver's spelling of the same attribute."""
        self.autocommit = value

    @property
    def session(self) -> Session:
        """The open session. Raises InterfaceError after ``close``."""
        if self._session is None:
            raise InterfaceError("Cannot use a closed connection")
        return self._session

    def cursor(self) -> Cursor:
        """A new cursor."""
        _ = self.session
        return Cursor(self)

    def execute(self, operation: str, *parameters: Any) -> Cursor:
        """The driver's short form of ``cursor().execute``."""
        return self.cursor().execute(operation, *parameters)

    def run(self, text: str, values: list[Any]) -> tuple[list[str], list[Row]] | None:
        """Run a batch in whatever weather there is; the answer of its last query, None if there was none."""
        session = self.session
        try:
            return under(session.world, self._lookout, operation(text), text, lambda: self._run(session, text, values))
        except ConnectionLost:
            self.close()
            raise

    def _run(self, session: Session, text: str, values: list[Any]) -> tuple[list[str], list[Row]] | None:
        try:
            return run(session, text, values)
        finally:
            # What a batch did before it failed stays done, as on the server.
            if self.autocommit:
                session.commit()

    def commit(self) -> None:
        """Store what was changed."""
        self.session.commit()

    def rollback(self) -> None:
        """Forget what was changed."""
        self.session.rollback()

    def close(self) -> None:
        """Close; what was not committed is lost."""
        if self._session is not None:
            self._session.rollback()
        self._session = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self.autocommit and self._session is not None:
            self.commit()
        self.close()


class Cursor:
    """Executes batches and holds the rows of the last one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.arraysize = 1
        self._rows: list[Row] | None = None

    def execute(self, operation: str, *parameters: Any) -> Cursor:
        """Run a batch. Parameters come singly, as one sequence, or as one mapping."""
        text, values = positional(operation, parameters)
        answer = self.connection.run(text, values)
        if answer is None:
            self.description, self._rows, self.rowcount = None, None, -1
            return self
        names, rows = answer
        self.description = [(name, None, None, None, None, None, None) for name in names]
        self._rows, self.rowcount = list(reversed(rows)), len(rows)
        return self

    def executemany(self, operation: str, parameters: Sequence[Any]) -> None:
        """Run a batch once for each set of parameters."""
        for one in parameters:
            self.execute(operation, one)

    def _held(self) -> list[Row]:
        if self._rows is None:
            raise InterfaceError("No results. Previous SQL was not a query.")
        return self._rows

    def fetchone(self) -> Row | None:
        """The next row, or None."""
        return self._held().pop() if self._held() else None

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Up to ``size`` rows."""
        count = min(size or self.arraysize, len(self._held()))
        return [self._held().pop() for _ in range(count)]

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return self.fetchmany(len(self._held()) or 1)

    def fetchval(self) -> Any:
        """The first column of the next row, or None."""
        row = self.fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Forget the rows."""
        self._rows = None

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def positional(operation: str, parameters: Sequence[Any]) -> tuple[str, list[Any]]:
    """The batch with ``?`` in place of named parameters, and the values in their order."""
    if len(parameters) == 1 and isinstance(parameters[0], Mapping):
        named, values = parameters[0], []

        def place(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]
            if match[1] not in named:
                raise InterfaceError(f"The parameter '{match[1]}' has no value")
            values.append(named[match[1]])
            return "?"

        return _NAMED.sub(place, operation), values
    single = len(parameters) == 1 and isinstance(parameters[0], list | tuple)
    given = list(parameters[0] if single else parameters)
    return _NAMED.sub(lambda match: "?" if match[2] and given else match[0], operation), given
