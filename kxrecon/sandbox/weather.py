"""Bad days: what the services do when they are busy, replicating, failing or cut off.

A forecast is pure: the same rules and seed give the same event for the n-th request of an operation, in
every run. The middleware counts requests (from 1, per process) and makes the events happen. Operations
are named as in Microsoft's OpenAPI files (``Clusters_Update``, ``RoleAssignments_Create``), for Data Lake by
the REST action (``setAccessControl``), for Kusto by the first two words of the command
(``.create-or-alter continuous-export``) or ``query``; rules match them as shell patterns.
"""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from kxrecon.sandbox.server import CutConnection, Environ, Wsgi
from kxrecon.sandbox.world import World

Body = dict[str, Any]
Hook = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Occasion:
    """A request that weather may strike: the ``nth`` of its operation, the ``index``-th of its service."""

    service: str
    method: str
    operation: str
    nth: int
    index: int


@dataclass(frozen=True, slots=True)
class Event:
    """What happens. ``kind`` is one of EVENTS; ``seconds`` and ``retry_after`` where they make sense.

    ``code`` and ``message`` replace the usual ones of a refusal or a failed operation; ``hook`` is what
    a second writer does to the world just before the request is served.
    """

    kind: str
    retry_after: float | None = None
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    hook: Hook | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When an event happens: on the requests ``at`` (n-th of their operation), or each with a ``chance``."""

    event: Event
    operation: str = "*"
    at: tuple[int, ...] = ()
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The weather of a sandbox; the first rule that strikes decides."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0

    def event(self, occasion: Occasion) -> Event | None:
        """What happens to a request."""
        return next((rule.event for index, rule in enumerate(self.rules) if self._strikes(index, rule, occasion)), None)

    def _strikes(self, index: int, rule: Rule, occasion: Occasion) -> bool:
        if not fnmatchcase(occasion.operation.lower(), rule.operation.lower()):
            return False
        if rule.at:
            return occasion.nth in rule.at
        draw = random.Random(f"{self.seed}/{index}/{occasion.service}/{occasion.operation}/{occasion.nth}")
        return draw.random() < rule.chance


# kind → status, code in ARM and dfs, message; the other kinds (EVENTS) do not refuse
REFUSALS: dict[str, tuple[int, str, str]] = {
    "throttled": (429, "TooManyRequests", "The request was throttled. Please try again later."),
    "unavailable": (503, "ServiceUnavailable", "The service is temporarily unavailable."),
    "gateway-timeout": (504, "GatewayTimeout", "The gateway did not receive a response in time."),
    "conflict": (
        409,
        "RequestConflict",
        "Cannot modify the resource because another operation is in progress: its provisioning state is not terminal.",
    ),
    "maintenance": (
        409,
        "ServiceIsInMaintenance",
        "[Conflict] The service is in maintenance: an operation is running.",
    ),
    "principal-not-found": (400, "PrincipalNotFound", "The principal does not exist in the directory."),
    "expired-token": (401, "ExpiredAuthenticationToken", "The access token expiry is earlier than the current time."),
    "unregistered": (
        409,
        "MissingSubscriptionRegistration",
        "The subscription is not registered to use the namespace of this resource.",
    ),
    "refused": (400, "BadRequest", "The request was refused."),
}
EVENTS = (
    *REFUSALS,
    "gateway-timeout-after",  # the write is applied, the answer is 504
    "cut-before",  # the connection breaks before the request is served
    "cut-after",  # it is served, and the answer lost
    "slow",  # the answer really takes ``seconds``
    "later",  # the sandbox's clock moves ``seconds`` first
    "operation-failed",  # the long-running operation that this starts ends Failed
    "operation-canceled",
    "delayed-grant",  # the role assignment counts only after ``seconds``
    "second-writer",  # ``hook`` changes the world first
)

# kind → Kusto's status, code, exception, message ("learn.microsoft.com, Kusto HTTP status codes")
KUSTO_REFUSALS: dict[str, tuple[int, str, str, str]] = {
    "throttled": (
        429,
        "TooManyRequests",
        "Kusto.DataNode.Exceptions.ControlCommandThrottledException",
        "The management command was aborted due to throttling. Retrying after some backoff might succeed. "
        "CommandType: '{operation}', Capacity: 18, Origin: 'CapacityPolicy/Ingestion'.",
    ),
    "rate-limited": (
        429,
        "TooManyRequests",
        "Kusto.DataNode.Exceptions.KustoRequestThrottledException",
        "The request was denied due to exceeding quota limitations. Resource: 'RequestCount', Quota: '1000', "
        "TimeWindow: '01:00:00', Origin: 'RequestRateLimitPolicy/WorkloadGroup/default'.",
    ),
    "unavailable": (
        503,
        "ServiceUnavailable",
        "Kusto.Common.Svc.Exceptions.ServiceUnavailableException",
        "The service is temporarily unavailable.",
    ),
    "gateway-timeout": (
        504,
        "Timeout",
        "Kusto.Data.Exceptions.KustoServiceTimeoutException",
        "Request execution timed out.",
    ),
    "expired-token": (
        401,
        "Unauthorized",
        "Kusto.Data.Exceptions.KustoUnauthorizedException",
        "The token has expired.",
    ),
    "refused": (
        400,
        "General_BadRequest",
        "Kusto.Data.Exceptions.KustoBadRequestException",
        "The request was refused.",
    ),
}


def weather(world: World, service: str, app: Wsgi, forecast: Forecast | None = None) -> Wsgi:
    """The application under its weather: the forecast given, else the one kept in the file, else none."""
    chosen = forecast or from_document(world.store.get("meta", "weather") or {})
    return Weather(world, service, app, chosen) if chosen.rules else app


def from_document(document: Mapping[str, Any]) -> Forecast:
    """A forecast from JSON: ``{"seed", "rules": [{"event", "operation"?, "at"?, "chance"?, "retryAfter"?, …}]}``."""
    return Forecast(tuple(_rule(rule) for rule in document.get("rules") or ()), int(document.get("seed", 0)))


def _rule(rule: Mapping[str, Any]) -> Rule:
    kind = str(rule["event"])
    if kind not in EVENTS and kind not in KUSTO_REFUSALS:
        raise ValueError(f"unknown weather {kind!r}; known are {', '.join(EVENTS)}")
    event = Event(
        kind,
        retry_after=rule.get("retryAfter"),
        seconds=float(rule.get("seconds", 0)),
        code=str(rule.get("code", "")),
        message=str(rule.get("message", "")),
    )
    at = tuple(int(one) for one in rule.get("at") or ())
    return Rule(event, str(rule.get("operation", "*")), at, float(rule.get("chance", 0)))


class Weather:
    """WSGI middleware that makes a forecast happen to one service."""

    def __init__(self, world: World, service: str, app: Wsgi, forecast: Forecast) -> None:
        self._world, self._service, self._app, self._forecast = world, service, app, forecast
        self._guard = threading.Lock()
        self._seen: Counter[str] = Counter()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the request as the weather lets it."""
        event = self._forecast.event(self._occasion(environ))
        if event is None:
            return self._app(environ, start_response)
        status, _, _ = refusal(self._service, event, "")
        if status:
            return self._refuse(event, environ, start_response)
        return self._disturb(event, environ, start_response)

    def _occasion(self, environ: Environ) -> Occasion:
        operation, method = named(self._service, environ), str(environ["REQUEST_METHOD"])
        with self._guard:
            self._seen[operation] += 1
            self._seen["\x00all"] += 1
            return Occasion(self._service, method, operation, self._seen[operation], self._seen["\x00all"])

    def _refuse(self, event: Event, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, code, body = refusal(self._service, event, named(self._service, environ))
        headers = [("Content-Type", "application/json"), ("x-ms-request-id", str(uuid4())), ("x-ms-error-code", code)]
        if event.retry_after is not None:
            headers.append(("Retry-After", f"{event.retry_after:g}"))
        start_response(f"{status} {code}", headers)
        return [json.dumps(body).encode()]

    def _disturb(self, event: Event, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Events that do not refuse: before, during or after the request is served."""
        if event.kind == "cut-before":
            raise CutConnection
        _prepare(self._world, event, environ)
        if event.kind == "slow":
            time.sleep(event.seconds)
        if event.kind not in ("cut-after", "gateway-timeout-after"):
            return self._app(environ, start_response)
        b"".join(self._app(environ, lambda status, headers, exc_info=None: None))
        if event.kind == "cut-after":
            raise CutConnection
        return self._refuse(Event("gateway-timeout", event.retry_after), environ, start_response)


def _prepare(world: World, event: Event, environ: Environ) -> None:
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


def _command(environ: Environ) -> str:
    raw = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(raw)
    try:
        text = str(json.loads(raw)["csl"]).strip()
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
    return " ".join(text.lower().split()[:2]) if text.startswith(".") else "query"
