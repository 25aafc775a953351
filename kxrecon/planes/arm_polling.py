"""Long-running ARM operations: asked after with our patience, our retries and our clock.

azure-core's poller answers with the first, unfinished body when its own time is up and calls that a
result; here the end of patience is an error that says so. learn.microsoft.com, "Track asynchronous
Azure operations".
"""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import AzureError
from azure.mgmt.core.polling.arm_polling import ARMPolling

from kxrecon.errors import PlaneError
from kxrecon.planes.azure_errors import plane_error
from kxrecon.planes.retry import Retry


class PatientPolling(ARMPolling):  # type: ignore[type-arg,unused-ignore]
    """ARM polling with a deadline in seconds, counted from its making; ``what`` names the operation."""

    def __init__(self, what: str, retry: Retry) -> None:
        super().__init__(timeout=retry.budget.poll)
        self._what = what
        self._retry = retry
        self._until = retry.clock.now() + retry.budget.operation

    def _sleep(self, delay: float) -> None:
        if self._retry.clock.now() + delay > self._until:
            raise still_running(self._what, self._retry.budget.operation)
        self._retry.clock.sleep(delay)

    def update_status(self) -> None:
        """Ask once for the operation's state; a passing failure of the question is not one of the operation."""
        self._retry.read(self._ask)

    def _ask(self) -> None:
        try:
            super().update_status()
        except AzureError as error:
            raise plane_error(error, self._what) from error


def finish(poller: Any, what: str) -> None:
    """Wait for a poller to its end. Raises what ended it, PlaneError if it stopped before the operation did."""
    poller.wait()
    if not poller.done() or poller.status().lower() not in ("succeeded", "canceled", "failed"):
        raise PlaneError(f"{what}: the operation is {poller.status()}, its end was not seen", code="StillRunning")


def still_running(what: str, seconds: float) -> PlaneError:
    """The error for an operation that outlasts our patience."""
    return PlaneError(
        f"{what}: still running after {seconds / 60:.0f} minutes. Nothing is lost: the service goes on with it. "
        "Look at the cluster's provisioning state, and when it is Succeeded run plan and apply again.",
        code="StillRunning",
        permanent=True,
    )
