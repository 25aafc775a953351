"""The spec's reference as Markdown, made from its JSON Schema: every key, its type, what it is for, an example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kxrecon.report.safe import code

Schema = Mapping[str, Any]
HEAD = """\
# The spec

Made from the JSON Schema by `kxrecon schema --markdown`; do not edit. For an editor that completes and
explains while you write, save `kxrecon schema` to a file and put this on the first line of the spec:

```yaml
# yaml-language-server: $schema=kxrecon.schema.json
```

A name of your choice stands as `NAME`. **Bold** keys are required. Keys that start with `x-` are yours.
"""


def reference(schema: Schema) -> str:
    """The whole page."""
    return HEAD + "".join(_Reference(schema).sections())


class _Reference:
    """One walk over a schema; parts that several keys share are described once and linked from elsewhere."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._printed: dict[str, str] = {}

    def sections(self) -> Iterator[str]:
        """A heading and a table per mapping of the spec, in the order of the schema; defaults last."""
        yield from self._section("", self._root)

    def _section(self, path: str, schema: Schema) -> Iterator[str]:
        named = self._shared(schema)
        if named and named in self._printed:
            if path:
                link = self._printed[named]
                yield f"\n## `{path}`\n\nAs [`{link}`](#{_anchor(link)}), as far as it is given.\n"
            return
        if named:
            self._printed[named] = path
        whole = self._resolved(schema)
        properties: Mapping[str, Schema] = whole.get("properties", {})
        yield f"\n## `{path}`\n" if path else "\n## Top level\n"
        if path and whole.get("description"):
            yield f"\n{whole['description']}\n"
        yield "\n| key | value | what it is for |\n|---|---|---|\n"
        for name, part in properties.items():
            yield self._row(name, part, name in whole.get("required", ()))
        for name, part in sorted(properties.items(), key=lambda item: item[0] == "defaults"):
            yield from self._below(f"{path}.{name}" if path else name, part)

    def _below(self, path: str, schema: Schema) -> Iterator[str]:
        whole = self._resolved(schema)
        if whole.get("properties"):
            yield from self._section(path, schema)
            return
        for part in (whole.get("additionalProperties"), whole.get("items")):
            if isinstance(part, Mapping) and self._resolved(part).get("properties"):
                inner = f"{path}.NAME" if part is whole.get("additionalProperties") else f"{path}[]"
                yield from self._section(inner, part)

    def _row(self, name: str, schema: Schema, required: bool) -> str:
        whole = self._resolved(schema)
        shown = f"**{code(name, cell=True)}**" if required else code(name, cell=True)
        told = " ".join(str(whole.get("description", "")).split()).replace("|", "\\|")
        examples = whole.get("examples") or ()
        if examples and not whole.get("enum"):
            told += f" Example: {code(_literal(examples[0]), cell=True)}"
        return f"| {shown} | {self._kind(whole)} | {told} |\n"

    def _kind(self, whole: Schema) -> str:
        if "const" in whole:
            return code(_literal(whole["const"]), cell=True)
        if "enum" in whole:
            return " \\| ".join(code(_literal(one), cell=True) for one in whole["enum"])
        kind = whole.get("type", "object" if whole.get("properties") else "any")
        words = {"object": "mapping", "array": "list", "integer": "whole number", "string": "text"}
        kinds = [words.get(one, one) for one in ([kind] if isinstance(kind, str) else kind)]
        if kinds == ["list"] and isinstance(whole.get("items"), Mapping):
            return f"list of {self._kind(self._resolved(whole['items']))}"
        return " or ".join(kinds)

    def _resolved(self, schema: Schema) -> Schema:
        """The schema with what it refers to filled in; what stands beside a reference wins."""
        if "$ref" not in schema:
            return schema
        target = self._root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        return {**self._resolved(target), **{key: value for key, value in schema.items() if key != "$ref"}}

    def _shared(self, schema: Schema) -> str | None:
        """The last definition that a chain of references leads to."""
        name = None
        while "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            schema = self._root["$defs"][name]
        return name


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _anchor(path: str) -> str:
    """How GitHub names the heading of a path."""
    return "".join(one for one in path.lower() if one.isalnum() or one in "-_")
