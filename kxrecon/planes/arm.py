"""Azure Resource Manager: identities of clusters, role assignments, storage accounts, containers.

Operations are named in ``arm_reads.READS`` and ``arm_writes.WRITES``. Nothing is registered, nothing is
written in read-only mode (the session's gate sees to it), one mutation of a cluster at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import requests
from azure.core.exceptions import AzureError

from kxrecon.errors import MALFORMED, PlaneError
from kxrecon.model import Answer, Read, Request
from kxrecon.planes import WriteRefused
from kxrecon.planes.arm_clients import Clients
from kxrecon.planes.arm_reads import READS
from kxrecon.planes.arm_writes import WRITES
from kxrecon.planes.azure_errors import plane_error
from kxrecon.planes.failures import masked, to_failure
from kxrecon.planes.hosts import Cloud
from kxrecon.planes.terms import Terms
from kxrecon.planes.transport import Gate


class ArmPlane:
    """ARM of one cloud, or what plays it at ``endpoint``."""

    def __init__(
        self,
        endpoint: str | None,
        cloud: Cloud,
        credential: Any,
        terms: Terms,
    ) -> None:
        self._gate = Gate(read_only=terms.read_only, record=terms.record)
        self._session = self._gate.mount(requests.Session(), endpoint)
        self._clients = Clients(endpoint, cloud, credential, self._session)
        self._terms = terms
        self._retry = terms.retry
        self._clusters: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """How many requests were sent, polls and retries included."""
        return self._gate.requests

    def read(self, read: Read) -> Answer:
        """Answer one of ``READS``. Errors become a Failure; KeyError for an operation that does not exist."""
        operation = READS[read.text]
        try:
            answer: Answer = self._retry.read(lambda: self._once(lambda: operation(self._clients, read), _named(read)))
            return answer
        except PlaneError as error:
            if read.text not in str(error):
                error.args = (f"{_named(read)}: {error}",)
            return to_failure(self._shown(error))

    def write(self, request: Request) -> Mapping[str, Any]:
        """Do one of ``WRITES`` and wait for its end. Raises PlaneError."""
        name = "".join(str(part) for part in request.text)
        if self._terms.read_only:
            raise WriteRefused(f"a read-only command tried {name}; nothing was sent")
        operation, body = WRITES[name], request.body
        try:
            with self._alone(body):
                return self._retry.write(
                    lambda: self._once(lambda: operation(self._clients, body, self._retry), name), repeatable=True
                )
        except PlaneError as error:
            if error.code and error.code in request.accepts:
                return {"accepted": error.code}
            raise self._shown(error) from None

    def close(self) -> None:
        """Close the session that all clients share."""
        self._session.close()

    def _once(self, act: Any, what: str) -> Any:
        try:
            return act()
        except PlaneError:
            raise
        except (AzureError, *MALFORMED) as error:
            raise plane_error(error, what) from error

    def _alone(self, body: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """Mutations of one cluster wait for each other; everything else runs freely."""
        cluster = str(body.get("resourceId") or "").lower()
        if "/microsoft.kusto/clusters/" not in cluster:
            return nullcontext()
        with self._lock:
            return self._clusters.setdefault(cluster, threading.Lock())

    def _shown(self, error: PlaneError) -> PlaneError:
        error.args = (masked(str(error), self._terms.secrets),)
        return error


def _named(read: Read) -> str:
    """A read for messages: its operation and first argument."""
    return " ".join([read.text, *(value for _, value in read.arguments[:1])])
