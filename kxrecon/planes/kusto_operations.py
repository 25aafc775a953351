"""Commands that answer with an operation: followed to their end by the operation's id.

``.show operations ID`` is answered for six hours (learn.microsoft.com, ``.show operations``); an operation
that is still under way when our patience ends goes on without us, and the error says how to look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kxrecon.errors import PlaneError
from kxrecon.model import Table
from kxrecon.planes.retry import Retry

_ASYNC = re.compile(r"(?i)^\s*\.\w[\w-]*\s+async\b")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UNDER_WAY = frozenset({"inprogress", "scheduled", "throttled", ""})


def is_async(command: str) -> bool:
    """Whether a command answers before it is done."""
    return bool(_ASYNC.match(command))


def follow(answer: Table, show: Callable[[str], Table], retry: Retry) -> str:
    """Wait for the operation that ``answer`` names; ``show`` runs a ``.show`` command once. Returns what to tell.

    Raises PlaneError if it failed, if its end was not seen, or if the answer names no operation.
    """
    operation = str(answer.rows[0][0]) if answer.rows and answer.rows[0] else ""
    if not _GUID.fullmatch(operation):
        raise PlaneError("the answer names no operation: look at .show operations", code="MalformedAnswer")
    look = f".show operations {operation}"
    until = retry.clock.now() + retry.budget.operation
    while True:
        state, status = _state(retry.read(lambda: show(look)))
        if state.lower() == "completed":
            return f"operation {operation} completed"
        if state.lower() not in _UNDER_WAY:
            message = f"operation {operation} ended as {state}: {status or 'no reason given'}"
            raise PlaneError(f"{message}; what it wrote before stays in the target", code=state)
        if retry.clock.now() + retry.budget.poll > until:
            raise PlaneError(f"operation {operation} is still {state}; it goes on, see {look}", code="StillRunning")
        retry.clock.sleep(retry.budget.poll)


def _state(table: Table) -> tuple[str, str]:
    """State and status of the operation; empty while the service does not list it yet."""
    if not table.rows:
        return "", ""
    latest = table.records()[-1]
    lowered = {name.lower(): value for name, value in latest.items()}
    return str(lowered.get("state") or ""), str(lowered.get("status") or "")
