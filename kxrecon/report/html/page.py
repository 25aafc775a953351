"""The frame of every page: its heading, its templates' environment and its content-security policy.

The policy allows the one style sheet and the one script of the page by their hashes, and nothing else: no
request of any kind leaves the page (w3.org/TR/CSP3, "Hash usage for elements"). It stands in a ``meta``
element, because a page that is a file has no headers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from kxrecon.report.safe import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

PRINTED = 60  # entries of a page that is printed whole; of a longer one what is open is
LONGEST = 20_000  # characters of one text; a stored function may have more, nobody reads them here


@dataclass(frozen=True, slots=True)
class Heading:
    """What a page is about. ``time`` is an instant as people read it; empty parts are left out."""

    verb: str
    title: str = ""
    cluster: str = ""
    wire: str = ""
    spec: Sequence[str] = ()
    time: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A button that shows some entries only: those with its ``tag``. Buttons of one ``facet`` add up, facets narrow.

    ``tone`` is a colour's name in the style sheet; it never stands alone, ``symbol`` is beside it.
    """

    word: str
    number: int
    tag: str
    facet: str
    symbol: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a page, with what unfolds below it. ``side`` and ``details`` are templates' work, never a value."""

    id: str
    title: str
    tags: Sequence[str]
    glyph: str
    tone: str = ""
    said: str = ""  # the glyph in a word, where nothing else says it
    kind: str = ""
    line: str = ""
    at: str = ""
    side: Markup | None = None
    details: Markup | None = None
    open: bool = False
    well: bool = False  # nothing to look at: on paper a line is enough


@dataclass(frozen=True, slots=True)
class Section:
    """Entries below a heading."""

    id: str
    title: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Summary:
    """A table of clusters: a button that chooses the entries of one, its cells, and why there are none."""

    columns: Sequence[str]
    rows: Sequence[tuple[Choice, Sequence[str], str]] = field(default=())


def render(
    template: str, heading: Heading, sections: Sequence[Section], choices: Sequence[Choice], **content: Any
) -> str:
    """A page from a template of this package."""
    style, script = asset("map.css") + asset("page.css"), asset("page.js")
    shown = [section for section in sections if section.entries]
    number = sum(len(section.entries) for section in shown)
    return (
        environment()
        .get_template(template)
        .render(
            heading=heading,
            sections=shown,
            choices=[one for one in choices if one.number],
            number=number,
            whole=number <= PRINTED,
            style=_trusted(style),
            script=_trusted(script),
            policy=policy(style, script),
            **content,
        )
    )


def macro(template: str, name: str, *arguments: Any) -> Markup:
    """A part of a page, from a macro of a template."""
    from markupsafe import Markup

    return Markup(getattr(_module(template), name)(*arguments))  # escaped where it was made


@cache
def _module(template: str) -> Any:
    return environment().get_template(template).module


def moment(when: datetime) -> str:
    """An instant as people read it, in UTC."""
    there = when.astimezone(UTC)
    return f"{there.day} {there:%b %Y, %H:%M} UTC"


def policy(style: str, script: str) -> str:
    """The content-security policy of a page with this style sheet and this script."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{digest(style)}'",
            f"script-src '{digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def digest(text: str) -> str:
    """The hash of an inline element's text as a policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def asset(name: str) -> str:
    """The text of a style sheet or script of this package."""
    return files("kxrecon.report.html").joinpath("templates", name).read_text(encoding="utf-8")


def _trusted(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # our own files, never a value


@cache
def environment() -> Environment:
    """The templates: all that they print is escaped, all that they miss is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("kxrecon.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    made.filters["block"] = _block
    return made


def _harmless(content: Any) -> Any:
    """Every text that a template prints: controls and marks that turn text round become escapes; then it is quoted."""
    return visible(content) if isinstance(content, str) and not hasattr(content, "__html__") else content


def _block(text: str) -> Markup:
    """A text of several lines, for ``pre``."""
    from markupsafe import escape

    left = len(text) - LONGEST
    shown = f"{text[:LONGEST]}\n… and {left:,} more characters" if left > 0 else text
    return escape(visible(shown, keep="\n\t"))
