"""The WSGI application that plays Azure Resource Manager: routing, api-versions, envelopes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from kxrecon.sandbox.arm import assignments, clusters, graph, identities, operations, principals, roles, storage
from kxrecon.sandbox.arm.call import Answer, Call, Route
from kxrecon.sandbox.arm.errors import Refusal
from kxrecon.sandbox.world import World

ROUTES: tuple[Route, ...] = (
    *clusters.ROUTES,
    *operations.ROUTES,
    *principals.ROUTES,
    *identities.ROUTES,
    *assignments.ROUTES,
    *roles.ROUTES,
    *storage.ROUTES,
    *graph.ROUTES,
)
"""All operations that the sandbox imitates."""

NEWEST = {
    "Microsoft.Kusto": ("2023-08-15", "2025-02-14"),
    "Microsoft.Authorization": ("2022-04-01", "2022-04-01"),
    "Microsoft.ManagedIdentity": ("2023-01-31", "2024-11-30"),
    "Microsoft.Storage": ("2023-05-01", "2026-09-01"),
    "Microsoft.ResourceGraph": ("2021-03-01", "2024-04-01"),
}
"""Oldest and newest api-version served, by provider; the shapes answered are the same in between."""

_VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(-preview)?$")
_PLACE = re.compile(r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/(?P<provider>[^/]+)/(?P<type>[^/]+)", re.I)


class ArmApp:
    """ARM over the store of one sandbox."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI entry point."""
        answer = self.answer(Request(environ))
        body = b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False).encode()
        response = Response(body, answer.status, content_type="application/json; charset=utf-8" if body else None)
        response.headers["x-ms-request-id"] = str(uuid4())
        response.headers["x-ms-correlation-request-id"] = str(uuid4())
        for name, value in answer.headers.items():
            response.headers[name] = value
        return response(environ, start_response)

    def answer(self, request: Request) -> Answer:
        """Route and run; refusals become their envelope."""
        path = "/" + "/".join(part for part in request.path.split("/") if part)
        try:
            if any(ord(char) < 32 for char in path):
                raise Refusal(400, "BadRequest", "The request URI contains control characters.")
            found, values = find(request.method, path)
            check_version(found.provider, request)
            call = Call(self._world, request, values, path)
            if request.method == "GET":
                return found.run(call)
            with self._world.store.transaction():
                return found.run(call)
        except Refusal as refusal:
            return Answer(refusal.body(), refusal.status, refusal.headers)


def operation(method: str, path: str) -> str:
    """The OpenAPI name of the operation that a request means; empty if none is imitated."""
    try:
        return find(method, "/" + "/".join(part for part in path.split("/") if part))[0].name
    except Refusal:
        return ""


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and its placeholders; the refusal that ARM gives if there is none."""
    allowed: set[str] = set()
    for one in ROUTES:
        match = one.pattern.match(path)
        if match and one.method == method:
            return one, match.groupdict()
        if match:
            allowed.add(one.method)
    if allowed:
        message = f"The requested resource does not support http method '{method}' (in this sandbox)."
        raise Refusal(405, "HttpMethodNotAllowed", message, {"Allow": ", ".join(sorted(allowed))})
    raise unknown(path)


def unknown(path: str) -> Refusal:
    """What ARM says of a path that no provider serves."""
    place = _PLACE.match(path)
    if not place:
        return Refusal(404, "NotFound", f"No HTTP resource was found that matches the request URI '{path}'.")
    if place["provider"].lower() not in {name.lower() for name in NEWEST}:
        return Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{place['provider']}' is invalid.")
    return Refusal(
        404,
        "InvalidResourceType",
        f"The resource type '{place['type']}' could not be found in the namespace '{place['provider']}' "
        "(the sandbox imitates only what continuous export needs).",
    )


def check_version(provider: str, request: Request) -> None:
    """Refuse a missing, malformed or unserved api-version."""
    version = next((value for name, value in request.args.items() if name.lower() == "api-version"), None)
    if not version:
        raise Refusal(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _VERSION.match(version):
        raise Refusal(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
    oldest, newest = NEWEST[provider]
    if not oldest <= version[:10] <= newest:
        raise Refusal(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for API version '{version}' of '{provider}'. "
            f"The supported api-versions are '{oldest}' to '{newest}'.",
        )
