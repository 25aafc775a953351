"""A plan as a file: versioned JSON without secrets, bound to the code of its words by tags.

Only values that a plan may hold can be written or read; a leaf is written as ``{"$unknown": …}``.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon import model
from kxrecon.errors import PlanError
from kxrecon.model import Deferred, Hidden, Ref, Secret, Unknown, Value

if TYPE_CHECKING:
    from kxrecon.plan import Plan

VERSION = 1


def encode(value: Value) -> Any:
    """A canonical value or one of the plan's records as JSON values."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Ref):
        return {"$ref": [value.kind, *value.name]}
    if isinstance(value, Hidden):
        return {"$hidden": True}
    if isinstance(value, Secret):
        return {"$secret": value.variable}
    if isinstance(value, Unknown):
        return {"$unknown": [encode(value.ref), value.attribute]}
    if isinstance(value, Deferred):
        return {"$deferred": [value.function, encode(value.arguments)]}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [encode(item) for item in (sorted(value) if isinstance(value, frozenset | set) else value)]
    raise TypeError(f"a plan cannot hold a {type(value).__name__}")


def decode(value: Any) -> Value:
    """The inverse of ``encode`` for canonical values: lists become tuples, tagged mappings leaves."""
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "$ref":
            return Ref(content[0], tuple(content[1:]))
        if tag == "$hidden" and content is True:
            return model.HIDDEN
        if tag == "$secret":
            return Secret(content)
        if tag == "$unknown":
            return Unknown(decode(content[0]), content[1])
        if tag == "$deferred":
            return Deferred(content[0], decode(content[1]))
    return {key: decode(item) for key, item in value.items()}


def canonical(value: Value) -> bytes:
    """Bytes that are equal exactly for equal values: what digests and fingerprints are made of."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, with its format version, its digest, and a seal that covers its time as well."""
    return {"kxreconPlan": VERSION, "digest": plan.digest, "seal": _seal(plan), **encode(plan)}


def _seal(plan: Plan) -> str:
    return hashlib.sha256(canonical(plan)).hexdigest()


def save(plan: Plan, path: Path) -> None:
    """Write the plan, readable by its owner only, whole or not at all."""
    write_private(path, json.dumps(to_json(plan), indent=1, ensure_ascii=False))


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically with mode 0600; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> Plan:
    """Read a saved plan. Raises PlanError if it is missing, foreign, of another version, or was edited."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or "kxreconPlan" not in document:
            raise PlanError(f"{path} is not a kxrecon plan")
        if document["kxreconPlan"] != VERSION:
            raise PlanError(f"{path} was saved by another version of kxrecon: run plan again")
        plan = _plan(document)
    except FileNotFoundError as error:
        raise PlanError(f"no plan is saved at {path}: run 'kxrecon plan SPEC' first") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise PlanError(f"{path} cannot be read as a plan ({type(error).__name__}): run plan again") from error
    if (plan.digest, _seal(plan)) != (document.get("digest"), document.get("seal")):
        raise PlanError(f"{path} was changed after it was saved: run plan again")
    return plan


def _plan(document: Mapping[str, Any]) -> Plan:
    from kxrecon.plan import Plan

    values = {field.name: decode(document[field.name]) for field in fields(Plan)}
    values["actions"] = tuple(_action(item) for item in values["actions"])
    values["findings"] = tuple(model.Finding(**item) for item in values["findings"])
    values["allow"] = tuple(model.Allow(**item) for item in values["allow"])
    return Plan(**values)


def _action(item: Mapping[str, Any]) -> model.Action:
    changed = {
        "requests": tuple(model.Request(**request) for request in item["requests"]),
        "hazards": tuple(model.Hazard(**hazard) for hazard in item["hazards"]),
        "changes": tuple(_change(change) for change in item["changes"]),
    }
    return model.Action(**{**item, **changed})


def _change(item: Mapping[str, Any]) -> model.Change:
    changed = {
        "observed": None if item["observed"] is None else model.Entity(**item["observed"]),
        "desired": None if item["desired"] is None else model.Entity(**item["desired"]),
        "fields": tuple(model.FieldChange(**part) for part in item["fields"]),
    }
    return model.Change(**{**item, **changed})
