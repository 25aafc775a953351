"""What a sandbox under test answers: what a verb said, what was sent, and where exports stand."""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """The sandbox refused a command or a request; the message is the service's own, ``status`` its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it arrived.

    ``service``: ``arm``, ``dfs``, ``sql`` or a cluster's URI; ``operation``: its name in Microsoft's OpenAPI
    files (``RoleAssignments_Create``), the REST action of Data Lake, the first two words of a Kusto command
    (``.show continuous-exports``) or SQL statement; ``text``: the path asked for, or the command; ``weather``: the
    event that struck it, empty if none did.
    """

    service: str
    method: str
    operation: str
    text: str = ""
    weather: str = ""

    @property
    def is_read(self) -> bool:
        """True for what cannot change anything."""
        if self.service == "sql":
            return self.operation in ("select", "connect")
        if self.service in ("arm", "dfs"):
            return self.method in ("GET", "HEAD") or self.operation == "Resources"
        return self.method == "GET" or self.operation == "query" or self.operation.startswith(".show")


@dataclass(frozen=True, slots=True)
class Told:
    """How a verb ended: its exit code, all that it printed, and the requests that it sent."""

    code: int
    text: str
    requests: tuple[Sent, ...] = ()

    @property
    def writes(self) -> tuple[Sent, ...]:
        """The requests that could change something."""
        return tuple(one for one in self.requests if not one.is_read)

    @property
    def struck(self) -> tuple[Sent, ...]:
        """The requests that met weather: a test of a bad day that none met has tested nothing."""
        return tuple(one for one in self.requests if one.weather)

    @property
    def converged(self) -> bool:
        """Of ``apply``: every action was done, and a fresh read shows what the spec says."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Planned(Told):
    """How ``plan`` ended. ``actions`` as ``create role_assignment lake/…``, ``findings`` as kind and message."""

    actions: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """There is nothing to do. False as well when the plan could not be made."""
        return self.code == 0 and not self.actions


@dataclass(frozen=True, slots=True)
class Export:
    """A continuous export as ``.show continuous-exports`` and its cursor tell.

    ``cursor``: the position up to which rows were exported, a growing number; times are ISO 8601 in UTC, None
    where nothing ran yet. ``last_result``: ``Completed``, ``Failed`` or None.
    """

    name: str
    database: str
    external_table: str
    is_disabled: bool
    cursor: int
    exported_to: str | None
    last_run: str | None
    last_result: str | None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file (or SQL table) that a run wrote, as ``.show continuous-export … exported-artifacts`` lists it."""

    path: str
    records: int
    timestamp: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run, as ``.show continuous-export … failures`` lists it."""

    kind: str
    details: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class Grant:
    """An Azure role assignment: its resource id, the role's name, scope, and the principal's object id."""

    id: str
    role: str
    scope: str
    principal_id: str
