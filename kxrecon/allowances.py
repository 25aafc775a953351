"""``allow:`` entries about nothing: a permission for an entity that neither the spec nor the cluster has is a slip of
the pen, or is over. A plan says so; until then nobody can know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from kxrecon.model import Allow, Finding, State


def findings(allow: Sequence[Allow], desired: State, observed: State) -> Iterator[Finding]:
    """A note for each; none while something could not be read: it may be that."""
    named = [one for one in allow if one.entity is not None]
    if not named or observed.gaps:
        return
    labels = {ref.label for ref in desired.entities.keys() | observed.entities.keys()}
    for one in named:
        if one.entity not in labels:
            close = get_close_matches(str(one.entity), labels, n=1)
            remedy = f"did you mean '{close[0]}'? otherwise it can go" if close else "it can go"
            yield Finding("note", None, f"allow: {one.hazard} for {one.entity} is about nothing that is there", remedy)
