"""What a forecast is: rules that say which request meets which event. Pure, so that a seed repeats a bad day.

Operations are named as in Microsoft's OpenAPI files (``Clusters_Update``, ``RoleAssignments_Create``), for
Data Lake by the REST action (``setAccessControl``), for Kusto by the first two words of the command
(``.create-or-alter continuous-export``) or ``query``, for SQL by the first two words of the statement
(``create user``) or ``connect``; rules match them as shell patterns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kxrecon.sandbox.world import World

Hook = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Occasion:
    """A request that weather may strike: the ``nth`` of its operation, the ``index``-th of its service.

    ``service``: ``arm``, ``dfs``, ``sql`` or a cluster's URI; ``text``: the path asked for, or the command.
    """

    service: str
    method: str
    operation: str
    nth: int
    index: int
    text: str = ""


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
    """When an event happens: on the requests ``at`` (n-th of their operation), or each with a ``chance``; without
    either on every one.

    ValueError for what could never happen: an event that does not exist, a chance beyond 0 to 1, an ``at`` below 1.
    """

    event: Event
    operation: str = "*"
    at: tuple[int, ...] = ()
    chance: float = 1.0

    def __post_init__(self) -> None:
        if self.event.kind not in EVENTS:
            raise ValueError(f"unknown weather {self.event.kind!r}; known are {', '.join(EVENTS)}")
        if not 0 < self.chance <= 1:
            raise ValueError(f"a chance of {self.chance:g} for {self.event.kind!r}: it lies above 0 and up to 1")
        if any(nth < 1 for nth in self.at):
            raise ValueError(f"at={self.at} for {self.event.kind!r}: requests are counted from 1")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The weather of a sandbox; the first rule that strikes decides."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0

    def event(self, occasion: Occasion) -> Event | None:
        """What happens to a request."""
        return next((rule.event for index, rule in enumerate(self.rules) if self._strikes(index, rule, occasion)), None)

    def _strikes(self, index: int, rule: Rule, occasion: Occasion) -> bool:
        if not happens(rule.event.kind, occasion.service):
            return False
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
    "other-case",  # resource ids in the answer are written in lower case, as ARM sometimes does
    "rate-limited",  # Kusto: requests per hour; SQL: the request limit of the database
    "deadlock",  # SQL: the statement was chosen as the deadlock victim and rolled back
    "lock-timeout",  # SQL: another transaction holds the lock
    "failed-over",  # SQL: the database moves to another node
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


# kind → SQL Server's error number and message ("learn.microsoft.com, Troubleshoot transient connection errors in SQL
# Database", "Database engine events and errors"); 0: the driver's own, without a number
SQL_REFUSALS: dict[str, tuple[int, str]] = {
    "throttled": (40501, "The service is currently busy. Retry the request after 10 seconds. Code: 131075."),
    "rate-limited": (
        10928,
        "Resource ID: 1. The request limit for the database is 60 and has been reached.",
    ),
    "unavailable": (
        40613,
        "Database on server is not currently available. Please retry the connection later.",
    ),
    "failed-over": (
        40197,
        "The service has encountered an error processing your request. Please try again. Error code 40540.",
    ),
    "deadlock": (
        1205,
        "Transaction (Process ID 52) was deadlocked on lock resources with another process and has been chosen as the "
        "deadlock victim. Rerun the transaction.",
    ),
    "lock-timeout": (1222, "Lock request time out period exceeded."),
    "gateway-timeout": (0, "[HYT00] Query timeout expired"),
    "expired-token": (18456, "Login failed for user '<token-identified principal>'."),
    "refused": (50000, "The request was refused."),
}


_ONLY_ARM = (
    *("conflict", "maintenance", "principal-not-found", "unregistered", "other-case", "delayed-grant"),
    *("operation-failed", "operation-canceled"),
)
_ONLY_SQL = ("deadlock", "lock-timeout", "failed-over")


def happens(kind: str, service: str) -> bool:
    """Whether a service knows an event: no deadlock strikes Resource Manager, and no conflict a SQL statement."""
    if service in ("arm", "dfs"):
        return kind not in (*_ONLY_SQL, "rate-limited")
    return kind not in (_ONLY_ARM if service == "sql" else (*_ONLY_ARM, *_ONLY_SQL))


def from_document(document: Mapping[str, Any]) -> Forecast:
    """A forecast from JSON: ``{"seed", "rules": [{"event", "operation"?, "at"?, "chance"?, "retryAfter"?, …}]}``."""
    return Forecast(tuple(_rule(rule) for rule in document.get("rules") or ()), int(document.get("seed", 0)))


def _rule(rule: Mapping[str, Any]) -> Rule:
    event = Event(
        str(rule["event"]),
        retry_after=rule.get("retryAfter"),
        seconds=float(rule.get("seconds", 0)),
        code=str(rule.get("code", "")),
        message=str(rule.get("message", "")),
    )
    at = tuple(int(one) for one in rule.get("at") or ())
    return Rule(event, str(rule.get("operation", "*")), at, float(rule.get("chance", 1)))
