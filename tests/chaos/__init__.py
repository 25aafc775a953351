"""Crashes, storms and second writers. ``make chaos`` runs all of each; the normal suite runs a sample."""

from __future__ import annotations

import os

FULL = bool(os.environ.get("KXRECON_CHAOS"))


def sample(items: list, count: int) -> list:
    """All in the long form, else ``count`` of them, spread evenly."""
    if FULL or len(items) <= count:
        return items
    return [items[number * len(items) // count] for number in range(count)]
