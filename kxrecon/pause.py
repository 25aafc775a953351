"""Exports stand still while the ground under them changes.

Altering an external table, a table or a function under a running continuous export would let runs work with
half a change, or fail against it; failures for seven days disable the job (learn.microsoft.com, Continuous data
export). So the export is disabled first and enabled last; if the middle fails it stays disabled, cursor kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from kxrecon.graph import Node
from kxrecon.kinds import World, kind
from kxrecon.model import Change, CursorEffect, Entity, Ref, State, Step, Value
from kxrecon.relied import GROUND, ground_of

# Changing these does not touch what an export writes.
_HARMLESS = frozenset({"folder", "docString"})
_NO_GRANT = GROUND | {"continuous_export"}


def around(nodes: Sequence[Node], by_ref: Mapping[Ref, Node], world: World) -> list[Node]:
    """The nodes, with a disable before and an enable after every change under a running export."""
    result = list(nodes)
    running = cache(lambda: _running(world))
    stops = {node.changes[0].ref: node for node in nodes if node.steps and node.steps[0].phase == "stop"}
    for node in nodes:
        for change in node.changes:
            if change.verb == "update" and not {_top(part.field) for part in change.fields} <= _HARMLESS:
                for export in running().get(change.ref, ()):
                    if export.ref in stops:  # another one goes on in its place
                        node.after.append(stops[export.ref])
                    else:
                        result.extend(_pause(export, node, by_ref, world))
    return _once(result)


def standing(ours: frozenset[Ref], observed: State) -> frozenset[Ref]:
    """Of the exports that runs of ours disabled, those that still stand still for that reason: they are disabled, and
    the database's journal, as far as it is shown, does not name somebody else who stopped them since."""
    return frozenset(
        ref
        for ref in ours
        if (seen := observed.entities.get(ref)) is not None
        and seen.fields.get("isDisabled") is True
        and _value(observed, ref, "disabledByUs") is not False
    )


def running(ours: frozenset[Ref], observed: State) -> list[Ref]:
    """Of the exports that runs of ours disabled, those that somebody enabled since. Who stops them next means it."""
    enabled = (ref for ref in ours if (seen := observed.entities.get(ref)) and seen.fields.get("isDisabled") is False)
    return sorted(enabled)


def _value(observed: State, ref: Ref, name: str) -> Value:
    reading = observed.readings.get(ref)
    return reading.values.get(name) if reading else None


def resumed(desired: State, observed: State, paused: frozenset[Ref]) -> State:
    """Desired, with the exports enabled that unfinished runs of ours let stand still (``standing``)."""
    entities = dict(desired.entities)
    for ref in paused:
        wanted = entities.get(ref, observed.entities[ref])
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
    """Observed, enabled exports by all that they stand on: what they write to, read and call, through functions too."""
    found: dict[Ref, list[Entity]] = {}
    for export in world.observed.of_kind("continuous_export"):
        if export.fields.get("isDisabled") is not False:
            continue
        for ref in ground_of(export, world.observed.entities):
            found.setdefault(ref, []).append(export)
    return found


def _pause(export: Entity, node: Node, by_ref: Mapping[Ref, Node], world: World) -> list[Node]:
    own = by_ref.get(export.ref)
    if own is not None and own.verb == "delete":
        return []
    stopped = replace(export, fields={**export.fields, "isDisabled": True})
    # Not before the grants that the change waits for: if one of them fails, the export goes on as it was.
    grants = [other for other in node.after if other.kind not in _NO_GRANT]
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
