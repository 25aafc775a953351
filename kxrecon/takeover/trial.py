"""The law of a take-over, tried before anything is handed out: a plan of the new spec must change nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from kxrecon.called import called
from kxrecon.derive import derive
from kxrecon.errors import Problem, SpecError, UnreadableImport
from kxrecon.model import Change, Finding
from kxrecon.observe import observe
from kxrecon.plan import Circumstances, Draft, draft
from kxrecon.report.plan_view import NEEDED
from kxrecon.spec import Spec, load
from kxrecon.surroundings import surroundings
from kxrecon.takeover.survey import Survey

RIGHTS = ("managed_identity_policy", "database_role", "cluster_role", "role_assignment", "acl_entry", "sql_grant")


def loaded(name: str, text: str, files: Mapping[str, str]) -> Spec:
    """The spec of these texts, from a folder that is gone afterwards. Raises UnreadableImport, whose places are in
    the texts."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in {name: text, **files}.items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content, "utf-8")
        try:
            return load([str(Path(folder, name))])
        except SpecError as error:
            problems = [_here(problem, f"{folder}{os.sep}") for problem in error.problems]
            raise UnreadableImport(problems, {name: text, **files}) from error


def _here(problem: Problem, folder: str) -> Problem:
    """A problem without the folder that nobody finds any more."""
    place = replace(problem.place, file=problem.place.file.removeprefix(folder)) if problem.place else None
    return replace(problem, place=place, message=problem.message.replace(folder, ""))


def planned(spec: Spec, seen: Survey, *, workers: int = 8) -> Draft:
    """What a plan of ``spec`` would do to the estate that was surveyed; what was read is not read again."""
    found = observe(surroundings(spec.desired, spec.scope), seen.planes, workers=workers, desired=spec.desired)
    derived = derive(spec.desired, found.state, found.scope)
    return draft(derived, found.state, found.scope, Circumstances(allow=spec.allow))


def rights(spec: Spec, seen: Survey, *, workers: int = 8) -> list[str]:
    """What identities and people were given that ``spec`` neither states nor derives, as people call it."""
    found = observe(surroundings(spec.desired, spec.scope), seen.planes, workers=workers)
    wanted = derive(spec.desired, found.state, found.scope).desired.entities
    return [called(ref) for ref in sorted(seen.state.entities) if ref.kind in RIGHTS and ref not in wanted]


def lacking(made: Draft) -> dict[str, list[str]]:
    """Links that the estate lacks, by the label of the export that needs them; there is nothing to do for others."""
    found: dict[str, list[str]] = {}
    for change in changes(made):
        for reason in change.entity.reasons:
            if reason.startswith(NEEDED):
                found.setdefault(reason.removeprefix(NEEDED), []).append(_words(change))
    return found


def changes(made: Draft) -> list[Change]:
    """All changes of a plan, and of what it withholds only because it may not be sent."""
    return [change for action in made.actions for change in action.changes]


def _words(change: Change) -> str:
    return f"{'lacks' if change.verb == 'create' else 'has another'} {called(change.ref)}"


def told(findings: Iterable[Finding]) -> list[str]:
    """Findings that a take-over should repeat: what could not be read."""
    return [f"{one.ref}: {one.message}" for one in findings if one.kind == "unknown"]
