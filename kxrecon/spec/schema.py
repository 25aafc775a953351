"""The published schemas: where they lie, and the overlay's, which is made from the spec's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from kxrecon.errors import KxreconError

MAIN: Final = "kxrecon.schema.json"
OVERLAY: Final = "kxrecon.overlay.schema.json"
_PACKAGE: Final = Path(__file__).resolve().parents[1]
_FOR_THE_WHOLE: Final = frozenset(
    ("required", "x-required", "minProperties", "maxProperties", "if", "then", "else", "allOf")
)


def schema_path(name: str = MAIN) -> Path:
    """The file of a published schema: inside an installed package, or in a checkout."""
    for folder in (_PACKAGE / "_schemas", _PACKAGE.parent / "schemas"):
        if (folder / name).is_file():
            return folder / name
    raise KxreconError(f"the schema {name} is missing from this installation of kxrecon")


@cache
def strict_schema() -> dict[str, Any]:
    """The schema of a merged spec: what ``defaults`` may give, and the published one only calls
    ``x-required``, must be there once they are applied."""
    strict: dict[str, Any] = _strict(main_schema())
    return strict


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {("required" if key == "x-required" else key): _strict(value) for key, value in schema.items()}


@cache
def main_schema() -> dict[str, Any]:
    """The JSON Schema of a spec as it is published, read once."""
    schema: dict[str, Any] = json.loads(schema_path().read_text("utf-8"))
    return schema


def schema_text(*, overlay: bool = False) -> str:
    """A published schema as it lies in its file."""
    return schema_path(OVERLAY if overlay else MAIN).read_text("utf-8")


def overlay_schema(main: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an overlay: the spec's, where nothing is required and null removes."""
    overlay: dict[str, Any] = _loosened(dict(main))
    overlay["title"] = "kxrecon overlay"
    overlay["description"] = "A file that extends a spec: it says only what differs. null removes what it extends."
    return overlay


def _loosened(schema: Any) -> Any:
    """A schema without its demands for completeness; named parts of it may be null."""
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _FOR_THE_WHOLE:
            continue
        if key in ("properties", "patternProperties"):
            result[key] = {name: _nullable(_loosened(part)) for name, part in value.items()}
        elif key == "$defs":
            result[key] = {name: _loosened(part) for name, part in value.items()}
        elif key == "additionalProperties":
            result[key] = _nullable(_loosened(value))
        elif key in ("items", "propertyNames"):
            result[key] = _loosened(value)
        else:
            result[key] = value
    return result


def _nullable(schema: Any) -> Any:
    """A schema that takes null besides what it takes; false stays false."""
    if not isinstance(schema, dict) or not schema.keys() & {"type", "enum", "const", "$ref"}:
        return schema
    notes = {key: schema[key] for key in ("description", "examples") if key in schema}
    inner = {key: value for key, value in schema.items() if key not in notes}
    return {**notes, "anyOf": [inner, {"type": "null"}]}
