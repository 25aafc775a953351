"""Swagger 2.0 schemas made strict: `allOf` flattened, unknown properties refused, discriminators followed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

CONTRACTS = Path(__file__).parents[2] / "contracts" / "openapi"
KEPT = ("type", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems")


def _retrieve(uri: str) -> Resource[Any]:
    path = Path(uri.removeprefix("file://"))
    return Resource.from_contents(json.loads(path.read_text()), default_specification=DRAFT4)


REGISTRY: Registry[Any] = Registry(retrieve=_retrieve)


class Strict:
    """Schemas of one file, closed: every definition that is reached becomes an entry of ``definitions``."""

    def __init__(self, file: Path) -> None:
        self._resolver = REGISTRY.resolver(base_uri=f"file://{file}")
        self._definitions: dict[str, Any] = {}

    def validator(self, schema: Mapping[str, Any]) -> Draft4Validator:
        """A validator for a schema that stands in the file."""
        closed = self._closed(schema, self._resolver)
        return Draft4Validator({**closed, "definitions": self._definitions})

    def _closed(self, schema: Any, resolver: Any) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" in schema:
            return {"$ref": "#/definitions/" + self._defined(schema["$ref"], resolver)}
        flat, home = self._flattened(schema, resolver)
        closed: dict[str, Any] = {name: flat[name] for name in KEPT if name in flat}
        if "items" in flat:
            closed["items"] = self._closed(flat["items"], home)
        if flat.get("properties"):
            closed["properties"] = {name: self._closed(one, of) for name, (one, of) in flat["properties"].items()}
            closed["required"] = sorted(flat["required"]) or None
            closed["additionalProperties"] = False
        if "additionalProperties" in flat and isinstance(flat["additionalProperties"], Mapping):
            closed["additionalProperties"] = self._closed(flat["additionalProperties"], home)
        return {name: value for name, value in closed.items() if value is not None}

    def _defined(self, ref: str, resolver: Any) -> str:
        """The name of a definition; closed once, however often and recursively it is used."""
        found = resolver.lookup(ref)
        name = f"{found.resolver._base_uri.rsplit('/', 1)[-1]}~{ref.rsplit('/', 1)[-1]}".replace("#", "")
        if name not in self._definitions:
            self._definitions[name] = {}
            kinds = _kinds(found.contents, ref, found.resolver)
            choices = [self._closed(one, found.resolver) for one in (found.contents, *kinds)]
            self._definitions[name] = {"anyOf": choices} if kinds else choices[0]
        return name

    def _flattened(self, schema: Mapping[str, Any], resolver: Any) -> tuple[dict[str, Any], Any]:
        """The schema with what its allOf parts say; each property remembers where its refs resolve."""
        flat: dict[str, Any] = {name: value for name, value in schema.items() if name not in ("allOf", "properties")}
        properties = {name: (one, resolver) for name, one in (schema.get("properties") or {}).items()}
        required = set(schema.get("required") or ())
        for part in schema.get("allOf") or ():
            contents, home = part, resolver
            if "$ref" in part:
                found = resolver.lookup(part["$ref"])
                contents, home = found.contents, found.resolver
            inner, _ = self._flattened(contents, home)
            properties = {**inner.get("properties", {}), **properties}
            required |= inner.get("required", set())
            flat = {**{name: inner[name] for name in KEPT if name in inner}, **flat}
        flat["properties"], flat["required"] = properties, required
        return flat, resolver


def _kinds(contents: Any, ref: str, resolver: Any) -> list[Any]:
    """The definitions that extend one with a discriminator (Database → ReadWriteDatabase)."""
    if not isinstance(contents, Mapping) or "discriminator" not in contents:
        return []
    siblings = resolver.lookup("#/definitions").contents
    own = ref.rsplit("/", 1)[-1]
    return [
        one
        for one in siblings.values()
        if any(part.get("$ref", "").rsplit("/", 1)[-1] == own for part in one.get("allOf") or ())
    ]


@cache
def strict(file: Path) -> Strict:
    """One set of closed schemas per file."""
    return Strict(file)
