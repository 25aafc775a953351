"""Pictures as one SVG file, drawn here: no Graphviz, no network, no script; dark where the viewer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kxrecon.report.chains import GLYPHS
from kxrecon.report.html.page import asset, macro
from kxrecon.report.layout import drawing
from kxrecon.report.widths import width

if TYPE_CHECKING:
    from kxrecon.verdicts import Picture

HEAD, GAP, LETTER = 28.0, 16.0, 8.0  # room for a name, below a drawing, for a letter of a name


def svg(pictures: Sequence[tuple[str, Picture]], title: str) -> str:
    """The file's text; ``title`` names the drawing to those who do not see it. Several pictures stand one below the
    other, each below its name; one alone has none."""
    from markupsafe import Markup

    style = Markup("<style>" + asset("map.css") + "</style>")  # our own file, never a value
    if len(pictures) == 1 and not pictures[0][0]:
        drawn = macro("picture.svg.j2", "picture", drawing(pictures[0][1]), title, "title", GLYPHS, style)
        return str(drawn).strip() + "\n"
    stacked = []
    across, down = 0.0, 0.0
    for name, picture in pictures:
        one = drawing(picture)
        stacked.append((name, down + HEAD, one))
        across = max(across, one.width, width(name) * LETTER)
        down += HEAD + one.height + GAP
    return str(macro("picture.svg.j2", "stack", stacked, across, down, title, "title", GLYPHS, style)).strip() + "\n"
