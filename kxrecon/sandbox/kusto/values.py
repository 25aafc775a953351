"""Kusto's values: literals, ticks, timespans and datetimes in and out, type names.

A tick is 100 ns ("learn.microsoft.com, The timespan data type"); datetimes are kept as ISO text in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from kxrecon.sandbox.kusto.errors import NotImitated

SECOND = 10_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
UNIT = {
    "d": DAY,
    "day": DAY,
    "h": HOUR,
    "hr": HOUR,
    "hour": HOUR,
    "m": MINUTE,
    "min": MINUTE,
    "minute": MINUTE,
    "s": SECOND,
    "sec": SECOND,
    "second": SECOND,
    "ms": 10_000,
    "milli": 10_000,
    "millisecond": 10_000,
    "micro": 10,
    "microsecond": 10,
    "nano": 0.01,
    "nanosecond": 0.01,
    "tick": 1,
}
CLOCK = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")
CANONICAL = {
    "boolean": "bool",
    "date": "datetime",
    "double": "real",
    "float": "real",
    "int32": "int",
    "int64": "long",
    "time": "timespan",
    "uniqueid": "guid",
    "uuid": "guid",
    "int8": "int",
    "int16": "int",
    "uint": "int",
    "uint8": "int",
    "uint16": "int",
    "uint32": "int",
    "uint64": "long",
    "ulong": "long",
}
DOTNET = {
    "bool": "System.SByte",
    "datetime": "System.DateTime",
    "decimal": "System.Data.SqlTypes.SqlDecimal",
    "dynamic": "System.Object",
    "guid": "System.Guid",
    "int": "System.Int32",
    "long": "System.Int64",
    "real": "System.Double",
    "string": "System.String",
    "timespan": "System.TimeSpan",
}
WHOLE_DIGITS, FRACTION_DIGITS = 21, 17  # of a decimal: DECIMAL(38, 17), in which queries are evaluated
EPOCH = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal's kind (Kusto type, or ``null``) and value: timespans in ticks, datetimes as ISO text."""

    kind: str
    value: Any
    hidden: bool = False


def canonical(name: str) -> str:
    """The type name that Kusto shows for a synonym."""
    return CANONICAL.get(name, name)


def unit_ticks(text: str) -> int:
    """Ticks of ``1.5h``, ``10 seconds`` and the like; ValueError for anything else."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]+)", text.strip())
    unit = match and (UNIT.get(match.group(2)) or UNIT.get(match.group(2).removesuffix("s")))
    if not match or unit is None:
        raise ValueError(f"'{text}' is no timespan")
    return round(float(match.group(1)) * unit) if "." in match.group(1) else int(int(match.group(1)) * unit)


def ticks(text: str) -> int:
    """Ticks of ``1h``, ``2`` (days), ``1.02:03:04.5``; ValueError for anything else."""
    text = text.strip()
    match = CLOCK.fullmatch(text)
    if match:
        sign, days, hours, minutes, seconds, fraction = match.groups()
        if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
            raise ValueError(f"'{text}' is no timespan")
        total = int(days or 0) * DAY + int(hours) * HOUR + int(minutes) * MINUTE + int(seconds or 0) * SECOND
        total += int((fraction or "").ljust(7, "0"))
        return -total if sign else total
    if re.fullmatch(r"-?\d+", text):
        return int(text) * DAY
    return unit_ticks(text)


def clock(value: int) -> str:
    """Ticks as Kusto shows them: ``[d.]hh:mm:ss[.fffffff]``."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    days, rest = divmod(value, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    text = f"{hours:02}:{minutes:02}:{seconds:02}" + (f".{fraction:07}" if fraction else "")
    return sign + (f"{days}." if days else "") + text


def typed(text: str) -> Literal:
    """The literal written ``type(value)``; ValueError when the value does not fit the type."""
    name, _, rest = text.partition("(")
    kind, inner = canonical(name.strip()), rest.rpartition(")")[0].strip()
    if inner == "null" and kind != "dynamic":
        return Literal(kind, None)
    if kind == "timespan":
        return Literal(kind, ticks(inner.strip("'\"")))
    if kind == "datetime":
        return Literal(kind, moment(inner.strip("'\"")))
    if kind in ("int", "long"):
        return Literal(kind, int(inner, 0))
    if kind == "real":
        return Literal(kind, float(inner))
    if kind == "decimal":
        return Literal(kind, decimal(inner))
    if kind == "bool":
        return Literal(kind, _truth(inner))
    if kind == "guid" and not re.fullmatch(r"[0-9a-fA-F-]{32,36}", inner.strip("'\"")):
        raise ValueError(f"'{inner}' is no guid")
    return Literal(kind, inner.strip("'\"").lower() if kind == "guid" else inner)


def _truth(text: str) -> bool:
    words = {"true": True, "false": False, "1": True, "0": False}
    if text.lower() not in words:
        raise ValueError(f"'{text}' is no bool")
    return words[text.lower()]


def whole(number: int, kind: str) -> int:
    """The number, if an ``int`` or a ``long`` can hold it; ValueError if not."""
    bits = {"int": 31, "long": 63}[kind]
    if not -(2**bits) <= number < 2**bits:
        raise ValueError(f"{number} is no {kind}")
    return number


def decimal(text: str) -> str:
    """A decimal as its shortest text: never by way of a binary fraction, which would make it another number.

    ValueError if it is none, NotImitated for one with more digits than a column here holds.
    """
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"'{text}' is no decimal") from None
    if not found.is_finite():
        raise ValueError(f"'{text}' is no decimal")
    whole, _, fraction = format(found, "f").lstrip("-").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    if len(whole) > WHOLE_DIGITS or len(fraction) > FRACTION_DIGITS:
        raise NotImitated(f"decimals with more than {WHOLE_DIGITS} + {FRACTION_DIGITS} digits ('{text.strip()}')")
    sign = "-" if found < 0 else ""
    return f"{sign}{whole or '0'}" + (f".{fraction}" if fraction else "")


def whole_micros(value: int) -> int:
    """Ticks that are whole microseconds, which is what a column here holds; NotImitated for others."""
    if value % 10:
        raise NotImitated(f"times finer than a microsecond ('{clock(value)}')")
    return value


def moment(text: str) -> str:
    """A datetime's ISO text with seven digits and Z, as Kusto shows it; ValueError if it is none."""
    return iso(datetime.fromisoformat(text.strip().replace("Z", "+00:00")))


def when(text: str) -> datetime:
    """The instant of a stored ISO text."""
    return datetime.fromisoformat(text)


def iso(when: datetime) -> str:
    """A datetime as Kusto writes it."""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when.year:04}-{when:%m-%dT%H:%M:%S}.{when.microsecond:06}0Z"


def cursor(when: datetime) -> int:
    """Ticks since year 1, the number a database cursor looks like ("636751928823156645")."""
    span: timedelta = when - EPOCH
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds * 10
