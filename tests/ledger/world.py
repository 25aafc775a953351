"""A service of one external table and one spec about it, without wires: for laws over thousands of histories.

The service knows the secret and never shows it; it shows a folder; its journal has every command. An apply goes the
way of the verb: open the book, plan with its judge, begin, write, say what came of it, look, end. It may die on the
way, fail, or meet another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from kxrecon.diff import diff
from kxrecon.errors import LedgerError
from kxrecon.ledger.book import Book
from kxrecon.ledger.file import LedgerFile
from kxrecon.ledger.rows import RUN, Damage, Row
from kxrecon.ledger.seal import Seal
from kxrecon.ledger.witness import journal
from kxrecon.model import HIDDEN, Action, Answer, Entity, Failure, Outcome, Read, Ref, Secret, State, Table
from kxrecon.plan import Plan
from kxrecon.reassert import ALL, reassert

REF = Ref("external_table", ("D", "T"))
KEY = "a key for laws, long enough"
START = datetime(2026, 11, 20, tzinfo=UTC)
COLUMNS = ("EventTimestamp", "EntityName", "ChangeCommand", "Principal", "ClientRequestId")


class Rows:
    """A keeper in memory; ``broken`` makes it refuse."""

    def __init__(self) -> None:
        self.rows: list[Row | Damage] = []
        self.broken = False

    def read(self) -> list[Row | Damage]:
        return [row for row in self.rows if isinstance(row, Damage) or row.kind != RUN]

    def runs(self) -> list[Row | Damage]:
        return [row for row in self.rows if isinstance(row, Damage) or row.kind == RUN]

    def append(self, rows: Sequence[Row]) -> None:
        if self.broken:
            raise LedgerError("the ledger in memory cannot be written: it is broken")
        self.rows += rows

    def __str__(self) -> str:
        return "the ledger in memory"


@dataclass
class Service:
    """What is there, and what was done."""

    admin: bool = True  # whether the journal is shown
    secret: str | None = None
    folder: str | None = None
    events: list[tuple[str, ...]] = field(default_factory=list)
    ticks: count[int] = field(default_factory=lambda: count(1))

    def write(self, secret: str, folder: str | None, client: str) -> None:
        self.secret, self.folder = secret, folder
        at = f"2026-01-01T00:00:00.{next(self.ticks):07}Z"
        self.events.append((at, "T", ".create-or-alter external table T …", "somebody", client))

    def observed(self) -> State:
        if self.secret is None:
            return State()
        connections = ({"uri": "https://x/c", "auth": HIDDEN, "identity": HIDDEN, "secret": HIDDEN},)
        return State({REF: Entity(REF, {"connections": connections, "folder": self.folder})})

    # as a plane

    def read(self, read: Read) -> Answer:
        assert read == journal("D")
        return Table(COLUMNS, self.events) if self.admin else Failure("denied", "not an admin")


class Run:
    """One apply on its way."""

    def __init__(self, world: World, name: str, secret: str, *, again: bool = False) -> None:
        self.world, self.secret = world, secret
        self.book = world.book(secret, name)
        self.plan = world.plan(self.book, again=again)
        self.outcomes: tuple[Outcome, ...] = ()

    def begin(self) -> None:
        self.book.begin(self.plan, "ada")

    def write(self, *, arrives: bool = True, answered: bool = True) -> None:
        """Send what the plan has; the answer may be lost, whether or not it arrived."""
        results = []
        for action in self.plan.actions:
            if arrives:
                folder = self.world.spec_folder
                self.world.service.write(self.secret, folder, f"kxrecon;{self.book.run};1")
            results.append(Outcome(action.id, "done" if arrives and answered else "failed"))
        self.outcomes = tuple(results)

    def skip(self) -> None:
        self.outcomes = tuple(Outcome(action.id, "not-begun") for action in self.plan.actions)

    def end(self) -> str:
        self.book.did(self.plan, self.outcomes)
        self.book.look(self.world.service)  # type: ignore[arg-type]
        self.book.see(self.world.desired(), self.world.service.observed())
        return self.book.end("converged", "ada")


class World:
    """The spec, the service and the ledger."""

    def __init__(self, folder: Path, *, key: str = KEY, admin: bool = True) -> None:
        self.key, self.service, self.keeper = key, Service(admin), Rows()
        self.unsent = LedgerFile(folder / "unsent.jsonl")
        self.unsent.path.unlink(missing_ok=True)
        self.spec_secret, self.spec_folder = "one", None
        self._clock = count(1)
        self._names = count(1)

    def clock(self) -> datetime:
        return START + timedelta(seconds=next(self._clock))

    def desired(self) -> State:
        connections = ({"uri": "https://x/c", "auth": "sas", "identity": None, "secret": Secret("s")},)
        return State({REF: Entity(REF, {"connections": connections, "folder": self.spec_folder})})

    def book(self, secret: str | None = None, name: str = "") -> Book:
        seal = Seal("c", self.key, {"s": self.spec_secret if secret is None else secret})
        return Book(
            self.keeper, self.unsent, "c", "ours", seal, run=name or f"run{next(self._names)}", clock=self.clock
        )

    def plan(self, book: Book, *, again: bool = False) -> Plan:
        book.look(self.service)  # type: ignore[arg-type]
        book.see(self.desired(), self.service.observed())
        judge = reassert([ALL], self.desired(), book.judge) if again else book.judge
        found = diff(self.desired(), self.service.observed(), judge)
        actions = tuple(
            Action(change.ref.label, (change.ref,), "apply", change.verb, (), changes=(change,))
            for change in found.changes
        )
        return Plan("azure", "c", "ours", ("ours.yaml",), "d", "now", actions)

    def verdict(self) -> str:
        """What a plan made now says of the connection."""
        book = self.book()
        book.look(self.service)  # type: ignore[arg-type]
        observed = self.service.observed()
        found = diff(self.desired(), observed, book.judge)
        if any(part.field.startswith("connections") for change in found.changes for part in change.fields):
            return "changed"
        if found.changes and found.changes[0].verb == "create":
            return "missing"
        return "unverifiable" if (REF, "connections") in found.unverifiable else "equal"

    def apply(self, *, again: bool = False) -> Run:
        """A whole apply, undisturbed; ``again``: with --reassert."""
        run = Run(self, f"run{next(self._names)}", self.spec_secret, again=again)
        if run.plan.actions:
            run.begin()
            run.write()
            assert run.end() == ""
        else:
            assert run.book.end("converged", "ada") == ""
        return run
