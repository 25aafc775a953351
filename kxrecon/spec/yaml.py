"""YAML → plain dicts and lists with the position of every key and item.

Built over the *events* of libyaml, because a tree of YAML nodes for 50 000 entities costs ten times the time and
memory. They are PyYAML's: the C parser that ruamel.yaml brings is an older libyaml, which refuses the valid
``{uri: https://…}``. What scalars mean is decided here, after YAML 1.2. Where the C parser is missing, PyYAML's own
gives the same events, slowly. Whatever a file holds, the answer is a ``Source`` or problems with places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from yaml import MarkedYAMLError, SafeLoader, YAMLError
from yaml.events import (
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
    from yaml._yaml import CParser
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
        if not reading.is_whole:
            return [_problem(file, one) for one in (*reading.wrong, broken)]
        reading.wrong.append(broken)
        document = reading.root
    except MarkedYAMLError as error:
        return [syntax_problem(file, text, error)]
    except (YAMLError, UnicodeError):
        return [control_character(file, text)]
    if not isinstance(document, dict):
        what = "the file is empty" if document is None else f"the file holds a {_word(document)}, not a mapping"
        return [Problem(what, place=Place(file, 1, 1), remedy="a spec begins with 'version: 1'")]
    source = Source(file, text, document, reading.marks, aliases=reading.expanded > 0, nulls=reading.values.nulls)
    wrong = [_problem(file, one) for one in reading.wrong]
    return replace(source, problems=(*wrong, *(_duplicate(source, key, mark) for key, mark in reading.duplicates)))


def _problem(file: str, broken: _Broken) -> Problem:
    return Problem(broken.message, place=Source(file, "", {}, {}).place(broken.mark), remedy=broken.remedy)


def _duplicate(source: Source, key: str, mark: int) -> Problem:
    message = f"the key '{key}' appears twice in this mapping"
    return Problem(message, place=source.place(mark), remedy="the last one would win")


def _word(value: Value) -> str:
    return "list" if isinstance(value, list) else "single value"


def events(text: str, *, pure: bool = False) -> Callable[[], Any]:
    """The parser's events of a text, one at each call; the last is a StreamEndEvent."""
    parser: Any = SafeLoader(text) if pure or CParser is None else CParser(text)
    return parser.get_event  # type: ignore[no-any-return]


def _packed(mark: Any) -> int:
    return mark.line << SHIFT | mark.column  # type: ignore[no-any-return]


class _Scalars(dict[str, Value]):
    """The values of plain scalars by their texts, each resolved once; only a null is each time, to be noticed."""

    nulls = False

    def __missing__(self, text: str) -> Value:
        value = resolve(text)
        if value is None:
            self.nulls = True
        else:
            self[text] = value
        return value


class _Reading:
    """The state of one pass over the events of a file."""

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get
        self.marks: dict[int, list[int]] = {}
        self.duplicates: list[tuple[str, int]] = []
        self.wrong: list[_Broken] = []  # what does not keep the rest from being read
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Value, int]] = {}
        self.values = _Scalars()
        self.count = 0
        self.expanded = 0
        self.root: Value = None
        self.done = False

    @property
    def is_whole(self) -> bool:
        """Whether a document was read to its end, so that the rest of the spec can be judged."""
        return self.done and not self.stack and isinstance(self.root, dict)

    def run(self) -> Value:
        """Build the document: scalars here, because nearly every event is one, the rest by type.

        What the loop needs of the innermost container stands in local names; ``key`` and ``count`` are handed over
        and taken back where something else than a scalar comes.
        """
        get, special, values, keys = self.get, self._special, self.values, dict[str, str]()
        top: _Open | None = None
        container: Any = None
        marks: list[int] = []
        key: Any = None
        count = 0
        while True:
            event = get()
            kind = type(event)
            if kind is ScalarEvent and top is not None and event.anchor is None:
                plain, quoted = event.implicit
                if plain or quoted:
                    count += 1
                    if key is not None:
                        container[key] = values[event.value] if plain else event.value
                        key = None
                        continue
                    mark = event.start_mark
                    position = mark.line << SHIFT | mark.column
                    if type(container) is list:
                        marks.append(position)
                        container.append(values[event.value] if plain else event.value)
                        continue
                    key = keys.setdefault(event.value, event.value)
                    if key in container:
                        self._duplicate(container, marks, key, position)
                    else:
                        marks.append(position)
                    continue
            elif kind is StreamEndEvent:
                return self.root
            if top is not None:
                top.key = key
            self.count = count
            top = special(kind, event)
            count = self.count
            if top is not None:
                container, marks, key = top.container, top.marks, top.key

    def _duplicate(self, container: dict[str, Value], marks: list[int], key: str, position: int) -> None:
        self.duplicates.append((key, position))
        marks[list(container).index(key)] = position

    def _special(self, kind: type, event: Any) -> _Open | None:
        if kind is MappingStartEvent:
            self._begin({}, event)
        elif kind is SequenceStartEvent:
            self._begin([], event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._end()
        elif kind is ScalarEvent:
            self._rare_scalar(event)
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
        if event.tag is not None:
            self._check_tag(event)
        self._put(container, mark)
        marks = self.marks[id(container)] = []
        self.stack.append(_Open(container, marks, event.anchor, self.count))
        self.count += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = (container, -1)

    def _check_tag(self, event: Any) -> None:
        if not event.tag.startswith(_TAGS) and event.tag != "!":
            mark = _packed(event.start_mark)
            self.wrong.append(_Broken(f"the tag '{event.tag}' means nothing here", mark, "remove it"))

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
        self.count += 1
        tag, mark = event.tag, _packed(event.start_mark)
        if tag is not None:
            self._check_tag(event)
        textual = tag in ("!", _TAGS + "str")
        plain = event.implicit[0] or (tag is not None and not textual)
        value = self.values[event.value] if plain else event.value
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.container) is dict and top.key is None:
            value = top.key = event.value
            if value in top.container:
                self._duplicate(top.container, top.marks, value, mark)
            else:
                top.marks.append(mark)
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
