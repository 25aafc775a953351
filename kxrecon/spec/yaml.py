"""YAML → plain dicts and lists with the position of every key and item.

Built over the *events* of ruamel.yaml's C parser, because a tree of YAML nodes for 50 000 entities
costs ten times the time and memory. Where the C parser is missing, ruamel.yaml's own parser gives
the same events, slowly. Whatever a file holds, the answer is a ``Source`` or problems with places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kxrecon.errors import Place, Problem
from kxrecon.model import Value
from kxrecon.spec.mistakes import control_character, syntax_problem
from kxrecon.spec.scalars import resolve
from kxrecon.spec.source import SHIFT, Source

try:
    from _ruamel_yaml import CParser
except ImportError:  # wheels exist for every CPython that we support; a source build may lack a compiler
    CParser = None

MAX_DEPTH: Final = 64
MAX_ALIASED: Final = 1_000_000  # values that aliases and merge keys may add to one file
_MERGE: Final = "<<"
_TAGS: Final = "tag:yaml.org,2002:"


class _Broken(Exception):
    """The file cannot be read on from here; ``mark`` is a packed position."""

    def __init__(self, message: str, mark: int, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message, self.mark, self.remedy = message, mark, remedy


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet; ``key`` awaits its value."""

    container: Any
    marks: list[int]
    anchor: str | None
    begun: int
    key: Any = None


def parse(file: str, text: str, *, pure: bool = False) -> Source | list[Problem]:
    """Read one YAML document. Duplicate keys are problems of the ``Source``; what cannot be read at all
    is returned as problems alone. ``pure`` forces the parser that needs no C extension."""
    try:
        reading = _Reading(events(text, pure=pure))
        document = reading.run()
    except _Broken as broken:
        place = Source(file, "", {}, {}).place(broken.mark)
        return [Problem(broken.message, place=place, remedy=broken.remedy)]
    except MarkedYAMLError as error:
        return [syntax_problem(file, text, error)]
    except (YAMLError, UnicodeError):
        return [control_character(file, text)]
    if not isinstance(document, dict):
        what = "the file is empty" if document is None else f"the file holds a {_word(document)}, not a mapping"
        return [Problem(what, place=Place(file, 1, 1), remedy="a spec begins with 'version: 1'")]
    source = Source(file, text, document, reading.marks, aliases=reading.expanded > 0, nulls=reading.nulls)
    return replace(source, problems=tuple(_duplicate(source, key, mark) for key, mark in reading.duplicates))


def _duplicate(source: Source, key: str, mark: int) -> Problem:
    message = f"the key '{key}' appears twice in this mapping"
    return Problem(message, place=source.place(mark), remedy="the last one would win")


def _word(value: Value) -> str:
    return "list" if isinstance(value, list) else "single value"


def events(text: str, *, pure: bool = False) -> Callable[[], Any]:
    """The parser's events of a text, one at each call; the last is a StreamEndEvent."""
    if CParser is not None and not pure:
        parser: Any = CParser(text)
        return parser.get_event  # type: ignore[no-any-return]
    stream: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return stream.__next__


def _packed(mark: Any) -> int:
    return mark.line << SHIFT | mark.column  # type: ignore[no-any-return]


class _Reading:
    """The state of one pass over the events of a file."""

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get
        self.marks: dict[int, list[int]] = {}
        self.duplicates: list[tuple[str, int]] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Value, int]] = {}
        self.values: dict[str, Value] = {}
        self.count = 0
        self.expanded = 0
        self.nulls = False
        self.root: Value = None
        self.done = False

    def run(self) -> Value:
        """Build the document: scalars here, because nearly every event is one, the rest by type."""
        get, special, values, keys = self.get, self._special, self.values, dict[str, str]()
        top: _Open | None = None
        while True:
            event = get()
            kind = type(event)
            if kind is not ScalarEvent:
                if kind is StreamEndEvent:
                    return self.root
                top = special(kind, event)
                continue
            self.count += 1
            text, (plain, quoted) = event.value, event.implicit
            if top is None or event.anchor is not None or not (plain or quoted):
                self._rare_scalar(event)
            elif top.key is not None:
                top.container[top.key] = text if not plain else values[text] if text in values else self._plain(text)
                top.key = None
            elif type(top.container) is dict:
                mark = event.start_mark
                key = top.key = keys.setdefault(text, text)
                if key in top.container:
                    self._duplicate(top, key, mark)
                else:
                    top.marks.append(mark.line << SHIFT | mark.column)
                    top.container[key] = None  # keeps the order of keys equal to that of marks
            else:
                top.marks.append(_packed(event.start_mark))
                top.container.append(self._plain(text) if plain else text)

    def _plain(self, text: str) -> Value:
        """The value of a plain scalar not met before. Null is not remembered, to be noticed each time."""
        value = resolve(text)
        if value is None:
            self.nulls = True
        else:
            self.values[text] = value
        return value

    def _duplicate(self, top: _Open, key: str, mark: Any) -> None:
        position = _packed(mark)
        self.duplicates.append((key, position))
        top.marks[list(top.container).index(key)] = position

    def _special(self, kind: type, event: Any) -> _Open | None:
        if kind is MappingStartEvent:
            self._begin({}, event)
        elif kind is SequenceStartEvent:
            self._begin([], event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._end()
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentStartEvent:
            if self.done:
                mark = _packed(event.start_mark)
                raise _Broken("a second document begins here", mark, "one spec a file: remove '---'")
            self.done = True
        return self.stack[-1] if self.stack else None

    def _begin(self, container: Any, event: Any) -> None:
        mark = _packed(event.start_mark)
        if len(self.stack) >= MAX_DEPTH:
            raise _Broken(f"more than {MAX_DEPTH} levels deep", mark)
        if event.ctag is not None:
            self._check_tag(event)
        self._put(container, mark)
        marks = self.marks[id(container)] = []
        self.stack.append(_Open(container, marks, event.anchor, self.count))
        self.count += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = (container, -1)

    def _check_tag(self, event: Any) -> None:
        if not event.tag.startswith(_TAGS) and event.tag != "!":
            raise _Broken(f"the tag '{event.tag}' means nothing here", _packed(event.start_mark), "remove it")

    def _end(self) -> None:
        ended = self.stack.pop()
        if _MERGE in ended.container and type(ended.container) is dict:
            self._merge(ended.container, ended.marks)
        if ended.anchor is not None:
            self.anchors[ended.anchor] = (ended.container, self.count - ended.begun)

    def _put(self, value: Value, mark: int) -> None:
        """Place a finished or begun value where the next one is due."""
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if top.key is not None:
            top.container[top.key] = value
            top.key = None
        elif type(top.container) is list:
            top.marks.append(mark)
            top.container.append(value)
        else:
            raise _Broken("a key must be plain text", mark, "quote it")

    def _alias(self, event: Any) -> None:
        mark = _packed(event.start_mark)
        if event.anchor not in self.anchors:
            raise _Broken(f"there is no anchor '&{event.anchor}' above this alias", mark)
        value, size = self.anchors[event.anchor]
        if size < 0:
            raise _Broken(f"the anchor '&{event.anchor}' contains itself", mark)
        self._grow(size, mark)
        self._put(value, mark)

    def _grow(self, size: int, mark: int) -> None:
        self.count += size
        self.expanded += size
        if self.expanded > MAX_ALIASED:
            raise _Broken(f"aliases expand to more than {MAX_ALIASED} values", mark, "write fewer aliases")

    def _rare_scalar(self, event: Any) -> None:
        """A scalar with an anchor or a tag, or one that is the whole document."""
        tag, mark = event.tag, _packed(event.start_mark)
        if tag is not None:
            self._check_tag(event)
        textual = tag in ("!", _TAGS + "str")
        plain = event.implicit[0] or (tag is not None and not textual)
        value = resolve(event.value) if plain else event.value
        self.nulls = self.nulls or value is None
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.container) is dict and top.key is None:
            value = top.key = event.value
            if value in top.container:
                self._duplicate(top, value, event.start_mark)
            else:
                top.marks.append(mark)
                top.container[value] = None
        else:
            self._put(value, mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)

    def _merge(self, container: dict[str, Value], marks: list[int]) -> None:
        """Merge keys (yaml.org/type/merge): keys of the mapping itself win, then those of earlier merges."""
        index = list(container).index(_MERGE)
        mark = marks.pop(index)
        merged = container.pop(_MERGE)
        for one in merged if isinstance(merged, list) else [merged]:
            if not isinstance(one, dict):
                raise _Broken("'<<' takes a mapping or a list of mappings", mark)
            self._grow(len(one), mark)
            for key, position in zip(one, self.marks[id(one)], strict=True):
                if key not in container:
                    container[key] = one[key]
                    marks.append(position)
