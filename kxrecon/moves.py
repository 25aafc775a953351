"""External tables that move: where exports write changes although no export does.

Altering a table's connection keeps the cursors of the exports that write to it (they are not touched); what they
wrote stays where it is, and nobody reads it there through the table any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kxrecon.graph import Node
from kxrecon.kinds import World
from kxrecon.model import Change, Hazard
from kxrecon.surroundings import place, writers


def repointing(nodes: Sequence[Node], world: World) -> None:
    """Let each change that moves a table say so of every export that writes to it, running or not."""
    for node in nodes:
        found = tuple(hazard for change in node.changes for hazard in _repointed(change, world))
        if found and node.steps and node.steps[0].requests:
            first, *others = node.steps
            node.steps = (replace(first, hazards=(*first.hazards, *found)), *others)


def moves(change: Change) -> bool:
    """Whether a change gives an external table another place."""
    if change.ref.kind != "external_table" or change.observed is None or change.desired is None:
        return False
    return place(change.observed) != place(change.desired)


def _repointed(change: Change, world: World) -> Iterator[Hazard]:
    if not moves(change) or change.observed is None or change.desired is None:
        return
    old, new = (", ".join(place(side)) for side in (change.observed, change.desired))
    for export in writers(change.ref, world.observed):
        reason = f"what it wrote stays at {old}; from then on it writes to {new}"
        yield Hazard("repoints-export", export.ref, reason)
