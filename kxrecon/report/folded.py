"""A picture that stays small: of many things of one kind that are well, one is drawn and the others are counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kxrecon.report.layout import LAYERS
from kxrecon.verdicts import Edge, Node, Picture, Verdict, worst

ROOM = 3  # boxes beside one another


def folded(picture: Picture) -> Picture:
    """The same picture with at most ROOM boxes in a layer, as far as kinds allow; what is not well is folded last."""
    into: dict[str, str] = {}
    more: dict[str, Node] = {}
    for kind, nodes in _crowds(picture).items():
        kept = 1 if sum(LAYERS[one.kind] == LAYERS[kind] for one in picture.nodes) > len(nodes) else ROOM - 1
        for node in nodes[kept:]:
            into[node.id] = f"more {kind}"
        more[f"more {kind}"] = Node(f"more {kind}", kind, f"and {len(nodes) - kept} more")
    left = [node for node in picture.nodes if node.id not in into]
    edges: dict[tuple[str, str, str], list[Verdict]] = {}
    for edge in picture.edges:
        ends = into.get(edge.source, edge.source), into.get(edge.target, edge.target), edge.label
        edges.setdefault(ends, []).append(edge.verdict)
    return Picture((*left, *more.values()), tuple(Edge(*ends, worst(found)) for ends, found in edges.items()))


def _crowds(picture: Picture) -> Mapping[str, list[Node]]:
    """The nodes of each kind that has too many for its layer, those that are not well first."""
    ill = {end for edge in picture.edges if edge.verdict != "holds" for end in (edge.source, edge.target)}
    return {kind: sorted(nodes, key=lambda one: one.id not in ill) for kind, nodes in _too_many(picture)}


def _too_many(picture: Picture) -> Iterator[tuple[str, list[Node]]]:
    for layer in set(LAYERS.values()):
        mine = [node for node in picture.nodes if LAYERS[node.kind] == layer]
        kinds = {node.kind for node in mine}
        for kind in sorted(kinds) if len(mine) > ROOM else ():
            ones = [node for node in mine if node.kind == kind]
            if len(ones) > (2 if len(kinds) > 1 else ROOM):
                yield kind, ones
