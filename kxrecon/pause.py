"""Exports stand still while the ground under them changes.

Altering an external table (or a table) under a running continuous export would let runs fail against
half a change; failures for seven days disable the job (learn.microsoft.com, Continuous data export).
So the export is disabled first and enabled last; if the middle fails it stays disabled, cursor kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from kxrecon.graph import Node
from kxrecon.kinds import World, kind
from kxrecon.model import Change, CursorEffect, Entity, Ref, State, Step

# Changing these does not touch what an export writes.
_HARMLESS = frozenset({"folder", "docString"})
GROUND = frozenset({"external_table", "table", "continuous_export"})


def around(nodes: Sequence[Node], by_ref: Mapping[Ref, Node], world: World) -> list[Node]:
    """The nodes, with a disable before and an enable after every change under a running export."""
    result = list(nodes)
    running = cache(lambda: _running(world))
    for node in nodes:
        for change in node.changes:
            if change.verb == "update" and not {_top(part.field) for part in change.fields} <= _HARMLESS:
                for export in running().get(change.ref, ()):
                    result.extend(_pause(export, node, by_ref, world))
    return _once(result)


def resumed(desired: State, observed: State, paused: frozenset[Ref]) -> State:
    """Desired, with the exports enabled that an unfinished run of ours disabled and nothing enabled since."""
    entities = dict(desired.entities)
    for ref in paused:
        seen = observed.entities.get(ref)
        if seen is None or seen.fields.get("isDisabled") is not True:
            continue
        wanted = entities.get(ref, seen)
        if ref not in entities or "isDisabled" not in wanted.fields:
            entities[ref] = replace(wanted, fields={**wanted.fields, "isDisabled": False})
    return replace(desired, entities=entities)


def restarted(
    nodes: Sequence[Node],
    changes: Iterable[Change],
    paused: frozenset[Ref],
    links: Mapping[Ref, tuple[Ref, ...]],
    world: World,
) -> tuple[list[Node], frozenset[Ref]]:
    """The nodes, with what starts exports again that we stopped, where their own change is withheld: it is nobody
    else's to start them. Also these exports, as far as all of their change is that they start."""
    going = {change.ref for node in nodes if node.verb != "wait" for change in node.changes}
    result = list(nodes)
    wholly: set[Ref] = set()
    for change in changes:
        names = {part.field for part in change.fields}
        if change.ref not in paused or change.ref in going or change.verb != "update" or "isDisabled" not in names:
            continue
        seen = change.observed
        if seen is None or change.entity.fields.get("isDisabled") is not False:
            continue
        running = replace(seen, fields={**seen.fields, "isDisabled": False})
        enable = Node((Change(change.ref, "update", seen, running),), _steps(seen, running, "enable", world))
        needed = {need.ref for need in kind(change.ref.kind).needs(change.entity)} | set(links.get(change.ref, ()))
        enable.after.extend(node for node in nodes if any(one.ref in needed for one in node.changes))
        result.append(enable)
        wholly |= {change.ref} if names == {"isDisabled"} else set()
    return result, frozenset(wholly)


def _top(field: str) -> str:
    return field.split("[", 1)[0]


def _running(world: World) -> Mapping[Ref, Sequence[Entity]]:
    """Observed, enabled exports by the external table that they write to and by each of their fact tables."""
    found: dict[Ref, list[Entity]] = {}
    for export in world.observed.of_kind("continuous_export"):
        if export.fields.get("isDisabled") is not False:
            continue
        database = export.ref.name[0]
        tables = [Ref("table", (database, name)) for name in dict.fromkeys(export.fields.get("over") or ())]
        for ref in (Ref("external_table", (database, str(export.fields.get("to")))), *tables):
            found.setdefault(ref, []).append(export)
    return found


def _pause(export: Entity, node: Node, by_ref: Mapping[Ref, Node], world: World) -> list[Node]:
    own = by_ref.get(export.ref)
    if own is not None and own.verb == "delete":
        return []
    stopped = replace(export, fields={**export.fields, "isDisabled": True})
    # Not before the grants that the change waits for: if one of them fails, the export goes on as it was.
    grants = [other for other in node.after if other.kind not in GROUND]
    steps = _steps(export, stopped, "disable", world)
    disable = Node((Change(export.ref, "update", export, stopped),), steps, grants, standstill=True)
    node.after.append(disable)
    if own is not None:
        # The export's own alter carries isDisabled, so it starts again by itself, after this node.
        own.after.append(node)
        return [disable]
    enable = Node((Change(export.ref, "update", stopped, export),), _steps(stopped, export, "enable", world))
    enable.after.append(node)
    return [disable, enable]


def _steps(before: Entity, after: Entity, phase: str, world: World) -> tuple[Step, ...]:
    steps = kind("continuous_export").act([Change(before.ref, "update", before, after)], world)
    kept = CursorEffect("keeps cursor", "it only stands still while what it reads or writes to changes")
    return tuple(
        replace(step, phase=phase, hazards=(), cursor=kept)  # type: ignore[arg-type]
        for step in steps
    )


def _once(nodes: Sequence[Node]) -> list[Node]:
    """One disable and one enable per export, however many changes happen under it."""
    kept: dict[tuple[str, ...], Node] = {}
    merged: dict[int, Node] = {}  # by the identity of a node that is left out, the one that stands for it
    result: list[Node] = []
    for node in nodes:
        if not node.steps or node.steps[0].phase == "apply":
            result.append(node)
        elif node.key in kept:
            kept[node.key].after.extend(node.after)
            merged[id(node)] = kept[node.key]
        else:
            kept[node.key] = node
            result.append(node)
    for node in result if merged else ():
        node.after[:] = [merged.get(id(other), other) for other in node.after]
    return result
