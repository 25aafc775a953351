"""Where the things of a picture stand: layers by what they are, order by their neighbours, curves between them.

The layers are given (a table is read by an export, which writes to an external table, which lies in a target),
so this is the part of a layered drawing after Sugiyama that is left: fewer crossings by the mean of the
neighbours, then places as near to that mean as the neighbours in the layer let them be. Lengths are in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from kxrecon.report.curves import Curve, curves
from kxrecon.report.safe import visible
from kxrecon.report.widths import cut, width
from kxrecon.verdicts import Edge, Node, Picture

LAYERS: Mapping[str, int] = {"table": 0, "export": 1, "external-table": 2, "identity": 2, "target": 3, "database": 3}
WIDTH, LINE, HEAD, PAD = 136, 15, 15, 8
COLUMNS, LINES = 17.5, 3  # of text in a box, in widths of a common letter
GAP = 14  # between boxes of a layer
MARGIN = 4
SWEEPS = 8
ACROSS, DOWN, CROWDED = 118, 60, 84  # between layers: left to right, down, and down where many arrows go


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place, and its label in the lines that fit."""

    node: Node
    x: float
    y: float
    height: float
    lines: tuple[str, ...]
    width: float = WIDTH


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with all its places."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]


def drawing(picture: Picture, *, down: bool = False) -> Drawing:
    """Lay a picture out from left to right, or ``down`` the page for narrow columns."""
    lines = {node.id: wrapped(node.label) for node in picture.nodes}
    heights = {name: PAD * 2 + HEAD + LINE * len(said) for name, said in lines.items()}
    layers = _ordered(_layers(picture), picture.edges)
    across = _across(layers, picture.edges, (lambda name: WIDTH) if down else (lambda name: heights[name]))
    along = _along(layers, picture.edges, heights) if down else _columns(layers)
    boxes = {
        node.id: Box(
            node,
            round(across[node.id] if down else along[node.id], 1),
            round(along[node.id] if down else across[node.id], 1),
            heights[node.id],
            lines[node.id],
        )
        for node in picture.nodes
    }
    right = max((box.x + box.width for box in boxes.values()), default=0) + MARGIN
    bottom = max((box.y + box.height for box in boxes.values()), default=0) + MARGIN
    places = {name: (box.x, box.y, box.width, box.height) for name, box in boxes.items()}
    return Drawing(right, bottom, tuple(boxes.values()), curves(picture.edges, places, down=down))


def wrapped(label: str) -> tuple[str, ...]:
    """A label in at most LINES lines, broken behind punctuation where that is near; its middle goes if it is longer."""
    text = visible(label)
    half = (COLUMNS * LINES - 6) / 2
    if width(text) > half * 2:
        text = cut(text, half) + "…" + cut(text[::-1], half)[::-1]
    lines: list[str] = []
    while text:
        line = cut(text, COLUMNS)
        near = max(line.rfind(mark) for mark in "/.-_ ") + 1
        left = LINES - len(lines) - 1  # lines; a cut may leave the room of one wide character in each
        if len(line) < len(text) and near > len(line) // 2 and width(text[near:]) <= left * (COLUMNS - 2):
            line = line[:near]
        lines.append(line)
        text = text[len(line) :]
    return tuple(lines) or ("",)


def _layers(picture: Picture) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for node in picture.nodes:
        found.setdefault(LAYERS[node.kind], []).append(node.id)
    return [found[number] for number in sorted(found)]


def _neighbours(edges: Sequence[Edge]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge.target)
        found.setdefault(edge.target, []).append(edge.source)
    return found


def _ordered(layers: list[list[str]], edges: Sequence[Edge]) -> list[list[str]]:
    """Each layer by the mean place of its neighbours, to and fro: fewer edges cross."""
    beside = _neighbours(edges)
    place = {name: float(number) for layer in layers for number, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=lambda name: fmean([place[one] for one in beside.get(name, [name])]))
            place.update({name: float(number) for number, name in enumerate(layer)})
    return layers


def _across(layers: list[list[str]], edges: Sequence[Edge], breadth: Callable[[str], float]) -> dict[str, float]:
    """The near side of each box, across the layers: as near to its neighbours' mean as the order allows."""
    beside = _neighbours(edges)
    middle: dict[str, float] = {}
    for layer in layers:
        at = 0.0
        for name in layer:
            middle[name] = at + breadth(name) / 2
            at += breadth(name) + GAP
    for sweep in range(SWEEPS + 1):
        for layer in layers if sweep % 2 else reversed(layers):
            means = [fmean(middle[one] for one in beside.get(name, [name])) for name in layer]
            middle.update(zip(layer, _apart(means, [breadth(name) for name in layer]), strict=True))
    first = min((middle[name] - breadth(name) / 2 for layer in layers for name in layer), default=0.0)
    return {name: middle[name] - breadth(name) / 2 - first + MARGIN for layer in layers for name in layer}


def _apart(wanted: Sequence[float], breadths: Sequence[float]) -> list[float]:
    """Middles in the same order, none over the other: half way between pushing to one side and to the other."""
    if not wanted:
        return []
    steps = [(one + other) / 2 + GAP for one, other in zip(breadths, breadths[1:], strict=False)]
    forward, backward = [wanted[0]], [wanted[-1]]
    for want, step in zip(wanted[1:], steps, strict=True):
        forward.append(max(want, forward[-1] + step))
    for want, step in zip(reversed(wanted[:-1]), reversed(steps), strict=True):
        backward.append(min(want, backward[-1] - step))
    return [(one + other) / 2 for one, other in zip(forward, reversed(backward), strict=True)]


def _columns(layers: list[list[str]]) -> dict[str, float]:
    return {name: float(MARGIN + number * (WIDTH + ACROSS)) for number, layer in enumerate(layers) for name in layer}


def _along(layers: list[list[str]], edges: Sequence[Edge], heights: Mapping[str, float]) -> dict[str, float]:
    """The upper side of each box; more room where many arrows have to be labelled."""
    found: dict[str, float] = {}
    at = float(MARGIN)
    for layer in layers:
        found.update(dict.fromkeys(layer, at))
        leaving = sum(edge.source in layer for edge in edges)
        at += max(heights[name] for name in layer) + (CROWDED if leaving > 2 else DOWN)
    return found
