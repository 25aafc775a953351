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
from kxrecon.model import (
    Allow,
    Change,
    CursorEffect,
    Entity,
    Finding,
    Hazard,
    Ref,
    Request,
    State,
    Step,
    Text,
    Unknown,
)
from kxrecon.surroundings import Stored

KIND = cursors.KIND
_UNBOUND = (
    "its query does not begin with its one fact table, or may read it or another one again, so it cannot be bounded: "
    "write the table first and once (over: names it, if there are others), or leave backfill: and renamedFrom: out and "
    "export what came before by hand"
)
_ONE = "leave all but one of them out"


def successions(desired: State, observed: State) -> Mapping[Ref, Ref]:
    """New exports by the old ones that they follow, where the old one is there."""
    return {old: news[0] for old, news in _followers(desired).items() if old in observed.entities}


def _followers(desired: State) -> Mapping[Ref, list[Ref]]:
    """The exports that name an old one as their former name, by the old one."""
    found: dict[Ref, list[Ref]] = {}
    for export in sorted(desired.of_kind(KIND), key=lambda one: one.ref):
        name = export.attributes.get("renamedFrom")
        old = Ref(KIND, (export.ref.name[0], str(name)))
        if name and old != export.ref:
            found.setdefault(old, []).append(export.ref)
    return found


def released(
    desired: State,
    observed: State,
    stated: State,
    allow: Sequence[Allow],
    filled: frozenset[Ref],
    owed: Mapping[Ref, Ref],
) -> State:
    """Desired without the old exports whose drop the spec allows by name; the others stay, stopped.

    No permission, and no pruning, drops one that tells from where the bounded export of its successor has to begin:
    either that is part of this very plan, or it was seen to end (``filled``); ``owed`` is what an apply began and did
    not see end, whatever the spec says by now.
    """
    entities = dict(desired.entities)
    followed = successions(desired, observed)
    for old, new in {**owed, **followed}.items():
        if old in stated.entities or old not in observed.entities:
            continue
        if new in observed.entities and new not in filled:
            entities[old] = observed.entities[old]
        elif old in followed and _allowed(old, allow):
            entities.pop(old, None)
    return replace(desired, entities=entities)


def _allowed(old: Ref, allow: Sequence[Allow]) -> bool:
    return any(one.hazard == "loses-cursor" and one.entity == old.label for one in allow)


def told(desired: State, observed: State, stated: State, allow: Sequence[Allow]) -> Iterator[Finding]:
    """Old exports that stay or are not there, and names that were given away twice."""
    for old, news in _followers(desired).items():
        new = news[0]
        refusal = _refusal(old, news, stated)
        if refusal:  # one that is still to be created is refused with its action
            yield from (Finding("blocked", one, refusal, _ONE) for one in news if one in observed.entities)
        elif old not in observed.entities:
            if new not in observed.entities and observed.gap(old) is None:
                message = f"is renamedFrom {old.name[1]}, which is not there: it begins as a new export, from now on"
                yield Finding("note", new, message)
        elif old in desired.entities:
            yield _stays(old, new, _allowed(old, allow))


def _stays(old: Ref, new: Ref, allowed: bool) -> Finding:
    message = f"stays, disabled, because {new.name[1]} follows it"
    if not allowed:
        remedy = f"allow: [{{ hazard: loses-cursor, entity: {old.label}, reason: … }}] lets it be dropped"
        return Finding("left-behind", old, message, remedy)
    message += "; allowed or not, it is not dropped: it is not known here that what lay between them was exported"
    remedy = f"where .show operations shows that export completed, say so: kxrecon apply SPEC --settled {new.label}"
    return Finding("left-behind", old, message, remedy)


def _refusal(old: Ref, news: Sequence[Ref], stated: State) -> str:
    """Why nothing may follow an old export; empty if one may."""
    if old in stated.entities:
        return f"{old.name[1]} is in the spec, and this is renamedFrom it: both would export the same records"
    if len(news) > 1:
        names = ", ".join(new.name[1] for new in news)
        return f"{names} are all renamedFrom {old.name[1]}: each would export the same records"
    return ""


def around(nodes: Sequence[Node], by_ref: Mapping[Ref, Node], world: World, stated: State) -> list[Node]:
    """The nodes, with the old export stopped before its successor is created, and the bounded export after it.
    ``stated``: what the spec has, which may be the old one too."""
    result = list(nodes)
    followers = _followers(world.desired)
    followed = {new: old for old, news in followers.items() for new in news if old in world.observed.entities}
    for node in nodes:
        change = node.changes[0]
        if change.ref.kind != KIND or change.verb != "create" or change.desired is None:
            continue
        old = followed.get(change.ref)
        if old is not None and (why := _refusal(old, followers[old], stated)):
            node.steps = (Step((), notes=(f"{why}: {_ONE}",)),)
        elif old is not None:
            result.extend(_succeed(node, world.observed.entities[old], by_ref, world))
        elif change.desired.attributes.get("backfill"):
            _fill(node, change.desired, (), "everything ingested before it began", world)
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
    drop = by_ref.get(old.ref)
    if drop is not None:
        drop.after.append(node)
    if not _fill(node, new, lower, f"what was ingested after {old.ref.name[1]} stopped and before it began", world):
        return ()
    if old.fields.get("isDisabled") is True:
        if new.fields.get("isDisabled") is not True:
            hazard = Hazard("restarts-export", old.ref, _restarts(new.ref))
            node.steps = (replace(node.steps[0], hazards=(*node.steps[0].hazards, hazard)), *node.steps[1:])
        return ()
    stopped = replace(old, fields={**old.fields, "isDisabled": True})
    change = Change(old.ref, "update", old, stopped)
    steps = tuple(replace(step, phase="stop") for step in kind(KIND).act([change], world))
    stop = Node((change,), steps, standstill=True)
    node.after.append(stop)
    return (stop,)


def _restarts(new: Ref) -> str:
    return f"it is disabled now, and somebody may have stopped it on purpose: {new.name[1]} would go on in its place"


def unfinished(fills: Iterable[cursors.Fill], observed: State) -> Iterator[Finding]:
    """Bounded exports that no apply saw end: the command of each, and when it may be run again.

    The places that bound it still stand where they stood: the old export is disabled, and where the new one
    began never changes. Once the old one is gone, nobody can tell any more.
    """
    for fill in fills:
        here = {ref: observed.readings.get(ref) for ref in (fill.export, fill.follows) if ref is not None}
        if None in here.values():
            continue
        old = here.get(fill.follows) if fill.follows else None
        lower: Text = cursors.lower_bound(cursors.position(old)) if old else ()
        start = cursors.position(observed.readings[fill.export]).start_cursor or ""
        command = cursors.once(observed.entities[fill.export], lower, start, observed)
        once = f"run once, then kxrecon apply SPEC --settled {fill.export.label} says so: {command}"
        if fill.sent:
            remedy = f"where .show operations has no completed TableExport since that apply began, {once}"
            yield Finding("moved", fill.export, f"an apply did not see the end of {fill.action}", remedy)
        else:
            yield Finding("moved", fill.export, f"an apply never sent {fill.action}", once)


def _fill(node: Node, export: Entity, lower: Text, what: str, world: World) -> bool:
    """Let a creation be followed by the export of what the new job leaves out; refused (False) where nobody can bound
    it."""
    command = cursors.backfill(export, lower, Unknown(export.ref, "startCursor"), Stored(world.observed, world.desired))
    if command is None:
        node.steps = (Step((), notes=(_UNBOUND,)),)
        return False
    first = replace(node.steps[0], cursor=CursorEffect("keeps cursor", f"{what} is exported once by the next action"))
    note = "it is written by whoever applies: that identity needs the right to write there"
    request = Request("kusto", export.ref.name[0], command)
    node.steps = (first, *node.steps[1:], Step((request,), "backfill", notes=(f"exports {what}", note)))
    return True
