"""How much a page holds: a browser opens ten thousand lines and some megabytes at once, not a hundred.

Entries are asked for in the order of their weight. Each is a line as long as there is room for lines, and has its
details as long as there is room for those; what is left out is counted, and the page says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

LINES = 10_000
DETAILS = 6_000_000  # characters


@dataclass(slots=True)
class Room:
    """What is still free, and what found no room."""

    lines: int = LINES
    details: int = DETAILS
    left_out: int = 0  # entries without a line
    bare: int = 0  # entries without their details

    def line(self) -> bool:
        """Whether one more entry may be listed."""
        if self.lines:
            self.lines -= 1
            return True
        self.left_out += 1
        return False

    def fit(self, details: Callable[[], Markup]) -> Markup | None:
        """The details of an entry; None if they find no room, and from then on for all: nothing more is made."""
        made = details() if self.details > 0 else None
        self.details -= len(made) if made is not None else 0
        if made is None or self.details < 0:
            self.bare += 1
            return None
        return made
