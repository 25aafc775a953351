"""What a sandbox holds, put so that two worlds that mean the same are equal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Snapshot = list[tuple[str, str, str]]

_RUNNING = frozenset(
    {"created", "startCursor", "cursor", "lastRunTime", "lastRunResult", "exportedTo", "lastSuccess", "failingSince"}
    | {
        "isRunning",
        "etag",
        "modified",
        "effectiveAt",
        "createdOn",
        "updatedOn",
        "created_on",
        "id",
        "version",
        "disabledBy",
    }
)
_KINDS = frozenset(
    {"cluster", "table", "function", "external_table", "continuous_export", "policy", "role", "cluster_principal"}
    | {"database_principal", "role_assignment", "container", "path", "sql_database", "sql_principal", "sql_permission"}
)


UNTOUCHED = "user::rwx,group::r-x,other::---"


def dump(snapshot: Snapshot) -> dict[str, Any]:
    """The documents of a snapshot that a spec can decide, by kind and key; the system identity by that name."""
    documents = {(kind, tuple(key.split("\x1f"))): json.loads(body) for kind, key, body in snapshot}
    known = _system(documents)
    found: dict[str, Any] = {}
    for (kind, key), document in documents.items():
        if kind in _KINDS:
            if kind == "path" and document["acl"] == UNTOUCHED:
                continue  # made by being looked at
            if document == {"policy": {"IsEnabled": True}}:
                continue  # ingestion time: on unless switched off
            name = key
            if kind == "role_assignment":
                name = (key[0], document["roleDefinitionId"][-36:], document["principalId"])
            found[_plain(" ".join((kind, *name)), known)] = json.loads(
                _plain(json.dumps(_still(_brief(document))), known)
            )
    return {key: _sorted(found[key]) for key in sorted(found)}


def _system(documents: Mapping[tuple[str, tuple[str, ...]], Any]) -> dict[str, str]:
    known: dict[str, str] = {}
    for (kind, _), document in documents.items():
        system = document["identity"].get("system") if kind == "cluster" else None
        principal = documents.get(("principal", (str(system),))) or {}
        known |= {str(system): "system", str(principal.get("clientId")): "system-client"} if system else {}
    return known


def _plain(text: str, known: Mapping[str, str]) -> str:
    for guid, name in known.items():
        text = re.sub(re.escape(guid), name, text, flags=re.IGNORECASE)
    return text


def _still(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _still(value) for key, value in document.items() if key not in _RUNNING}
    return [_still(one) for one in document] if isinstance(document, list) else document


_DEFAULTS: dict[str, Any] = {
    "sizeLimit": 104857600,
    "distributed": True,
    "distribution": "per_node",
    "distributionKind": "default",
    "parquetRowGroupSize": 100000,
    "forcedLatency": None,
    "compressed": False,
    "encoding": "UTF8NoBOM",
    "includeHeaders": "None",
    "createIfNotExists": False,
    "fireTriggers": False,
    "sqlDialect": "MSSQL",
}


def _brief(document: Any) -> Any:
    """A definition whose defaults were never said means the same as one that was written with all of them."""
    if "properties" not in document:
        return document
    said = {name: value for name, value in document["properties"].items() if _DEFAULTS.get(name, ...) != value}
    return {**document, "properties": said}


def _sorted(value: Any) -> Any:
    """Lists in whose order nothing lies: identities, policy entries, usages, ACL entries."""
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list) and all(isinstance(one, dict) and "ObjectId" in one for one in value):
        entries = [{**one, "AllowedUsages": sorted(re.split(r",\s*", one["AllowedUsages"]))} for one in value]
        return sorted(entries, key=lambda one: str(one["ObjectId"]))
    if isinstance(value, list) and all(isinstance(one, str) and one.startswith("/subscriptions/") for one in value):
        return sorted(value)
    if isinstance(value, str) and value.startswith("user::"):
        return sorted(value.split(","))
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """AssertionError with a line for each document in which two dumps differ."""
    different = [
        f"{key}:\n  {json.dumps(one.get(key), sort_keys=True)}\n  {json.dumps(other.get(key), sort_keys=True)}"
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]
    if different:
        raise AssertionError("\n".join(different))
