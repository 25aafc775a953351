"""What is known when links are judged: both sides, the raw answers, and one export with its external table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kxrecon.kinds import NAMES
from kxrecon.lint.service import Service, available
from kxrecon.lint.world import World
from kxrecon.model import HIDDEN, Answers, Change, Entity, Failure, Hidden, Ref, State
from kxrecon.scope import Scope, Target
from kxrecon.storage_uri import locate
from kxrecon.surroundings import Stored, databases_read
from kxrecon.surroundings import reads as reads_of
from kxrecon.verify import reads

EXPORT, EXTERNAL = "continuous_export", "external_table"


@dataclass(frozen=True)
class Known:
    """One survey. ``apply`` is the command line that makes the spec true; empty without a spec."""

    observed: State
    desired: State
    scope: Scope
    answers: Answers
    changes: Mapping[Ref, Change] = field(default_factory=dict)
    apply: str = ""

    def hidden(self, ref: Ref) -> str | None:
        """Why nothing can be said about ``ref``, if that is so; an absent entity is not hidden."""
        plane = NAMES[ref.kind]
        if self.scope.manages(plane) == "off":
            return f"the spec switches this plane off (manage: {plane}: off)"
        gap = self.observed.gap(ref)
        if gap is None or gap.failure.reason == "absent":
            return None
        return f"could not be read ({gap.failure.reason}: {gap.failure.message})"

    def without_id(self, symbol: str) -> str:
        """Why nothing can be said about an identity's rights: its object id is not known."""
        hidden = self.hidden(Ref("cluster_identity", (symbol,)))
        return f"the object id of '{symbol}' {hidden}" if hidden else f"not reached: '{symbol}' has no object id yet"

    @cached_property
    def cluster(self) -> Mapping[str, Any] | Failure | None:
        """The cluster's ARM resource; None if nobody said which one it is."""
        return reads.cluster(self.answers, self.scope)

    @cached_property
    def stored(self) -> Stored:
        """Stored functions, as they are, completed by those that the spec will make."""
        return Stored(self.desired, self.observed, cluster=self.scope.cluster_uri)

    @cached_property
    def language(self) -> Service | None:
        """Microsoft's language service over what is there; None without the extra ``kql``."""
        return None if available() else Service(World(State(), self.observed))

    @cached_property
    def known_databases(self) -> frozenset[str] | None:
        """All databases, lower-case; None if they were not listed."""
        return reads.databases(self.answers)

    def subjects(self) -> Iterator[Subject]:
        """Every export, of the spec and of the cluster, in the order of their names."""
        found = {*self.observed.entities, *self.desired.entities}
        for ref in sorted(ref for ref in found if ref.kind == EXPORT):
            yield self.subject(ref)

    def subject(self, ref: Ref) -> Subject:
        """One export as it runs, or as it would run if there is none yet."""
        seen, wanted = self.observed.entities.get(ref), self.desired.entities.get(ref)
        export = _completed(seen, wanted)
        assert export is not None, ref
        table = Ref(EXTERNAL, (ref.name[0], str(export.fields.get("to"))))
        return Subject(self, export, self._table(table))

    def _table(self, ref: Ref) -> Entity | None:
        seen, wanted = self.observed.entities.get(ref), self.desired.entities.get(ref)
        return _completed(seen, wanted) if seen or self.hidden(ref) else None

    def target(self, table: Entity, uri: str) -> Target | None:
        """The spec's target behind a connection: the one that the table names, else the one at the same place."""
        named = self.scope.targets.get(str(table.attributes.get("target") or ""))
        if named is not None:
            return named
        place = locate(uri)
        for target in self.scope.targets.values():
            other = locate(str(target.doc.get("url") or ""))
            if place and other and (other.account, other.container) == (place.account, place.container):
                return target
        return None


def _completed(seen: Entity | None, wanted: Entity | None) -> Entity | None:
    """What is there, with the parts that the service hides taken from the spec; else what the spec wants."""
    if seen is None or wanted is None:
        return seen or wanted
    fields = {name: _unmasked(value, wanted.fields.get(name)) for name, value in seen.fields.items()}
    return replace(seen, fields=fields, attributes={**seen.attributes, **wanted.attributes}, path=wanted.path)


def _unmasked(seen: Any, wanted: Any) -> Any:
    if isinstance(seen, Hidden):
        return HIDDEN if wanted is None else wanted
    if isinstance(seen, Mapping) and isinstance(wanted, Mapping):
        open_parts = [key for key, value in seen.items() if not isinstance(value, Hidden)]
        if any(seen[key] != wanted.get(key) for key in open_parts):
            return seen  # another place than the spec's: the spec cannot say how one gets in there
        return {key: _unmasked(value, wanted.get(key)) for key, value in seen.items()}
    if isinstance(seen, tuple) and isinstance(wanted, tuple) and len(seen) == len(wanted):
        return tuple(_unmasked(one, other) for one, other in zip(seen, wanted, strict=True))
    return seen


@dataclass(frozen=True)
class Subject:
    """One export: what the links of a chain are about."""

    known: Known
    export: Entity
    table: Entity | None

    @property
    def database(self) -> str:
        """Where the export lives."""
        return self.export.ref.name[0]

    @property
    def name(self) -> str:
        """The export's own name."""
        return self.export.ref.name[1]

    @property
    def identity(self) -> Any:
        """The symbol that the export runs as; None for none, HIDDEN where it is not shown."""
        return self.export.fields.get("managedIdentity")

    @property
    def connections(self) -> Sequence[Mapping[str, Any]]:
        """How the external table reaches its target; empty if there is no table."""
        if self.table is None:
            return ()
        if self.table.fields.get("kind") == "sql":
            return (self.table.fields["connection"],)
        found: Sequence[Mapping[str, Any]] = self.table.fields.get("connections") or ()
        return found

    def writer(self, connection: Mapping[str, Any]) -> Any:
        """Who opens a connection: a symbol, None (it carries its own secret, or nobody), HIDDEN."""
        auth = connection.get("auth")
        if auth == "managedIdentity":
            return connection.get("identity")
        return self.identity if auth == "impersonate" or isinstance(auth, Hidden) else None

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every database that the query reads."""
        return databases_read(self.export, self.known.stored)

    @cached_property
    def open_reads(self) -> tuple[str, ...]:
        """What of that cannot be told, in words."""
        return reads_of(self.export, self.known.stored).open

    @cached_property
    def failure(self) -> str:
        """The service's words about the last run, if it failed; empty otherwise."""
        reading = self.known.observed.readings.get(self.export.ref)
        return reads.last_failure(self.known.answers, self.export.ref, reading)

    def failed_with(self, *words: str) -> bool:
        """Whether the last run failed, and its message holds one of these words."""
        lowered = self.failure.lower()
        return any(word in lowered for word in words)
