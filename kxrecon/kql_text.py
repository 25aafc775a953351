"""Reading KQL text as a lexer does: strings, comments and fences are known, the language is not.

``kxrecon.kql`` offers the names that other modules use; this is where text is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\r\n]*)
  | (?P<string>(?=[hH@'"`~])[hH]?(?:```.*?(?:```|\Z) | ~~~.*?(?:~~~|\Z)
      | @'(?:[^'\r\n]|'')*' | @"(?:[^"\r\n]|"")*"
      | '(?:[^'\\\r\n]|\\.)*' | "(?:[^"\\\r\n]|\\.)*"))
  | (?P<word>[^\W\d][\w]*)
  | (?P<number>\d[\w.]*)
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_HIDING = re.compile(r"""\b[hH](?:@?['"]|```|~~~)""")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


class Token(NamedTuple):
    """A piece of KQL text. ``kind``: comment, string, word, number, space or mark; ``start`` counts from 0."""

    kind: str
    text: str
    start: int

    @property
    def name(self) -> str:
        """What a word or a string literal names."""
        return unquote(self.text) if self.kind == "string" else self.text


# A named tuple's own constructor is written in Python: for every token of every query that is half of the time.
_token: Callable[[tuple[str, str, int]], Token] = partial(tuple.__new__, Token)


def tokens(text: str) -> Iterator[Token]:
    """All pieces of ``text``, in order and without a gap; never fails."""
    for found in _TOKEN.finditer(text):
        yield _token((found.lastgroup or "mark", found[0], found.start()))


def significant(text: str) -> list[Token]:
    """The tokens that mean something: no spaces, no comments."""
    return [
        _token((kind, found[0], found.start()))
        for found in _TOKEN.finditer(text)
        if (kind := found.lastgroup or "mark") not in ("space", "comment")
    ]


def local(parts: Sequence[Token], database: str) -> list[Token]:
    """The tokens without the names that are said to lie in another database: ``Events`` of ``database("B").Events``.
    One whose database cannot be told stays: it may be this one."""
    if "database" not in [part.text for part in parts]:
        return list(parts)
    found: list[Token] = []
    place = 0
    while place < len(parts):
        behind = _behind(parts, place, database)
        place = behind or place
        found += [] if behind else [parts[place]]
        place += 0 if behind else 1
    return found


def _behind(parts: Sequence[Token], place: int, database: str) -> int:
    """The index behind ``database("other").Name``, ``….['Name']`` or ``….table("Name")`` that begins here; else 0."""
    if parts[place].text != "database" or not _is_mark(parts, place + 1, "("):
        return 0
    name, literal = _call_argument(parts, place + 2)
    called = place > 0 and parts[place - 1].text == "."  # cluster("…"), which may be this one
    end = next((at for at in range(place + 2, len(parts)) if parts[at].text == ")"), len(parts))
    if called or not literal or name.lower() == database.lower() or not _is_mark(parts, end + 1, "."):
        return 0
    if _is_mark(parts, end + 2, "["):
        return end + 5
    return end + 6 if [part.text for part in parts[end + 2 : end + 4]] == ["table", "("] else end + 3


def unquote(literal: str) -> str:
    """What a string literal of any form means: ``'a\\'b'``, ``@"a""b"``, ``h'…'``, a fence."""
    text = literal[1:] if literal[:1] in ("h", "H") else literal
    if text.startswith(("```", "~~~")):
        return text[3:-3] if text.endswith(text[:3]) and len(text) >= 6 else text[3:]
    if text.startswith("@"):
        return text[2:-1].replace(text[1] * 2, text[1])
    inner = text[1:-1]
    return _ESCAPED.sub(_meaning, inner) if "\\" in inner else inner


def _meaning(found: re.Match[str]) -> str:
    """The character that an escape stands for; an unknown one stands for itself."""
    code = found[1] or found[2] or found[3]
    if code:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else found[0]
    return _SIMPLE.get(found[4], found[4])


def normalise_query(text: str) -> str:
    """A query in comparable form: line ends ``\\n``, no space at the end of a line, no blank lines around.

    Inside a fence a line's end is content; such a text keeps its lines as they are.
    """
    text = text.strip()
    if "\n" not in text and "\r" not in text:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "```" in text or "~~~" in text:
        return text
    return "\n".join(line.rstrip() for line in text.split("\n"))


def hides(text: str) -> bool:
    """Whether a text may hold a literal that Kusto hides (``h'…'``); in doubt it does."""
    return bool(_HIDING.search(text))


def obfuscated(text: str) -> str:
    """A text with the content of its hidden literals (``h'…'``) left out, however long it is; normalised else."""
    text = normalise_query(text)
    if not hides(text):
        return text
    return "".join("h'***'" if one.kind == "string" and one.text[0] in "hH" else one.text for one in tokens(text))


def database_literals(query: str) -> frozenset[str]:
    """Names of the databases that ``query`` reads by ``database("name")``, outside strings and comments.

    Databases of another cluster (``cluster("c").database("d")``) are not among them.
    """
    return _databases(query)[0]


def opaque_databases(query: str) -> bool:
    """True if ``query`` reads a database whose name a lexer cannot tell: ``database(x)``, ``cluster(…)``."""
    return _databases(query)[1]


def _databases(query: str) -> tuple[frozenset[str], bool]:
    """The literal names, and whether some call's argument is no literal."""
    if "database" not in query and "cluster" not in query:
        return frozenset(), False
    found, opaque, parts = set(), False, significant(query)
    for index, token in enumerate(parts):
        if token.kind != "word" or token.text not in ("database", "cluster") or not _is_mark(parts, index + 1, "("):
            continue
        name, literal = _call_argument(parts, index + 2)
        if token.text == "cluster" or not literal:
            opaque = True
        elif not _is_mark(parts, index - 1, "."):
            found.add(name)
    return frozenset(found), opaque


def _is_mark(parts: Sequence[Token], index: int, mark: str) -> bool:
    """True if the token at ``index`` is this punctuation mark."""
    return 0 <= index < len(parts) and parts[index].text == mark


def _call_argument(parts: Sequence[Token], index: int) -> tuple[str, bool]:
    """The text of neighbouring string literals up to ``)``, and whether that was all of the argument."""
    start = index
    while index < len(parts) and parts[index].kind == "string":
        index += 1
    name = "".join(unquote(part.text) for part in parts[start:index])
    return name, index > start and _is_mark(parts, index, ")")
