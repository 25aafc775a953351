"""What is said to the services and what they answer: every command is checked before it is sent, and noted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.model import Failure, Plane, Read, Request, Table
from kxrecon.planes import PlaneClient, WriteRefused
from kxrecon.planes.failures import DENIED_STATUS, described, literal_secrets, masked
from kxrecon.planes.retry import UNREACHABLE
from kxrecon.probe.commands import looks, subject
from kxrecon.probe.furniture import INVENTED
from kxrecon.probe.model import CannotTell, Gone, Say, Told
from kxrecon.probed import Seen

LONGEST = 1200
"""Characters of an answer that go into the report."""
_GONE = (UNREACHABLE, "NoToken", "UntrustedHost", "NotPlayed")
_ID = re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


class Conversation:
    """One run's talk with the services about one database; ``noted`` is what has been said since it was last taken."""

    def __init__(self, planes: Mapping[Plane, PlaneClient], database: str) -> None:
        self._planes = planes
        self._database = database
        self._noted: list[Seen] = []
        self._known: dict[str, Table] = {}
        self._ids: dict[str, str] = {}

    def say(self, what: Say) -> Told:
        """Send it; a refusal is an answer too. Raises CannotTell for what is none: a lost answer, a missing right."""
        if isinstance(what, str):
            reads = what.startswith(".show")
            what = Read("kusto", self._database, what) if reads else Request("kusto", self._database, (what,))
        told = self._asked(what) if isinstance(what, Read) else self._written(what)
        self._note(told.text, f"refused: {told.refusal}" if told.refusal else _brief(told.table))
        return told

    def look(self, name: str) -> Table:
        """One of ``commands.looks``, from memory if nothing was written since. Raises CannotTell if it is refused."""
        if name not in self._known:
            told = self._asked(Read("kusto", self._database, looks(self._database)[name]))
            if told.refusal:
                raise CannotTell(f"{told.text}: {told.refusal}")
            self._known[name] = told.table
        return self._known[name]

    def forget(self) -> None:
        """Look again, although nothing was written."""
        self._known.clear()

    def show(self, names: Sequence[str], cells: Any) -> None:
        """Note those cells that a verdict rests on, of the looks of these names or of what was answered before."""
        said = "; ".join(looks(self._database)[name] for name in names) or "(of this)"
        self._note(said, cells if isinstance(cells, str) else json.dumps(cells, ensure_ascii=False, default=str))

    def taken(self) -> tuple[Seen, ...]:
        """What has been noted since the last time."""
        noted, self._noted = tuple(self._noted), []
        return noted

    def plain(self, text: str) -> str:
        """A text for a report: no secrets, the same short name for the same id."""
        hidden = masked(text, (INVENTED, *literal_secrets(text)))
        return _ID.sub(lambda found: self._ids.setdefault(found[0].lower(), f"<id-{len(self._ids) + 1}>"), hidden)

    def _note(self, said: str, answered: str) -> None:
        shown = self.plain(answered)
        self._noted.append(Seen(self.plain(said), shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"))

    def _asked(self, read: Read) -> Told:
        answer = self._planes[read.plane].read(read)
        if not isinstance(answer, Failure):
            assert isinstance(answer, Table)
            return Told(read.text, answer)
        if answer.code in _GONE or answer.reason == "unreachable":
            raise Gone(f"{read.text}: {answer.message}")
        if answer.reason == "denied":
            raise CannotTell(f"{read.text}: {answer.message}")
        return Told(read.text, refusal=answer.message, code=answer.code)

    def _written(self, request: Request) -> Told:
        text = "".join(map(str, request.text))
        if request.plane == "kusto" and subject(text, self._database) is None:
            raise WriteRefused(f"a probe writes only what is its own, and this is not: {masked(text)}")
        self._known.clear()
        said = f"{text} {json.dumps(dict(request.body))}" if request.body else text
        try:
            answer = self._planes[request.plane].write(request)
        except PlaneError as error:
            return Told(said, refusal=_refusal(text, error), code=error.code)
        return Told(said, Table(tuple(answer.get("columns") or ()), answer.get("rows") or []))


def _refusal(text: str, error: PlaneError) -> str:
    """The service's words. Raises CannotTell for an error that says nothing about what was asked."""
    what = masked(text.splitlines()[0])[:80]
    if error.code in _GONE:
        raise Gone(f"{what}: {described(error)}") from error
    trouble = isinstance(error, Throttled | Unanswered) or error.status in DENIED_STATUS or not error.permanent
    if trouble or error.status is None:
        raise CannotTell(f"{what}: {described(error)}") from error
    return described(error)


def _brief(table: Table) -> str:
    return f"done, {len(table.rows)} row{'' if len(table.rows) == 1 else 's'}"
