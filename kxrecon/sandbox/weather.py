"""Bad days made to happen: WSGI middleware that lets a forecast strike the requests of one service.

It counts the requests (from 1, per process), asks the forecast about each, and refuses, cuts, delays or
prepares the world as the event says. ``second-writer``, ``later`` and friends move the world, not the wire.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from kxrecon.sandbox.forecast import KUSTO_REFUSALS, REFUSALS, Event, Forecast
from kxrecon.sandbox.server import CutConnection, Environ, Wsgi
from kxrecon.sandbox.watch import Lookout, Seen, forecast_of
from kxrecon.sandbox.world import World

Body = dict[str, Any]


def weather(world: World, service: str, app: Wsgi, forecast: Forecast | None = None, seen: Seen | None = None) -> Wsgi:
    """The application under its weather: the forecast given, else the one kept in the file, else none.

    ``seen`` is told of each request before anything happens to it.
    """
    chosen = forecast_of(world, forecast)
    return Weather(world, service, app, chosen, seen) if chosen.rules or seen is not None else app


class Weather:
    """WSGI middleware that makes a forecast happen to one service."""

    def __init__(self, world: World, service: str, app: Wsgi, forecast: Forecast, seen: Seen | None = None) -> None:
        self._world, self._service, self._app, self._forecast = world, service, app, forecast
        self._lookout = Lookout(service, forecast, seen)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the request as the weather lets it."""
        operation, method = named(self._service, environ), str(environ["REQUEST_METHOD"])
        event = self._lookout.event(method, operation, _asked(self._service, environ))
        if event is None:
            return self._app(environ, start_response)
        status, _, _ = refusal(self._service, event, "")
        if status:
            return self._refuse(event, environ, start_response)
        return self._disturb(event, environ, start_response)

    def _refuse(self, event: Event, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, code, body = refusal(self._service, event, named(self._service, environ))
        numbered = "x-ms-request-id" if self._service in ("arm", "dfs") else "x-ms-activity-id"
        headers = [("Content-Type", "application/json"), (numbered, str(uuid4())), ("x-ms-error-code", code)]
        if event.retry_after is not None:
            headers.append(("Retry-After", f"{event.retry_after:g}"))
        start_response(f"{status} {code}", headers)
        return [json.dumps(body).encode()]

    def _disturb(self, event: Event, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Events that do not refuse: before, during or after the request is served."""
        if event.kind == "cut-before":
            raise CutConnection
        prepare(self._world, event, environ)
        if event.kind == "slow":
            time.sleep(event.seconds)
        if event.kind == "other-case":
            answer = json.loads(b"".join(self._app(environ, start_response)) or b"null")
            return [json.dumps(lowered(answer)).encode()]
        if event.kind not in ("cut-after", "gateway-timeout-after"):
            return self._app(environ, start_response)
        b"".join(self._app(environ, lambda status, headers, exc_info=None: None))
        if event.kind == "cut-after":
            raise CutConnection
        return self._refuse(Event("gateway-timeout", event.retry_after), environ, start_response)


def prepare(world: World, event: Event, environ: Environ) -> None:
    """What an event changes before the request is served."""
    if event.kind == "later":
        world.clock.advance(timedelta(seconds=event.seconds))
    if event.kind == "second-writer" and event.hook:
        event.hook(world)
    if event.kind == "delayed-grant":
        environ["kxrecon.delay"] = event.seconds
    if event.kind.startswith("operation-"):
        code, message = event.code or "InternalServiceError", event.message or "The operation failed."
        status = "Failed" if event.kind == "operation-failed" else "Canceled"
        environ["kxrecon.outcome"] = {"status": status, "error": {"code": code, "message": message}}


def lowered(value: Any) -> Any:
    """A JSON value with all resource ids in it, as values or as keys, in lower case."""
    if isinstance(value, dict):
        return {str(lowered(key)): lowered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [lowered(inner) for inner in value]
    return value.lower() if isinstance(value, str) and value.startswith("/subscriptions/") else value


def refusal(service: str, event: Event, operation: str) -> tuple[int, str, Body]:
    """Status, code and body of an event that refuses, in the service's own envelope; status 0: it does not."""
    if service in ("arm", "dfs"):
        status, code, message = REFUSALS.get(event.kind, (0, "", ""))
        code, message = event.code or code, event.message or message
        return status, code, {"error": {"code": code, "message": message}}
    status, code, kind, message = KUSTO_REFUSALS.get(event.kind, (0, "", "", ""))
    body = {
        "code": event.code or code,
        "message": "Request is invalid and cannot be executed." if status == 400 else "Request failed.",
        "@type": kind,
        "@message": event.message or message.replace("{operation}", operation),
        "@context": {"activityStack": str(uuid4())},
        "@permanent": status == 400,
    }
    return status, event.code or code, {"error": body}


def named(service: str, environ: Environ) -> str:
    """The name of the operation that a request means; the body stays readable."""
    path, method = str(environ.get("PATH_INFO", "")), str(environ["REQUEST_METHOD"])
    if service == "arm":
        from kxrecon.sandbox.arm.app import operation

        return operation(method, path)
    if service == "dfs":
        query = parse_qs(str(environ.get("QUERY_STRING", "")))
        return (query.get("action") or query.get("resource") or [method])[0]
    return _command(environ) if method == "POST" else path.rsplit("/", 1)[-1]


def _asked(service: str, environ: Environ) -> str:
    """The path that is asked for, or the text of a Kusto command."""
    if service in ("arm", "dfs") or environ["REQUEST_METHOD"] != "POST":
        return str(environ.get("PATH_INFO", ""))
    return _csl(environ)


def _command(environ: Environ) -> str:
    text = _csl(environ)
    if not text:
        return ""
    return " ".join(text.lower().split()[:2]) if text.startswith(".") else "query"


def _csl(environ: Environ) -> str:
    """The command in the body, which stays readable; empty if there is none."""
    raw = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(raw)
    try:
        return str(json.loads(raw)["csl"]).strip()
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
