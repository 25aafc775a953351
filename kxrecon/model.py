"""The words of kxrecon as frozen values: what all layers exchange, and nothing that does I/O.

``Ref → Entity`` is a ``State``, desired or observed alike. ``Change`` is where two states differ,
``Action`` what will be done about it, ``Read`` and ``Request`` what is asked of and sent to a plane.
A value that a service assigns later is a leaf (``Unknown``, ``Deferred``); a value that must not be
seen is a leaf too (``Secret`` when we send it, ``Hidden`` when the service keeps it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

Plane = Literal["kusto", "arm", "adls", "sql"]


class Ref(NamedTuple):
    """The name of an entity in the spec's words, never a service's id: ``kind`` and its path of names.

    A NamedTuple, because tens of thousands of them are hashed and sorted for every plan.
    """

    kind: str
    name: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(self.name)}"

    @property
    def label(self) -> str:
        """The name as ``--allow`` and ``allow:`` take it: ``Telemetry/ArchiveEvents``."""
        return "/".join(self.name)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Known after apply: ``attribute`` of an entity that does not exist yet, or is not yet bound."""

    ref: Ref
    attribute: str

    def __str__(self) -> str:
        return f"{self.ref.kind}({self.ref.label}).{self.attribute}"


@dataclass(frozen=True, slots=True)
class Deferred:
    """A pure function of leaves, evaluated when they are bound: ``uuid5`` and ``sid`` (see FUNCTIONS)."""

    function: str
    arguments: tuple[str | Unknown, ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(str(argument) for argument in self.arguments)})"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by the name of the variable that holds it; resolved only when a request is sent. ``doubled`` is a quote
    between two of which it stands there, so that each one in it is written twice."""

    variable: str
    doubled: str = ""

    def __str__(self) -> str:
        return f"secret({self.variable})"


@dataclass(frozen=True, slots=True)
class Hidden:
    """An observed value that the service does not show; compares as *not verifiable*.

    ``shown`` is what it does show of a text (its hidden literals as ``h'***'``): that much is compared.
    """

    shown: str = ""

    def __str__(self) -> str:
        return self.shown or "(hidden)"


HIDDEN = Hidden()

# Leaves and JSON-like values; mappings are never mutated once they are in an entity. ``Any`` because
# Python cannot type JSON recursively without costing every kind a cast a line.
Value = Any
Leaf = Unknown | Deferred | Secret
Text = tuple[str | Leaf, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that can be true: its ``fields`` in canonical form.

    ``fields`` are compared. The rest is not: ``attributes`` are what only the service assigns
    (principalId, etag), ``path`` leads to the spec, ``reasons`` say why a derived entity exists,
    ``owner`` is the mark found on an observed one (``kxrecon/<spec>``) or to be put on a desired one.
    """

    ref: Ref
    fields: Mapping[str, Value]
    attributes: Mapping[str, Value] = field(default_factory=dict, compare=False)
    path: tuple[str | int, ...] = field(default=(), compare=False)
    reasons: tuple[str, ...] = field(default=(), compare=False)
    owner: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """Running state (last run, exported to, cursor): shown and compared after apply, never diffed."""

    ref: Ref
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be read: every ref of ``kind`` whose name starts with ``prefix`` is unknown, not absent.

    With ``symbol`` only those of them that name this identity: its ids could not be read, so nobody can tell
    which of the principals that a service shows it is.
    """

    kind: str
    prefix: tuple[str, ...]
    failure: Failure
    symbol: str | None = None

    def covers(self, ref: Ref) -> bool:
        """True if ``ref`` lies in this gap."""
        here = ref.kind == self.kind and ref.name[: len(self.prefix)] == self.prefix
        return here and (self.symbol is None or self.symbol in ref.name)


@dataclass(frozen=True)
class State:
    """Entities by ref, desired or observed, with the readings and gaps of an observation. The mappings are never
    changed once they are in a state."""

    entities: Mapping[Ref, Entity] = field(default_factory=dict)
    readings: Mapping[Ref, Reading] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    def gap(self, ref: Ref) -> Gap | None:
        """The gap that hides ``ref``, if any."""
        return next((gap for gap in self.gaps if gap.covers(ref)), None)

    def of_kind(self, kind: str) -> Sequence[Entity]:
        """All entities of a kind, in no particular order."""
        return self._kinds.get(kind, ())

    @cached_property
    def _kinds(self) -> Mapping[str, Sequence[Entity]]:
        """Entities by kind: a plan asks a dozen times for those of one kind."""
        found: dict[str, list[Entity]] = {}
        for ref, entity in self.entities.items():
            found.setdefault(ref.kind, []).append(entity)
        return found


class Need(NamedTuple):
    """``ref`` must exist before, and be deleted after; ``field`` is the spec field that names it, for errors."""

    ref: Ref
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A question to a plane: hashable, so that equal questions are asked once.

    kusto: ``target`` is the database ("" for the cluster), ``text`` the ``.show`` command.
    arm:   ``target`` is the subscription ("" for none), ``text`` an operation (see planes/arm.py), ``arguments`` its
    inputs.
    adls:  ``target`` is the account host, ``text`` an operation.
    sql:   ``target`` is ``server/database``, ``text`` the statement, ``arguments`` its parameters.
    """

    plane: Plane
    target: str
    text: str
    arguments: tuple[tuple[str, str], ...] = ()

    def argument(self, name: str) -> str:
        """The value of a named argument; KeyError if it has none."""
        return dict(self.arguments)[name]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as Kusto and SQL answer them, column names beside them; cells are raw JSON values."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    def index(self, *names: str) -> int | None:
        """The position of the first of ``names`` that is a column, letter case ignored; None if none is."""
        lowered = [column.lower() for column in self.columns]
        return next((lowered.index(name.lower()) for name in names if name.lower() in lowered), None)

    def records(self) -> list[dict[str, Any]]:
        """Rows as dicts; for small answers only."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Failure:
    """A read that gave no answer. ``reason``: ``absent`` (the service says there is none), ``denied``
    (a right is missing: says nothing about existence), ``unreachable``, ``failed``."""

    reason: Literal["absent", "denied", "unreachable", "failed"]
    message: str
    code: str = ""


Answer = Table | Mapping[str, Any] | list[Any] | Failure
Answers = Mapping[Read, Answer]


@dataclass(frozen=True, slots=True)
class Request:
    """An instruction to a plane, complete but for its leaves.

    kusto: ``target`` database, ``text`` the command. arm, adls: ``text`` an operation, ``body`` its JSON.
    sql: ``target`` ``server/database``, ``text`` the statement.
    ``accepts``: error codes that mean "already so". ``exclusive``: requests with the same key never overlap.
    """

    plane: Plane
    target: str
    text: Text
    body: Mapping[str, Value] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    exclusive: str | None = None


@dataclass(frozen=True, slots=True)
class Hazard:
    """A risk of an action that somebody has to allow: ``loses-cursor``, ``drops-data``, ``removes-access`` …"""

    hazard: str
    ref: Ref
    reason: str


# mark: put our mark on what is there already; wait: send nothing, and go on when something is seen to hold.
Verb = Literal["create", "update", "delete", "mark", "wait"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field-level difference, as a path inside ``fields``; None for a side where it is missing."""

    field: str
    observed: Value
    desired: Value


@dataclass(frozen=True, slots=True)
class Change:
    """Where desired and observed differ for one ref. For ``update``, ``desired`` is complete: fields
    that the spec leaves out were copied from ``observed`` before the diff."""

    ref: Ref
    verb: Verb
    observed: Entity | None
    desired: Entity | None
    fields: tuple[FieldChange, ...] = ()

    @property
    def entity(self) -> Entity:
        """The side that exists: desired, or observed for a delete."""
        entity = self.desired or self.observed
        assert entity is not None
        return entity


@dataclass(frozen=True, slots=True)
class CursorEffect:
    """What becomes of an export's place in its tables: kept, in doubt, records left out, or records written twice."""

    label: Literal["keeps cursor", "may reset cursor", "gap", "duplicates"]
    reason: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where an export stood when a plan was made; both as the service shows them, None where it shows nothing."""

    ref: Ref
    start_cursor: str | None
    exported_to: str | None


@dataclass(frozen=True, slots=True)
class Until:
    """What a ``wait`` waits for, by reading alone, and for how many ``seconds`` at most; then it has failed.

    ``granted``: every link of the exports would hold, were they as the plan makes them. ``at-rest``: no run of
    theirs is under way. ``good-runs``: each had ``runs`` good runs in a row since the wait began.
    """

    what: Literal["granted", "at-rest", "good-runs"]
    seconds: int
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What a kind's ``act`` returns: requests sent in order, as one action, in a named phase. A step with
    ``until`` sends nothing."""

    requests: tuple[Request, ...]
    phase: Literal["apply", "disable", "enable", "stop", "backfill", "wait"] = "apply"
    hazards: tuple[Hazard, ...] = ()
    notes: tuple[str, ...] = ()
    cursor: CursorEffect | None = None
    until: Until | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A node of a plan: the changes of ``refs`` in one ``phase``, after the actions named in ``after``.

    ``id`` is stable for equal plans. ``fingerprints`` tie each ref to the observed entity that the
    action was made from (None: it was absent).
    """

    id: str
    refs: tuple[Ref, ...]
    phase: str
    verb: Verb
    requests: tuple[Request, ...]
    after: tuple[str, ...] = ()
    wave: int = 0
    hazards: tuple[Hazard, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    fingerprints: tuple[str | None, ...] = ()
    cursor: CursorEffect | None = None
    until: Until | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a plan says without doing anything about it: a handover, an unverifiable field, a note.

    ``kind``: ``wrong`` | ``handover`` | ``moved`` | ``paused`` | ``stopped`` | ``unverifiable`` | ``unknown`` |
    ``blocked`` | ``left-behind`` | ``drift`` | ``pending`` | ``ignored`` | ``holds`` | ``note``.
    """

    kind: str
    ref: Ref | None
    message: str
    remedy: str = ""


Result = Literal["done", "failed", "skipped", "not-begun", "waiting"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action: ``done`` | ``failed`` | ``skipped`` (a need failed) | ``not-begun`` |
    ``waiting`` (left for a later apply on purpose)."""

    action: str
    result: Result
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Allow:
    """Somebody allowed a hazard: for one entity (its label) or all (None); ``until`` is an ISO date, inclusive."""

    hazard: str
    entity: str | None = None
    until: str | None = None
    reason: str = ""


def _uuid5(*parts: str) -> str:
    """The name of a role assignment, deterministic from its (scope, principal, role)."""
    import uuid  # a late import: it drags in half of the standard library, and most plans name no new assignment

    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(part.lower() for part in parts)))


def _sid(client_id: str) -> str:
    """The SID of an Entra application in SQL: its client id's bytes (learn.microsoft.com, sys.server_principals)."""
    from uuid import UUID

    return "0x" + UUID(client_id).bytes_le.hex().upper()


FUNCTIONS: Mapping[str, Callable[..., str]] = {"uuid5": _uuid5, "sid": _sid}
