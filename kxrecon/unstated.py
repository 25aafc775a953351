"""Properties of exports that no field of a spec stands for: shown, so that nobody finds them out from a request.

They stay as they are while nothing else changes, and are sent again with every change of a definition; one that
cannot be sent blocks it (``drops-property``).
"""

from __future__ import annotations

from collections.abc import Iterator

from kxrecon.kinds.kusto._export_command import foreign
from kxrecon.model import Finding, State

KIND = "continuous_export"


def findings(desired: State, observed: State) -> Iterator[Finding]:
    """A note for each export of the spec that has such properties."""
    for ref in desired.entities:
        seen = observed.entities.get(ref) if ref.kind == KIND else None
        kept, lost = foreign(seen.fields) if seen is not None else ({}, {})
        if kept:
            yield Finding("note", ref, f"has {_shown(kept)}, which the spec does not state: kept")
        if lost:
            remedy = "allow drops-property for it when it is to change"
            yield Finding("note", ref, f"has {_shown(lost)}, which would not be sent again with a change", remedy)


def _shown(properties: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in properties.items())
