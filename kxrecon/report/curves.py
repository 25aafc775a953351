"""The arrows of a picture: where they leave and arrive, how they bend, and where their labels do not hide another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kxrecon.report.widths import width
from kxrecon.verdicts import Edge

HEIGHT = 19  # of a label
HEAD = 7  # of an arrow
# Where along a curve a label may stand, the best place first.
PLACES = (0.5, 0.38, 0.62, 0.28, 0.72, 0.2, 0.8)

Place = tuple[float, float, float, float]  # x, y, width, height
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """An edge as an SVG path, its arrow head, and the label's middle and width; no width: there is no room for it."""

    edge: Edge
    path: str
    head: str
    x: float
    y: float
    width: float
    height: float = HEIGHT


def curves(edges: Sequence[Edge], boxes: Mapping[str, Place], *, down: bool) -> tuple[Curve, ...]:
    """From the far side of one box to the near side of the other; arrows of one box side by side, in the order of
    their other ends, so that they do not cross where they meet."""
    leaves, arrives = _ports(edges, boxes, down, leaving=True), _ports(edges, boxes, down, leaving=False)
    taken: list[Place] = []
    found: dict[int, Curve] = {}
    # those that somebody has to look at choose first
    for number in sorted(range(len(edges)), key=lambda number: edges[number].verdict == "holds"):
        edge = edges[number]
        path, head, points = _bent(leaves[number], arrives[number], down)
        long = round((7.2 if edge.verdict == "broken" else 6.6) * width(edge.label) + 26, 1)  # bold is wider
        place = _free(points, long, taken)
        if place is None and edge.verdict == "holds":
            found[number] = Curve(edge, path, head, 0, 0, 0)
            continue
        x, y = place or points[0]  # what is not well is said, whatever it hides
        taken.append((x - long / 2, y - HEIGHT / 2, long, HEIGHT))
        found[number] = Curve(edge, path, head, round(x, 1), round(y, 1), long)
    return tuple(found[number] for number in range(len(edges)))


def _ports(edges: Sequence[Edge], boxes: Mapping[str, Place], down: bool, *, leaving: bool) -> dict[int, Point]:
    """Where each edge leaves its source, or arrives at its target."""
    beside: dict[str, list[tuple[float, int]]] = {}
    for number, edge in enumerate(edges):
        here, there = (edge.source, edge.target) if leaving else (edge.target, edge.source)
        x, y, long, high = boxes[there]
        beside.setdefault(here, []).append((x + long / 2 if down else y + high / 2, number))
    found: dict[int, Point] = {}
    for name, ones in beside.items():
        x, y, long, high = boxes[name]
        for place, (_, number) in enumerate(sorted(ones), 1):
            share = place / (len(ones) + 1)
            if down:
                found[number] = (x + long * share, y + high if leaving else y)
            else:
                found[number] = (x + long if leaving else x, y + high * share)
    return found


def _bent(start: Point, end: Point, down: bool) -> tuple[str, str, list[Point]]:
    """A curve, its head, and points along it where a label may stand."""
    (x1, y1), (x2, y2) = start, end
    if down:
        half = (y2 - y1) / 2
        bends = ((x1, y1), (x1, y1 + half), (x2, y2 - half), (x2, y2 - HEAD + 1))
        head = f"M{x2 - 4:g} {y2 - HEAD:g}L{x2:g} {y2:g}L{x2 + 4:g} {y2 - HEAD:g}Z"
    else:
        half = (x2 - x1) / 2
        bends = ((x1, y1), (x1 + half, y1), (x2 - half, y2), (x2 - HEAD + 1, y2))
        head = f"M{x2 - HEAD:g} {y2 - 4:g}L{x2:g} {y2:g}L{x2 - HEAD:g} {y2 + 4:g}Z"
    start_, one, other, end_ = (f"{x:.1f} {y:.1f}" for x, y in bends)
    return f"M{start_}C{one} {other} {end_}", head, [_at(bends, share) for share in PLACES]


def _at(bends: Sequence[Point], share: float) -> Point:
    """The point of a cubic Bézier curve at a share of its way."""
    rest = 1 - share
    weights = (rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3)
    return (
        sum(weight * x for weight, (x, _) in zip(weights, bends, strict=True)),
        sum(weight * y for weight, (_, y) in zip(weights, bends, strict=True)),
    )


def _free(points: Sequence[Point], long: float, taken: Sequence[Place]) -> Point | None:
    """The first of the points at which a label hides no other; None if there is none."""
    return next((point for point in points if not any(_over(point, long, other) for other in taken)), None)


def _over(point: Point, long: float, other: Place) -> bool:
    x, y, wide, high = other
    return abs(point[0] - x - wide / 2) < (long + wide) / 2 + 2 and abs(point[1] - y - high / 2) < high + 1
