"""Microsoft's examples as they are published beside the contracts: where each is answered, and what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .contract import SPECIFICATION


@dataclass(frozen=True)
class Example:
    """One example file and the operation that names it; ``path`` has the example's own names in it."""

    file: Path
    method: str
    path: str
    parameters: Mapping[str, Any]
    responses: Mapping[str, Mapping[str, Any]]


@cache
def examples() -> tuple[Example, ...]:
    """The examples that an operation of a contract names; those by a bare id are matched by nothing."""
    paths = sorted(SPECIFICATION.glob("*/resource-manager/*/stable/*/examples/*.json"))
    found = ((path, _operation_of(path)) for path in paths if "ById" not in path.stem)
    return tuple(_example(path, *operation) for path, operation in found if operation is not None)


def _example(path: Path, method: str, template: str) -> Example:
    document = json.loads(path.read_text("utf-8"))
    for name, value in document["parameters"].items():
        template = template.replace("{" + name + "}", str(value).strip("/{}"))
    return Example(path, method, template, document["parameters"], document["responses"])


def _operation_of(path: Path) -> tuple[str, str] | None:
    """Method and path template of the operation that names an example, from the contract beside it."""
    for file in path.parent.parent.glob("*.json"):
        for template, methods in json.loads(file.read_text("utf-8")).get("paths", {}).items():
            for method, document in methods.items():
                named = (document.get("x-ms-examples") or {}).values() if method != "parameters" else ()
                if any(one["$ref"].rsplit("/", 1)[-1] == path.name for one in named):
                    return method.upper(), template
    return None
