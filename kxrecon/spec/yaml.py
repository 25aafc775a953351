"""YAML → plain dicts and lists with the position of every key and item.

Built over the *events* of ruamel.yaml's C parser, because a tree of YAML nodes for 50 000 entities
costs ten times the time and memory. Where the C parser is missing, ruamel.yaml's own parser gives
the same events, slowly. Whatever a file holds, the answer is a ``Source`` or problems with places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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

try:
    from _ruamel_yaml import CParser
except ImportError:  # wheels exist for every CPython that we support; a source build may lack a compiler
    CParser = None

MAX_DEPTH: Final = 64
MAX_ALIASED: Final = 1_000_000  # values that aliases and merge keys may add to one file
_SHIFT: Final = 20  # a position is one int, line << 20 | column: a fifth of a tuple's memory
_COLUMN: Final = (1 << _SHIFT) - 1
_MERGE: Final = object()
_TAGS: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML file, read: its document, and where each key and item of it stands.

    ``marks`` maps ``id()`` of a container to the packed positions of its keys or items in their order;
    the ids stay valid as long as ``document`` lives, which this object sees to.
    """

    file: str
    text: str
    document: dict[str, Value]
    marks: dict[int, list[int]]
    problems: tuple[Problem, ...] = ()
    aliases: bool = False
    nulls: bool = False

    def find(self, path: tuple[str | int, ...]) -> Place | None:
        """Where this file sets the value at ``path``; None if it does not."""
        here: Value = self.document
        mark = 0
        for step in path:
            index = _index(here, step)
            if index is None:
                return None
            mark = self.marks[id(here)][index]
            here = here[step]
        return self.place(mark)

    def value(self, path: tuple[str | int, ...]) -> tuple[bool, Value]:
        """Whether this file sets ``path``, and to what."""
        here: Value = self.document
        for step in path:
            if _index(here, step) is None:
                return False, None
            here = here[step]
        return True, here

    def place(self, mark: int) -> Place:
        """A packed position as people count."""
        return Place(self.file, (mark >> _SHIFT) + 1, min(mark & _COLUMN, _COLUMN) + 1)


def _index(container: Value, step: str | int) -> int | None:
    if isinstance(container, dict):
        return list(container).index(step) if step in container else None
    if isinstance(container, list) and isinstance(step, int) and step < len(container):
        return step
    return None


class _Broken(Exception):
    """The file cannot be read on from here."""

    def __init__(self, message: str, mark: Any, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message, self.mark, self.remedy = message, mark, remedy


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    container: Any
    marks: list[int]
    anchor: str | None
    begun: int
    key: Any = None
    merges: list[tuple[Any, Any]] = field(default_factory=list)


def parse(file: str, text: str, *, pure: bool = False) -> Source | list[Problem]:
    """Read one YAML document. Duplicate keys are problems of the ``Source``; what cannot be read at all
    is returned as problems alone. ``pure`` forces the parser that needs no C extension."""
    try:
        reading = _Reading(_events(text, pure))
        document = reading.run()
    except _Broken as broken:
        place = Place(file, broken.mark.line + 1, broken.mark.column + 1)
        return [Problem(broken.message, place=place, remedy=broken.remedy)]
    except MarkedYAMLError as error:
        return [syntax_problem(file, text, error)]
    except (YAMLError, UnicodeError):
        return [control_character(file, text)]
    if not isinstance(document, dict):
        what = "the file is empty" if document is None else f"the file holds a {_word(document)}, not a mapping"
        return [Problem(what, place=Place(file, 1, 1), remedy="a spec begins with 'version: 1'")]
    source = Source(file, text, document, reading.marks, aliases=reading.expanded > 0, nulls=reading.nulls)
    problems = tuple(_duplicate(source, key, mark) for key, mark in reading.duplicates)
    return source if not problems else _with_problems(source, problems)


def _with_problems(source: Source, problems: tuple[Problem, ...]) -> Source:
    return Source(source.file, source.text, source.document, source.marks, problems, source.aliases, source.nulls)


def _duplicate(source: Source, key: str, mark: int) -> Problem:
    return Problem(
        f"the key '{key}' appears twice in this mapping", place=source.place(mark), remedy="the last one would win"
    )


def _word(value: Value) -> str:
    return "list" if isinstance(value, list) else "single value"


def _events(text: str, pure: bool) -> Callable[[], Any]:
    if CParser is not None and not pure:
        parser: Any = CParser(text)
        return parser.get_event  # type: ignore[no-any-return]
    stream: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return stream.__next__


class _Reading:
    """The state of one pass over the events of a file."""

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get
        self.marks: dict[int, list[int]] = {}
        self.duplicates: list[tuple[str, int]] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Value, int]] = {}
        self.keys: dict[str, str] = {}
        self.values: dict[str, Value] = {}
        self.count = 0
        self.expanded = 0
        self.nulls = False
        self.root: Value = None
        self.done = False

    def run(self) -> Value:
        """Build the document: scalars here, because nearly every event is one, the rest by type."""
        get, special, values = self.get, self._special, self.values
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
            text = event.value
            plain = event.implicit[0]
            if top is None or event.anchor is not None or event.tag is not None:
                self._rare_scalar(top, event)
            elif type(top.container) is list:
                mark = event.start_mark
                top.marks.append(mark.line << _SHIFT | mark.column)
                top.container.append(self._plain(text) if plain else text)
            elif top.key is None:
                self._key(top, text, plain, event.start_mark)
            elif top.key is _MERGE:
                raise _Broken("'<<' takes a mapping or a list of mappings", event.start_mark)
            else:
                value = text if not plain else values[text] if text in values else self._plain(text)
                if value is None:
                    self.nulls = True
                top.container[top.key] = value
                top.key = None

    def _plain(self, text: str) -> Value:
        value = self.values[text] = resolve(text)
        return value

    def _key(self, top: _Open, text: str, plain: bool, mark: Any) -> None:
        if plain and text == "<<":
            top.key = _MERGE
            top.merges.append((None, mark))
            return
        key = self.keys.setdefault(text, text)
        position = mark.line << _SHIFT | mark.column
        if key in top.container:
            self.duplicates.append((key, position))
            top.marks[list(top.container).index(key)] = position
        else:
            top.marks.append(position)
            top.container[key] = None  # keeps the order of keys equal to that of marks
        top.key = key

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
                raise _Broken("a second document begins here", event.start_mark, "one spec a file: remove '---'")
            self.done = True
        return self.stack[-1] if self.stack else None

    def _begin(self, container: Any, event: Any) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _Broken(f"more than {MAX_DEPTH} levels deep", event.start_mark)
        if event.tag is not None and not event.tag.startswith(_TAGS):
            raise _Broken(f"the tag '{event.tag}' means nothing here", event.start_mark, "remove it")
        marks: list[int] = []
        self._put(container, event.start_mark)
        self.marks[id(container)] = marks
        self.stack.append(_Open(container, marks, event.anchor, self.count))
        self.count += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = (container, -1)

    def _end(self) -> None:
        ended = self.stack.pop()
        if ended.merges:
            self._merge(ended)
        if ended.anchor is not None:
            self.anchors[ended.anchor] = (ended.container, self.count - ended.begun)

    def _put(self, value: Value, mark: Any) -> None:
        """Place a finished or begun value where the next one is due."""
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if type(top.container) is list:
            top.marks.append(mark.line << _SHIFT | mark.column)
            top.container.append(value)
        elif top.key is None:
            raise _Broken("a key must be plain text", mark, "quote it")
        elif top.key is _MERGE:
            top.merges[-1] = (value, mark)
            top.key = None
        else:
            top.container[top.key] = value
            top.key = None

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _Broken(f"there is no anchor '&{event.anchor}' above this alias", event.start_mark)
        value, size = self.anchors[event.anchor]
        if size < 0:
            raise _Broken(f"the anchor '&{event.anchor}' contains itself", event.start_mark)
        self._grow(size, event.start_mark)
        self._put(value, event.start_mark)

    def _grow(self, size: int, mark: Any) -> None:
        self.count += size
        self.expanded += size
        if self.expanded > MAX_ALIASED:
            raise _Broken(f"aliases expand to more than {MAX_ALIASED} values", mark, "write fewer aliases")

    def _rare_scalar(self, top: _Open | None, event: Any) -> None:
        """A scalar with an anchor or a tag, or one that is the whole document."""
        if event.tag is not None and not event.tag.startswith(_TAGS) and event.tag != "!":
            raise _Broken(f"the tag '{event.tag}' means nothing here", event.start_mark, "remove it")
        textual = event.tag in ("!", _TAGS + "str")
        plain = event.implicit[0] or (event.tag is not None and not textual)
        value = resolve(event.value) if plain else event.value
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self.nulls = self.nulls or value is None
        if top is not None and type(top.container) is dict and top.key is None:
            self._key(top, event.value, False, event.start_mark)
        else:
            self._put(value, event.start_mark)

    def _merge(self, ended: _Open) -> None:
        """Merge keys (yaml.org/type/merge): keys of the mapping itself win, then earlier merges."""
        for value, mark in ended.merges:
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, dict):
                    raise _Broken("'<<' takes a mapping or a list of mappings", mark)
                self._grow(len(one), mark)
                for key, position in zip(one, self.marks[id(one)], strict=True):
                    if key not in ended.container:
                        ended.container[key] = one[key]
                        ended.marks.append(position)
