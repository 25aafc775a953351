"""How canonical values read to a person: timespans as ``10m``, columns as a schema, secrets by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from kxrecon import kql
from kxrecon.leaves import shown
from kxrecon.model import Deferred, Hidden, Secret, Unknown, Value

_TIMESPANS = frozenset({"intervalBetweenRuns", "forcedLatency"})
_SIZES = frozenset({"sizeLimit"})
_SUBSCRIPT = re.compile(r"\['([^']*)'\]")


def field_name(path: str) -> str:
    """``connections[0]['uri']`` as people write it: ``connections[0].uri``."""
    return _SUBSCRIPT.sub(r".\1", path)


def value(field: str, content: Value) -> str:
    """A field's value in the words of the spec, on one line unless it is text with several."""
    if content is None:
        return "(none)"
    if isinstance(content, Hidden | Secret | Unknown | Deferred):
        return shown(content)
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, int):
        return _number(field, content)
    if isinstance(content, str):
        return content or '""'
    if field == "columns" and _is_columns(content):
        return ", ".join(f"{name}:{kind}" for name, kind in content)
    if field == "columns" and _is_columns((content,)):
        return f"{content[0]}:{content[1]}"
    return _compound(field, content)


def _number(field: str, content: int) -> str:
    if field in _TIMESPANS:
        return _timespan(content)
    if field in _SIZES:
        return _size(content)
    return str(content)


def _timespan(ticks: int) -> str:
    """As people write it, ``10m``, where it is a whole number of one unit."""
    for unit, length in (("d", kql.DAY), ("h", kql.HOUR), ("m", kql.MINUTE), ("s", kql.SECOND)):
        if ticks and ticks % length == 0:
            return f"{ticks // length}{unit}"
    return kql.show_timespan(ticks)


def _size(octets: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if octets and octets % factor == 0:
            return f"{octets // factor} {unit}"
    return f"{octets} bytes"


def _is_columns(content: Value) -> bool:
    return isinstance(content, tuple | list) and all(isinstance(one, tuple | list) and len(one) == 2 for one in content)


def _compound(field: str, content: Value) -> str:
    if isinstance(content, Mapping):
        inside = (f"{name}: {value(name, part)}" for name, part in content.items() if part is not None)
        return "{" + ", ".join(inside) + "}"
    if isinstance(content, tuple | list):
        return "[" + ", ".join(value(field, part) for part in content) + "]"
    return json.dumps(content, default=str)
