"""The values that a plan may hold, as JSON: refs and leaves are tagged mappings (``$ref``, ``$unknown``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final

from kxrecon import model
from kxrecon.model import Deferred, Hidden, Ref, Secret, Unknown, Value

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_TAGGED: Final[Mapping[type, Callable[[Any], Any]]] = {
    Ref: lambda ref: {"$ref": [ref.kind, *ref.name]},
    Hidden: lambda hidden: {"$hidden": hidden.shown or True},
    Secret: lambda secret: {"$secret": [secret.variable, secret.doubled] if secret.doubled else secret.variable},
    Unknown: lambda unknown: {"$unknown": [encode(unknown.ref), unknown.attribute]},
    Deferred: lambda deferred: {"$deferred": [deferred.function, encode(deferred.arguments)]},
}


def encode(value: Value) -> Any:
    """A canonical value or one of the plan's records as JSON values."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if kind in _TAGGED:
        return _TAGGED[kind](value)
    names = _fields(kind)  # type: ignore[arg-type]  # mypy holds types for unhashable
    if names is not None:
        return {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, frozenset | set):
        return encode(sorted(value))
    if isinstance(value, str | int | float):  # an SDK's enumeration
        return value
    raise TypeError(f"a plan cannot hold a {kind.__name__}")


@cache
def _fields(kind: Hashable) -> tuple[str, ...] | None:
    """The fields of a record's type; None if it is none."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


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
            return Secret(*content) if isinstance(content, list) else Secret(content)
        if tag == "$unknown":
            return Unknown(decode(content[0]), content[1])
        if tag == "$deferred":
            return Deferred(content[0], decode(content[1]))
    return {key: decode(item) for key, item in value.items()}


def canonical(value: Value) -> bytes:
    """Bytes that are equal exactly for equal values: what digests and fingerprints are made of."""
    return encoded(encode(value))


def encoded(document: Any) -> bytes:
    """The same of a value that is JSON already."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
