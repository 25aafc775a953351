"""Plain YAML scalars as the YAML 1.2 core schema reads them: nothing is a date, an octal or a ``no``.

Kusto timespans (``1:00:00``), dates and names stay the text that somebody wrote.
"""

from __future__ import annotations

import re
from typing import Final

from kxrecon.model import Value

_WORDS: Final[dict[str, Value]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# At most 18 digits: they fit a 64-bit integer, which is what every service and validator here takes.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")
_PREFIXED: Final = re.compile(r"0o[0-7]{1,20}\Z|0x[0-9a-fA-F]{1,15}\Z")
_FLOAT: Final = re.compile(
    r"[-+]?(?:(?:\.[0-9]{1,40}|[0-9]{1,40}\.[0-9]{0,40})(?:[eE][-+]?[0-9]{1,2})?|[0-9]{1,40}[eE][-+]?[0-9]{1,2})\Z"
)
_NUMERIC_START: Final = frozenset("-+.0123456789")


def resolve(text: str) -> Value:
    """The value of a plain scalar: None, bool, int, float, or the text itself.

    Infinity, not-a-number and numbers beyond 64 bits stay text, because JSON has no word for them.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _PREFIXED.match(text):
        return int(text, 0)
    return float(text) if _FLOAT.match(text) else text
