"""What a cluster answered to the probes, as values: all that a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Result = Literal["told", "open", "not-asked"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was said to a service, and what it answered; no secrets, ids replaced by ``<id-1>``."""

    said: str
    answered: str


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one probe.

    ``told``: ``answer`` holds on this cluster, and ``meaning`` says what that is to a user; ``open``: it was asked in
    vain; ``not-asked``; ``why`` belongs to these two. ``kxrecon`` says what kxrecon does about the fact,
    ``counts_on`` the answers that it needs; none where it is ready for every one.
    """

    id: str
    fact: str
    question: str
    kxrecon: str
    result: Result
    answer: str = ""
    meaning: str = ""
    why: str = ""
    counts_on: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()

    @property
    def surprising(self) -> bool:
        """True if the cluster does not do what kxrecon counts on."""
        return self.result == "told" and bool(self.counts_on) and self.answer not in self.counts_on


@dataclass(frozen=True, slots=True)
class Unprobed:
    """A fact that no probe settles, and why; it is listed, so that nobody thinks that it is settled."""

    id: str
    question: str
    why: str


@dataclass(frozen=True, slots=True)
class Left:
    """Something of ours that could not be taken away again: why, and what a person would send."""

    what: str
    why: str
    by_hand: str


@dataclass(frozen=True, slots=True)
class Probed:
    """One run of the probes on one cluster. Times are ISO 8601 in UTC; ``service`` is the answer to .show version,
    ``stopped`` why the run did not come to its end."""

    cluster: str
    database: str
    wire: str
    kxrecon: str
    began: str
    ended: str
    service: Mapping[str, str]
    read_only: bool
    found: tuple[Found, ...]
    left: tuple[Left, ...] = ()
    stopped: str = ""

    @property
    def surprises(self) -> tuple[Found, ...]:
        """What kxrecon does not expect."""
        return tuple(one for one in self.found if one.surprising)
