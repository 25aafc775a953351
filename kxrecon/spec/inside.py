"""Where the characters of a text stand in its file: inside a scalar of YAML of any style, or a file beside the spec.

Between a file and the query that an entity holds only white space changes: indentation, folded lines, line ends,
blanks at line ends, braces around a body. So the n-th visible character of the one is the n-th of the other. In
quotes there are escapes too, which are read here. Whatever does not come out equal has no place, never a wrong one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from yaml.events import AliasEvent, ScalarEvent, StreamEndEvent

from kxrecon.errors import Place
from kxrecon.spec.source import SHIFT, Source
from kxrecon.spec.yaml import events

# What may stand before a scalar's text: an anchor and a tag, in any order, each with comments behind it.
_PROPERTIES: Final = re.compile("(?:[&!]\\S*\\s+(?:#[^\r\n\x85\u2028\u2029]*\\s+)*)*")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|.))", re.DOTALL)
_BREAK: Final = re.compile("[\r\n\x85\u2028\u2029]")
_MEANING: Final = {"0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "/": "/", '"': '"', "\\": "\\"}
_BLANK: Final = frozenset("tnvfrN_LP \t\r\n\x85\u2028\u2029")  # escapes that mean white space, or nothing


@dataclass(frozen=True, slots=True)
class Visible:
    """The visible characters of a text, and where in ``file`` each of them stands."""

    file: str
    source: str
    characters: str
    indices: list[int]

    def place(self, text: str, offset: int) -> Place | None:
        """The place of ``text[offset]`` (of the next visible character from there), where ``text`` is what became
        of these characters; None if it is not."""
        shown = "".join(text.split())
        skipped = 0 if shown == self.characters else 1
        if not shown or self.characters[skipped : skipped + len(shown)] != shown:
            return None
        before = len("".join(text[:offset].split()))
        index = self.indices[skipped + min(before, len(shown) - 1)]
        starts = _lines(self.source)
        line = bisect_right(starts, index)
        return Place(self.file, line, index - starts[line - 1] + 1)


@lru_cache(maxsize=16)
def _lines(text: str) -> list[int]:
    """Where the lines of a text begin: counted once, however many places in it are asked for."""
    return [0, *(found.end() for found in re.finditer("\n", text))]


def whole(file: str, text: str) -> Visible:
    """A text file as a whole."""
    indices = [index for index, char in enumerate(text) if not char.isspace()]
    return Visible(file, text, "".join(text[index] for index in indices), indices)


def scalars(source: Source, keys: Collection[Place]) -> Mapping[Place, Visible]:
    """The scalars that are the values of the keys at these places, all in one reading of the file. A key that has
    another value is left out."""
    found: dict[Place, Visible] = {}
    for key, event in _values(source.text, {(key.line - 1) << SHIFT | key.column - 1: key for key in keys}):
        pairs = list(_visible(source.text, event))
        shown = "".join(char for _, char in pairs)
        if shown == "".join(event.value.split()):
            found[key] = Visible(source.file, source.text, shown, [index for index, _ in pairs])
    return found


def _values(text: str, wanted: Mapping[int, Place]) -> Iterator[tuple[Place, Any]]:
    """The events of the scalars behind the keys at packed positions, that of its anchor behind an alias."""
    get, anchors = events(text), dict[str, Any]()
    key: Place | None = None
    while True:
        event = get()
        kind = type(event)
        if kind is StreamEndEvent:
            return
        value = event if kind is ScalarEvent else anchors.get(event.anchor) if kind is AliasEvent else None
        if key is not None and value is not None:
            yield key, value
        key = None
        if kind is ScalarEvent:
            if event.anchor is not None:
                anchors[event.anchor] = event
            key = wanted.get(event.start_mark.line << SHIFT | event.start_mark.column)


def _visible(text: str, event: Any) -> Iterator[tuple[int, str]]:
    """Index and character of everything visible in a scalar's value."""
    begun = _PROPERTIES.match(text, event.start_mark.index)
    start, end = begun.end() if begun else event.start_mark.index, event.end_mark.index
    if event.style == '"':
        yield from _escaped(text, start + 1, end - 1)
        return
    if event.style in ("|", ">"):
        content = _BREAK.search(text, start, end)  # the rest of the header's line is no content
        start = content.end() if content else end
    single = event.style == "'"
    index, end = (start + 1, end - 1) if single else (start, end)
    while index < end:
        if not text[index].isspace():
            yield index, text[index]
        index += 2 if single and text[index] == "'" else 1


def _escaped(text: str, index: int, end: int) -> Iterator[tuple[int, str]]:
    while index < end:
        escape = _ESCAPE.match(text, index) if text[index] == "\\" else None
        if escape is None:
            if not text[index].isspace():
                yield index, text[index]
            index += 1
            continue
        code = escape[1] or escape[2] or escape[3]
        char = chr(int(code, 16)) if code else "" if escape[4][0] in _BLANK else _MEANING.get(escape[4], escape[4])
        if char and not char.isspace():
            yield index, char
        index = escape.end()
