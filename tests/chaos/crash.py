"""A crash in process: from one instant on nothing is sent and nothing is written any more."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from kxrecon.journal import History, Journal, history
from tests.dumps import Snapshot
from tests.ground import Ground, Pilot

MODES = ("before", "sent", "answered", "unwritten", "torn")
"""Before a request is sent, after it was served but before the answer, after the answer, before a line of
the journal, in the middle of one."""


class Crash(BaseException):
    """The process is gone."""


class Crasher(Pilot):
    """Counts boundaries and dies at the ``at``-th of its mode (0: never)."""

    def __init__(self, mode: str = "", at: int = 0) -> None:
        self.mode, self.at, self.dead = mode, at, False
        self.requests = self.lines = 0
        self._guard = threading.Lock()

    def around(self, what: str, send: Callable[[], Any]) -> Any:
        """Send, unless dead."""
        with self._guard:
            self._living()
            self.requests += 1
            here = self.requests == self.at
            if here and self.mode == "before":
                self._die()
        answer = send()
        with self._guard:
            self._living()
            if here and self.mode == "sent":
                self._die()
            self.dead = self.dead or (here and self.mode == "answered")
        return answer

    def writing(self, original: Callable[..., None]) -> Callable[..., None]:
        """A journal that may be cut off."""

        def append(journal: Journal, line: Any) -> None:
            with self._guard:
                self._living()
                self.lines += 1
                here = self.lines == self.at
                if here and self.mode == "unwritten":
                    self._die()
            original(journal, line)
            if here and self.mode == "torn":
                size = os.path.getsize(journal._path)
                os.truncate(journal._path, size - 20)
                with self._guard:
                    self._die()

        return append

    def _living(self) -> None:
        if self.dead:
            raise Crash

    def _die(self) -> None:
        self.dead = True
        raise Crash


@contextmanager
def crashing(ground: Any, mode: str = "", at: int = 0) -> Iterator[Crasher]:
    """A block that may end in a crash."""
    crasher = Crasher(mode, at)
    ground.pilot = crasher
    try:
        with mock.patch.object(Journal, "_append", crasher.writing(Journal._append)), suppress(Crash):
            yield crasher
    finally:
        ground.pilot = Pilot()


@dataclass(frozen=True)
class Instant:
    """What a process that died at one instant leaves behind: the services' documents and its journal."""

    what: str
    snapshot: Snapshot
    journal: bytes

    def restore(self, ground: Ground) -> None:
        """Make it the world's state."""
        ground.restore(self.snapshot)
        path = ground.folder / ".kxrecon" / "journal.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self.journal)


class Recorder(Pilot):
    """Keeps every instant of one run at which a death leaves something else behind than at the instant before.

    Whoever dies before a request is sent, while it is under way or after its answer leaves what the services
    then hold and what the journal then tells; nothing else outlives a process. So one run shows all of them, and
    the next apply is tried from each, without doing again what came before. ``boundaries`` counts all instants.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._guard = threading.RLock()
        self._changes, self._snapshot = -1, ground.snapshot()
        self._left: Any = None
        self.instants: list[Instant] = []
        self.boundaries = 0

    def around(self, what: str, send: Callable[[], Any]) -> Any:
        """Send; before, sent and answered are three boundaries."""
        self.keep(f"before {what}")
        answer = send()
        self.keep(f"sent {what}", boundaries=2)
        return answer

    def writing(self, original: Callable[..., None]) -> Callable[..., None]:
        """A journal of which each line may be missing, or torn."""

        def append(journal: Journal, line: Any) -> None:
            self.keep(f"unwritten {line['event']} {line.get('action', '')}")
            original(journal, line)
            self.keep(f"torn {line['event']} {line.get('action', '')}", torn=20)

        return append

    def keep(self, what: str, *, boundaries: int = 1, torn: int = 0) -> None:
        """Remember this instant unless it is like the last one."""
        with self._guard:
            self.boundaries += boundaries
            store, path = self._ground.store, self._ground.folder / ".kxrecon" / "journal.jsonl"
            with store._lock:
                if store._db.total_changes != self._changes:
                    self._changes, self._snapshot = store._db.total_changes, self._ground.snapshot()
            journal = path.read_bytes() if path.exists() else b""
            journal = journal[: len(journal) - torn] if torn else journal
            left = (id(self._snapshot), self._told(journal))
            if left != self._left:
                self._left = left
                self.instants.append(Instant(what, self._snapshot, journal))

    def _told(self, journal: bytes) -> History:
        """What the next run reads in this journal, but for the names in its first message."""
        path = self._ground.folder / "journal.cut"
        path.write_bytes(journal)
        whole, _, _ = journal.partition(b"\n")
        if not whole.endswith(b"}"):
            return History()
        frame = json.loads(whole)
        return replace(history(path, frame["cluster"], frame["wire"]), begun=())


@contextmanager
def recording(ground: Ground) -> Iterator[Recorder]:
    """A run of which every instant is kept."""
    recorder = Recorder(ground)
    ground.pilot = recorder
    try:
        with mock.patch.object(Journal, "_append", recorder.writing(Journal._append)):
            yield recorder
    finally:
        ground.pilot = Pilot()
