"""Schema errors in words: what is wrong, and the nearest right thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Final

from kxrecon.errors import Problem
from kxrecon.model import Value
from kxrecon.spec.secrets import is_authentication, is_connection, masked
from kxrecon.spec.source import SpecPath

_TYPES: Final[Mapping[str, str]] = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_SHOWN: Final = 60
_GUESSED: Final = 100  # unknown fields of one mapping for which the nearest known one is looked up: it takes a while


def explain(
    schema: Mapping[str, Any], instance: Value, path: SpecPath, wanted: Callable[[SpecPath], bool] | None = None
) -> Iterator[Problem]:
    """The problems of ``instance``, which stands at ``path``; only those at ``wanted`` places, if given."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    for error in Draft202012Validator(schema).iter_errors(instance):
        where = (*path, *error.absolute_path)
        if wanted is None or wanted(where):
            yield from _problems(error, where)


def _problems(error: Any, path: SpecPath) -> Iterator[Problem]:
    label = _label(path)
    words = error.validator
    if words == "additionalProperties":
        for number, key in enumerate(_extra(error)):
            remedy = _field_remedy(key, error.schema) if number < _GUESSED else None
            yield Problem(f"unknown field '{key}'", (*path, key), entity=label, remedy=remedy)
    elif words == "not":
        yield Problem(f"'{path[-1]}' does not go with {_expected(error)}", path, entity=label)
    elif words == "required":
        yield Problem(_missing(error), path, entity=label)
    elif words == "propertyNames" or "propertyNames" in error.schema_path:
        name = error.instance
        yield Problem(f"the name {_show(name, path)} is not {_expected(error)}", (*path, name), entity=label)
    else:
        yield Problem(_wrong_value(error, path), path, entity=label, remedy=_value_remedy(error, path))


def _label(path: SpecPath) -> str | None:
    """The entity that ``path`` lies in, as plans name it."""
    if len(path) >= 4 and path[0] == "databases":
        return f"{path[1]}/{path[3]}"
    if len(path) >= 2 and path[0] in ("targets", "roleAssignments"):
        return f"{path[0]}/{path[1]}"
    return None


def _extra(error: Any) -> list[str]:
    known = error.schema.get("properties", {})
    return [key for key in error.instance if key not in known and not key.startswith("x-")]


def _field_remedy(key: str, schema: Mapping[str, Any]) -> str | None:
    known = list(schema.get("properties", {}))
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(key.lower(), list(lowered), n=3, cutoff=0.6)
    if close:
        nearest = [name for name in close if _alike(key, name) == _alike(key, close[0])]
        return f"did you mean {' or '.join(repr(lowered[name]) for name in sorted(nearest))}?"
    return f"known are {', '.join(known)}" if 0 < len(known) <= 12 else None


def _alike(key: str, name: str) -> float:
    return SequenceMatcher(None, key.lower(), name).ratio()


def _missing(error: Any) -> str:
    fields = [field for field in error.validator_value if field not in error.instance]
    names = " and ".join(f"'{field}'" for field in fields)
    words = error.schema.get("x-expect")
    if words and "need" in words:
        return str(words)
    return f"{names} {'is' if len(fields) == 1 else 'are'} missing" + (f" from {words}" if words else "")


def _wrong_value(error: Any, path: SpecPath) -> str:
    shown = _show(error.instance, path)
    expected = _expected(error)
    if error.validator in ("minProperties", "maxProperties", "const") and "x-expect" in error.schema:
        return f"expected {expected}" if error.validator != "const" else f"{shown} is not {expected}"
    return f"{shown} is not {expected}"


def _expected(error: Any) -> str:
    if "x-expect" in error.schema:
        return str(error.schema["x-expect"])
    value = error.validator_value
    if error.validator == "enum":
        return "one of " + ", ".join(str(one) for one in value)
    if error.validator == "type":
        return " or ".join(_TYPES[one] for one in ([value] if isinstance(value, str) else value))
    return {
        "minLength": "allowed: it is empty",
        "minItems": "allowed: the list is empty",
        "uniqueItems": "allowed: an item appears twice",
    }.get(error.validator, f"allowed ({error.validator} {value})")


def _value_remedy(error: Any, path: SpecPath) -> str | None:
    if error.validator == "enum" and isinstance(error.instance, str):
        choices = {str(one).lower(): str(one) for one in error.validator_value}
        close = get_close_matches(error.instance.lower(), list(choices), n=1)
        return f"did you mean '{choices[close[0]]}'?" if close else None
    if (
        error.validator == "type"
        and error.validator_value == "string"
        and isinstance(error.instance, bool | int | float)
    ):
        return "quote it" if "x-expect" not in error.schema and not is_authentication(path) else None
    return None


def _show(value: Value, path: SpecPath) -> str:
    """A value short enough for a message; never one that may be a secret."""
    if is_authentication(path) or is_connection(path):
        return "the value"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    text = masked(str(value))
    return f"'{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}'"
