"""What is wrong with ``rotations:``: names that stand for nothing, and rotations that could never end."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from kxrecon.errors import Problem
from kxrecon.model import State
from kxrecon.scope import SYSTEM, Rotation, Scope

SECTIONS = {"identity": "identities", "target": "targets"}
_HOMES = {"identity": "cluster.identities", "target": "targets"}


def check(scope: Scope, desired: State) -> Iterator[Problem]:
    """A problem for each name that is none, each kind of target that does not fit, each old one still in use."""
    for rotation in scope.rotations:
        path = ("rotations", SECTIONS[rotation.what], rotation.name)
        known = (SYSTEM, *scope.identities) if rotation.what == "identity" else tuple(scope.targets)
        unknown = [name for name in (rotation.name, rotation.previous) if name not in known]
        for name in unknown:
            close = get_close_matches(name, known, n=1)
            remedy = f"did you mean '{close[0]}'?" if close else f"name it under {_HOMES[rotation.what]}"
            at = path if name == rotation.name else (*path, "from")
            yield Problem(f"unknown {rotation.what} '{name}'", at, entity=str(rotation), remedy=remedy)
        if rotation.name == rotation.previous:
            yield Problem("it takes its own place", (*path, "from"), entity=str(rotation))
        elif not unknown:
            yield from _fitting(rotation, scope, path)
            yield from _in_use(rotation, desired, path)


def _fitting(rotation: Rotation, scope: Scope, path: tuple[str, ...]) -> Iterator[Problem]:
    if rotation.what != "target":
        return
    docs = [scope.targets[name].doc for name in (rotation.name, rotation.previous)]
    if ("server" in docs[0]) != ("server" in docs[1]):
        message = f"one of '{rotation.name}' and '{rotation.previous}' is a SQL target, the other a storage target"
        yield Problem(message, (*path, "from"), entity=str(rotation), remedy="a new table and a new export do that")


def _in_use(rotation: Rotation, desired: State, path: tuple[str, ...]) -> Iterator[Problem]:
    """What still uses the old one keeps it: that may be meant, so it is only noted."""
    if rotation.what == "identity":
        users = [
            one
            for one in desired.of_kind("continuous_export")
            if one.fields.get("managedIdentity") == rotation.previous
        ]
    else:
        users = [one for one in desired.of_kind("external_table") if one.attributes.get("target") == rotation.previous]
    for user in sorted(users, key=lambda one: one.ref):
        message = f"still uses '{rotation.previous}', which therefore keeps what it needs for it"
        yield Problem(message, user.path or path, entity=user.ref.label, severity="note")
