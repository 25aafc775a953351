"""What a database's journal adds to the ledger: whether somebody wrote an entity after us.

A masked secret that somebody replaces by hand looks as before; the journal has the command (``.show database DB
journal``, learn.microsoft.com, Journal management: admins see every entry, others only their own; its format is no
contract). So an entry proves that somebody wrote, and the lack of one proves nothing. Instants are compared with
those of the same journal only, never with a clock of ours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kxrecon.kql import identifier, string
from kxrecon.ledger.rows import Entry
from kxrecon.model import Answers, Read, Ref, Table

KINDS = frozenset({"external_table", "continuous_export", "function"})
_OWN = "kxrecon;"
_NAME = r"(?:\[\s*(?:'[^']*'|\"[^\"]*\")\s*\]|[^\s(]+)"
# Commands that (re)define an entity as a whole; not those that enable it or set its folder or docstring.
_DEFINES = re.compile(
    rf"(?is)^\s*\.(?:create|create-or-alter|alter)\s+(external\s+table|continuous-export|function)\b"
    rf"(?!\s+{_NAME}\s+(?:folder|docstring)\b)"
)


def journal(database: str) -> Read:
    """What was done to the definitions of a database that may hold something hidden."""
    words = " or ".join(
        f"ChangeCommand contains {string(word)}" for word in ("external table", "continuous-export", "function")
    )
    return Read("kusto", database, f".show database {identifier(database)} journal | where {words}")


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody's command: when (by the service's clock), by whom, and the client's own mark of it."""

    at: str
    by: str
    client: str


@dataclass(frozen=True, slots=True)
class Witness:
    """The defining commands for each entity, oldest first, as the journals that could be read show them."""

    events: Mapping[Ref, Sequence[Event]] = field(default_factory=dict)

    def since(self, ref: Ref, entry: Entry) -> str:
        """Who wrote the entity after the entry was made; empty if nobody is known to."""
        event = next(iter(self.events.get(ref, ())[-1:]), None)
        if event is None or not entry.journal or event.at <= entry.journal or _is_of(event, entry.run):
            return ""
        run = f"kxrecon (run {event.client.split(';')[1]}), as " if event.client.startswith(_OWN) else ""
        return f"{run}{event.by or 'somebody'} wrote it on {event.at[:16].replace('T', ' ')}Z"

    def mark(self, ref: Ref, run: str) -> str:
        """The instant of a run's own last command, to be kept with the entry that it makes; that of the newest one
        where the journal does not tell whose they are. Empty if it knows of none."""
        events = self.events.get(ref, ())
        own = [event for event in events if _is_of(event, run)]
        return next((event.at for event in reversed(own or events)), "")


def _is_of(event: Event, run: str) -> bool:
    return bool(run) and event.client.startswith(f"{_OWN}{run};")


def witness(answers: Answers) -> Witness:
    """What the journals say; one that could not be read says nothing."""
    found: dict[Ref, list[Event]] = defaultdict(list)
    for read, answer in answers.items():
        if isinstance(answer, Table):
            for ref, event in _events(read.target, answer):
                found[ref].append(event)
    return Witness({ref: sorted(events, key=lambda event: event.at) for ref, events in found.items()})


def _events(database: str, answer: Table) -> Iterator[tuple[Ref, Event]]:
    places = [answer.index(name) for name in ("EventTimestamp", "EntityName", "ChangeCommand")]
    who = [answer.index(name) for name in ("Principal", "ClientRequestId")]
    if any(place is None for place in places):
        return
    for row in answer.rows:
        at, name, command = (str(row[place] or "") for place in places if place is not None)
        found = _DEFINES.match(command)
        if found and at and name:
            by, client = (str(row[place] or "") if place is not None else "" for place in who)
            kind = re.sub(r"[\s-]+", "_", found[1].lower())
            yield Ref(kind, (database, name)), Event(at, by, client)
