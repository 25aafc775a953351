"""The HTTP side of a Kusto cluster: requests in, bodies of ``kusto.service`` out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from kxrecon.sandbox.body import parsed
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

if TYPE_CHECKING:
    from kxrecon.sandbox.kusto.service import KustoService
    from kxrecon.sandbox.kusto.session import Session

Execute = Callable[[str, str, Document, Document], tuple[int, Document]]


class KustoApp:
    """One cluster on its own port (a client's metadata cache is per host and port)."""

    def __init__(self, world: World, cluster_uri: str) -> None:
        self._world = world
        self._uri = cluster_uri

    @cached_property
    def _service(self) -> KustoService:
        """The cluster's commands; imported with its parsers on the first request, many never come."""
        from kxrecon.sandbox.kusto.service import KustoService

        folder = self._world.store.files

        def export(session: Session, asked: Document) -> list[Document]:
            from kxrecon.sandbox.scheduler import export as run

            assert folder is not None
            return run(session, asked, folder)

        return KustoService(self._world.store, self._world.clock, self._uri, export if folder else None)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI entry point."""
        request = Request(environ)
        status, body = self._answer(request)
        response = Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
        response.headers["x-ms-client-request-id"] = request.headers.get("x-ms-client-request-id", "").strip()
        response.headers["x-ms-activity-id"] = str(uuid4())
        return response(environ, start_response)

    def _answer(self, request: Request) -> tuple[int, Document]:
        path = request.path.rstrip("/").lower()
        if path == "/v1/rest/auth/metadata" and request.method == "GET":
            return 200, self._service.auth_metadata()
        routes: dict[str, Execute] = {
            "/v1/rest/mgmt": self._service.handle_management,
            "/v1/rest/query": partial(self._service.handle_query, version=1),
            "/v2/rest/query": self._service.handle_query,
        }
        execute = routes.get(path)
        if execute is None:
            return 404, bad_request(f"No resource at '{request.path}'", "NotFound")
        if request.method == "GET" and path.endswith("/query"):
            return self._execute(execute, request, request.args.to_dict())
        if request.method != "POST":
            return 405, bad_request(f"Method {request.method} is not allowed here", "MethodNotAllowed")
        try:
            body = parsed(request.get_data())
        except (ValueError, RecursionError) as error:
            return 400, bad_request(f"The request body is not JSON: {error}")
        return self._execute(execute, request, body)

    def _execute(self, execute: Execute, request: Request, body: Any) -> tuple[int, Document]:
        """Check the shape of what was asked, then run the command."""
        if not isinstance(body, dict) or not isinstance(body.get("csl"), str):
            return 400, bad_request("The request body must be an object with 'csl'")
        database, properties = body.get("db") or "", body.get("properties") or {}
        if isinstance(properties, str):
            try:
                properties = parsed(properties)
            except (ValueError, RecursionError):
                return 400, bad_request("The request's properties are not JSON")
        if not isinstance(database, str) or not isinstance(properties, dict):
            return 400, bad_request("'db' must be a string and 'properties' an object")
        request_id = request.headers.get("x-ms-client-request-id", "").strip()
        named = {"ClientRequestId": request_id, **properties}  # what the journal and the error's context tell
        if request.method == "GET" or request.headers.get("x-ms-readonly", "").strip().lower() == "true":
            given = properties.get("Options")
            named["Options"] = {**(given if isinstance(given, dict) else {}), "request_readonly": True}
        return execute(database, body["csl"], named, self._world.caller)


def bad_request(message: str, code: str = "General_BadRequest") -> Document:
    """A refusal in Kusto's envelope, for requests that never become a command."""
    return {
        "error": {
            "code": code,
            "message": "Request is invalid and cannot be executed.",
            "@type": "Kusto.DataNode.Exceptions.KustoBadRequestException",
            "@message": message,
            "@context": {"activityStack": str(uuid4())},
            "@permanent": True,
        }
    }
