"""The planes: wires to the services, the only part of kxrecon that talks to them.

A plane answers ``Read`` and sends ``Request``; it knows nothing of kinds. ``Wire`` says where the
services are: on Azure, or in the sandbox on loopback. Everything else is the same code for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kxrecon.errors import KxreconError
from kxrecon.model import Answer, Read, Request


class WriteRefused(KxreconError):
    """A read-only verb tried to write: a defect, stopped before anything was sent."""


class PlaneClient(Protocol):
    """One plane, shared by all threads."""

    def read(self, read: Read) -> Answer:
        """Answer a question. Refusals and lost connections become a ``Failure``, never an exception."""

    def write(self, request: Request) -> Mapping[str, Any]:
        """Send a bound request (no leaves left) and wait until the service is done with it.

        Returns the service's answer as JSON. Raises PlaneError (Throttled, Unanswered) after the
        retries that are safe; codes listed in ``request.accepts`` are returned as ``{"accepted": code}``.
        """

    def close(self) -> None:
        """Release connections."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Where the services are. Empty mappings and None mean Azure itself.

    ``name`` is shown and stored in plans (``azure``, ``sandbox:.kxrecon/sandbox.db``). ``kusto`` maps a
    cluster URI to the endpoint that plays it, ``arm`` replaces Azure Resource Manager's, ``dfs`` is put
    before ``/account`` for Data Lake, ``sql`` opens a DB-API connection to (server, database), ``wait`` is
    called for a pause of so many seconds (a sandbox moves its clock; None: sleep).
    """

    name: str = "azure"
    kusto: Mapping[str, str] = field(default_factory=dict)
    arm: str | None = None
    dfs: str | None = None
    sql: Callable[[str, str], Any] | None = None
    credential: Any = None
    wait: Callable[[float], None] | None = None


AZURE = Wire()
