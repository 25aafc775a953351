"""Reading a database's csl script for what no ``.show`` command tells: an export's managed identity.

The script's text form is documented nowhere, so reading it is tolerant: what is not recognised is not
told. Source: learn.microsoft.com, .show database schema as csl script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kxrecon.kql import unquote
from kxrecon.model import Answer, Table

_STRING = r"""[hH]?@?'(?:[^'\\\n]|\\.|'')*'|[hH]?@?"(?:[^"\\\n]|\\.|"")*\""""
_EXPORT = re.compile(
    rf"^\s*\.create(?:-or-alter)?\s+continuous-export\s+(?:\[\s*(?P<quoted>{_STRING})\s*\]|(?P<plain>[\w.-]+))",
    re.MULTILINE,
)
_IDENTITY = re.compile(rf"\bmanagedIdentity\s*=\s*(?:(?P<quoted>{_STRING})|(?P<plain>[\w-]+))", re.IGNORECASE)


def export_identities(answer: Answer | None) -> Mapping[str, str | None] | None:
    """Each export of the script with its managed identity as written, None where none is written.

    None altogether if there is no script, or if it shows no export's identity at all: then its silence
    proves nothing.
    """
    if not isinstance(answer, Table):
        return None
    column = answer.index("DatabaseSchemaScript") or 0
    found: dict[str, str | None] = {}
    for row in answer.rows:
        text = row[column]
        if isinstance(text, str) and "continuous-export" in text:
            for start, end in _commands(text):
                found.setdefault(_meant(start), _identity(text, start.end(), end))
    return found if any(found.values()) else None


def _meant(found: re.Match[str]) -> str:
    return unquote(found["quoted"]) if found["quoted"] else found["plain"]


def _commands(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Where each export begins, and where the next one does: nothing is looked through twice, however long it is."""
    starts = list(_EXPORT.finditer(text))
    ends = (*(one.start() for one in starts[1:]), len(text))
    yield from zip(starts, ends, strict=False)


def _identity(text: str, start: int, end: int) -> str | None:
    """The ``managedIdentity`` property of the command between the two places, before its query begins."""
    query = text.find("<|", start, end)
    found = _IDENTITY.search(text, start, query if query >= 0 else end)
    return _meant(found).lower() if found else None
