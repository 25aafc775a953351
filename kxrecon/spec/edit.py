"""Editing a spec's file as a person would: a few lines change, everything else stays as it was written.

ruamel.yaml keeps comments, quotes and order, but lays out afresh what it writes (long mappings on one line, lists
indented its own way). So only the lines that an edit changes are taken from it; all others stay the file's own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from kxrecon.model import Value

Path = tuple[str | int, ...]
_SPECIAL = frozenset(":,{}[]#&*!|>'\"%@`")


@dataclass(frozen=True, slots=True)
class Put:
    """Set the value at ``path``; its mappings are made if need be. A new key stands ``after`` another one, or last."""

    path: Path
    value: Value
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Take out the entry at ``path``, and the mappings that are empty then. Nothing happens if it is not there."""

    path: Path


Edit = Put | Take


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text of a YAML file after some edits."""
    yaml, document = _read(text)
    before = _written(yaml, document)
    for edit in edits:
        if isinstance(edit, Put):
            _put(document, edit)
        else:
            _take(document, edit.path)
    after = _written(yaml, document)
    result = spliced(text, before, after, _layout(text))
    # Whatever a file looks like: what it says afterwards is what the edits say.
    return result if _read(result)[1] == _read(after)[1] else after


def _read(text: str) -> tuple[Any, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.util import load_yaml_guess_indent

    _, sequence, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.width = 4096
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=(sequence or 4) if offset else 2, offset=offset or 0)
    document = yaml.load(text)
    return yaml, CommentedMap() if document is None else document


def _written(yaml: Any, document: Any) -> str:
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _put(document: Any, edit: Put) -> None:
    from ruamel.yaml.comments import CommentedMap

    here = document
    for step in edit.path[:-1]:
        if here.get(step) is None:
            here[step] = CommentedMap()
        here = here[step]
    key, made = edit.path[-1], _made(edit.value)
    if edit.after is None or key in here or edit.after not in here:
        here[key] = made
    else:
        here.insert(list(here).index(edit.after) + 1, key, made)
        _pass_on(here, edit.after, key)


def _pass_on(mapping: Any, before: str, key: str | int) -> None:
    """What stands below an entry stays below: blank lines and comments go to the entry that was put after it."""
    tokens = mapping.ca.items.get(before)
    token = tokens[2] if tokens else None
    if token is None or "\n" not in token.value.rstrip(" "):
        return
    own, _, below = token.value.partition("\n")
    if not below:
        return
    mapping.ca.items[key] = [None, None, type(token)("\n" + below, token.start_mark, None), None]
    if own.strip():
        token.value = own + "\n"
    else:
        mapping.ca.items.pop(before)


def _made(value: Value) -> Any:
    """A value in ruamel.yaml's types, mappings and lists on one line, and texts quoted that would mean more there."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, dict):
        mapping = CommentedMap({key: _made(inner) for key, inner in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq([_made(inner) for inner in value])
        sequence.fa.set_flow_style()
        return sequence
    return DoubleQuotedScalarString(value) if isinstance(value, str) and _SPECIAL & set(value) else value


def _take(document: Any, path: Path) -> None:
    if not path or not isinstance(document, dict) or path[0] not in document:
        return
    if len(path) == 1:
        del document[path[0]]
        return
    inner = document[path[0]]
    _take(inner, path[1:])
    if isinstance(inner, dict) and not inner:
        del document[path[0]]


def _layout(text: str) -> Callable[[str], str]:
    """How a file writes mappings and lists on one line: with blanks inside the braces and brackets, or without."""
    pairs = {one: other for one, other in ("{}", "[]") if f"{one} " in text}
    if "{" not in text:
        pairs["{"] = "}"
    return lambda line: _spaced(line, pairs)


def _spaced(line: str, pairs: Mapping[str, str]) -> str:
    """``{a: b}`` as ``{ a: b }``, outside of quotes; ``${name}`` and ``{}`` stay."""
    quote, open_ones, result = "", [], ""
    for at, one in enumerate(line):
        before, behind = line[at - 1 : at], line[at + 1 : at + 2]
        if quote or one in "'\"":
            quote = "" if one == quote else quote or one
        elif one in "{[":
            wide = one in pairs and before != "$" and behind not in (" ", pairs[one], "\n")
            open_ones.append(wide)
            one = f"{one} " if wide else one
        elif one in "}]" and open_ones and open_ones.pop():
            one = f" {one}"
        result += one
    return result


def spliced(original: str, before: str, after: str, laid_out: Callable[[str], str] = str) -> str:
    """``original`` with the lines in which ``after`` differs from ``before``; these two are laid out alike, and what is
    taken from them is laid out as ``original`` is."""
    own, base, new = (text.splitlines(keepends=True) for text in (original, before, after))
    result: list[str] = []
    at = 0
    for here, there in _differing(_blocks(base, own), base, new):
        result += own[at : here.start]
        result += map(laid_out, new[there.start : there.stop])
        at = here.stop
    return "".join([*result, *own[at:]])


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of ``base`` that stand for lines of ``own``: one for one but for blanks, or, laid out otherwise, as a
    whole."""

    base: range
    own: range
    alike: bool


def _blocks(base: Sequence[str], own: Sequence[str]) -> list[_Block]:
    codes = SequenceMatcher(None, _bare(base), _bare(own), autojunk=False).get_opcodes()
    return [_Block(range(b1, b2), range(o1, o2), tag == "equal") for tag, b1, b2, o1, o2 in codes]


def _bare(lines: Sequence[str]) -> list[str]:
    return ["".join(line.split()) for line in lines]


def _differing(blocks: Sequence[_Block], base: Sequence[str], new: Sequence[str]) -> Iterator[tuple[range, range]]:
    """(lines of ``own`` that go, lines of ``new`` that come); a change inside a block that is laid out otherwise
    takes the whole block along."""
    codes = SequenceMatcher(None, base, new, autojunk=False).get_opcodes()
    changes = [(range(b1, b2), range(n1, n2)) for tag, b1, b2, n1, n2 in codes if tag != "equal"]
    open_own: range | None = None
    open_new = range(0)
    for old, come in changes:
        start, before = _start(blocks, old.start)
        stop, behind = _stop(blocks, old.stop)
        own, lines = range(start, stop), range(come.start - before, come.stop + behind)
        if open_own is not None and own.start < open_own.stop:
            open_own = range(open_own.start, max(open_own.stop, own.stop))
            open_new = range(open_new.start, max(open_new.stop, lines.stop))
            continue
        if open_own is not None:
            yield open_own, open_new
        open_own, open_new = own, lines
    if open_own is not None:
        yield open_own, open_new


def _start(blocks: Sequence[_Block], at: int) -> tuple[int, int]:
    """Where a line of ``base`` begins in ``own``, and how many lines of ``base`` before it come along."""
    for block in blocks:
        if block.base.start <= at < block.base.stop:
            inside = at - block.base.start
            return (block.own.start + inside, 0) if block.alike else (block.own.start, inside)
    return (blocks[-1].own.stop if blocks else 0), 0


def _stop(blocks: Sequence[_Block], at: int) -> tuple[int, int]:
    """Where ``own`` goes on after the lines of ``base`` before ``at``, and how many more lines come along."""
    for block in blocks:
        if block.base.start < at <= block.base.stop:
            inside = at - block.base.start
            return (block.own.start + inside, 0) if block.alike else (block.own.stop, block.base.stop - at)
    return (blocks[0].own.start if blocks else 0), 0
