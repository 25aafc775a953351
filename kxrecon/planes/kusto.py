"""Kusto management over azure-kusto-data: one shared client for one cluster, rows as they come.

learn.microsoft.com, "Management commands" and "Request properties". Reads carry ``request_readonly``;
the server's own limit (10 minutes for a command) is stated, and the client waits 30 seconds longer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder

from kxrecon import __version__
from kxrecon.errors import MALFORMED, PlaneError
from kxrecon.model import Answer, Read, Request, Table
from kxrecon.planes import WriteRefused
from kxrecon.planes.failures import literal_secrets, masked, to_failure
from kxrecon.planes.kusto_errors import KustoError, malformed, plane_error
from kxrecon.planes.kusto_operations import follow, is_async
from kxrecon.planes.rehearsal import is_rehearsal
from kxrecon.planes.retry import UNREACHABLE
from kxrecon.planes.terms import Terms
from kxrecon.planes.transport import Gate

READ_LIMIT = timedelta(minutes=4)
WRITE_LIMIT = timedelta(minutes=10)


# Commands whose repetition changes nothing that the first one did not. A continuous export is looked at
# first all the same, because whether create-or-alter keeps its cursor is documented nowhere.
_REPEATABLE = re.compile(
    r"(?is)^\s*\.((create-or-alter|create-merge|alter-merge|alter|add|create\s+tables?)\b"
    r"|create\b.*\bifnotexists\b|drop\b.*\bifexists\b)"
)
_LOOK_FIRST = re.compile(r"(?i)^\s*\.(create-or-alter|enable|disable|drop)\s+continuous-export\b")


class KustoPlane:
    """The Kusto management endpoint of one cluster; ``endpoint`` was found trustworthy before it comes here."""

    def __init__(
        self,
        endpoint: str,
        credential: Any,
        terms: Terms,
    ) -> None:
        self._client = KustoClient(KustoConnectionStringBuilder.with_azure_token_credential(endpoint, credential))
        self._gate = Gate(read_only=False, record=terms.record, options=KustoClient.compose_socket_options())
        # The client offers no other way to its session; the gate counts, and goes around proxies to loopback.
        self._gate.mount(self._client._session, endpoint)
        self._terms = terms
        self._retry = terms.retry
        self._numbers = itertools.count(1)

    @property
    def requests(self) -> int:
        """How many requests were sent, retries included."""
        return self._gate.requests

    def read(self, read: Read) -> Answer:
        """Run a ``.show`` command, a query or, where the terms allow it, a definition that is only checked.

        Errors become a Failure; a writing command is a defect.
        """
        rehearsal = self._terms.rehearses and is_rehearsal(read.text)
        if not rehearsal and not _is_read(read.text):
            raise WriteRefused(f"a read may only be a .show command or a query: {_short(read.text)}")
        try:
            # The service might refuse a definition in a request that says it is read-only: that is not documented.
            return self._retry.read(lambda: self._run_one(read.target, read.text, read_only=not rehearsal))
        except PlaneError as error:
            shown = self._shown(error, read.text)
            return to_failure(shown if rehearsal or not read.text.startswith(".") else _named(shown, read.text))

    def write(self, request: Request) -> Mapping[str, Any]:
        """Run a bound command; ``{"columns", "rows"}`` of its answer, and for one that answers before it is
        done what became of it (``told``). Raises PlaneError."""
        command = "".join(str(part) for part in request.text)
        if self._terms.read_only:
            raise WriteRefused(f"a read-only command tried to run {_short(command)}; nothing was sent")
        try:
            table = self._retry.write(
                lambda: self._run_one(request.target, command, read_only=False), repeatable=is_repeatable(command)
            )
            told = {"told": self._followed(request.target, table)} if is_async(command) else {}
        except PlaneError as error:
            if error.code and error.code in request.accepts:
                return {"accepted": error.code}
            raise self._shown(error, command) from None
        return {"columns": list(table.columns), "rows": list(table.rows), **told}

    def _followed(self, database: str, answer: Table) -> str:
        return follow(answer, lambda text: self._run_one(database, text, read_only=True), self._retry)

    def close(self) -> None:
        """Close the connections; the credential is shared and stays."""
        self._client.close()  # type: ignore[no-untyped-call,unused-ignore]

    def _run_one(self, database: str, text: str, *, read_only: bool) -> Table:
        """One request, once. Raises PlaneError."""
        what = _short(text)
        send: Callable[..., Any] = (
            self._client.execute_mgmt if text.lstrip().startswith(".") else self._client.execute_query
        )
        try:
            return _table(send(database or None, text, self._properties(read_only)), what)
        except KustoError as error:
            raise plane_error(error, what, self._gate.latest) from error
        except MALFORMED as error:
            raise self._unreadable(error, what) from error

    def _unreadable(self, error: Exception, what: str) -> PlaneError:
        """The client tripped over a body's shape: by the response's status, an error page or a bad answer."""
        latest = self._gate.latest
        return malformed(what, error) if latest is None else plane_error(error, what, latest)

    def _properties(self, read_only: bool) -> Any:
        properties: Any = ClientRequestProperties()  # type: ignore[no-untyped-call,unused-ignore]
        properties.client_request_id = f"kxrecon;{self._terms.run};{next(self._numbers)}"
        properties.application = f"kxrecon/{__version__}"
        limit = READ_LIMIT if read_only else WRITE_LIMIT
        properties.set_option(ClientRequestProperties.request_timeout_option_name, limit)
        if read_only:
            properties.set_option("request_readonly", True)
        return properties

    def _shown(self, error: PlaneError, command: str) -> PlaneError:
        """The same error with every secret of the command masked in its words."""
        error.args = (masked(str(error), (*self._terms.secrets, *literal_secrets(command))),)
        return error


def is_repeatable(command: str) -> bool:
    """Whether a command may be sent again although the first one's answer was lost."""
    return bool(_REPEATABLE.match(command)) and not _LOOK_FIRST.match(command)


def _is_read(text: str) -> bool:
    start = text.lstrip().lower()
    return start.startswith(".show") or not start.startswith(".")


def _table(answer: Any, what: str) -> Table:
    """The first result as a Table. Raises PlaneError for a 200 that reports failure inside."""
    complaints = answer.get_exceptions()
    if complaints:
        raise PlaneError(f"{what}: {complaints[0]}", code="FailedInAnswer")
    results = answer.primary_results
    if not results:
        raise PlaneError(f"{what}: the answer has no result table", code="MalformedAnswer")
    columns = tuple(str(column["ColumnName"]) for column in results[0].raw_columns)
    rows = results[0].raw_rows
    if not isinstance(rows, list) or any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        raise PlaneError(f"{what}: a row does not fit the columns", code="MalformedAnswer")
    return Table(columns, rows)


def _named(error: PlaneError, command: str) -> PlaneError:
    """The same error with its command in front, unless it says that nobody could be asked anything. Who asks a
    query of its own says itself what for."""
    what = _short(command)
    if what not in str(error) and error.code not in (UNREACHABLE, "NoToken", "UntrustedHost", "Certificate"):
        error.args = (f"{what}: {error}",)
    return error


def _short(text: str) -> str:
    """A command for messages: its first line, at most 80 characters, without literals' secrets."""
    line = masked(text.strip().splitlines()[0] if text.strip() else "")
    return line if len(line) <= 80 else line[:79] + "…"
