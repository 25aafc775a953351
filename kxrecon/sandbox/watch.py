"""What happens to each request of an open sandbox: it is counted, told to who watches, struck by the forecast."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kxrecon.sandbox.forecast import Event, Forecast, Occasion, from_document
from kxrecon.sandbox.world import World

ALL = "\x00all"
Seen = Callable[[Occasion], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Weather and witness of a sandbox file: a forecast in place of the stored one, and who is told of requests."""

    forecast: Forecast | None = None
    seen: Seen | None = None


_WATCHES: dict[Path, Watch] = {}


@contextmanager
def watching(path: Path, watch: Watch) -> Iterator[None]:
    """While the block runs, whoever in this process opens the sandbox in ``path`` opens it under this watch."""
    key = path.resolve()
    before = _WATCHES.get(key)
    _WATCHES[key] = watch
    try:
        yield
    finally:
        if before is None:
            del _WATCHES[key]
        else:
            _WATCHES[key] = before


def watch_of(path: Path) -> Watch:
    """The watch that was set over a sandbox file; an empty one if there is none."""
    return _WATCHES.get(path.resolve(), Watch())


def forecast_of(world: World, given: Forecast | None) -> Forecast:
    """The forecast given, else the one kept in the sandbox's file, else none."""
    return given or from_document(world.store.get("meta", "weather") or {})


class Lookout:
    """Counts the requests of one service, from 1, and asks the forecast about each. Safe for threads."""

    def __init__(self, service: str, forecast: Forecast, seen: Seen | None = None) -> None:
        self.service, self.forecast, self._seen = service, forecast, seen
        self._guard = threading.Lock()
        self._counted: Counter[str] = Counter()

    @property
    def is_idle(self) -> bool:
        """Nothing can strike, and nobody listens."""
        return not self.forecast.rules and self._seen is None

    def event(self, method: str, operation: str, text: str = "") -> Event | None:
        """What happens to the request that just came in."""
        with self._guard:
            self._counted[operation] += 1
            self._counted[ALL] += 1
            nth, index = self._counted[operation], self._counted[ALL]
        occasion = Occasion(self.service, method, operation, nth, index, text)
        if self._seen is not None:
            self._seen(occasion)
        return self.forecast.event(occasion)
