"""Where a place inside a query or body stands: in a scalar of the YAML, of any style, or in a file beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kxrecon.errors import Place
from kxrecon.lint.rules import Lint
from kxrecon.spec import Spec
from kxrecon.spec.inside import Visible, scalars, whole

FILES = {"query": "queryFile", "body": "bodyFile"}


class Placing:
    """Finds the places of a spec's findings, all of them known from the start: each file is read once for all."""

    def __init__(self, spec: Spec, findings: Iterable[Lint]) -> None:
        self._spec = spec
        self._keys = {one.path: spec.place(one.path) for one in findings if one.offset is not None}
        self._scalars: dict[str, Mapping[Place, Visible]] = {}
        self._texts = {entity.path: entity.fields for entity in spec.desired.entities.values()}
        self._known: dict[tuple[str | int, ...], Visible | None] = {}

    def place(self, finding: Lint) -> Place | None:
        """The finding's place; that of the value that it speaks of where the place inside it cannot be told."""
        if finding.offset is not None and (inside := self._inside(finding, finding.offset)):
            return inside
        return self._spec.place(self._beside(finding.path) or finding.path)

    def _inside(self, finding: Lint, offset: int) -> Place | None:
        text = self._texts.get(finding.path[:-1], {}).get(str(finding.path[-1]))
        if finding.path not in self._known:
            self._known[finding.path] = self._visible(finding)
        visible = self._known[finding.path]
        return visible.place(text, offset) if visible is not None and isinstance(text, str) else None

    def _visible(self, finding: Lint) -> Visible | None:
        file = self._beside(finding.path)
        if file is not None:
            return self._read(file)
        key = self._keys.get(finding.path)
        return self._within(key.file).get(key) if key is not None else None

    def _within(self, file: str) -> Mapping[Place, Visible]:
        """The scalars of one file of the spec that findings speak of."""
        if file not in self._scalars:
            source = next(one for one in self._spec.places.sources if one.file == file)
            keys = [key for key in self._keys.values() if key is not None and key.file == file]
            self._scalars[file] = scalars(source, keys)
        return self._scalars[file]

    def _read(self, path: tuple[str | int, ...]) -> Visible | None:
        """The file that a path of the spec names, as it is now."""
        name = next((value for one in reversed(self._spec.places.sources) if (value := one.value(path)[1])), None)
        file = self._spec.places.folder(path) / Path(str(name))
        try:
            return whole(str(file), file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return None

    def _beside(self, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
        """The path of ``queryFile`` where the query is read from a file; None where it stands in the spec."""
        file = FILES.get(str(path[-1])) if path else None
        if file is None:
            return None
        beside = (*path[:-1], file)
        stated = self._spec.places.exact(beside) and not self._spec.places.removed(beside)
        return beside if stated else None
