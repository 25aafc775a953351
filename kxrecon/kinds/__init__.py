"""The kinds: one module each, found by name, loaded when first asked for.

A kind is a module with these names (the ``Kind`` protocol). None of them does I/O, reads a clock or
imports another kind:

``PLANE``      the wire it lives on
``SECTION``    where the spec holds it, ``*`` for a name: ``("databases", "*", "externalTables", "*")``;
               ``()`` for a kind that is only derived
``desire``     its part of the spec → entities (and problems, all of them)
``describe``   an entity → its part of the spec; ``desire(describe(e)) == e``
``reads``      what to ask, given what is known; asked again until nothing new comes
``observe``    answers → entities, readings, gaps, in the same canonical form as ``desire``
``needs``      what must exist before it
``group``      changes with equal keys are acted on together (one PATCH for many identities)
``act``        changes (one group) → steps
``covers``     evidence that something else observed already gives what this entity would, or None

Where they apply: ``adopt`` (what completes a desired entity from the observed one), ``join`` (one entity for two that
exports need, where fields that both have may differ), ``mark`` (how a mark is put on what is there), ``WRITE_ONLY``
(part of it may not be shown again) and ``REFORMATTED`` (texts that may be shown in another form).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from kxrecon.errors import Problem
from kxrecon.model import Answers, Change, Entity, Gap, Need, Plane, Read, Reading, State, Step
from kxrecon.scope import Scope

NAMES: Mapping[str, Plane] = {
    "cluster_identity": "arm",
    "cluster_role": "arm",
    "container": "arm",
    "role_assignment": "arm",
    "acl_entry": "adls",
    "sql_user": "sql",
    "sql_grant": "sql",
    "managed_identity_policy": "kusto",
    "database_role": "kusto",
    "table": "kusto",
    "function": "kusto",
    "external_table": "kusto",
    "continuous_export": "kusto",
}


@dataclass(frozen=True, slots=True)
class World:
    """Both sides in full, for the few kinds whose request depends on what stays: a policy is written whole."""

    scope: Scope
    observed: State
    desired: State


class Kind(Protocol):
    """What a kind's module offers; see the package's docstring."""

    PLANE: Plane
    SECTION: tuple[str, ...]

    def desire(self, name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
        """Entities of one entry of the section; ``name`` holds what stood for each ``*``."""

    def describe(self, entity: Entity) -> Any:
        """The spec entry that ``desire`` turns into this entity."""

    def reads(self, scope: Scope, known: Answers) -> Iterable[Read]:
        """All reads that can be named now, those already answered included."""

    def observe(self, answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
        """What the answers show; a Failure becomes a Gap unless it proves absence."""

    def needs(self, entity: Entity) -> Iterable[Need]:
        """What must exist before this entity and outlive it."""

    def group(self, change: Change) -> Hashable:
        """Changes of this kind with equal keys (and the same pending needs) become one action."""

    def act(self, changes: Sequence[Change], world: World) -> Sequence[Step]:
        """What to send for one group of changes, in order."""

    def covers(self, entity: Entity, observed: State) -> str | None:
        """Evidence that the observed state grants this by other means (inheritance, a wider role)."""


@cache
def kind(name: str) -> Kind:
    """The module of a kind; KeyError for a name that is none."""
    module: Any = import_module(f"kxrecon.kinds.{NAMES[name]}.{name}")
    return module  # type: ignore[no-any-return]
