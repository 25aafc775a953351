"""The waits of a rotation, between the nodes of a plan: nothing is stopped or switched before its grants are proven,
one export for each place goes first, and the old grants go when all had good runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kxrecon.former import principal
from kxrecon.graph import Node
from kxrecon.health import GRACE, default_timeout
from kxrecon.kinds import World
from kxrecon.model import Change, Ref, Step, Until
from kxrecon.prune import ONLY_OWNED as GRANTS
from kxrecon.rotation import EXPORT, Turn, is_table_of
from kxrecon.surroundings import place, table_of, writers

AT_REST = 2 * 3600  # seconds that a run may take which began before its export was stopped
_TICKS = 10_000_000  # in a second


@dataclass(frozen=True, slots=True)
class _Switch:
    """A node that switches exports to the new one."""

    node: Node
    exports: tuple[Ref, ...]


def around(
    nodes: Sequence[Node], world: World, found: Iterable[Turn], links: Mapping[Ref, tuple[Ref, ...]]
) -> list[Node]:
    """The nodes, with the waits of each rotation among them. ``links`` are the derived needs of each export."""
    result = list(nodes)
    for turn in found:
        result += _Between(result, world, turn, links).waits()
    return result


def _phase(node: Node) -> str:
    return node.steps[0].phase if node.steps else ""


class _Between:
    """The waits of one rotation."""

    def __init__(self, nodes: Sequence[Node], world: World, turn: Turn, links: Mapping[Ref, tuple[Ref, ...]]) -> None:
        self._nodes, self._world, self._turn, self._links = nodes, world, turn, links
        self._switches = list(self._found())
        self._by_ref = {change.ref: node for node in nodes for change in node.changes if node.kind in GRANTS}

    def waits(self) -> list[Node]:
        """Let the switches wait for the proof, most of them for the first ones, and what goes for all."""
        made: list[Node] = []
        runs: list[Node] = []
        if self._switches:
            made.append(self._proof())
        first, others = self._batches()
        goes = [node for node in self._nodes if node.verb == "delete" and node.kind in GRANTS and self._is_old(node)]
        early = self._runnable(first) | (self._turn.unproven if others or goes else frozenset())
        if early:
            runs.append(self._good_runs(early, first))
            for switch in others:
                self._before(switch, runs[0])
        late = self._runnable(others) - early
        if late:
            runs.append(self._good_runs(late, others))
        for switch in first + others:
            made += self._rest(switch)
        for node in goes:
            node.after.extend(runs)
        return [*made, *runs]

    def _found(self) -> Iterator[_Switch]:
        for node in self._nodes:
            change = node.changes[0]
            if node.verb != "update" or _phase(node) != "apply":
                continue
            if change.ref.kind == EXPORT and change.ref in self._turn.switching:
                yield _Switch(node, (change.ref,))
            elif is_table_of(self._turn, change):
                concerned = [one.ref for one in writers(change.ref, self._world.desired)]
                exports = tuple(ref for ref in concerned if ref in self._turn.switching)
                if exports:
                    yield _Switch(node, exports)

    def _runnable(self, switches: Iterable[_Switch]) -> frozenset[Ref]:
        return frozenset(ref for switch in switches for ref in switch.exports) - self._turn.standing

    def _batches(self) -> tuple[list[_Switch], list[_Switch]]:
        """One export for each place that nobody has switched at yet, with what switches along and what stands still
        for something else too (it would have to for the whole wait); and the others."""
        taken = {self._place(ref) for ref in self._turn.rotation.exports if self._is_over(ref)}
        chosen: set[Ref] = set()
        for ref in sorted(self._runnable(self._switches)):
            where = self._place(ref)
            if where not in taken:
                taken.add(where)
                chosen.add(ref)
        first = [
            one
            for one in self._switches
            if chosen & set(one.exports) or not self._runnable([one]) or self._stands_for_more(one)
        ]
        return first, [one for one in self._switches if one not in first]

    def _is_over(self, ref: Ref) -> bool:
        turn = self._turn
        return ref in self._world.observed.entities and ref not in turn.switching | turn.unseen | turn.standing

    def _place(self, ref: Ref) -> tuple[object, ...]:
        """The account and container, or the SQL database, that an export writes to."""
        table = table_of(self._world.desired.entities[ref], self._world.desired)
        if table is None:
            return ()
        where = place(table)
        return (
            where[:2]
            if table.fields.get("kind") == "sql"
            else tuple("/".join(str(one).split("/")[:4]) for one in where)
        )

    def _proof(self) -> Node:
        """Every link of the exports that switch, as it would be then; nothing is stopped or switched before."""
        refs = sorted({ref for switch in self._switches for ref in switch.exports})
        node = self._wait(refs, Until("granted", int(GRACE)))
        grants = [self._by_ref[link] for ref in refs for link in self._links.get(ref, ()) if link in self._by_ref]
        needed = [other for switch in self._switches for other in switch.node.after if other.kind in GRANTS]
        node.after.extend([*grants, *needed])
        for switch in self._switches:
            self._before(switch, node)
        return node

    def _before(self, switch: _Switch, node: Node) -> None:
        switch.node.after.append(node)
        for stop in self._stops(switch):
            stop.after.append(node)

    def _stops(self, switch: _Switch) -> list[Node]:
        """The actions that let the exports of a switch stand still."""
        return [one for one in self._nodes if _phase(one) == "disable" and one.changes[0].ref in switch.exports]

    def _stands_for_more(self, switch: _Switch) -> bool:
        """Whether exports stand still for another change than switches."""
        stops, switches = self._stops(switch), [one.node for one in self._switches]
        others = (one for one in self._nodes if _phase(one) == "apply" and one not in switches)
        return any(stop in one.after for one in others for stop in stops)

    def _rest(self, switch: _Switch) -> list[Node]:
        """A table moves when no run is under way that began at its old place: so it is known what lies where."""
        stops = self._stops(switch)
        if not stops or self._turn.rotation.what != "target":
            return []
        node = self._wait([stop.changes[0].ref for stop in stops], Until("at-rest", AT_REST))
        node.after.extend(stops)
        switch.node.after.append(node)
        return [node]

    def _good_runs(self, exports: frozenset[Ref], switches: Sequence[_Switch]) -> Node:
        runs = self._turn.rotation.runs
        entities = self._world.desired.entities
        intervals = [(entities[ref].fields.get("intervalBetweenRuns") or 0) / _TICKS for ref in exports]
        node = self._wait(sorted(exports), Until("good-runs", int(default_timeout(runs, intervals)), runs))
        node.after.extend(switch.node for switch in switches)
        node.after.extend(other for other in self._nodes if self._starts(other, exports))
        return node

    def _starts(self, node: Node, exports: frozenset[Ref]) -> bool:
        """Whether an export runs (again) from this action on."""
        change = node.changes[0]
        if change.ref not in exports or change.verb != "update":
            return False
        return _phase(node) == "enable" or any(part.field == "isDisabled" for part in change.fields)

    def _is_old(self, node: Node) -> bool:
        turn = self._turn
        old = turn.rotation.previous if turn.rotation.what == "identity" else None
        return any(change.ref in turn.released or (old and principal(change.ref) == old) for change in node.changes)

    def _wait(self, refs: Sequence[Ref], until: Until) -> Node:
        observed, desired = self._world.observed.entities, self._world.desired.entities
        changes = tuple(Change(ref, "wait", observed.get(ref), desired[ref]) for ref in refs)
        step = Step((), "wait", notes=(f"rotation of {self._turn.rotation}",), until=until)
        return Node(changes, (step,))
