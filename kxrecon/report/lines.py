"""Lines of styled spans: what a report is made of before it is either coloured or plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from kxrecon.report.safe import visible

Style = Literal["", "add", "change", "remove", "dim", "bold", "warn"]
Span = tuple[str, Style]
Line = tuple[Span, ...]

_COLOURS: dict[Style, str] = {
    "": "",
    "add": "green",
    "change": "yellow",
    "remove": "red",
    "dim": "dim",
    "bold": "bold",
    "warn": "bold magenta",
}


def line(text: str = "", style: Style = "", *, indent: int = 0) -> Line:
    """One line of one style; what a terminal would act on is escaped."""
    return ((" " * indent + visible(text), style),)


def wrapped(text: str, style: Style = "", *, indent: int = 0) -> Iterator[Line]:
    """The lines of a text that may have several."""
    for one in text.splitlines() or [""]:
        yield line(one.replace("\t", "    "), style, indent=indent)


def plain(lines: Iterable[Line]) -> str:
    """For pipes and files: no colour, no trailing blanks."""
    return "".join("".join(text for text, _ in spans).rstrip() + "\n" for spans in lines)


def coloured(lines: Iterable[Line]) -> str:
    """For a terminal: the same text with ANSI colours."""
    from rich.style import Style as RichStyle

    styles = {name: RichStyle.parse(colour) for name, colour in _COLOURS.items()}
    return "".join("".join(styles[style].render(text) for text, style in spans) + "\n" for spans in lines)
