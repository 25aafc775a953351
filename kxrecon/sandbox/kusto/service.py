"""One Kusto cluster of the sandbox, behind the REST bodies: text and caller in, status and JSON out.

``POST /v1/rest/mgmt`` → ``handle_management``; ``POST /v2/rest/query`` and ``/v1/rest/query`` → ``handle_query``;
``GET /v1/rest/auth/metadata`` → ``auth_metadata``. Whatever the client sends, the answer is JSON: a refusal has
Kusto's own envelope.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kxrecon.sandbox import switches
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.kusto import (
    capacity,
    csl_script,
    cursor_functions,
    databases,
    evaluate,
    exports,
    external_tables,
    functions,
    operations,
    permissions,
    pipes,
    policies,
    principals,
    roles,
    rows,
    schema,
    script,
    tables,
)
from kxrecon.sandbox.kusto.answers import Answer, v1, v1_query, v2
from kxrecon.sandbox.kusto.errors import BadRequest, KustoError, Suspended, SyntaxRefused, envelope
from kxrecon.sandbox.kusto.lexer import mask, skip
from kxrecon.sandbox.kusto.parse import Command, SyntaxProblem, parse
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.store import Document, Store

Reply = tuple[int, Any]
Run = Callable[[Session, dict[str, Any]], Answer]
COMMANDS: dict[str, Run] = {
    **exports.COMMANDS,
    **external_tables.COMMANDS,
    **functions.COMMANDS,
    **tables.COMMANDS,
    **policies.COMMANDS,
    **roles.COMMANDS,
    **schema.COMMANDS,
    **csl_script.COMMANDS,
    **databases.COMMANDS,
    **operations.COMMANDS,
    **capacity.COMMANDS,
    **rows.COMMANDS,
}
ONLY_SHOW = (
    "Control commands (starting with a dot '.') cannot be served from the query endpoint unless they are .show"
    " control commands."
)
CLUSTER_LEVEL = re.compile(
    r"\.(show\s+(cluster|databases|version|operations?|principal)\b|\S+\s+cluster\b|show\s+database\s+\*)"
)


class KustoService:
    """Answers for one cluster. ``exporter`` writes the files of ``.export``, given by who plays the storage."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        cluster_uri: str,
        exporter: Callable[[Session, Document], list[Document]] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._exporter = exporter
        plain = cluster_uri.rstrip("/").lower()
        self._uri = cluster_uri if store.get("cluster", cluster_uri) is not None else plain

    # ---- endpoints
    def handle_management(
        self, database: str, csl: str, properties: Any, caller: Mapping[str, Any] | None = None
    ) -> Reply:
        """Status and v1 body for one command. ``caller``: the caller's document, None for the sandbox's own."""
        return self._guarded(database, csl, properties, caller, self._command)

    def handle_query(
        self,
        database: str,
        csl: str,
        properties: Any,
        caller: Mapping[str, Any] | None = None,
        version: int = 2,
    ) -> Reply:
        """Status and body (v2 frames, or v1 tables) for a query or a ``.show`` command."""

        def run(session: Session, text: str) -> Any:
            return self._query(session, text, version)

        return self._guarded(database, csl, properties, caller, run)

    def auth_metadata(self) -> dict[str, Any]:
        """The answer of ``/v1/rest/auth/metadata``."""
        tenant = principals.tenant(self._store)
        return {
            "AzureAD": {
                "LoginEndpoint": "https://login.microsoftonline.com",
                "LoginMfaRequired": False,
                "KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58",
                "KustoClientRedirectUri": "https://microsoft/kustoclient",
                "KustoServiceResourceId": "https://kusto.kusto.windows.net",
                "FirstPartyAuthorityUrl": f"https://login.microsoftonline.com/{tenant}",
            },
            "dSTS": {},
        }

    # ---- one request
    def _guarded(
        self,
        database: str,
        csl: str,
        properties: Any,
        caller: Mapping[str, Any] | None,
        run: Callable[[Session, str], Any],
    ) -> Reply:
        text = csl if isinstance(csl, str) else ""
        request_id = _request_id(properties)
        try:
            if not isinstance(csl, str) or not csl.strip():
                raise SyntaxRefused("Syntax error: the request holds no text")
            if _only_reads(properties) and _writes(text):
                raise BadRequest("The request says that it only reads (x-ms-readonly), and its command would write")
            return 200, run(self._session(str(database or ""), text, request_id, caller), text)
        except SyntaxProblem as problem:
            error: KustoError = SyntaxRefused(f"Syntax error: {problem}")
        except KustoError as problem:
            error = problem
        except RecursionError:
            error = BadRequest("The request is nested too deeply")
        return error.status, envelope(error, mask(text), str(database or ""), request_id, self._clock.now())

    def _session(self, database: str, text: str, request_id: str, caller: Mapping[str, Any] | None) -> Session:
        who = principals.caller(self._store, self._uri, caller)
        session = Session(
            self._store,
            self._clock,
            self._uri,
            switches.load(self._store),
            who,
            "",
            mask(text.strip()),
            request_id,
            self._exporter,
        )
        if str(session.cluster.get("state") or "Running").lower() in ("stopped", "stopping", "suspended"):
            raise Suspended("The cluster is stopped")
        return self._in_context(session, database, text)

    def _in_context(self, session: Session, database: str, text: str) -> Session:
        """The session in the request's database; cluster-level commands do without one."""
        if database and database != "NetDefaultDB":
            return session.within(database)
        if CLUSTER_LEVEL.match(text.strip()):
            return session
        known = self._store.all("database", self._uri)
        return session.within(known[0][0][1]) if len(known) == 1 else session.within(database or "NetDefaultDB")

    def _command(self, session: Session, text: str) -> Any:
        parsed, found = self._execute(session, text)
        if parsed.query is None:
            return v1(found, session.switches)
        return v1_query(found, session.switches, session.request_id, session.now)

    def _execute(self, session: Session, text: str) -> tuple[Command, Answer]:
        """One command. A write is one transaction; a script is one per command, for nothing rolls it back."""
        parsed = parse(text)
        reads = text.lstrip().startswith(".show")
        if parsed.query is not None and not reads:
            raise SyntaxRefused("Syntax error: only '.show' commands can be piped into a query")
        if parsed.name == "script_run":
            return parsed, script.run(session, parsed.arguments, self._in_script)
        run = COMMANDS[parsed.name]
        if reads:
            found = run(session, parsed.arguments)
            return parsed, found if parsed.query is None else pipes.apply(found, parsed.query, session.now)
        if session.database and session.access_mode.startswith("ReadOnly"):
            raise BadRequest(f"Database '{session.database_name}' is in access mode {session.access_mode}")
        with self._store.transaction():
            return parsed, run(session, parsed.arguments)

    def _in_script(self, session: Session, text: str) -> tuple[str, Answer]:
        try:
            parsed, found = self._execute(replace(session, text=mask(text)), text)
        except SyntaxProblem as problem:
            raise SyntaxRefused(f"Syntax error: {problem}") from problem
        return parsed.name, found

    def _query(self, session: Session, text: str, version: int) -> Any:
        text = text[skip(text, 0) :]
        cursor = None
        if text.startswith("."):
            if not text.startswith(".show"):
                raise BadRequest(ONLY_SHOW)
            _, found = self._execute(session, text)
        else:
            permissions.require(session, permissions.QUERY, "Query")
            found = Answer(*evaluate.run(session.store, session.uri, session.database, text))
            cursor = cursor_functions.told(text, session)
        if version == 1:
            return v1_query(found, session.switches, session.request_id, session.now, cursor)
        return v2(found, cursor)


def _request_id(properties: Any) -> str:
    """The client's request id from the properties, which are an object or JSON text."""
    if isinstance(properties, str):
        try:
            properties = json.loads(properties)
        except ValueError:
            return ""
    return str(properties.get("ClientRequestId") or "") if isinstance(properties, Mapping) else ""


def _only_reads(properties: Any) -> bool:
    """Whether the client asked that this request change nothing ("learn.microsoft.com, Request properties")."""
    options = properties.get("Options") if isinstance(properties, Mapping) else None
    asked = ("request_readonly", "request_readonly_hardline")
    return isinstance(options, Mapping) and any(options.get(one) in (True, "true") for one in asked)


def _writes(text: str) -> bool:
    command = text[skip(text, 0) :]
    return command.startswith(".") and not command.startswith(".show")
