"""What a DB-API driver raises, as kxrecon's errors, told apart by SQL Server's own error numbers.

learn.microsoft.com, "Troubleshoot transient connection errors in SQL Database"; drivers put the number
into the text, in brackets or after ``error``, or on the exception.
"""

from __future__ import annotations

import re

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.planes.retry import UNREACHABLE

THROTTLED = frozenset({10928, 10929, 40501, 49918, 49919, 49920})
"""Resource limits: the statement was not run."""

PASSING = frozenset({4221, 40197, 40540, 40613, 42108, 42109})
"""The database moves, resumes or starts: the statement was not run."""

DENIED = frozenset({229, 230, 262, 297, 300, 916, 4060, 15151, 15247, 15404, 18456, 33134, 40615, 47073})
"""A right, a login or a firewall rule is missing; 15151 says "does not exist or you do not have permission"."""

ABSENT = frozenset({208, 15007})

_NUMBER = re.compile(r"(?:\(|error[ :#]+|msg )(\d{3,5})\b", re.IGNORECASE)
_REFUSED = ("refused", "login timeout", "server was not found", "name or service not known", "0x2749", "error code 0x")
_LOST = (
    "communication link failure",
    "connection reset",
    "broken pipe",
    "connection is broken",
    "forcibly closed",
    "08s01",
)
_DENIED_STATUS, _ABSENT_STATUS = 403, 404


def number(error: Exception) -> int | None:
    """SQL Server's error number, from the exception or its text; None if the driver does not give it."""
    given = getattr(error, "number", None)
    if isinstance(given, int):
        return given
    found = [int(match[1]) for match in _NUMBER.finditer(str(error))]
    known = THROTTLED | PASSING | DENIED | ABSENT
    return next((one for one in found if one in known), found[0] if found else None)


def is_broken(error: Exception) -> bool:
    """Whether the connection is of no more use."""
    text = str(error).lower()
    lost = any(mark in text for mark in _LOST) or isinstance(error, OSError)
    return lost or number(error) in PASSING or type(error).__name__ == "InterfaceError"


def plane_error(error: Exception, target: str, *, connecting: bool = False) -> PlaneError:
    """The error of kxrecon for a driver's. ``connecting``: nothing was sent yet."""
    if isinstance(error, PlaneError):
        return error
    found, text = number(error), str(error).lower()
    code = str(found) if found is not None else type(error).__name__
    message = f"{target}: {error}"
    if found in THROTTLED:
        return Throttled(message, code=code, permanent=False)
    if found in PASSING:
        return PlaneError(message, code=code, permanent=False)
    if found in DENIED:
        return PlaneError(message, code=code, status=_DENIED_STATUS)
    if found in ABSENT:
        return PlaneError(message, code=code, status=_ABSENT_STATUS)
    if connecting and any(mark in text for mark in _REFUSED):
        return PlaneError(message, code=UNREACHABLE, permanent=False)
    if is_broken(error):
        return Unanswered(message, code=code, permanent=False)
    return PlaneError(message, code=code)
