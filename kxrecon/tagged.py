"""The values that a plan may hold, as JSON: refs and leaves are tagged mappings (``$ref``, ``$unknown``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kxrecon import model
from kxrecon.model import Deferred, Hidden, Ref, Secret, Unknown, Value


def encode(value: Value) -> Any:
    """A canonical value or one of the plan's records as JSON values."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Ref):
        return {"$ref": [value.kind, *value.name]}
    if isinstance(value, Hidden):
        return {"$hidden": value.shown or True}
    if isinstance(value, Secret):
        return {"$secret": value.variable}
    if isinstance(value, Unknown):
        return {"$unknown": [encode(value.ref), value.attribute]}
    if isinstance(value, Deferred):
        return {"$deferred": [value.function, encode(value.arguments)]}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [encode(item) for item in (sorted(value) if isinstance(value, frozenset | set) else value)]
    raise TypeError(f"a plan cannot hold a {type(value).__name__}")


def decode(value: Any) -> Value:
    """The inverse of ``encode`` for canonical values: lists become tuples, tagged mappings leaves."""
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "$ref":
            return Ref(content[0], tuple(content[1:]))
        if tag == "$hidden":
            return model.HIDDEN if content is True else Hidden(content)
        if tag == "$secret":
            return Secret(content)
        if tag == "$unknown":
            return Unknown(decode(content[0]), content[1])
        if tag == "$deferred":
            return Deferred(content[0], decode(content[1]))
    return {key: decode(item) for key, item in value.items()}


def canonical(value: Value) -> bytes:
    """Bytes that are equal exactly for equal values: what digests and fingerprints are made of."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
