"""Where a row's file goes: the directories that an external table's partitions and path format spell.

("learn.microsoft.com, Create and alter Azure Storage external tables": partitions, path format.)
A partition is ``{name, type, function, column, argument}``, a path format a list of ``[text, …]``,
``[name, P]`` and ``[datetime_pattern, …, P]``, as the Kusto part of the sandbox stores them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from kxrecon.sandbox.kusto.errors import NotImitated
from kxrecon.sandbox.kusto.values import DAY, HOUR, MINUTE, cursor
from kxrecon.sandbox.scheduler.cells import as_datetime
from kxrecon.sandbox.scheduler.xxhash64 import bucket

NULL = "__DEFAULT_PARTITION__"
_SAFE = " !$&'()+,;=@~_-."
_FORMATS = {"startofyear": "yyyy", "startofmonth": "yyyy/MM"}
_BINS = {DAY: "yyyy/MM/dd", HOUR: "yyyy/MM/dd/HH", MINUTE: "yyyy/MM/dd/HH/mm"}
_TOKEN = re.compile(r"'[^']*'|\\.|y+|M+|d+|H+|h+|m+|s+|f+|t+|.", re.DOTALL)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def directories(
    partitions: Sequence[Mapping[str, Any]], path_format: Sequence[Sequence[str]] | None, row: Mapping[str, Any]
) -> str:
    """The directories of a row, joined by ``/``, without a slash at either end; empty without partitions.

    NotImitated for virtual columns: which value an export would write for them isn't documented.
    """
    by_name = {one["name"]: one for one in partitions}
    parts = path_format or _default_format(partitions)
    return "".join(_part(part, by_name, row) for part in parts).strip("/")


def _default_format(partitions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    parts: list[list[str]] = []
    for one in partitions:
        parts += [["text", "/"], ["name", one["name"]]]
    return parts[1:]


def _part(part: Sequence[str], partitions: Mapping[str, Mapping[str, Any]], row: Mapping[str, Any]) -> str:
    if part[0] == "text":
        return str(part[1])
    one = partitions[part[-1]]
    value = partition_value(one, row)
    if value is None:
        return NULL
    if isinstance(value, datetime):
        return pattern(part[1] if part[0] == "datetime_pattern" else _default_pattern(one), value)
    text = str(value)
    return quote(text, safe=_SAFE) if text.strip(".") else text.replace(".", "%2E") or NULL


def _default_pattern(partition: Mapping[str, Any]) -> str:
    if partition["function"] == "bin":
        return _BINS.get(int(partition["argument"]), "yyyy/MM/dd/HH/mm/ss")
    return _FORMATS.get(str(partition["function"]), "yyyy/MM/dd")


def partition_value(partition: Mapping[str, Any], row: Mapping[str, Any]) -> str | int | datetime | None:
    """What a partition is for a row: a string, a bucket or the start of a period (UTC); None if unknown."""
    if not partition.get("column"):
        raise NotImitated(f"the virtual partition column '{partition['name']}'")
    value, function = row.get(partition["column"]), partition.get("function")
    if value is None:
        return None
    if function == "hash":
        hashed = as_datetime(value) if partition.get("columnType") == "datetime" else value
        return bucket(hashed, int(partition["argument"]))
    if not function:
        return str(value)
    when = as_datetime(value)
    return start(when, str(function), partition.get("argument")) if when else None


def start(when: datetime, function: str, argument: Any = None) -> datetime:
    """The start of the day, week (Sunday), month, year or bin (``argument`` ticks) that a time falls in."""
    when = when.astimezone(UTC)
    day = when.replace(hour=0, minute=0, second=0, microsecond=0)
    if function == "startofday":
        return day
    if function == "startofweek":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    if function == "startofmonth":
        return day.replace(day=1)
    if function == "startofyear":
        return day.replace(day=1, month=1)
    if function == "bin":
        ticks = cursor(when) // int(argument) * int(argument)
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    raise NotImitated(f"the partition function '{function}'")


def pattern(text: str, when: datetime) -> str:
    """A time in a .NET custom format string; NotImitated for a specifier that has no imitation here."""
    return "".join(_token(match.group(), when) for match in _TOKEN.finditer(text))


def _token(token: str, when: datetime) -> str:
    if token[0] == "'":
        return token[1:-1]
    if token[0] == "\\":
        return token[1:]
    kind, width = token[0], len(token)
    if kind == "y":
        return f"{when.year:0{width}}" if width > 2 else f"{when.year % 100:0{width}}"
    if kind in "Md" and width > 2:
        names = _MONTHS[when.month - 1] if kind == "M" else _DAYS[when.weekday()]
        return names if width > 3 else names[:3]
    numbers = {"M": when.month, "d": when.day, "H": when.hour, "m": when.minute, "s": when.second}
    if kind in numbers:
        return f"{numbers[kind]:0{min(width, 2)}}"
    if kind == "h":
        return f"{(when.hour + 11) % 12 + 1:0{min(width, 2)}}"
    if kind == "f":
        return f"{when.microsecond:06}0"[:width]
    if kind == "t":
        return ("PM" if when.hour > 11 else "AM")[:width]
    if kind.isalpha():
        raise NotImitated(f"'{token}' in a datetime pattern")
    return token
