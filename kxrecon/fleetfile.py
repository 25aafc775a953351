"""The plans of a fleet as one file, each as it is saved alone: what was reviewed together is applied together.

A spec that has no plan is in it too, with the reason: later waves wait for it, as they do when specs are applied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kxrecon import planfile
from kxrecon.plan import Plan


@dataclass(frozen=True, slots=True)
class Part:
    """One spec of a fleet: its files and cluster, its wave (lower ones go first); the plan that was made of it, or the
    ``error`` that kept it from one. With neither it is still to be planned."""

    name: str
    cluster: str
    wave: int
    files: tuple[str, ...]
    plan: Plan | None = None
    error: str = ""


def to_json(parts: Sequence[Part]) -> dict[str, Any]:
    """All parts as JSON values, with the format's version and the digest of them all."""
    records = [_record(part) for part in parts]
    return {"kxreconPlan": planfile.VERSION, "digest": _digest(records), "specs": records}


def _record(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "cluster": part.cluster,
        "wave": part.wave,
        "files": list(part.files),
        "error": part.error or None,
        "plan": planfile.to_json(part.plan) if part.plan else None,
    }


def digest(parts: Sequence[Part]) -> str:
    """SHA-256 of which plans there are, of which specs, in which waves, and of which specs there is none."""
    return _digest([_record(part) for part in parts])


def _digest(records: Sequence[dict[str, Any]]) -> str:
    """Why a spec has no plan is left out: services word that differently each time."""
    said = sorted(
        json.dumps([one["name"], one["cluster"], one["wave"], one["files"], one["plan"] and one["plan"]["digest"]])
        for one in records
    )
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def parts_of(document: Any, path: Path) -> list[Part]:
    """The parts of a document that was read from a file. PlanError if it was edited."""
    try:
        parts = [_part(one, path) for one in document["specs"]]
        told = _digest(document["specs"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise planfile.unreadable(path, error) from error
    if told != document.get("digest"):
        raise planfile.edited(path)
    return sorted(parts, key=lambda part: part.wave)


def _part(one: Any, path: Path) -> Part:
    plan = None if one["plan"] is None else planfile.plan_of(one["plan"], path)
    error = str(one["error"] or "")
    if plan is None and not error:
        raise planfile.edited(path)  # it would be planned now, and applied without anybody having seen that
    files = tuple(str(file) for file in one["files"])
    return Part(str(one["name"]), str(one["cluster"]), int(one["wave"]), files, plan, error)


def part_of(plan: Plan) -> Part:
    """A plan that was saved alone as a part of a fleet: its wave is what its spec says now."""
    from kxrecon.fleet import wave

    return Part(Path(plan.spec_files[-1]).stem, plan.cluster_uri.lower(), wave(plan.spec_files), plan.spec_files, plan)
