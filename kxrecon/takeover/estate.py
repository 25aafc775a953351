"""An estate as a spec: survey, closure, document, trial, text; the whole of ``kxrecon import`` but its command line."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kxrecon.called import called
from kxrecon.errors import SpecError
from kxrecon.model import Plane
from kxrecon.planes import PlaneClient
from kxrecon.scope import Scope
from kxrecon.takeover import trial
from kxrecon.takeover.closure import Closure, closure
from kxrecon.takeover.document import Composed, compose, refused
from kxrecon.takeover.lift import lift
from kxrecon.takeover.survey import Survey, survey
from kxrecon.takeover.targets import Doc, Targets
from kxrecon.takeover.write import texts_to_files, to_yaml

MOST_RIGHTS = 100  # that are written down; more are counted
ATTEMPTS = 8  # each takes out what the loader refuses, or marks exports that lack a link


@dataclass(frozen=True, slots=True)
class Taken:
    """A spec that was written from an estate: ``text``, ``files`` beside it, and what a person should know.

    ``left_out`` says why an entity is not in it, ``residue`` what a plan would still change (empty by law).
    """

    text: str
    files: Mapping[str, str]
    counts: Mapping[str, int]
    left_out: tuple[str, ...]
    residue: tuple[str, ...]
    lacking: Mapping[str, Sequence[str]]
    composed: Composed
    seen: Survey


def take_over(
    scope: Scope,
    clients: Mapping[Plane, PlaneClient],
    *,
    databases: Sequence[str] = (),
    exports: Sequence[str] = (),
    targets: Targets | None = None,
    workers: int = 8,
) -> Taken:
    """Read what is there and write it down. ``targets`` and ``scope.identities`` are those of a spec to merge into."""
    seen = survey(scope, clients, databases=databases, workers=workers)
    closed = closure(seen.state, exports)
    made, seen = compose(seen, closed, targets or Targets(), workers=workers)
    lacks: dict[str, list[str]] = {}
    taken = _written(made, closed, seen, lacks)
    for _ in range(ATTEMPTS):
        try:
            spec = trial.loaded(f"{seen.scope.name}.yaml", taken.text, taken.files)
        except SpecError as error:
            if not refused(made, error.problems):
                raise
        else:
            plan = trial.planned(spec, seen, workers=workers)
            residue = tuple(f"{one.verb} {called(one.ref)}" for one in trial.changes(plan))
            fresh = {label: what for label, what in trial.lacking(plan).items() if _mark(made, label, what)}
            lacks |= fresh
            if not fresh:
                beside = trial.rights(spec, seen, workers=workers)
                return replace(_written(made, closed, seen, lacks, beside), residue=residue, lacking=dict(lacks))
        taken = _written(made, closed, seen, lacks)
    return taken


def _mark(made: Composed, label: str, lacks: Sequence[str]) -> bool:
    """An export that lacks a link, or whose table does, is looked at, but its link is not made: that is for a person
    to decide."""
    database, _, name = label.partition("/")
    exports: Mapping[str, Doc] = (made.document["databases"].get(database) or {}).get("continuousExports") or {}
    fresh = [
        (export, entry)
        for export, entry in exports.items()
        if name in (export, entry.get("to")) and entry.get("grants") != "check"
    ]
    for export, entry in fresh:
        entry["grants"] = "check"
        for one in lacks:
            made.note(
                ("databases", database, "continuousExports", export), f"{one}: say grants: ensure to have it made"
            )
    return bool(fresh)


def _written(
    made: Composed,
    closed: Closure,
    seen: Survey,
    lacks: Mapping[str, Sequence[str]],
    beside: Sequence[str] = (),
) -> Taken:
    document = copy.deepcopy({key: value for key, value in made.document.items() if key != "databases"})
    document["databases"] = {
        name: {section: copy.deepcopy(entries) for section, entries in sections.items() if entries}
        for name, sections in made.document["databases"].items()
    }
    files = texts_to_files(document)
    defaults = lift(document)
    databases = document.pop("databases")
    whole = {**document, **({"defaults": defaults} if defaults else {}), "databases": databases}
    text = to_yaml(whole, made.comments, _header(seen), _footer(made, closed, beside))
    return Taken(text, files, _counts(databases), tuple(_reasons(made)), (), dict(lacks), made, seen)


def _counts(databases: Mapping[str, Mapping[str, Doc]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for sections in databases.values():
        for section, entries in sections.items():
            found[section] = found.get(section, 0) + len(entries)
    return found


def _reasons(made: Composed) -> list[str]:
    return [f"{called(ref)}: {reason}" for ref, reason in sorted(made.left_out.items())]


def _header(seen: Survey) -> list[str]:
    return [
        f"What runs on {seen.scope.cluster_uri}, as kxrecon import found it. Nothing was changed.",
        "Roles, policies and grants that exports need are derived from the exports, and are not repeated here.",
    ]


def _footer(made: Composed, closed: Closure, beside: Sequence[str]) -> list[str]:
    lines: list[str] = []
    if made.left_out:
        lines += ["Could not be taken over:", *(f"  {one}" for one in _reasons(made))]
    for database, sections in sorted(closed.unmanaged.items()):
        lines.append(f"Also in {database}, and not managed by this spec:")
        lines += [f"  {section}: {', '.join(names)}" for section, names in sections.items()]
    if beside:
        more = len(beside) - MOST_RIGHTS
        lines += ["Also given there, and not managed by this spec:", *(f"  {one}" for one in beside[:MOST_RIGHTS])]
        lines += [f"  and {more} more"] if more > 0 else []
    return lines
