"""A crash in process: from one instant on nothing is sent and nothing is written any more."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

from kxrecon.journal import Journal
from tests.ground import Pilot

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
