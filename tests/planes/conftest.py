"""What the tests of the planes share: a world under test, a clock that nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from kxrecon.planes.retry import Budget, Clock, Retry
from kxrecon.planes.terms import Terms


@dataclass
class Hand:
    """A clock moved by sleeping; keeps the pauses."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, sleep=self.sleep, random=lambda: 1.0)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def retry(hand: Hand) -> Retry:
    return Retry(Budget(), hand.clock())


@pytest.fixture
def terms(retry: Retry) -> Terms:
    return Terms(read_only=False, retry=retry, run="run1")


@pytest.fixture
def reading(retry: Retry) -> Terms:
    return Terms(read_only=True, retry=retry, run="run1")
