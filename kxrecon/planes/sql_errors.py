"""What a DB-API driver raises, as kxrecon's errors, told apart as SQL Server's own errors.

Some drivers give the error's number, mssql-python only its words: both are known here.
learn.microsoft.com, "Troubleshoot transient connection errors in SQL Database", "Database engine events
and errors".
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.planes.retry import UNREACHABLE

Meaning = Literal["throttled", "passing", "denied", "absent", "exists"]


class Known(NamedTuple):
    """An error of SQL Server: its number, words that only it has (lower case), what it means for us."""

    number: int
    words: str
    meaning: Meaning


KNOWN = (
    Known(10928, "limit for the database is", "throttled"),
    Known(10929, "minimum guarantee is", "throttled"),
    Known(40501, "the service is currently busy", "throttled"),
    Known(49918, "not enough resources to process request", "throttled"),
    Known(49919, "too many create or update operations", "throttled"),
    Known(49920, "too many operations in progress", "throttled"),
    Known(40197, "has encountered an error processing your request", "passing"),
    Known(40613, "is not currently available", "passing"),
    Known(1205, "chosen as the deadlock victim", "passing"),
    Known(1222, "lock request time out period exceeded", "passing"),
    Known(42109, "the sql pool is warming up", "passing"),
    Known(229, "permission was denied on", "denied"),
    Known(262, "permission denied in database", "denied"),
    Known(916, "is not able to access the database", "denied"),
    Known(4060, "cannot open database", "denied"),
    Known(15151, "does not exist or you do not have permission", "denied"),
    Known(15247, "user does not have permission to perform this action", "denied"),
    Known(18456, "login failed for user", "denied"),
    Known(33134, "could not be resolved", "denied"),
    Known(40615, "is not allowed to access the server", "denied"),
    Known(47073, "deny public network access", "denied"),
    Known(208, "invalid object name", "absent"),
    Known(33130, "principal could not be found", "absent"),
    Known(15023, "already exists in the current database", "exists"),
)

_NUMBERED = {one.number: one for one in KNOWN}
_NUMBER = re.compile(r"(?:\(|error[ :#]+|msg )(\d{3,5})\b", re.IGNORECASE)
_REFUSED = ("refused", "login timeout", "server was not found", "name or service not known", "tcp provider")
_LOST = (
    *("communication link failure", "connection reset", "broken pipe", "connection is broken", "forcibly closed"),
    "query timeout expired",  # the server was told to stop; whether it was done before that, nobody knows
)
_STATUS: dict[Meaning, int] = {"denied": 403, "absent": 404, "exists": 409}


def recognised(error: Exception) -> Known | None:
    """The error of SQL Server behind a driver's; None if it is none that we know."""
    given = getattr(error, "number", None)
    text = str(error)
    numbers = [given] if isinstance(given, int) else [int(match[1]) for match in _NUMBER.finditer(text)]
    by_number = (_NUMBERED[one] for one in numbers if one in _NUMBERED)
    by_words = (one for one in KNOWN if one.words in text.lower())
    return next(by_number, None) or next(by_words, None)


def is_broken(error: Exception) -> bool:
    """Whether the connection is of no more use."""
    text, known = str(error).lower(), recognised(error)
    lost = any(mark in text for mark in _LOST) or isinstance(error, OSError)
    return lost or (known is not None and known.meaning == "passing")


def plane_error(error: Exception, target: str, *, connecting: bool = False) -> PlaneError:
    """The error of kxrecon for a driver's; its code is SQL Server's number. ``connecting``: nothing was sent yet."""
    if isinstance(error, PlaneError):
        return error
    known, text, message = recognised(error), str(error).lower(), f"{target}: {error}"
    if known is None:
        if connecting and any(mark in text for mark in _REFUSED):
            return PlaneError(message, code=UNREACHABLE, permanent=False)
        if is_broken(error):
            return Unanswered(message, code=type(error).__name__, permanent=False)
        return PlaneError(message, code=str(getattr(error, "number", "") or type(error).__name__))
    code = str(known.number)
    if known.meaning == "throttled":
        return Throttled(message, code=code, permanent=False)
    if known.meaning == "passing":
        return PlaneError(message, code=code, permanent=False)
    return PlaneError(message, code=code, status=_STATUS[known.meaning])
