"""What ``import`` and ``import --merge`` share: the reading, and what is kept of it where it cannot be read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kxrecon.commands._files import STATE
from kxrecon.errors import Problem, SpecError, UnreadableImport
from kxrecon.files import write_private

if TYPE_CHECKING:
    from kxrecon.model import Plane
    from kxrecon.planes import PlaneClient
    from kxrecon.scope import Scope
    from kxrecon.takeover.estate import Taken


def taken_over(scope: Scope, clients: Mapping[Plane, PlaneClient], **wanted: Any) -> Taken:
    """``take_over``; a spec that it could not read again is kept below ``.kxrecon`` and named in the SpecError."""
    from kxrecon.takeover.estate import take_over

    try:
        return take_over(scope, clients, **wanted)
    except UnreadableImport as error:
        folder = STATE / f"import-{scope.name}"
        for path, text in error.texts.items():
            write_private(folder / path, text)
        raise SpecError([_in(folder, problem) for problem in error.problems]) from error


def _in(folder: Path, problem: Problem) -> Problem:
    place = replace(problem.place, file=str(folder / problem.place.file)) if problem.place else None
    return replace(problem, place=place)
