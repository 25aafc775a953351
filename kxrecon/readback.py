"""Looking again after an apply: some services show a write only after a while.

A role assignment that Azure Resource Manager has accepted may be missing from its lists for minutes
(learn.microsoft.com, Troubleshoot Azure RBAC). Anything else that still differs is shown at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kxrecon.plan import Plan

EVENTUAL = frozenset({"role_assignment"})
LONGEST = 120.0  # seconds to wait in all


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, and how; pauses double from ``first``, and never exceed ``longest`` in sum."""

    first: float = 2.0
    longest: float = LONGEST
    sleep: Callable[[float], None] = field(default=time.sleep)

    def pauses(self) -> Iterator[float]:
        """Growing pauses that add up to ``longest``."""
        pause, left = self.first, self.longest
        while left > 0:
            yield min(pause, left)
            left -= pause
            pause *= 2


def settled(look: Callable[[], Plan], patience: Patience) -> Plan:
    """What is left to do, looked at again as long as only eventually consistent kinds differ."""
    left = look()
    for pause in patience.pauses():
        if not _only_late(left):
            break
        patience.sleep(pause)
        left = look()
    return left


def _only_late(left: Plan) -> bool:
    kinds = {ref.kind for action in left.actions for ref in action.refs}
    return bool(kinds) and kinds <= EVENTUAL
