"""A spec file as it was read: its document, and where each key and item of it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kxrecon.errors import Place, Problem
from kxrecon.model import Value

SpecPath: TypeAlias = tuple[str | int, ...]  # mapping keys and list indices
SHIFT: Final = 20  # a position is one int, line << 20 | column: a fifth of a tuple's memory
COLUMN: Final = (1 << SHIFT) - 1


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML file, read: its document, and where each key and item of it stands.

    ``marks`` maps ``id()`` of a container to the packed positions of its keys or items in their order;
    the ids stay valid as long as ``document`` lives, which this object sees to.
    """

    file: str
    text: str
    document: dict[str, Value]
    marks: dict[int, list[int]]
    problems: tuple[Problem, ...] = ()
    aliases: bool = False
    nulls: bool = False
    _order: dict[int, dict[str, int]] = field(default_factory=dict, repr=False, compare=False)

    def find(self, path: SpecPath) -> Place | None:
        """Where this file sets the value at ``path``; None if it does not."""
        here: Value = self.document
        mark = 0
        for step in path:
            index = self._index(here, step)
            if index is None:
                return None
            mark = self.marks[id(here)][index]
            here = here[step]
        return self.place(mark)

    def value(self, path: SpecPath) -> tuple[bool, Value]:
        """Whether this file sets ``path``, and to what."""
        here: Value = self.document
        for step in path:
            if self._index(here, step) is None:
                return False, None
            here = here[step]
        return True, here

    def place(self, mark: int) -> Place:
        """A packed position as people count."""
        return Place(self.file, (mark >> SHIFT) + 1, min(mark & COLUMN, COLUMN) + 1)

    def _index(self, container: Value, step: str | int) -> int | None:
        """The position of a key or item; those of a mapping are counted once, or many problems in it take for ever."""
        if isinstance(container, dict):
            if step not in container:
                return None
            known = self._order.get(id(container))
            if known is None:
                known = self._order[id(container)] = {key: number for number, key in enumerate(container)}
            return known[str(step)]
        if isinstance(container, list) and isinstance(step, int) and step < len(container):
            return step
        return None
