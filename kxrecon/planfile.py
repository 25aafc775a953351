"""A plan as a file: versioned JSON without secrets, bound to the code of its words by tags.

Only values that a plan may hold can be written or read; a leaf is written as ``{"$unknown": …}``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from kxrecon import model
from kxrecon.errors import PlanError
from kxrecon.files import write_private
from kxrecon.plan import Plan, digest
from kxrecon.tagged import decode, encode, encoded

VERSION = 4
MARK = '"kxreconPlan"'  # at the head of every plan, and of the plans of a fleet


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, with its format version, its digest, and a seal that covers its time as well."""
    document = encode(plan)
    return {"kxreconPlan": VERSION, "digest": digest(document), "seal": _seal(document), **document}


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(encoded(document)).hexdigest()


def save(plan: Plan, path: Path) -> None:
    """Write the plan, readable by its owner only, whole or not at all, over nothing but another plan."""
    write(to_json(plan), path)


def write(document: Mapping[str, Any], path: Path) -> None:
    """The same for JSON values that are one plan, or the plans of a fleet."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    write_private(path, text, mark=MARK, what=f"the plan {path}")


def load(path: Path) -> Plan:
    """Read a saved plan. Raises PlanError if it is missing, foreign, of another version, or was edited."""
    document = read(path)
    if "specs" in document:
        raise PlanError(f"{path} holds the plans of a fleet, not one plan")
    return plan_of(document, path)


def read(path: Path) -> dict[str, Any]:
    """The document of a saved plan, or of the plans of a fleet, still to be looked at. PlanError if it is neither, or
    of another version."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PlanError(f"no plan is saved at {path}: run 'kxrecon plan SPEC' first") from error
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from error
    if not isinstance(document, dict) or "kxreconPlan" not in document:
        raise PlanError(f"{path} is not a kxrecon plan")
    if document["kxreconPlan"] != VERSION:
        raise PlanError(f"{path} was saved by another version of kxrecon: run plan again")
    return document


def plan_of(document: Any, path: Path) -> Plan:
    """The plan of a document that was read from a file. PlanError if it was edited."""
    try:
        if document["kxreconPlan"] != VERSION:
            raise edited(path)
        plan = _plan(document)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise unreadable(path, error) from error
    told = encode(plan)
    if (digest(told), _seal(told)) != (document.get("digest"), document.get("seal")):
        raise edited(path)
    return plan


def unreadable(path: Path, error: Exception) -> PlanError:
    """A file that is no whole plan."""
    return PlanError(f"{path} cannot be read as a plan ({type(error).__name__}): run plan again")


def edited(path: Path) -> PlanError:
    """A file that is not as it was saved."""
    return PlanError(f"{path} was changed after it was saved: run plan again")


def _plan(document: Mapping[str, Any]) -> Plan:
    values = {field.name: decode(document[field.name]) for field in fields(Plan)}
    values["actions"] = tuple(_action(item) for item in values["actions"])
    values["findings"] = tuple(model.Finding(**item) for item in values["findings"])
    values["allow"] = tuple(model.Allow(**item) for item in values["allow"])
    values["positions"] = tuple(model.Position(**item) for item in values["positions"])
    return Plan(**values)


def _action(item: Mapping[str, Any]) -> model.Action:
    changed = {
        "requests": tuple(model.Request(**request) for request in item["requests"]),
        "hazards": tuple(model.Hazard(**hazard) for hazard in item["hazards"]),
        "changes": tuple(_change(change) for change in item["changes"]),
        "cursor": None if item["cursor"] is None else model.CursorEffect(**item["cursor"]),
        "until": None if item["until"] is None else model.Until(**item["until"]),
    }
    return model.Action(**{**item, **changed})


def _change(item: Mapping[str, Any]) -> model.Change:
    changed = {
        "observed": None if item["observed"] is None else model.Entity(**item["observed"]),
        "desired": None if item["desired"] is None else model.Entity(**item["desired"]),
        "fields": tuple(model.FieldChange(**part) for part in item["fields"]),
    }
    return model.Change(**{**item, **changed})
