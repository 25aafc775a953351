"""Values of a query's result: from whatever the evaluation answers to text, JSON and columns of a file.

A row's value is a Python value or the text that Kusto would show: datetimes as ISO 8601 in UTC, timespans
as ``[d.]hh:mm:ss``, dynamics as their JSON.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from kxrecon.sandbox.kusto.values import clock, iso


def as_datetime(value: Any) -> datetime | None:
    """A datetime in UTC; None for null and for text that is no datetime."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def as_text(value: Any) -> str:
    """A value as csv and tsv files hold it; null is empty."""
    if value is None:
        return ""
    plain = as_json(value)
    if isinstance(plain, bool):
        return "True" if plain else "False"
    return (
        json.dumps(plain, separators=(",", ":"), ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)
    )


def as_json(value: Any) -> Any:
    """A value as a line of JSON holds it."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return clock((value.days * 86_400 + value.seconds) * 10_000_000 + value.microseconds * 10)
    if isinstance(value, Decimal | UUID):
        return str(value)
    return value


def as_column(value: Any, kind: str) -> Any:
    """A value as a typed column of Parquet takes it."""
    if value is None:
        return None
    if kind == "datetime":
        found = as_datetime(value)
        return found.replace(tzinfo=None) if found else None
    if kind == "dynamic":
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return as_text(value) if kind in ("timespan", "guid", "string", "decimal") else value
