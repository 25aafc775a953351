"""Kusto's timespans: every documented way to write or print one, as int ticks of 100 ns.

Source: learn.microsoft.com, The timespan data type. ``kxrecon.kql`` offers these names to other modules.
"""

from __future__ import annotations

import re
from functools import lru_cache

TICK = 1
SECOND = 10_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
_UNITS = {
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("m", "min", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("s", "sec", "second", "seconds"), SECOND),
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), SECOND // 1_000),
    **dict.fromkeys(("micro", "micros", "microsecond", "microseconds"), SECOND // 1_000_000),
    **dict.fromkeys(("tick", "ticks"), TICK),
}
_CALL = re.compile(r"(?:time|timespan)\s*\((.*)\)\Z", re.IGNORECASE | re.DOTALL)
_SUFFIXED = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?\s*([a-z]*)\Z", re.IGNORECASE)
_CLOCK = re.compile(r"(-?)(?:([0-9]+)\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,7}))?)?\Z")


def timespan(ticks: int) -> str:
    """A timespan literal ``time(d.hh:mm:ss.fffffff)``, shortest form."""
    return f"time({show_timespan(ticks)})"


def show_timespan(ticks: int) -> str:
    """A timespan as Kusto prints it: ``01:00:00``, ``10.00:00:00``, ``00:00:00.5000000``."""
    days, rest = divmod(abs(ticks), DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    day, tail = f"{days}." if days else "", f".{fraction:07d}" if fraction else ""
    return f"{'-' if ticks < 0 else ''}{day}{hours:02d}:{minutes:02d}:{seconds:02d}{tail}"


def parse_timespan(value: object) -> int | None:
    """Ticks of any documented way to write or print a timespan; None if ``value`` is none of them, or null.

    Takes ``1h``, ``1.5d``, ``15 seconds``, ``d.hh:mm:ss.f``, ``time(…)``, ``timespan(…)`` and an int, which
    is ticks already. A number without a unit is days, as ``timespan(2)`` is.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _text_ticks(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _text_ticks(text: str) -> int | None:
    """Ticks of a text; the same few are written again and again."""
    text = text.strip()
    call = _CALL.match(text)
    text = call[1].strip() if call else text
    if ":" in text:
        return _clock_ticks(text)
    found = _SUFFIXED.match(text)
    unit = (_UNITS.get(found[4].lower()) if found[4] else DAY) if found else None
    if found is None or unit is None:
        return None
    fraction = found[3] or ""
    ticks: int = int(found[2] + fraction) * unit // 10 ** len(fraction)
    return -ticks if found[1] else ticks


def _clock_ticks(text: str) -> int | None:
    """Ticks of ``[-][d.]hh:mm[:ss[.f]]``; None if it is not one or a part is out of range."""
    found = _CLOCK.match(text)
    if not found:
        return None
    hours, minutes, seconds = int(found[3]), int(found[4]), int(found[5] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    ticks = int(found[2] or 0) * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND
    ticks += int((found[6] or "").ljust(7, "0"))
    return -ticks if found[1] else ticks
