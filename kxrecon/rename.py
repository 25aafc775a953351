"""Giving an export another name without losing records, and exporting once what came before a new one.

Kusto has no rename: another name is another job with another cursor, which starts from then on. So the old
job is stopped first (it keeps its place), the new one is created, and what lies between the two places is
exported once by a bounded ``.export`` (learn.microsoft.com, Continuous data export, Exporting historical data).
The old job is only dropped where the spec allows it by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kxrecon import cursors
from kxrecon.graph import Node
from kxrecon.kinds import World, kind
from kxrecon.model import Allow, Change, CursorEffect, Entity, Finding, Ref, Request, State, Step, Text, Unknown

KIND = cursors.KIND
_UNBOUND = (
    "its query does not begin with its one fact table, so it cannot be bounded: write the table first, "
    "or leave backfill: and renamedFrom: out and export what came before by hand"
)


def successions(desired: State, observed: State) -> Mapping[Ref, Ref]:
    """New exports by the old ones that they follow, where the old one is there and the spec does not keep it."""
    found: dict[Ref, Ref] = {}
    for export in desired.of_kind(KIND):
        name = export.attributes.get("renamedFrom")
        old = Ref(KIND, (export.ref.name[0], str(name)))
        if name and old != export.ref and old in observed.entities:
            found[old] = export.ref
    return found


def released(desired: State, observed: State, stated: State, allow: Sequence[Allow]) -> State:
    """Desired without the old exports whose drop the spec allows by name; the others stay, stopped."""
    gone = {
        old
        for old in successions(desired, observed)
        if old not in stated.entities and any(one.hazard == "loses-cursor" and one.entity == old.label for one in allow)
    }
    if not gone:
        return desired
    return replace(desired, entities={ref: one for ref, one in desired.entities.items() if ref not in gone})


def told(desired: State, observed: State, stated: State) -> Iterator[Finding]:
    """Old exports that stay, and names that were given away twice."""
    for old, new in successions(desired, observed).items():
        if old in stated.entities:
            message = f"is in the spec, and {new.name[1]} is renamedFrom it: both would export the same records"
            yield Finding("blocked", new, message, "leave one of them out")
        elif old in desired.entities:
            remedy = f"allow: [{{ hazard: loses-cursor, entity: {old.label}, reason: … }}] lets it be dropped"
            yield Finding("left-behind", old, f"stays, disabled, because {new.name[1]} follows it", remedy)


def around(nodes: Sequence[Node], by_ref: Mapping[Ref, Node], world: World) -> list[Node]:
    """The nodes, with the old export stopped before its successor is created, and the bounded export after it."""
    result = list(nodes)
    followed = {new: old for old, new in successions(world.desired, world.observed).items()}
    for node in nodes:
        change = node.changes[0]
        if change.ref.kind != KIND or change.verb != "create" or change.desired is None:
            continue
        old = followed.get(change.ref)
        if old is not None:
            result.extend(_succeed(node, world.observed.entities[old], by_ref, world))
        elif change.desired.attributes.get("backfill"):
            _fill(node, change.desired, (), "everything ingested before it began")
    return result


def _succeed(node: Node, old: Entity, by_ref: Mapping[Ref, Node], world: World) -> Iterable[Node]:
    new = node.changes[0].desired
    assert new is not None
    position = cursors.position(world.observed.readings[old.ref])
    lower: Text
    if position.exported_to:
        # The old job may run once more before it is stopped, so its place is read after that.
        lower = ("ingestion_time() > datetime(", Unknown(old.ref, "exportedTo"), ")")
    else:
        # It may run for the first time before it is stopped, so what it has not exported is known only after that.
        last = Unknown(old.ref, cursors.EXPORTED_IF_EVER)
        lower = (*cursors.lower_bound(position), " and ingestion_time() > datetime(", last, ")")
    _fill(node, new, lower, f"what was ingested after {old.ref.name[1]} stopped and before it began")
    drop = by_ref.get(old.ref)
    if drop is not None:
        drop.after.append(node)
    if old.fields.get("isDisabled") is True:
        return ()
    stopped = replace(old, fields={**old.fields, "isDisabled": True})
    change = Change(old.ref, "update", old, stopped)
    stop = Node((change,), tuple(kind(KIND).act([change], world)), standstill=True)
    node.after.append(stop)
    return (stop,)


def unfinished(actions: Iterable[str], sent: Iterable[str], desired: State, observed: State) -> Iterator[Finding]:
    """Bounded exports that the last apply did not see end: the command of each, and when it may be run again.

    The places that bound it still stand where they stood: the old export is disabled, and where the new one
    began never changes. ``sent``: those of them that were begun.
    """
    for export in desired.of_kind(KIND):
        action = next((one for one in actions if one.startswith(f"create:{KIND}:{export.ref.label}:")), None)
        if action is None or export.ref not in observed.readings:
            continue
        old = Ref(KIND, (export.ref.name[0], str(export.attributes.get("renamedFrom"))))
        if export.attributes.get("renamedFrom") and old not in observed.readings:
            continue
        lower: Text = cursors.lower_bound(cursors.position(observed.readings[old])) if old in observed.readings else ()
        start = cursors.position(observed.readings[export.ref]).start_cursor or ""
        command = cursors.backfill(observed.entities.get(export.ref, export), lower, start)
        told = "".join(map(str, command or ()))
        if action in sent:
            remedy = f"where .show operations has no completed TableExport since that apply began, run once: {told}"
            yield Finding("moved", export.ref, f"the last apply did not see the end of {action}", remedy)
        else:
            yield Finding("moved", export.ref, f"the last apply never sent {action}", f"run once: {told}")


def _fill(node: Node, export: Entity, lower: Text, what: str) -> None:
    """Let a creation be followed by the export of what the new job leaves out; refused where nobody can bound it."""
    command = cursors.backfill(export, lower, Unknown(export.ref, "startCursor"))
    if command is None:
        node.steps = (Step((), notes=(_UNBOUND,)),)
        return
    first = replace(node.steps[0], cursor=CursorEffect("keeps cursor", f"{what} is exported once by the next action"))
    note = "it is written by whoever applies: that identity needs the right to write there"
    request = Request("kusto", export.ref.name[0], command)
    node.steps = (first, *node.steps[1:], Step((request,), "backfill", notes=(f"exports {what}", note)))
