"""``load``: spec files in, the desired State and its frame out, or every problem at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import orjson

from kxrecon.errors import Place, Problem, SpecError
from kxrecon.model import Allow, State, Value
from kxrecon.scope import Scope
from kxrecon.spec.accepted import check as check_accepted
from kxrecon.spec.bodies import read_bodies
from kxrecon.spec.defaults import apply_defaults
from kxrecon.spec.desire import dangling, desire
from kxrecon.spec.files import merge, read
from kxrecon.spec.frame import allows, build_scope
from kxrecon.spec.nulls import idle_nulls
from kxrecon.spec.places import Places, in_file_order
from kxrecon.spec.remains import Remains, without_misspelt
from kxrecon.spec.rotations import check as check_rotations
from kxrecon.spec.secrets import Secrets, clear_secrets, with_secrets
from kxrecon.spec.source import Source, SpecPath
from kxrecon.spec.validate import validate
from kxrecon.spec.variables import Expansion, Variable, declared, expandable
from kxrecon.uncollected import uncollected


@dataclass(frozen=True)
class Spec:
    """A loaded spec: what shall be true, and where each value of it was said.

    ``document`` is the merged document with defaults and variables applied and files read; secrets in it
    are ``Secret`` leaves. ``files`` are all that it was read from, ``named`` those of them that somebody has to name to
    load it again. ``notes`` are problems that do not keep it from being used.
    """

    name: str
    files: tuple[str, ...]
    document: Mapping[str, Value]
    scope: Scope
    desired: State
    notes: tuple[Problem, ...] = ()
    allow: tuple[Allow, ...] = ()
    secrets: Secrets = field(default_factory=Secrets)
    places: Places = field(default_factory=lambda: Places(()), repr=False, compare=False)
    named: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the merged document, bodies and queries from files included, secrets only by name."""
        text = orjson.dumps(self.document, default=str, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()

    def place(self, path: SpecPath) -> Place | None:
        """Where the value at ``path`` was set last; the nearest part of the path where none was set."""
        return self.places.find(path)


def load(
    paths: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Spec:
    """Load the files named, those that they extend, and the texts beside them.

    ``variables`` are values from the command line, which win over ``KXRECON_VAR_name`` in ``environ``.
    Raises SpecError with all problems, in file order.
    """
    with uncollected():
        sources, unreadable = read(paths)
        places = Places(tuple(sources))
        _stop(unreadable, places)
        return replace(_load(sources, places, variables or {}, environ), named=tuple(paths))


def _stop(problems: Sequence[Problem], places: Places) -> None:
    """Raise SpecError if any problem is an error."""
    if any(problem.severity == "error" for problem in problems):
        raise SpecError(in_file_order([places.placed(problem) for problem in problems]))


def _load(sources: list[Source], places: Places, given: Mapping[str, str], environ: Mapping[str, str]) -> Spec:
    merged = merge(sources)
    known, problems = declared(sources, given, environ)
    problems += [problem for source in sources for problem in source.problems] + idle_nulls(sources)
    document, expansion = _expanded(sources, merged, known)
    document = apply_defaults(document, places.removed if any(source.nulls for source in sources) else None)
    refused = without_misspelt(_but_unresolved(validate(document), expansion))
    problems += expansion.problems + refused
    problems += clear_secrets(document, expansion.secrets)
    rest = Remains(document)
    rest.without(problems)
    rest.document, unreadable = read_bodies(rest.document, places)
    problems += unreadable
    rest.without(unreadable)
    rest.document = with_secrets(rest.document, expansion.secrets)
    return _spec(sources, places, rest, problems, Secrets(_secret(known), given, environ))


def _secret(known: Mapping[str, Variable]) -> frozenset[str]:
    return frozenset(name for name, variable in known.items() if variable.secret)


def _expanded(
    sources: list[Source], merged: dict[str, Value], known: Mapping[str, Variable]
) -> tuple[dict[str, Value], Expansion]:
    """The document with its variables in place; sections without any are not even looked at."""
    expansion = Expansion(known)
    changed = {
        key: expansion.expand(merged[key], (key,))
        for key in expandable(sources)
        if key in merged and key != "variables"
    }
    return {**merged, **changed} if changed else merged, expansion


def _but_unresolved(refused: list[Problem], expansion: Expansion) -> list[Problem]:
    """Problems of the schema, without those of values whose variable is already a problem."""
    unresolved = {problem.path for problem in expansion.problems}
    return [problem for problem in refused if problem.path not in unresolved] if unresolved else refused


def _spec(sources: list[Source], places: Places, rest: Remains, problems: list[Problem], secrets: Secrets) -> Spec:
    document = rest.document
    name = str(document.get("name", Path(sources[-1].file).stem))
    scope = build_scope(document, name)
    desired, found = desire(document, scope)
    problems = problems + rest.own(found)
    said = [*problems, *rest.untold]
    problems += rest.own([*dangling(document, desired, scope, said), *check_rotations(scope, desired)])
    problems += rest.own(check_accepted(document, desired))
    _stop(problems, places)
    return Spec(
        name=name,
        files=tuple(source.file for source in sources),
        document=document,
        scope=scope,
        desired=desired,
        notes=tuple(in_file_order([places.placed(problem) for problem in problems])),
        allow=allows(document),
        secrets=secrets,
        places=places,
    )
