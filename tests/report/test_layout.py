"""Pictures of any shape: nothing lies on anything else, everything is inside, and what is broken stays in sight."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kxrecon.report.folded import ROOM, folded
from kxrecon.report.layout import COLUMNS, LAYERS, LINES, drawing, wrapped
from kxrecon.report.svg import svg
from kxrecon.report.widths import width
from kxrecon.verdicts import Edge, Node, Picture
from tests.pages.values import LINKS, NASTY, picture

SAID = dict.fromkeys([name for name, _ in LINKS], "holds")


@st.composite
def pictures(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=12))
    nodes = [Node(f"{kind} {number}", kind, draw(st.text(max_size=60))) for number, kind in enumerate(kinds)]
    pairs = [pair for pair in combinations(nodes, 2) if LAYERS[pair[0].kind] != LAYERS[pair[1].kind]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    verdicts = st.sampled_from(["holds", "broken", "unknown"])
    edges = []
    for pair in chosen:
        source, target = sorted(pair, key=lambda node: LAYERS[node.kind])
        edges.append(Edge(source.id, target.id, "may write", draw(verdicts)))
    return Picture(tuple(nodes), tuple(edges))


def over(one, other, gap=0.0):
    return (
        one[0] < other[0] + other[2] - gap
        and other[0] < one[0] + one[2] - gap
        and one[1] < other[1] + other[3] - gap
        and other[1] < one[1] + one[3] - gap
    )


@given(pictures(), st.booleans())
def test_boxes_do_not_overlap_and_lie_inside(drawn, down):
    made = drawing(drawn, down=down)
    boxes = [(box.x, box.y, box.width, box.height) for box in made.boxes]
    assert len(boxes) == len(drawn.nodes) and len(made.curves) == len(drawn.edges)
    assert not any(over(*pair, gap=0.1) for pair in combinations(boxes, 2))
    assert all(x >= 0 and y >= 0 and x + w <= made.width and y + h <= made.height for x, y, w, h in boxes)


@given(pictures(), st.booleans())
def test_what_does_not_hold_has_its_label_and_no_other_hides_it(drawn, down):
    made = drawing(drawn, down=down)
    assert all(curve.width for curve in made.curves if curve.edge.verdict != "holds")
    labels = {
        curve.edge: (curve.x - curve.width / 2, curve.y - curve.height / 2, curve.width, curve.height)
        for curve in made.curves
        if curve.width and curve.edge.verdict == "holds"
    }
    ill = [
        (curve.x - curve.width / 2, curve.y - curve.height / 2, curve.width, curve.height)
        for curve in made.curves
        if curve.edge.verdict != "holds"
    ]
    assert not any(over(*pair, gap=0.1) for pair in combinations(labels.values(), 2))
    assert not any(over(one, other, gap=0.1) for one in ill for other in labels.values())


@given(st.text(max_size=200))
def test_a_label_fits_its_box(label):
    lines = wrapped(label)
    assert 1 <= len(lines) <= LINES
    assert all(width(line) <= COLUMNS or len(line) == 1 for line in lines)


@given(pictures())
def test_folding_keeps_every_verdict_and_bounds_the_layers(drawn):
    small = folded(drawn)
    for verdict in ("broken", "unknown", "holds"):
        had = any(edge.verdict == verdict for edge in drawn.edges)
        assert had or not any(edge.verdict == verdict for edge in small.edges)
    assert any(e.verdict == "broken" for e in drawn.edges) == any(e.verdict == "broken" for e in small.edges)
    for layer in set(LAYERS.values()):
        assert sum(LAYERS[node.kind] == layer for node in small.nodes) <= ROOM + 1
    ids = {node.id for node in small.nodes}
    assert {end for edge in small.edges for end in (edge.source, edge.target)} <= ids


def test_many_are_counted_and_the_ill_one_is_drawn():
    drawn = picture("E", SAID, tables=9, databases=1)
    ill = tuple(Edge(e.source, e.target, e.label, "broken") if e.source == "table T7" else e for e in drawn.edges)
    small = folded(Picture(drawn.nodes, ill))
    tables = [node.label for node in small.nodes if node.kind == "table"]
    assert tables == ["Events", "Orders7", "and 7 more"]
    assert [e.verdict for e in small.edges if e.source == "table T7"] == ["broken"]


@pytest.mark.parametrize("down", [False, True])
def test_a_picture_of_one_export_has_all_its_labels(down):
    made = drawing(picture("E", SAID, tables=3, databases=2), down=down)
    assert all(curve.width for curve in made.curves)


def test_the_drawing_is_a_file_of_its_own_whatever_the_names():
    drawn = picture(NASTY, {**SAID, "policy": "broken"}, tables=1, databases=1)
    tree = ElementTree.fromstring(svg([("", drawn)], "the chain of " + NASTY))
    texts = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "✗ runs as" in texts
    assert "the chain of" in tree.find("{http://www.w3.org/2000/svg}title").text
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert names == {"svg", "title", "style", "g", "path", "rect", "text"}
