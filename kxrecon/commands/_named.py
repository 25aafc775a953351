"""Entities that options name (``--reassert``, ``--ignore``): one spec has to have them, of a fleet one of its specs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from kxrecon.errors import UsageError


def begin(options: argparse.Namespace) -> None:
    """From here on the options are for several specs, each of which says what it knows."""
    options.met = set()


def here(options: argparse.Namespace, said: Sequence[str], known: Callable[[str], bool]) -> Sequence[str]:
    """What was named and is ``known`` here; all of it where one spec is meant alone, which judges itself."""
    met: set[str] | None = getattr(options, "met", None)
    if met is None:
        return said
    found = [one for one in said if known(one)]
    met.update(found)
    return found


def check(options: argparse.Namespace) -> None:
    """UsageError for what none of the specs knows, once all of them were asked; one of another shard may know it."""
    for name in ("reassert", "ignore"):
        for one in getattr(options, name, ()):
            if one and one not in options.met and not options.shard:
                raise UsageError(f"--{name} {one}: none of these specs, nor of their clusters, has such an entity")
