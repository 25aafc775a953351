"""The terms on which the planes of one run work: who may write, how patient, what is masked and recorded."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from kxrecon.planes.retry import Retry

IMPORTING = threading.RLock()
"""Held while an SDK is imported: azure.core imports itself in circles, and two threads that enter the
circle at different places find half of it."""

Recorder = Callable[[str], None]
"""Told each request's line (``GET https://…``, without its query) before it is sent."""


@dataclass(frozen=True, slots=True)
class Terms:
    """``run`` marks the run's requests in the services' own logs; ``secrets`` are masked in every message.

    ``rehearses``: whether a read may be a definition that the service checks and does not keep.
    """

    read_only: bool
    retry: Retry = field(default_factory=Retry)
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    secrets: tuple[str, ...] = ()
    record: Recorder | None = None
    rehearses: bool = False
