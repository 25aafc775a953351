"""The order of a plan: graphlib over nodes, in deterministic waves. Nothing else orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from kxrecon.errors import PlanError
from kxrecon.model import Change, Step, Verb


@dataclass(eq=False, slots=True)
class Node:
    """Changes acted on together, their steps, and the nodes that must be done before. Compared by identity.

    ``standstill``: it stops an export only for the sake of what waits for it.
    """

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    after: list[Node] = field(default_factory=list)
    standstill: bool = False

    @property
    def kind(self) -> str:
        """The kind that all changes of a node share."""
        return self.changes[0].ref.kind

    @property
    def verb(self) -> Verb:
        """What the node does; a group of creations and updates counts as its first change."""
        return self.changes[0].verb

    @property
    def key(self) -> tuple[str, ...]:
        """A stable sorting key."""
        phases = ",".join(step.until.what if step.until else step.phase for step in self.steps)
        return (self.kind, *self.changes[0].ref.name, self.verb, phases)


def order(nodes: Sequence[Node]) -> Iterator[tuple[int, Node]]:
    """Nodes with their wave, needs first; equal graphs give equal orders. Raises PlanError on a cycle."""
    numbered = sorted(nodes, key=lambda node: node.key)
    index = {id(node): number for number, node in enumerate(numbered)}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for number, node in enumerate(numbered):
        sorter.add(number, *(index[id(other)] for other in node.after if id(other) in index))
    try:
        sorter.prepare()
    except CycleError as error:
        names = " → ".join(str(numbered[number].changes[0].ref) for number in error.args[1])
        raise PlanError(f"these need each other, so none can be first: {names}") from error
    wave = 0
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        for number in ready:
            yield wave, numbered[number]
        sorter.done(*ready)
        wave += 1
