"""One spec's ledger on one cluster, open for one run: read once, and by an apply written twice, before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from kxrecon.errors import LedgerError
from kxrecon.ledger.file import LedgerFile, kept
from kxrecon.ledger.judge import Judge
from kxrecon.ledger.owners import Owners
from kxrecon.ledger.record import Frame, Record, fates, tried
from kxrecon.ledger.rows import (
    BEGAN,
    ENDED,
    GONE,
    RUN,
    TRIED,
    WROTE,
    Damage,
    Ledger,
    Row,
    Run,
    after,
    continued,
    folded,
)
from kxrecon.ledger.seal import KEY, Seal
from kxrecon.ledger.witness import KINDS, Witness, journal, witness
from kxrecon.model import Finding, Outcome, Ref, State
from kxrecon.origin import changes
from kxrecon.plan import Plan
from kxrecon.planes import PlaneClient

AT_ONCE = 8  # journals that are read at the same time


class Keeper(Protocol):
    """Where rows are kept. Every method raises LedgerError."""

    def read(self) -> list[Row | Damage]:
        """The rows about entities."""

    def runs(self) -> list[Row | Damage]:
        """The rows about applies."""

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; they are kept when this returns."""


@dataclass
class Book:
    """The ledger as one run sees it.

    ``unsent`` keeps rows that an apply could not put where they belong. ``cluster`` is the cell by which this
    cluster's rows are found, ``run`` the mark of this run's requests in the services' logs. ``unread`` is the reason
    why the ledger could not be read.
    """

    keeper: Keeper
    unsent: LedgerFile
    cluster: str
    spec: str
    seal: Seal
    takes_over: Sequence[str] = ()
    run: str = ""
    adopts: bool = False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    unread: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._frame: Frame | None = None
        self._began = ""
        self._outcomes: tuple[Outcome, ...] = ()
        self._plan: Plan | None = None
        self._seen: tuple[State, State | None] = (State(), None)
        self.witness = Witness()
        try:
            self._opening = self._read()
        except LedgerError as error:
            self._opening, self.unread = Ledger(), str(error)
        self.owners = self._owners(self._opening)

    def _read(self) -> Ledger:
        return folded([*self.keeper.read(), *kept(self.unsent.read())], self.cluster)

    def _owners(self, ledger: Ledger) -> Owners:
        return Owners(ledger, self.spec, self.takes_over)

    # ---- what a plan asks

    @property
    def judge(self) -> Judge:
        """Who decides about fields that comparing cannot."""
        return Judge(self.owners.entry, self.seal, self.witness.since)

    def look(self, kusto: PlaneClient) -> None:
        """Read the journals of the databases in which something that this spec wrote is hidden, or may be."""
        known = {ref for ref, entry in self.owners.entries.items() if entry.shown}
        written = set(changes(self._plan.actions)) if self._plan is not None else set()
        databases = sorted({ref.name[0] for ref in known | written if ref.kind in KINDS})
        reads = [journal(database) for database in databases]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="journal") as pool:
            self.witness = witness(dict(zip(reads, pool.map(kusto.read, reads), strict=True)))

    def see(self, wanted: State, now: State) -> None:
        """What the spec asks for and what the cluster shows: after an apply what it did is known from then on."""
        self._seen = (wanted, now)
        if self._plan is not None:
            rows = self._after(after(self._opening.newest, self.clock()))
            self.owners = self._owners(continued(self._opening, rows, self.cluster))

    def findings(self, desired: State, observed: State) -> list[Finding]:
        """What is wrong with the ledger, and what it therefore does not prove."""
        return [*self._unread(), *self._damaged(), *self._strange(desired), *self._adopted(desired, observed)]

    def _unread(self) -> Iterable[Finding]:
        if self.unread:
            message = f"{self.unread}: what it would prove is not known, and nothing is owned by it"
            yield Finding("unknown", None, message)

    def _damaged(self) -> Iterable[Finding]:
        damage = self._opening.damage
        if damage:
            more = f" and {len(damage) - 3} more" if len(damage) > 3 else ""
            message = f"{self.keeper}: {', '.join(damage[:3])}{more} cannot be read"
            remedy = "what was put down before that proves nothing until it is written again; mend or remove the line"
            yield Finding("note", None, message, remedy)

    def _strange(self, desired: State) -> Iterable[Finding]:
        strange = [
            ref
            for ref, entry in self.owners.entries.items()
            if entry.written and ref in desired.entities and self.seal.behind(entry.seal) is None
        ]
        if strange:
            why = f"{KEY} is another one" if self.seal.keyed else f"{KEY} is not set"
            message = f"{self.keeper} has {len(strange)} entries under a key, and {why}: they prove nothing"
            yield Finding("note", None, message, "set the key that they were written with, or --reassert once")

    def _adopted(self, desired: State, observed: State) -> Iterable[Finding]:
        free = self.owners.adoptable(desired, observed) if self.adopts else []
        if free:
            what = f"{len(free)} entities" if len(free) > 1 else f"{free[0]}"
            yield Finding("note", None, f"{what}, which nobody owns, will be this spec's by the ledger (--adopt)")

    def runs(self) -> tuple[Run, ...]:
        """The applies on this cluster, oldest first. Raises LedgerError."""
        rows = [*self.keeper.runs(), *(row for row in self.unsent.runs() if isinstance(row, Row))]
        return folded(rows, self.cluster).runs

    # ---- what an apply puts down

    def begin(self, plan: Plan, who: str) -> None:
        """Before anything is sent. Raises LedgerError, and then nothing may be sent."""
        if self.unread:
            raise LedgerError(self.unread)
        self._frame = Frame(self.cluster, self.spec, plan.digest, who, self.run)
        self._began = after(self._opening.newest, self.clock())
        self._id = uuid4().hex[:12]
        begun = self._of_run(self._began, BEGAN, {"actions": len(plan.actions)})
        self._send([begun, *tried(self._frame, self._began, plan.actions, self.owners)])
        self._opening = replace(self._opening, newest=self._began)

    def did(self, plan: Plan, outcomes: tuple[Outcome, ...]) -> None:
        """What became of the plan; what it made of the cluster is for ``see`` to tell."""
        self._plan, self._outcomes, self._seen = plan, outcomes, (State(), None)

    def end(self, result: str, who: str) -> str:
        """After everything: what is worth keeping is put down. Returns what went wrong, empty if nothing did.

        Rows that cannot be put where they belong are kept on this machine, for the next apply.
        """
        if self.unread:
            return self.unread
        self._frame = self._frame or Frame(self.cluster, self.spec, "", who, self.run)
        try:
            latest = self._read() if self._plan is not None else self._opening
            at = after(max(latest.newest, self._began), self.clock())
            rows = self._settled(self._after(at), latest)
        except LedgerError as error:
            return self._keep(self._after(after(self._began, self.clock())), result, str(error))
        return self._keep(rows, result, "")

    def _keep(self, rows: list[Row], result: str, trouble: str) -> str:
        if self._plan is not None:
            done = sum(one.result == "done" for one in self._outcomes)
            failed = sum(one.result == "failed" for one in self._outcomes)
            figures = {"actions": len(self._plan.actions), "done": done, "failed": failed, "result": result}
            at = rows[-1].at if rows else after(self._began, self.clock())
            rows = [*rows, self._of_run(at, ENDED, {"began": self._began, **figures})]
        try:
            if trouble:
                raise LedgerError(trouble)
            self._send(rows)
        except LedgerError as error:
            return self._spooled(rows, str(error))
        return ""

    def _spooled(self, rows: list[Row], trouble: str) -> str:
        try:
            self.unsent.append(rows)
        except LedgerError as error:
            return f"{trouble}; nor could it be kept on this machine: {error}"
        return f"{trouble}; what it lacks is in {self.unsent.path} until the next apply here" if rows else trouble

    def _send(self, rows: list[Row]) -> None:
        """Append rows, and before them those that could not be appended earlier."""
        earlier = kept([*self.unsent.read(), *self.unsent.runs()])
        self.keeper.append([*earlier, *rows])
        if earlier:
            self.unsent.path.unlink(missing_ok=True)

    def _after(self, at: str) -> list[Row]:
        assert self._frame is not None
        wanted, now = self._seen
        plan, own = self._plan, self.run
        written = changes(plan.actions) if plan is not None else {}
        fate = fates(plan.actions, self._outcomes) if plan is not None else {}
        mark = lambda ref: self.witness.mark(ref, own)  # noqa: E731
        record = Record(self._frame, self.seal, self._before(), wanted, now, mark, self.adopts)
        return record.rows(at, written, fate)

    def _before(self) -> Owners:
        return self._owners(self._opening)

    def _settled(self, rows: list[Row], latest: Ledger) -> list[Row]:
        """The rows, in doubt where another apply wrote the same entity meanwhile: nobody knows who was last."""
        contested = {
            ref
            for (ref, spec), entry in latest.entries.items()
            if entry.run != self.run and entry != self._opening.entries.get((ref, spec))
        }
        return [found for row in rows if (found := self._contested(row) if _ref(row) in contested else row)]

    def _contested(self, row: Row) -> Row | None:
        if row.body.get("since") != row.at or row.event not in (WROTE, GONE):
            return None  # says what was so before; the other one's row says what is
        if row.event == GONE:
            return row
        return replace(row, event=TRIED, body={"owns": row.body.get("owns", False), "run": self.run})

    def _of_run(self, at: str, event: str, figures: dict[str, Any]) -> Row:
        assert self._frame is not None
        frame = self._frame
        return Row(at, frame.cluster, frame.spec, event, RUN, (self._id,), frame.plan, frame.who, figures)


def _ref(row: Row) -> Ref:
    return Ref(row.kind, row.name)
