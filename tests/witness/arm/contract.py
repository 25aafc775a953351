"""Finding the operation that an exchange means, and judging request and answer by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from . import newer
from .schemas import CONTRACTS, REGISTRY, strict

SPECIFICATION = CONTRACTS / "specification"
JUDGES = (
    "azure-kusto/resource-manager/Microsoft.Kusto/stable/2023-08-15/kusto.json",
    "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01/authorization-RoleAssignmentsCalls.json",
    "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01/authorization-RoleDefinitionsCalls.json",
    "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01/authorization-DenyAssignmentCalls.json",
    "msi/resource-manager/Microsoft.ManagedIdentity/stable/2023-01-31/ManagedIdentity.json",
    "storage/resource-manager/Microsoft.Storage/stable/2023-05-01/storage.json",
    "storage/resource-manager/Microsoft.Storage/stable/2023-05-01/blob.json",
)
SPANNING = ("scope", "parentResourcePath")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, bodies as JSON (None: empty)."""

    method: str
    path: str
    query: Mapping[str, str]
    request: Any
    status: int
    headers: Mapping[str, str]
    response: Any


@dataclass(frozen=True, slots=True)
class Finding:
    """A disagreement with the contract. ``where`` is a JSON path, ``what`` the validator's words."""

    operation: str
    part: str  # operation | status | request | request in 2025-02-14 | response | version | header
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation} {self.part} {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a contract file."""

    name: str
    file: Path
    method: str
    pattern: re.Pattern[str]
    literal: int
    document: Mapping[str, Any]


@cache
def operations() -> tuple[Operation, ...]:
    """All operations of the judging files, the most literal paths first."""
    found = [one for judge in JUDGES for one in _operations(SPECIFICATION / judge)]
    return tuple(sorted(found, key=lambda one: -one.literal))


def _operations(file: Path) -> Iterator[Operation]:
    for template, methods in json.loads(file.read_text())["paths"].items():
        parts = re.split(r"\{(\w+)\}", template)
        if parts[0] == "/" and len(parts) == 3 and not parts[2]:
            continue  # "/{roleAssignmentId}" would match everything
        text = "".join(
            re.escape(part) if index % 2 == 0 else (".*" if part in SPANNING else "[^/]+")
            for index, part in enumerate(parts)
        )
        literal = sum(len(part) for part in parts[0::2])
        for method, document in methods.items():
            if method != "parameters":
                pattern = re.compile(f"^/*{text}$", re.IGNORECASE)
                yield Operation(document["operationId"], file, method.upper(), pattern, literal, document)


def find(method: str, path: str) -> Operation | None:
    """The most specific operation of a request."""
    return next((one for one in operations() if one.method == method and one.pattern.match(path)), None)


def judge(exchange: Exchange) -> list[Finding]:
    """Everything about an exchange that its contract does not allow."""
    operation = find(exchange.method, exchange.path)
    if operation is None:
        return [Finding(f"{exchange.method} {exchange.path}", "operation", "$", "no contract has this operation")]
    return [
        *_version(operation, exchange),
        *_request(operation, exchange),
        *_response(operation, exchange),
    ]


def _version(operation: Operation, exchange: Exchange) -> Iterator[Finding]:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-preview)?", exchange.query.get("api-version", "")):
        yield Finding(operation.name, "version", "$", f"api-version {exchange.query.get('api-version')!r}")


def _request(operation: Operation, exchange: Exchange) -> Iterator[Finding]:
    body = next((one for one in _parameters(operation) if one.get("in") == "body"), None)
    if exchange.request is None:
        if body and body.get("required"):
            yield Finding(operation.name, "request", "$", "the body is missing")
        return
    if body is None:
        if exchange.request != {}:
            yield Finding(operation.name, "request", "$", "no body is declared")
        return
    yield from _validated(operation, "request", body["schema"], exchange.request)
    if exchange.query.get("api-version") == newer.VERSION:
        yield from (
            Finding(operation.name, f"request in {newer.VERSION}", where, what)
            for where, what in newer.wrong(operation.name, exchange.request)
        )


def _parameters(operation: Operation) -> Iterator[Mapping[str, Any]]:
    resolver = REGISTRY.resolver(base_uri=f"file://{operation.file}")
    for one in operation.document.get("parameters") or ():
        yield resolver.lookup(one["$ref"]).contents if "$ref" in one else one


def _response(operation: Operation, exchange: Exchange) -> Iterator[Finding]:
    declared = operation.document["responses"]
    answer = declared.get(str(exchange.status))
    if answer is None and exchange.status >= 400 and "default" in declared:
        answer = declared["default"]
    if answer is None:
        yield Finding(operation.name, "status", "$", f"status {exchange.status} is not declared")
        return
    schema = answer.get("schema")
    if schema is None:
        if exchange.response not in (None, "") and exchange.status < 400:
            yield Finding(operation.name, "response", "$", "a body was answered, none is declared")
        return
    if exchange.response is None:
        yield Finding(operation.name, "response", "$", "the body is missing")
        return
    yield from _validated(operation, "response", schema, exchange.response)


def _validated(operation: Operation, part: str, schema: Mapping[str, Any], body: Any) -> Iterator[Finding]:
    for error in strict(operation.file).validator(schema).iter_errors(body):
        for leaf in error.context or [error]:
            where = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in leaf.absolute_path)
            yield Finding(operation.name, part, where, leaf.message[:200])
