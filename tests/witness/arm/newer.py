"""What is newer than the contract that judges: the api-version that the Python SDK sends, 2025-02-14.

Microsoft publishes no OpenAPI file of it here, but its schemas for deployment templates: they judge what is sent.
What is answered only files derived from the SDK know, which are no independent witness: they judge nothing, and are
looked into for what a recorded exception claims.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft4Validator

from .schemas import CONTRACTS

VERSION = "2025-02-14"
DEPLOYMENT = CONTRACTS / "arm-deployment-schemas" / f"{VERSION}_Microsoft.Kusto.json"
DERIVED = {name: CONTRACTS / "derived" / f"{name}.json" for name in ("kusto-2025-02-14", "storage-2026-09-01")}

# Operation → the resource of the deployment schema, and the part of the body that means the same in both.
SAME = {
    "Clusters_Update": ("clusters", "identity"),
    "ClusterPrincipalAssignments_CreateOrUpdate": ("clusters_principalAssignments", "properties"),
    "DatabasePrincipalAssignments_CreateOrUpdate": ("clusters_databases_principalAssignments", "properties"),
}


def wrong(operation: str, body: Any) -> Iterator[tuple[str, str]]:
    """Where and what, for everything in a request that the newer schema does not allow."""
    resource, part = SAME.get(operation, ("", ""))
    if not resource or not isinstance(body, dict) or part not in body:
        return
    for error in _validator(resource, part).iter_errors(body[part]):
        for leaf in error.context or [error]:
            where = f"$.{part}" + "".join(f".{step}" for step in leaf.absolute_path)
            yield where, leaf.message[:200]


@cache
def _validator(resource: str, part: str) -> Draft4Validator:
    document = _closed(json.loads(DEPLOYMENT.read_text("utf-8")))
    schema = document["resourceDefinitions"][resource]["properties"][part]
    return Draft4Validator({**schema, "definitions": document["definitions"]})


def _closed(node: Any) -> Any:
    """The schema without template expressions, which no request has, and without room for unknown properties."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    if set(node) >= {"oneOf"} and any(str(one.get("$ref", "")).endswith("/expression") for one in node["oneOf"]):
        kept = [one for one in node["oneOf"] if not str(one.get("$ref", "")).endswith("/expression")]
        return _closed(kept[0]) if len(kept) == 1 else {"anyOf": _closed(kept)}
    closed = {name: _closed(one) for name, one in copy.copy(node).items()}
    if "properties" in node and node.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def derived(name: str) -> Any:
    """A file derived from an SDK."""
    return json.loads(DERIVED[name].read_text("utf-8"))
