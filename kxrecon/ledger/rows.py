"""The rows of a ledger, append-only, and what they add up to: of an entity the last row counts, each spec for itself.

A row holds no value of a field, only hashes (``seal.py``). ``at`` is an ISO instant in UTC with microseconds; a
writer never goes back behind what it has read, so that a slow clock does not hide its rows behind older ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kxrecon.model import Ref

TRIED = "tried"  # an apply is about to write it; the last row if nobody saw how that ended
WROTE = "wrote"  # an apply wrote it, and the service said that it did
SAW = "saw"  # an apply found it as the spec wants it
GONE = "gone"  # an apply deleted it
VOID = "void"  # as if there had never been a row
BEGAN, ENDED = "began", "ended"  # a whole apply
EVENTS = frozenset({TRIED, WROTE, SAW, GONE, VOID, BEGAN, ENDED})
RUN = ""  # the kind of rows that are about a whole apply

# Names and Kusto types of a row's columns, in order. Entity and Body are JSON.
COLUMNS: Mapping[str, str] = {
    "At": "datetime",
    "Cluster": "string",
    "Spec": "string",
    "Event": "string",
    "Kind": "string",
    "Entity": "string",
    "Plan": "string",
    "Who": "string",
    "Body": "string",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line. ``name``: the entity's names, of a run its id. ``body``: hashes by field, of a run its figures."""

    at: str
    cluster: str
    spec: str
    event: str
    kind: str
    name: tuple[str, ...]
    plan: str
    who: str
    body: Mapping[str, Any] = field(default_factory=dict)

    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of COLUMNS."""
        return (
            *(self.at, self.cluster, self.spec, self.event, self.kind),
            *(_json(list(self.name)), self.plan, self.who, _json(self.body)),
        )


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is none of ours, or not any more. ``place`` says which: ``line 7``."""

    place: str


def row_of(cells: Iterable[Any]) -> Row | None:
    """A row from its texts; None for what is none."""
    try:
        at, cluster, spec, event, kind, entity, plan, who, body = (str(cell) for cell in cells)
        name, content = json.loads(entity), json.loads(body)
        moment = instant(datetime.fromisoformat(at))
    except ValueError:
        return None
    if not isinstance(name, list) or not isinstance(content, dict):
        return None
    return Row(moment, cluster, spec, event, kind, tuple(map(str, name)), plan, who, content)


def _json(content: Any) -> str:
    # In ASCII: no line break of any kind, and nothing that a literal in a command would have to escape.
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def instant(moment: datetime) -> str:
    """A moment as rows hold it."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def after(newest: str, now: datetime) -> str:
    """Now, or just after the newest row if that is later: the next row has to win over those that were read."""
    if not newest:
        return instant(now)
    return instant(max(now, datetime.fromisoformat(newest) + timedelta(microseconds=1)))


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one entity by one spec.

    ``at`` is when it was so, also where a later row says it again; ``put`` when the row was put down. ``seal`` names
    the key; hashes of another key prove nothing. ``written`` are hashes by field of what the spec said, ``blank`` the
    same of texts without their hidden literals, ``shown`` of how the service showed what it did not show as it was
    written (``blind``: nobody could look). ``owns``: that apply made it, or took it over. ``journal`` is the time of
    the newest entry about it in the database's journal then, ``run`` whoever wrote it in the services' own logs.
    ``sound``: false if a later line of the ledger cannot be read, which may have been about this entity.
    """

    spec: str
    event: str
    at: str
    plan: str
    seal: str = ""
    written: Mapping[str, str] = field(default_factory=dict)
    blank: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    blind: bool = False
    owns: bool = False
    journal: str = ""
    run: str = ""
    sound: bool = True
    put: str = field(default="", compare=False)

    def body(self) -> dict[str, Any]:
        """The content of the row that says the same, whenever it is put down."""
        found = {"seal": self.seal, "written": dict(self.written), "shown": dict(self.shown), "owns": self.owns}
        more = {"blank": dict(self.blank), "blind": self.blind, "journal": self.journal, "run": self.run}
        return {name: content for name, content in {**found, **more, "since": self.at}.items() if content}

    @property
    def stands(self) -> bool:
        """Whether it says that the entity is there."""
        return self.event in (TRIED, WROTE, SAW)


@dataclass(frozen=True, slots=True)
class Run:
    """One apply, for ``kxrecon history``. ``ended`` is None while it runs, or if it was killed."""

    id: str
    spec: str
    began: str
    ended: str | None
    who: str
    plan: str
    result: str
    actions: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the rows of one cluster say: entries by (ref, spec), runs in order, the newest instant, lines that
    cannot be read."""

    entries: Mapping[tuple[Ref, str], Entry] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    newest: str = ""
    damage: tuple[str, ...] = ()


def folded(rows: Iterable[Row | Damage], cluster: str) -> Ledger:
    """What the rows of one cluster add up to; those of one entity may come in any order."""
    last: dict[tuple[str, tuple[str, ...], str], tuple[int, Row]] = {}
    damaged, damage = -1, []
    for place, row in enumerate(rows):
        if isinstance(row, Damage):
            damaged = place
            damage.append(row.place)
        elif row.cluster == cluster:
            key = (row.kind, row.name, row.spec)
            before = last.get(key)
            if before is None or row.at >= before[1].at:
                last[key] = (place, row)
    entries = {
        (Ref(row.kind, row.name), row.spec): _entry(row, sound=place > damaged and row.event in EVENTS)
        for place, row in last.values()
        if row.kind != RUN and row.event != VOID
    }
    runs = sorted((_run(row) for _, row in last.values() if row.kind == RUN), key=lambda run: run.began)
    return Ledger(entries, tuple(runs), max((row.at for _, row in last.values()), default=""), tuple(damage))


def continued(ledger: Ledger, rows: Iterable[Row], cluster: str) -> Ledger:
    """The ledger as it is with more rows behind it."""
    added = [row for row in rows if row.kind != RUN]
    fresh = folded(added, cluster)
    entries = {**ledger.entries, **fresh.entries}
    for row in added:
        key = (Ref(row.kind, row.name), row.spec)
        if key not in fresh.entries:
            entries.pop(key, None)
    return replace(ledger, entries=entries, newest=max(ledger.newest, fresh.newest))


def _entry(row: Row, *, sound: bool) -> Entry:
    body = row.body
    return Entry(
        row.spec,
        row.event,
        at=_text(body.get("since")) or row.at,
        plan=row.plan,
        seal=_text(body.get("seal")),
        written=_texts(body.get("written")),
        blank=_texts(body.get("blank")),
        shown=_texts(body.get("shown")),
        blind=body.get("blind") is True,
        owns=body.get("owns") is True,
        journal=_text(body.get("journal")),
        run=_text(body.get("run")),
        sound=sound,
        put=row.at,
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else ""


def _texts(content: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in content.items()} if isinstance(content, Mapping) else {}


def _run(row: Row) -> Run:
    body = row.body
    over = row.event == ENDED
    return Run(
        id="/".join(row.name),
        spec=row.spec,
        began=_text(body.get("began")) or row.at,
        ended=row.at if over else None,
        who=row.who,
        plan=row.plan,
        result=_text(body.get("result")) if over else "did not end",
        actions=_number(body.get("actions")),
        done=_number(body.get("done")),
        failed=_number(body.get("failed")),
    )


def _number(content: Any) -> int:
    return content if isinstance(content, int) else 0
