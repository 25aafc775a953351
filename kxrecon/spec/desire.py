"""The kinds' turn: each entry of the document to the kind that knows its section → the desired State."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, Final

from kxrecon.errors import Problem
from kxrecon.kinds import NAMES, Kind, kind
from kxrecon.model import Entity, Need, Ref, State
from kxrecon.principals import is_guid
from kxrecon.scope import Scope

Path = tuple[str, ...]

# The one kind some of whose needs are named by a spec field; those come first. Asking the others would only cost time.
_NAMING: Final = "continuous_export"
_WORDS: Final = {"external_table": "external table", "cluster_identity": "identity"}


def desire(document: Mapping[str, Any], scope: Scope) -> tuple[State, list[Problem]]:
    """All entities that the document asks for, and what the kinds find wrong with it."""
    entities: dict[Ref, Entity] = {}
    problems: list[Problem] = []
    for name in NAMES:
        module = kind(name)
        for pattern in _sections(module):
            for names, doc in _entries(document, pattern):
                for found in module.desire(names, doc, scope):
                    if isinstance(found, Problem):
                        problems.append(found)
                        continue
                    other = entities.setdefault(found.ref, found)
                    if other is not found and other != found:
                        problems.append(_contradiction(found, other))
    return State(entities), problems


def _sections(module: Kind) -> Sequence[Path]:
    """The patterns of a kind; one that lives in several sections lists them as SECTIONS."""
    several: Sequence[Path] | None = getattr(module, "SECTIONS", None)
    return several if several is not None else (module.SECTION,) if module.SECTION else ()


def _entries(document: Any, pattern: Path) -> Iterable[tuple[Path, Any]]:
    """What stands for each ``*`` of a pattern, and the entry there."""
    found: list[tuple[Path, Any]] = [((), document)]
    for step in pattern:
        inside = [(names, one) for names, one in found if isinstance(one, dict)]
        if step == "*":
            found = [((*names, name), inner) for names, one in inside for name, inner in one.items()]
        else:
            found = [(names, one[step]) for names, one in inside if step in one]
    return found


def _contradiction(found: Entity, other: Entity) -> Problem:
    message = f"{found.ref.kind.replace('_', ' ')} said twice, differently"
    at = "/".join(str(step) for step in other.path)
    return Problem(message, path=found.path, entity=found.ref.label, remedy=f"the other one is {at}")


def dangling(document: Mapping[str, Any], desired: State, scope: Scope, said: Sequence[Problem]) -> list[Problem]:
    """References to what the spec does not have, each with the nearest name that it has; of exports with other
    problems too.

    ``said`` are the problems so far: what they already complain about is not said again, and an entity
    that is wrong itself is no dangling reference of those that name it.
    """
    paths = {problem.path for problem in said}
    broken = {problem.path[:4] for problem in said if problem.severity == "error"}
    names: dict[tuple[str, Path], list[str]] = {}
    problems: list[Problem] = []
    exports = desired.of_kind(_NAMING)
    for entity in (*exports, *_unfinished(document, {export.ref for export in exports})):
        for need in takewhile(_is_named, kind(entity.ref.kind).needs(entity)):
            if need.ref in desired.entities or _is_derived(need.ref, scope) or _is_broken(need.ref, broken):
                continue
            problem = _dangling(entity, need, desired, names)
            if problem is not None and problem.path not in paths:
                problems.append(problem)
    return problems


def _unfinished(document: Mapping[str, Any], finished: Container[Ref]) -> Iterator[Entity]:
    """The exports that the kind refused, with what they refer to."""
    for name, doc in _entries(document, ("databases", "*", "continuousExports", "*")):
        ref = Ref(_NAMING, name)
        if ref in finished or not isinstance(doc, dict) or not isinstance(doc.get("to"), str):
            continue
        over = doc.get("over")
        named = tuple(sorted({str(one) for one in over})) if isinstance(over, list) else ()
        path = ("databases", name[0], "continuousExports", name[1])
        yield Entity(ref, {"to": doc["to"], "over": named}, path=path)


def _is_named(need: Need) -> bool:
    return need.field is not None


def _is_derived(ref: Ref, scope: Scope) -> bool:
    """Whether the links of exports will bring it: identities that the spec names, or tells by their object ids."""
    return ref.kind == "cluster_identity" and (ref.name[0] in scope.identities or is_guid(ref.name[0]))


def _is_broken(ref: Ref, broken: set[tuple[str | int, ...]]) -> bool:
    return any(len(path) == 4 and (path[1], path[3]) == ref.name for path in broken)


def _dangling(entity: Entity, need: Need, desired: State, names: dict[tuple[str, Path], list[str]]) -> Problem | None:
    path = (*entity.path, *_steps(need.field or ""))
    *scope, name = need.ref.name
    key = (need.ref.kind, tuple(scope))
    if key not in names:
        names[key] = [ref.name[-1] for ref in desired.entities if ref.kind == key[0] and ref.name[:-1] == key[1]]
    close = get_close_matches(name, names[key], n=1)
    remedy = f"did you mean '{close[0]}'?" if close else None
    if need.ref.kind == "table":
        message = f"the table '{name}' is not in this spec: it must exist, or another tool must make it"
        return Problem(message, path, entity=entity.ref.label, remedy=remedy, severity="note")
    word = _WORDS.get(need.ref.kind)
    if word is None:
        return None
    return Problem(f"unknown {word} '{name}'", path, entity=entity.ref.label, remedy=remedy)


def _steps(field: str) -> tuple[str | int, ...]:
    """``over/0`` as steps of a path."""
    return tuple(int(step) if step.isdigit() else step for step in field.split("/"))
