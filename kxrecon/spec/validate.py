"""The schema's judgement: accept fast with jsonschema-rs, explain with jsonschema only what it refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from kxrecon.errors import Problem
from kxrecon.model import Value
from kxrecon.spec.explain import explain
from kxrecon.spec.schema import strict_schema
from kxrecon.spec.secrets import is_authentication, is_connection
from kxrecon.spec.source import SpecPath

MAX_EXPLAINED: Final = 1_000
_SECTIONS: Final[Mapping[str, str]] = {
    "tables": "table",
    "functions": "function",
    "externalTables": "externalTable",
    "continuousExports": "continuousExport",
}


@cache
def _fast() -> Any:
    return jsonschema_rs.Draft202012Validator(strict_schema())


def validate(document: dict[str, Value]) -> list[Problem]:
    """What is wrong with a merged document by the schema; empty if nothing is.

    The fast validator judges everything in one pass. Only entries that it refuses are given to the slow
    one, each with its own part of the schema, which says what is wrong in words.
    """
    fast = _fast()
    if fast.is_valid(document):
        return []
    refused = _refused(fast, document)
    problems: list[Problem] = []
    for path, errors in refused.items():
        found = list(_explained(document, path))
        problems.extend(found or [_unexplained(document, error) for error in errors])
    return problems


def _refused(fast: Any, document: dict[str, Value]) -> dict[SpecPath, list[Any]]:
    """The errors of the fast validator by the entry that they lie in; () for the frame around the entries."""
    refused: dict[SpecPath, list[Any]] = {}
    for error in fast.iter_errors(document):
        refused.setdefault(_entry(_path(document, error)), []).append(error)
        if len(refused) >= MAX_EXPLAINED:
            break
    return refused


def _entry(path: SpecPath) -> SpecPath:
    """The path of the entry that ``path`` lies in."""
    if len(path) >= 4 and path[0] == "databases" and path[2] in _SECTIONS:
        return path[:4]
    if len(path) >= 2 and path[0] == "targets":
        return path[:2]
    return ()


def _explained(document: dict[str, Value], path: SpecPath) -> Iterator[Problem]:
    if not path:
        return explain(strict_schema(), _frame(document), (), lambda where: _entry(where) == ())
    definition = "target" if path[0] == "targets" else _SECTIONS[str(path[2])]
    schema = {"$ref": f"#/$defs/{definition}", "$defs": strict_schema()["$defs"]}
    return islice(explain(schema, _at(document, path), path), MAX_EXPLAINED)


def _at(document: Any, path: SpecPath) -> Any:
    for step in path:
        document = document[step]
    return document


def _frame(document: dict[str, Value]) -> dict[str, Value]:
    """The document with empty entries: what the slow validator can walk quickly."""
    frame = dict(document)
    if isinstance(document.get("targets"), dict):
        frame["targets"] = {name: {} for name in document["targets"]}
    databases = document.get("databases")
    if isinstance(databases, dict):
        frame["databases"] = {name: _hollow(database) for name, database in databases.items()}
    return frame


def _hollow(database: Value) -> Value:
    if not isinstance(database, dict):
        return database
    return {
        key: {name: {} for name in value} if key in _SECTIONS and isinstance(value, dict) else value
        for key, value in database.items()
    }


def _path(document: Value, error: Any) -> SpecPath:
    """Where an error lies. The validator tells a key of digits (``7``, ``007``) as a number: which it is, the
    document knows."""
    found: list[str | int] = []
    for step in error.instance_path:
        key = next((key for key in document if _is(key, step)), step) if isinstance(document, dict) else step
        document = document[key]
        found.append(key)
    return tuple(found)


def _is(key: str, step: str | int) -> bool:
    return key == step or (isinstance(step, int) and key[-1:].isdigit() and (key.lstrip("+0") or "0") == str(step))


def _unexplained(document: Value, error: Any) -> Problem:
    """What the fast validator says where the slow one finds nothing: their regex dialects differ a little."""
    path = _path(document, error)
    secret = is_authentication(path) or is_connection(path)
    return Problem("not what the schema asks for" if secret else error.message, path=path)
