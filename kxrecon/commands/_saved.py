"""Saved plans: the one of a spec, those of a fleet together, and which of them a command line means."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands import _onward
from kxrecon.commands._files import PLAN, STATE
from kxrecon.errors import UsageError

if TYPE_CHECKING:
    from kxrecon.fleetfile import Part

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._]+")
_OF_SPECS = frozenset(
    """
    $schema version name extends variables defaults targets principals cloud subscriptions cluster policyScope manage
    prune databases roleAssignments allow silence rotations ignore ledger thresholds wave
    """.split()  # noqa: SIM905  a list of twenty quoted words is no easier to read
)
PLANS = STATE / "plans"  # of the fleet that was planned last, one file each, to apply some of them


@dataclass(frozen=True, slots=True)
class Saved:
    """Plans that were saved; ``alone`` if it is the plan of one spec, not of a fleet."""

    parts: tuple[Part, ...]
    alone: bool


def save(document: Mapping[str, Any], path: Path) -> None:
    """Write the plans of a fleet as one file; where the last plan is kept, each as a file of its own, too. Files of an
    earlier fleet go: nobody shall apply them for those of this one."""
    from kxrecon import planfile

    if path == PLAN:
        _clear()
        short = short_names([one["name"] for one in document["specs"]])
        for one in document["specs"]:
            if one["plan"]:
                planfile.write(one["plan"], PLANS / f"{short[one['name']]}.json")
    planfile.write(document, path)


def _clear() -> None:
    """Take the plans of an earlier fleet away."""
    from kxrecon.files import named
    from kxrecon.planfile import MARK

    for old in PLANS.glob("*.json") if PLANS.is_dir() else ():
        with named(f"the plan {old} of an earlier fleet cannot be removed"):
            if MARK.encode() in old.read_bytes()[:8192]:
                old.unlink()


def short_names(names: Sequence[str]) -> dict[str, str]:
    """What files and folders of each spec are called: its name, or (``eu-prod``) its file where that is its name."""
    short = {name: _NOT_IN_NAME.sub("-", name.removesuffix(".yaml").removesuffix(".yml")).strip("-.") for name in names}
    used = Counter(short.values())
    return {
        name: one if used[one] == 1 else f"{one}-{sha256(name.encode()).hexdigest()[:8]}" for name, one in short.items()
    }


def meant(what: Sequence[str]) -> Saved | None:
    """The saved plans that the arguments mean: files, folders of files, by default the last; None if they are specs.
    Raises PlanError, UsageError."""
    plans = [one for one in what if is_plan(Path(one)) or _holds_plans(Path(one))]
    if len(plans) < len(what):
        if plans:
            raise UsageError("apply takes plans, or specs, not both")
        return None
    if not what:
        return load(PLAN)
    files = [file for one in plans for file in _files(Path(one))]
    found = [load(file) for file in files]
    if len(found) == 1 and files[0] == Path(plans[0]):
        return found[0]
    return Saved(_together([part for one in found for part in one.parts]), alone=False)


def is_plan(path: Path) -> bool:
    """Whether a file is taken for plans: JSON, but for what is a part of a spec by its content."""
    if path.suffix != ".json":
        return False
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True  # whoever reads it says what is wrong with it
    return not (isinstance(document, dict) and "kxreconPlan" not in document and _OF_SPECS & document.keys())


def load(path: Path) -> Saved:
    """What a file holds. Raises PlanError."""
    from kxrecon import fleetfile, planfile

    document = planfile.read(path)
    if "specs" in document:
        return Saved(tuple(fleetfile.parts_of(document, path)), alone=False)
    plan = planfile.plan_of(document, path)
    return Saved((fleetfile.part_of(plan),), alone=True)


def _holds_plans(path: Path) -> bool:
    """Whether it is a folder of plans. Specs may have files of JSON beside them."""
    if not path.is_dir():
        return False
    suffixes = {one.suffix for one in path.iterdir()}
    return ".json" in suffixes and not suffixes & {".yaml", ".yml"}


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json")) if path.is_dir() else [path]


def _together(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Plans of several files as those of one fleet, in waves, told apart. UsageError for two of one spec."""
    from kxrecon.fleet import Member, told_apart

    seen: dict[tuple[str, tuple[str, ...]], Part] = {}
    for part in parts:
        if seen.setdefault((part.cluster, part.files), part) is not part:
            raise UsageError(f"there are two plans of {', '.join(part.files)} for {part.cluster}: name one of them")
    names = [one.name for one in told_apart([Member(part.files, part.cluster) for part in parts])]
    named = [replace(part, name=name) for part, name in zip(parts, names, strict=True)]
    return tuple(sorted(named, key=lambda part: part.wave))


def command(options: argparse.Namespace, digest: str = "") -> str:
    """The command line that applies the plan that was saved, with a digest that plan and no other."""
    argument = [] if options.out == PLAN else [str(options.out)]
    exactly = ["--digest", digest] if digest else []
    return _onward.command("apply", argument, [], [*_onward.where(options), *exactly])
