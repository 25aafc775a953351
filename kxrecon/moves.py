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
from kxrecon.surroundings import moved, place, writers


def repointing(nodes: Sequence[Node], world: World) -> None:
    """Let each change that moves a table say so of every export that writes to it, running or not, and what becomes
    of what lies at the old place."""
    for node in nodes:
        found = tuple(hazard for change in node.changes for hazard in _repointed(change, world))
        if found and node.steps and node.steps[0].requests:
            first, *others = node.steps
            notes = tuple(_left_there(change) for change in node.changes)
            node.steps = (replace(first, hazards=(*first.hazards, *found), notes=(*first.notes, *notes)), *others)


def moves(change: Change) -> bool:
    """Whether a change gives an external table another place."""
    if change.ref.kind != "external_table" or change.observed is None or change.desired is None:
        return False
    return moved(change.observed, change.desired)


def _repointed(change: Change, world: World) -> Iterator[Hazard]:
    if not moves(change) or change.observed is None or change.desired is None:
        return
    old, new = (", ".join(map(str, place(side))) for side in (change.observed, change.desired))
    for export in writers(change.ref, world.observed):
        reason = f"what it wrote stays at {old}; from then on it writes to {new}"
        yield Hazard("repoints-export", export.ref, reason)


def _left_there(change: Change) -> str:
    """Files and rows do not move: what to do if somebody reads them through the table."""
    assert change.observed is not None and change.desired is not None
    if change.desired.fields.get("kind") == "sql":
        return (
            "rows at the old place stay there, and are no longer read through this table: copy them if they have to be"
        )
    seen = "files at the old place stay there, and are no longer read through this table"
    pairs = zip(place(change.observed), place(change.desired), strict=False)
    copies = [f"azcopy copy '{old}/*' '{new}' --recursive" for old, new in pairs if old != new]
    return f"{seen}; to have them at the new one: {'; '.join(copies)}"
