"""Work that makes hundreds of thousands of containers and no cycles, without the collector that looks for cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection of cycles inside: it would cost a third of the time of loading a large spec. What was made is left
    out of later ones too: it goes when the last reference to it does.

    The collector is one for all threads: another one's end may switch it on again early, which only costs time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()
