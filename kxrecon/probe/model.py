"""A probe, and what it is given to judge: frozen values, and no I/O.

A probe says what it looks at, what it sends before, and how the answers are judged. Nothing of it runs by itself:
``run`` furnishes the database, sends, looks, and takes everything away again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from kxrecon.errors import KxreconError
from kxrecon.model import Read, Request, Table


class CannotTell(KxreconError):
    """A probe was asked and its question stays open; the message says why."""


class Gone(CannotTell):
    """The cluster cannot be reached any more: asking on is no use."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the person who asks has put at our disposal; no secrets.

    ``storage``: a container's URL that external tables may name. ``identities``: ``system``, or object ids of
    identities attached to the cluster. ``principal``: somebody's FQN, to be made a monitor and dropped again.
    ``role_at``: an ARM scope for a role assignment. ``record``: exports get one record to write.
    ``policy_taken``: the database has a managed_identity policy of its own, which is left alone.
    """

    database: str
    storage: str = ""
    identities: tuple[str, ...] = ()
    principal: str = ""
    role_at: str = ""
    record: bool = False
    policy_taken: bool = False

    @property
    def identity(self) -> str:
        """The identity that exports run as; "" if none was given."""
        return self.identities[0] if self.identities else ""

    @property
    def object_id(self) -> str:
        """The first identity that was given by its object id; "" if none was."""
        return next((one for one in self.identities if one != "system"), "")


NEEDS: Mapping[str, tuple[str, Callable[[Given], bool]]] = {
    "storage": ("--storage URL", lambda given: bool(given.storage)),
    "identity": ("--identity ID", lambda given: bool(given.identities)),
    "two identities": ("--identity twice", lambda given: len(given.identities) > 1),
    "system": ("--identity system", lambda given: "system" in given.identities),
    "principal": ("--principal FQN", lambda given: bool(given.principal)),
    "scope": ("--role-at SCOPE and --identity by object id", lambda given: bool(given.role_at and given.object_id)),
    "policy": ("a database without a managed_identity policy", lambda given: not given.policy_taken),
}
"""What a probe may need beyond a database: how to give it, and whether it was given."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a service said to one command: ``table`` where it answered, ``refusal`` (its words) where it refused."""

    text: str
    table: Table = Table((), ())
    refusal: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a probe judges: what it asked, and the looks that it named before and after.

    ``unmade``: furniture that the service refused, by name, with its words; None where nothing was made at all.
    """

    given: Given
    told: Sequence[Told]
    before: Mapping[str, Table]
    after: Mapping[str, Table]
    unmade: Mapping[str, str] | None = None

    def done(self, number: int = 0) -> Told:
        """What was answered to a command that has to succeed. Raises CannotTell if it was refused."""
        if self.told[number].refusal:
            raise CannotTell(self.told[number].refusal)
        return self.told[number]

    def made(self, name: str) -> None:
        """Raises CannotTell if a piece of furniture could not be made, or none was."""
        if self.unmade is None:
            raise CannotTell("nothing in the database tells")
        if name in self.unmade:
            raise CannotTell(f"{name} could not be made: {self.unmade[name]}")

    def row(self, look: str, name: str, *, before: bool = False) -> Mapping[str, Any]:
        """The row of something of ours. Raises CannotTell if it could not be made, or is not listed."""
        self.made(name)
        rows = (self.before if before else self.after)[look].records()
        found = next((row for row in rows if name in (row.get("Name"), row.get("TableName"))), None)
        if found is None:
            raise CannotTell(f"{name} was made and is not listed")
        return found

    def rows(self, look: str) -> list[dict[str, Any]]:
        """All rows of a look."""
        return self.after[look].records()


class Verdict(NamedTuple):
    """The answer, and those cells that show it."""

    answer: str
    shown: Any = None


Say = str | Read | Request
"""A command to the database that was given, or something for another place."""

Says = Callable[[Given], Sequence[Say]]


def nothing(_: Given) -> Sequence[Say]:
    """A probe that only looks says nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Probe:
    """One question that the documentation leaves open.

    ``id`` is stable, as reports of several clusters are compared by it; ``fact`` is its row in
    tests/facts/facts.yaml. ``answers``: the known ones and what they mean to a user; others are possible.
    ``first`` prepares and has to succeed, ``asks`` is what is judged. ``when``: ``bare`` before anything is made,
    ``own`` only with furniture of ours; ``any`` wherever there is something to look at, read-only runs included.
    """

    id: str
    fact: str
    question: str
    answers: Mapping[str, str]
    kxrecon: str
    judge: Callable[[Scene], Verdict]
    looks: tuple[str, ...] = ()
    first: Says = nothing
    asks: Says = nothing
    needs: tuple[str, ...] = ()
    when: Literal["bare", "any", "own"] = "own"
    counts_on: tuple[str, ...] = ()

    def lacks(self, given: Given) -> tuple[str, ...]:
        """The options that it needs and that were not given."""
        return tuple(NEEDS[need][0] for need in self.needs if not NEEDS[need][1](given))


EITHER = "ready for either"
"""What kxrecon does where both answers are tested (tests/facts)."""
