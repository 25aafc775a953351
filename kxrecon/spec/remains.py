"""What remains of a document with errors: enough for the kinds to judge the rest, so that all problems come at once.

Wrong values are taken out. What is then said of that which leaned on them (an entry without the field, a name whose
own entry is wrong) is no problem of its own: it would go when the other one is mended, and is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final

from kxrecon.errors import Problem
from kxrecon.spec.defaults import SECTIONS
from kxrecon.spec.source import SpecPath

# Fields of an entry whose judgement takes other fields into account: wrong ones leave it open.
_LEANS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "externalTables": {
        "target": frozenset(("connections",)),
        "connections": frozenset(("target",)),
        "path": frozenset(("target", "connections")),
        "partitions": frozenset(("columns",)),
        "pathFormat": frozenset(("partitions", "columns")),
        "compressionType": frozenset(("dataFormat", "compressed")),
        "table": frozenset(("sqlDialect",)),
        "primaryKey": frozenset(("columns", "createIfNotExists")),
        "createIfNotExists": frozenset(("primaryKey",)),
    },
    "continuousExports": {
        "query": frozenset(("queryFile",)),
        "queryFile": frozenset(("query",)),
        "distribution": frozenset(("distributed",)),
        "distributed": frozenset(("distribution",)),
    },
    "functions": {"body": frozenset(("bodyFile",))},
}
_EITHER: Final[Mapping[Any, str]] = {"query": "queryFile", "queryFile": "query", "body": "bodyFile", "bodyFile": "body"}
_KIND: Final = "kind"  # everything that is said of an external table depends on it
_NAMES: Final = {"externalTables": ("target",), "continuousExports": ("managedIdentity",)}
_HOMES: Final[tuple[SpecPath, ...]] = (("targets",), ("principals",), ("cluster", "identities"))
# How deep a value is taken out where only a whole entry, or a whole field of one, is of use.
_DEPTHS: Final = {
    **dict.fromkeys(("principals", "allow", "ignore", "silence"), 2),
    **dict.fromkeys(("rotations", "targets", "roleAssignments"), 3),
}
_MISSING: Final = re.compile(r"'(\w+)' is missing")


@dataclass
class Remains:
    """A document without the values at ``broken`` paths; ``untold`` is what was said only because they are missing."""

    document: dict[str, Any]
    broken: set[SpecPath] = field(default_factory=set)
    untold: list[Problem] = field(default_factory=list)
    _gone: dict[SpecPath, list[int]] = field(default_factory=dict)  # of lists: the indices that were taken out

    def without(self, problems: Iterable[Problem]) -> None:
        """Take out what has errors."""
        fresh = {one.path for one in problems if one.severity == "error" and one.path} - self.broken
        self.broken |= fresh
        gone = {self._cut(path) for path in fresh} - {()}
        gone |= {(*path[:4], _EITHER[path[4]]) for path in gone if len(path) == 5 and path[4] in _EITHER}
        self.document = self._cleared(self.document, (), _tree(gone))

    def own(self, problems: Iterable[Problem]) -> list[Problem]:
        """Those problems that do not follow from what is missing here, at the places where the files have them."""
        if not self.broken:
            return list(problems)
        told: list[Problem] = []
        for problem in problems:
            value = _at(self.document, problem.path)
            placed = replace(problem, path=self._in_files(problem.path))
            (self.untold if self._follows(placed.path, value) else told).append(placed)
        return told

    def lost(self, home: SpecPath, name: object) -> bool:
        """Whether the entry ``name`` of ``home`` is, or may be, one that has errors."""
        above = (home[:length] for length in range(1, len(home) + 1))
        if any(path in self.broken and not self._stands(path) for path in above):
            return True
        return any(path[: len(home) + 1] == (*home, name) for path in self.broken)

    def _cut(self, path: SpecPath) -> SpecPath:
        """What is taken out for an error; nothing where something is only missing from what else is good."""
        entry = path[0] == "databases" and len(path) > 3 and path[2] in SECTIONS
        depth = 5 if entry else _DEPTHS.get(str(path[0]), len(path))
        structure = len(path) < (5 if entry else 4 if path[0] == "databases" else depth)
        if (structure or len(path) == 1) and self._stands(path):
            return ()
        return path[:depth]

    def _cleared(self, value: Any, path: SpecPath, gone: Mapping[Any, Any]) -> Any:
        """A value without what ``gone`` names in it; one pass, however much that is."""
        if isinstance(value, dict):
            left = {key: one for key, one in value.items() if gone.get(key) != {}}
            return {**left, **{key: self._cleared(left[key], (*path, key), gone[key]) for key in gone if key in left}}
        if isinstance(value, list):
            self._gone.setdefault(path, []).extend(index for index in sorted(gone) if gone[index] == {})
            return [
                self._cleared(one, (*path, index), gone[index]) if index in gone else one
                for index, one in enumerate(value)
                if gone.get(index) != {}
            ]
        return value

    def _in_files(self, path: SpecPath) -> SpecPath:
        """A path with the indices that it has in the files."""
        for length in range(1, len(path)):
            for gone in self._gone.get(path[:length], ()):
                index = path[length]
                if isinstance(index, int) and gone <= index:
                    path = (*path[:length], index + 1, *path[length + 1 :])
        return path

    def _follows(self, path: SpecPath, value: object) -> bool:
        if any(path[: len(gone)] == gone and not self._stands(gone) for gone in self.broken):
            return True
        if len(path) >= 4 and path[0] == "databases" and path[2] in SECTIONS:
            return self._follows_in_entry(path, value)
        return self._is_lost_name(value) or self._is_lost_name(path[-1] if path else None)

    def _follows_in_entry(self, path: SpecPath, value: object) -> bool:
        hurt, incomplete = self._hurt(path[:4]), path[:4] in self.broken
        if len(path) == 4:
            return bool(hurt) or incomplete
        name, entry = str(path[4]), _at(self.document, path[:4])
        if isinstance(entry, dict) and name not in entry and (incomplete or get_close_matches(name, hurt, 1)):
            return True
        if name == "to" and self.lost(("databases", path[1], "externalTables"), value):
            return True
        leans = _LEANS.get(str(path[2]), {}).get(name, frozenset())
        if incomplete and isinstance(entry, dict) and not leans <= entry.keys():
            return True
        return name in hurt or _KIND in hurt or bool(leans & hurt)

    def _hurt(self, entry: SpecPath) -> set[str]:
        """The fields of an entry that are wrong, or name something that is."""
        fields = {str(path[4]) for path in self.broken if path[:4] == entry and len(path) > 4}
        found = _at(self.document, entry)
        names = _NAMES.get(str(entry[2]), ()) if isinstance(found, dict) else ()
        return fields | {name for name in names if self._is_lost_name(found.get(name))}

    def _is_lost_name(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if any(self.lost(home, name) for home in _HOMES):
            return True
        target = _at(self.document, ("targets", name))
        identity = target.get("identity") if isinstance(target, dict) else None
        return isinstance(identity, str) and self.lost(("cluster", "identities"), identity)

    def _stands(self, path: SpecPath) -> bool:
        """Whether a value with an error is still there: something is missing from it, and the rest is good."""
        return isinstance(_at(self.document, path), dict)


def without_misspelt(problems: list[Problem]) -> list[Problem]:
    """The schema's problems, without those of fields that are missing only because they are there misspelt."""
    hints = {(one.path[:-1], one.remedy) for one in problems if one.message.startswith("unknown field")}
    meant = {(path, name) for path, remedy in hints for name in re.findall(r"'(\w+)'", remedy or "")}
    if not meant:
        return problems
    return [one for one in problems if not _is_meant(one, meant)]


def _is_meant(problem: Problem, meant: set[tuple[SpecPath, str]]) -> bool:
    found = _MISSING.match(problem.message)
    return found is not None and (problem.path, found[1]) in meant


def _tree(paths: Iterable[SpecPath]) -> dict[Any, Any]:
    """Paths as nested mappings; an empty one is where a path ends, and nothing below it counts."""
    root: dict[Any, Any] = {}
    for path in sorted(paths, key=len):
        here, ended = root, False
        for step in path[:-1]:
            ended = here.get(step) == {}
            if ended:
                break
            here = here.setdefault(step, {})
        if not ended:
            here[path[-1]] = {}
    return root


def _at(container: Any, path: SpecPath) -> Any:
    for step in path:
        inside = isinstance(container, dict) and step in container
        inside = inside or (isinstance(container, list) and isinstance(step, int) and step < len(container))
        if not inside:
            return None
        container = container[step]
    return container
