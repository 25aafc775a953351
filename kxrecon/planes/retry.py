"""The one retry policy of all planes: what is worth another try, when, and for how long.

A plane's own error mapping says of each error whether it is permanent, throttled or unanswered; this
module decides with that alone. Clock, sleep and randomness are handed in, so tests never wait.
tenacity (and the asyncio that it drags in) is imported at the first call, not at start-up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kxrecon.errors import PlaneError, Throttled, Unanswered

T = TypeVar("T")

UNAUTHENTICATED = 401
UNREACHABLE = "Unreachable"
"""The code of an error that happened before anything was sent (name unknown, connection refused)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one read, one write, one cluster operation may take, in seconds, and how pauses grow.

    ``unreachable`` caps the attempts at a host that does not answer at all, so that a wrong address
    shows soon. ``poll`` is the pause between two looks at a long-running operation without Retry-After.
    """

    read: float = 90.0
    write: float = 300.0
    operation: float = 3600.0
    attempts: int = 12
    unreachable: int = 3
    first: float = 0.5
    longest: float = 30.0
    poll: float = 15.0


LOOPBACK = Budget(first=0.005, longest=0.05, poll=0.01)
"""For the sandbox: the same policy with pauses that nobody has to sit through."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the planes see it: a monotonic clock in seconds, a sleep, and a source of jitter."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = field(default_factory=lambda: random.Random().random)


@dataclass(frozen=True, slots=True)
class Retry:
    """Calls something until it succeeds, fails for good, or its time is up."""

    budget: Budget = field(default_factory=Budget)
    clock: Clock = field(default_factory=Clock)
    renew: Callable[[], bool] = lambda: False
    """Drops the tokens in use; True if another try may get a better one."""

    def read(self, act: Callable[[], T]) -> T:
        """Call a read, which may be repeated after any transient error. Raises the last PlaneError."""
        return self._call(act, repeatable=True, seconds=self.budget.read)

    def write(self, act: Callable[[], T], *, repeatable: bool) -> T:
        """Call a write; one that is not ``repeatable`` is not sent again once its answer is lost.

        Raises the last PlaneError: Unanswered where the caller has to look before it tries again.
        """
        return self._call(act, repeatable=repeatable, seconds=self.budget.write)

    def _call(self, act: Callable[[], T], *, repeatable: bool, seconds: float) -> T:
        from tenacity import Retrying, retry_if_exception

        began = self.clock.now()

        def out_of_time(state: Any) -> bool:
            error = state.outcome.exception()
            most = self.budget.unreachable if getattr(error, "code", "") == UNREACHABLE else self.budget.attempts
            late: bool = self.clock.now() + state.upcoming_sleep - began > seconds
            return late or bool(state.attempt_number >= most)

        def pause(state: Any) -> float:
            return self._pause(state.outcome.exception(), state.attempt_number)

        retrying = Retrying(
            retry=retry_if_exception(lambda error: is_transient(error, repeatable=repeatable)),
            wait=pause,
            stop=out_of_time,
            sleep=self.clock.sleep,
            reraise=True,
        )
        return retrying(lambda: self._signed(act))

    def _signed(self, act: Callable[[], T]) -> T:
        """Call once, and once more with a new token if the service refused the old one: it did nothing with it."""
        try:
            return act()
        except PlaneError as error:
            if error.status != UNAUTHENTICATED or not self.renew():
                raise
            return act()

    def _pause(self, error: BaseException | None, attempt: int) -> float:
        """Seconds until the next try: what the service asked for, else growing with jitter."""
        asked = getattr(error, "retry_after", None)
        if asked is not None:
            return float(asked)
        top = min(self.budget.longest, self.budget.first * 2.0 ** (attempt - 1))
        return top * (0.5 + 0.5 * self.clock.random())


def is_transient(error: BaseException, *, repeatable: bool) -> bool:
    """Whether the same call can be made again: throttled always, unanswered only if ``repeatable``."""
    if isinstance(error, Throttled):
        return True
    if isinstance(error, Unanswered):
        return repeatable and not error.permanent
    return isinstance(error, PlaneError) and not error.permanent
