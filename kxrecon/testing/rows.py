"""Rows that a test writes down, as the sandbox stores them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from kxrecon.sandbox.kusto import values

Row = Sequence[Any] | Mapping[str, Any]


def stored(row: Row, columns: Sequence[tuple[str, str]], where: str) -> list[Any]:
    """The cells of a row in the order of the columns (name, type). ValueError that names the row (``where``)."""
    names = [name for name, _ in columns]
    if isinstance(row, Mapping):
        unknown = [str(name) for name in row if name not in names]
        if unknown:
            raise ValueError(f"{where}: there is no column {', '.join(unknown)}; there are {', '.join(names)}")
        given = [row.get(name) for name in names]
    elif isinstance(row, Sequence) and not isinstance(row, str | bytes):
        if len(row) != len(columns):
            raise ValueError(f"{where}: {len(row)} values for {len(columns)} columns ({', '.join(names)})")
        given = list(row)
    else:
        raise ValueError(f"{where}: neither a list of values nor a mapping by column")
    return [_cell(value, name, kind, where) for value, (name, kind) in zip(given, columns, strict=True)]


def _cell(value: Any, name: str, kind: str, where: str) -> Any:
    if value is None:
        return None
    try:
        return _FITTING[kind](value)
    except (TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise ValueError(f"{where}, column {name}: {value!r} is no {kind} ({problem})") from None


def _whole(kind: str) -> Callable[[Any], int]:
    def fitting(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError("a whole number is wanted")
        return values.whole(value, kind)

    return fitting


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("True or False is wanted")
    return value


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("a number is wanted")
    return float(value)


def _decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise TypeError("a number is wanted")
    return values.decimal(str(value))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is wanted")
    value.encode()  # a lone surrogate is no text
    return value


def _datetime(value: Any) -> str:
    return values.iso(value) if isinstance(value, datetime) else values.moment(value)


def _timespan(value: Any) -> str:
    if isinstance(value, timedelta):
        return values.clock((value.days * 86_400 + value.seconds) * values.SECOND + value.microseconds * 10)
    return values.clock(values.ticks(value))


def _guid(value: Any) -> str:
    return str(value if isinstance(value, UUID) else UUID(value))


def _dynamic(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


_FITTING: Mapping[str, Callable[[Any], Any]] = {
    "bool": _bool,
    "datetime": _datetime,
    "decimal": _decimal,
    "dynamic": _dynamic,
    "guid": _guid,
    "int": _whole("int"),
    "long": _whole("long"),
    "real": _real,
    "string": _string,
    "timespan": _timespan,
}
