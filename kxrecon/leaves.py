"""Leaves inside requests: find them, bind them, show them without giving a secret away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from kxrecon.errors import ApplyError
from kxrecon.kql import escape_verbatim
from kxrecon.model import FUNCTIONS, Deferred, Hidden, Request, Secret, Text, Unknown, Value

# What a service may assign and we may put into a command unquoted by anything but its literal: ids, and times.
_IDENTIFIER = re.compile(r"[0-9A-Za-z._/:-]{1,512}\Z")

Lookup = Callable[[Unknown], str | None]
Secrets = Mapping[str, str]


def unknowns(value: Value) -> Iterator[Unknown]:
    """All ``Unknown`` leaves inside a request's text, body or any canonical value."""
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Deferred):
        yield from unknowns(value.arguments)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from unknowns(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from unknowns(item)


def request_unknowns(request: Request) -> Iterator[Unknown]:
    """All ``Unknown`` leaves of a request."""
    yield from unknowns(request.text)
    yield from unknowns(request.body)


def bind(request: Request, lookup: Lookup, secrets: Secrets) -> Request:
    """The request with every leaf replaced by its value.

    Raises ApplyError when a value is still unknown or is not an identifier, KeyError never: a secret
    that is missing was reported when the spec was loaded, and again here by name.
    """
    escape = escape_verbatim if request.plane == "kusto" else str
    text = "".join(part if isinstance(part, str) else escape(_value(part, lookup, secrets)) for part in request.text)
    return replace(request, text=(text,), body=_bind_value(request.body, lookup, secrets))


def _bind_value(value: Value, lookup: Lookup, secrets: Secrets) -> Value:
    if isinstance(value, Unknown | Deferred | Secret):
        return _value(value, lookup, secrets)
    if isinstance(value, Mapping):
        return {key: _bind_value(item, lookup, secrets) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_bind_value(item, lookup, secrets) for item in value]
    return value


def _value(leaf: str | Unknown | Deferred | Secret, lookup: Lookup, secrets: Secrets) -> str:
    if isinstance(leaf, str):
        return leaf
    if isinstance(leaf, Secret):
        if leaf.variable not in secrets:
            raise ApplyError(f"the secret variable '{leaf.variable}' has no value: set KXRECON_VAR_{leaf.variable}")
        value = secrets[leaf.variable]
        return value.replace(leaf.doubled, leaf.doubled * 2) if leaf.doubled else value
    if isinstance(leaf, Deferred):
        return FUNCTIONS[leaf.function](*(_value(argument, lookup, secrets) for argument in leaf.arguments))
    found = lookup(leaf)
    if found is None:
        raise ApplyError(f"{leaf} is still not known: run plan again")
    if not _IDENTIFIER.match(found):
        raise ApplyError(f"{leaf} came back as something that is no identifier: refused")
    return found


def shown(part: Value) -> str:
    """A part of a request as people may see it: secrets by name, late values by what they wait for."""
    if isinstance(part, Secret):
        return f"«secret {part.variable}»"
    if isinstance(part, Unknown | Deferred):
        return f"«known after apply: {part}»"
    if isinstance(part, Hidden):
        return "(hidden)"
    return str(part)


def shown_text(text: Text) -> str:
    """A request's text as people may see it."""
    return "".join(shown(part) for part in text)
