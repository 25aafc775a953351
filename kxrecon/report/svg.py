"""A picture as one SVG file, drawn here: no Graphviz, no network, no script; dark where the viewer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kxrecon.report.chains import GLYPHS
from kxrecon.report.html.page import asset, macro
from kxrecon.report.layout import drawing

if TYPE_CHECKING:
    from kxrecon.verdicts import Picture


def svg(picture: Picture, title: str) -> str:
    """The file's text; ``title`` names the picture to those who do not see it."""
    from markupsafe import Markup

    style = Markup("<style>" + asset("map.css") + "</style>")  # our own file, never a value
    return str(macro("picture.svg.j2", "picture", drawing(picture), title, "title", GLYPHS, style)).strip() + "\n"
