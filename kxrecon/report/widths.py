"""About how wide a text is in a proportional font, in widths of a common letter; fonts differ, so leave some room."""

from __future__ import annotations

from unicodedata import east_asian_width

_NARROW, _WIDE = frozenset("ijlrtfI.,:;/|'()[]- "), frozenset("mwMW@%…")


def width(text: str) -> float:
    """The whole text."""
    return sum(map(_one, text))


def cut(text: str, room: float) -> str:
    """As much of a text as fits into ``room``, at least one character."""
    used = 0.0
    for number, character in enumerate(text):
        used += _one(character)
        if used > room:
            return text[: max(number, 1)]
    return text


def _one(character: str) -> float:
    if east_asian_width(character) in "WF":
        return 2.0
    return 0.6 if character in _NARROW else 1.3 if character.isupper() or character in _WIDE else 1.0
