"""From each export the links that it needs: what makes kxrecon more than a deployer of text.

An export runs when its identity is attached, may be used for automated flows, may read every database
that the query reads, and may write to the target. Derived entities say why they exist; what already
holds by other means (an inherited role, a sufficient cluster policy) is recognised, not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from kxrecon.kinds import kind
from kxrecon.links import LinkBuilder
from kxrecon.model import Entity, Finding, Ref, State
from kxrecon.scope import Scope
from kxrecon.surroundings import Stored


@dataclass(frozen=True, slots=True)
class Derivation:
    """Desired with its derived entities, the links of each export, and what was found along the way."""

    desired: State
    needs: Mapping[Ref, tuple[Ref, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def derive(desired: State, observed: State | None, scope: Scope) -> Derivation:
    """Add what the exports need. With ``observed`` None (offline) nothing can be recognised as given."""
    seen = observed or State()
    builder = LinkBuilder(scope, Stored(seen, desired))
    wanted = _Wanted(dict(desired.entities), seen)
    needs: dict[Ref, tuple[Ref, ...]] = {}
    for export in sorted(desired.of_kind("continuous_export"), key=lambda entity: entity.ref):
        mode = export.attributes.get("grants", "ensure")
        if mode == "off":
            continue
        links = builder.of_export(export, _table_of(export, desired, seen))
        if mode == "check":
            missing = [part for link in links for part in _check(link, export, seen)]
            wanted.findings.extend(missing)
            needs[export.ref] = tuple([part.ref for part in missing if part.ref])
        else:
            needs[export.ref] = tuple([link.ref for link in links if wanted.add(link, export)])
    for table in desired.of_kind("external_table"):
        found = tuple([link.ref for link in builder.of_table(table) if wanted.add(link, table)])
        if found:
            needs[table.ref] = found
    findings = tuple(dict.fromkeys((*builder.findings, *wanted.findings)))
    return Derivation(replace(desired, entities=wanted.completed()), needs, findings)


class _Wanted:
    """Collects derived links into desired; reasons are gathered aside, because hundreds of exports may share a link."""

    def __init__(self, entities: dict[Ref, Entity], seen: State) -> None:
        self.findings: list[Finding] = []
        self._entities, self._seen = entities, seen
        self._reasons: dict[Ref, dict[str, None]] = {}
        self._covered: dict[Ref, str | None] = {}

    def add(self, link: Entity, by: Entity) -> bool:
        """Put a link into desired unless something else gives it; True if ``by`` has to wait for it."""
        ref = link.ref
        reasons = self._reasons.get(ref)
        if reasons is None:
            if ref in self._entities:
                return True
            evidence = self._evidence(link)
            if evidence:
                self.findings.append(Finding("holds", ref, f"{evidence}: enough for {by.ref.label}"))
                return False
            self._entities[ref] = link
            reasons = self._reasons[ref] = {}
        reasons[f"needed by {by.ref.label}"] = None
        return True

    def _evidence(self, link: Entity) -> str | None:
        if link.ref in self._seen.entities:
            return None
        if link.ref not in self._covered:
            self._covered[link.ref] = kind(link.ref.kind).covers(link, self._seen)
        return self._covered[link.ref]

    def completed(self) -> dict[Ref, Entity]:
        """Desired with the links, each saying why it exists."""
        for ref, reasons in self._reasons.items():
            self._entities[ref] = replace(self._entities[ref], reasons=tuple(reasons))
        return self._entities


def _table_of(export: Entity, desired: State, seen: State) -> Entity | None:
    """The external table of an export, as the spec wants it or, if it is not in the spec, as it is."""
    ref = Ref("external_table", (export.ref.name[0], str(export.fields.get("to"))))
    return desired.entities.get(ref) or seen.entities.get(ref)


def _check(link: Entity, export: Entity, seen: State) -> Iterator[Finding]:
    if link.ref in seen.entities or kind(link.ref.kind).covers(link, seen):
        return
    reason = "could not be read" if seen.gap(link.ref) else "is missing"
    yield Finding("handover", link.ref, f"{reason}, and {export.ref.label} needs it (grants: check)")
