"""Pictures as Mermaid (which pull-request pages draw), DOT (Graphviz) and a tree for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kxrecon.report.chains import GLYPHS, STYLES
from kxrecon.report.lines import Line, line
from kxrecon.report.safe import visible
from kxrecon.verdicts import Edge, Node, Picture, Verdict

_SHAPES: Mapping[str, tuple[str, str]] = {
    "table": ("[(", ")]"),
    "database": ("[(", ")]"),
    "export": ("([", "])"),
    "external-table": ("[", "]"),
    "target": ("[/", "/]"),
    "identity": ("{{", "}}"),
}
_DOT: Mapping[str, str] = {
    "table": "cylinder",
    "database": "cylinder",
    "export": "box, style=rounded",
    "external-table": "box",
    "target": "folder",
    "identity": "hexagon",
}
_COLOURS: Mapping[Verdict, str] = {"holds": "#1a7f37", "broken": "#cf222e", "unknown": "#9a6700"}


def tree(picture: Picture) -> Iterator[Line]:
    """A tree for each export: under each thing what this export needs of it, and whether this export has it."""
    nodes = {node.id: node for node in picture.nodes}
    for node in picture.nodes:
        if node.kind == "export":
            yield line(f"{node.kind} {node.label}", "bold")
            own = list(_own(picture.edges, node.id))
            inward = [edge for edge in own if edge.target == node.id]
            yield from _branches(node, own, nodes, inward, "", frozenset())


def _own(edges: Iterable[Edge], export: str) -> Iterator[Edge]:
    """The edges that are there for an export, with its own verdicts; one that says nothing is for all."""
    for edge in edges:
        said = dict(edge.exports)
        if export in said or not said:
            yield replace(edge, verdict=said.get(export, edge.verdict))


def _branches(
    node: Node, own: list[Edge], nodes: Mapping[str, Node], inward: list[Edge], indent: str, above: frozenset[str]
) -> Iterator[Line]:
    edges = [*inward, *(edge for edge in own if edge.source == node.id)]
    for number, edge in enumerate(edges):
        last = number == len(edges) - 1
        reverse = edge in inward
        other = nodes[edge.source if reverse else edge.target]
        label = "reads" if reverse else edge.label
        yield (
            (f"{indent}{'└─ ' if last else '├─ '}", "dim"),
            (f"{GLYPHS[edge.verdict]} ", STYLES[edge.verdict]),
            (f"{label} ", "dim"),
            (visible(f"{other.kind} {other.label}"), ""),
        )
        if not reverse and other.id not in above:
            deeper = indent + ("   " if last else "│  ")
            yield from _branches(other, own, nodes, [], deeper, above | {node.id})


Named = Sequence[tuple[str, Picture]]  # pictures of several clusters with their names; one alone has none


def mermaid(pictures: Named) -> str:
    """A flowchart; broken links are red, unknown ones dashed. Several pictures are one flowchart, each in its frame."""
    lines = ["flowchart LR"]
    edges: list[Edge] = []
    for frame, (name, picture) in enumerate(pictures):
        lines += [f'  subgraph s{frame}["{_mermaid(name)}"]'] if name else []
        lines += _in_mermaid(picture, f"s{frame}n" if name else "n")
        lines += ["  end"] if name else []
        edges += picture.edges
    for number, edge in enumerate(edges):
        lines.append(f"  linkStyle {number} stroke:{_COLOURS[edge.verdict]}")
    return "\n".join(lines) + "\n"


def _in_mermaid(picture: Picture, prefix: str) -> Iterator[str]:
    ids = {node.id: f"{prefix}{number}" for number, node in enumerate(picture.nodes)}
    for node in picture.nodes:
        opening, closing = _SHAPES[node.kind]
        yield f'  {ids[node.id]}{opening}"{_mermaid(f"{node.kind}: {node.label}")}"{closing}'
    for edge in picture.edges:
        arrow = "-.->" if edge.verdict == "unknown" else "-->"
        said = _mermaid(f"{GLYPHS[edge.verdict]} {edge.label}")
        yield f'  {ids[edge.source]} {arrow}|"{said}"| {ids[edge.target]}'


def _mermaid(text: str) -> str:
    """Text inside a quoted label: entities for all that Mermaid, Markdown or HTML would act on."""
    return re.sub(r"[^\w \-./:✓✗?]", lambda found: f"#{ord(found[0])};", visible(text))


def dot(pictures: Named) -> str:
    """A digraph for Graphviz: ``kxrecon graph --dot SPEC | dot -Tsvg``. Several pictures are clusters of one."""
    lines = ["digraph kxrecon {", "  rankdir=LR;", '  node [fontname="sans-serif"]; edge [fontname="sans-serif"];']
    for frame, (name, picture) in enumerate(pictures):
        lines += [f"  subgraph cluster_{frame} {{", f"  label={_quoted(name)};"] if name else []
        lines += _in_dot(picture, f"s{frame}n" if name else "n")
        lines += ["  }"] if name else []
    return "\n".join([*lines, "}"]) + "\n"


def _in_dot(picture: Picture, prefix: str) -> Iterator[str]:
    ids = {node.id: f"{prefix}{number}" for number, node in enumerate(picture.nodes)}
    for node in picture.nodes:
        yield f"  {ids[node.id]} [label={_quoted(node.label)}, tooltip={_quoted(node.kind)}, shape={_DOT[node.kind]}];"
    for edge in picture.edges:
        style = ", style=dashed" if edge.verdict == "unknown" else ", penwidth=3" if edge.verdict == "broken" else ""
        label = _quoted(f"{GLYPHS[edge.verdict]} {edge.label}")
        colour = _COLOURS[edge.verdict]
        yield f'  {ids[edge.source]} -> {ids[edge.target]} [label={label}, color="{colour}"{style}];'


def _quoted(text: str) -> str:
    shown = visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'
