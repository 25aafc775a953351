"""Which databases a text of KQL reads, and which functions it calls, as far as a lexer can tell.

Names are followed in every written form: ``F()``, ``F``, ``['F']()``, ``database("D").F``, with or without
``cluster("…")`` before it. What cannot be told (a computed name) is said, never taken for none
(learn.microsoft.com, database() function; Cross-cluster and cross-database queries; Stored functions; alias statement).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kxrecon.kql_sources import sources
from kxrecon.kql_text import Token, significant, unquote

_QUALIFIERS = frozenset({"database", "cluster"})
# What stands for a table and is no stored function.
_TABLES = frozenset({"table", "external_table", "materialized_view"})


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a database ("" for that of the text itself); ``called``: nothing but a function can stand there."""

    database: str
    name: str
    called: bool


@dataclass(frozen=True, slots=True)
class Text:
    """What a text reads: ``databases`` by name, ``places`` that may be functions, ``words`` that may be as well or be
    columns, and in ``open`` what names a database and cannot be told."""

    databases: frozenset[str] = frozenset()
    places: tuple[Place, ...] = ()
    words: frozenset[str] = frozenset()
    open: tuple[str, ...] = ()


def read(text: str, host: str = "") -> Text:
    """Take a text apart. ``host`` is the cluster's own, by which a text may name it."""
    parts = significant(text)
    qualified, opened = list[Place](), list[str]()
    databases, inside = set[str](), set[int]()
    if "database" in text:
        values = _values(parts)
        for index in _calls(parts, "database"):
            if not _is_own(parts, index, host):
                continue
            end, name = _argument(parts, index + 2, values)
            if not name or "*" in name:
                said = "".join(part.text for part in parts[index + 2 : end])
                opened.append(f"database({said}) names no database that can be told here")
                continue
            databases.add(name)
            qualified += _member(parts, end + 1, name, inside)
        if any(one.text == "alias" and two.text == "database" for one, two in _pairs(parts)):
            opened.append("an alias stands for a database")
    own = list(_own(parts, inside))
    places = dict.fromkeys((*qualified, *own))
    told = {place.name for place in own}
    return Text(frozenset(databases), tuple(places), frozenset(_words(parts, inside) - told), tuple(opened))


def _pairs(parts: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    return zip(parts, parts[1:], strict=False)


def _text(parts: Sequence[Token], index: int) -> str:
    return parts[index].text if 0 <= index < len(parts) else ""


def _calls(parts: Sequence[Token], word: str) -> Iterator[int]:
    for index, token in enumerate(parts):
        if token.kind == "word" and token.text == word and _text(parts, index + 1) == "(":
            yield index


def _values(parts: Sequence[Token]) -> Mapping[str, str]:
    """What ``let name = "text";`` binds, where nothing else in the text has that name."""
    found: dict[str, str] = {}
    parameters = {one.text for one, two in _pairs(parts) if two.text == ":"}
    bound = [two.text for one, two in _pairs(parts) if one.text == "let"]
    for index, token in enumerate(parts):
        name = _text(parts, index + 1)
        if token.text != "let" or _text(parts, index + 2) != "=" or bound.count(name) > 1 or name in parameters:
            continue
        if index + 3 < len(parts) and parts[index + 3].kind == "string" and _text(parts, index + 4) == ";":
            found[name] = unquote(parts[index + 3].text)
    return found


def _argument(parts: Sequence[Token], index: int, values: Mapping[str, str]) -> tuple[int, str]:
    """The index of the bracket that closes a call's arguments, and the text that they are; "" if nobody can tell."""
    end, depth = index, 0
    while end < len(parts) and (depth or parts[end].text != ")"):
        depth += (parts[end].text == "(") - (parts[end].text == ")")
        end += 1
    inner = parts[index:end]
    if inner and all(part.kind == "string" for part in inner):
        hidden = any(part.text[0] in "hH" and "***" in part.text for part in inner)
        return end, "" if hidden else "".join(unquote(part.text) for part in inner)
    return end, values.get(inner[0].text, "") if len(inner) == 1 else ""


def _is_own(parts: Sequence[Token], index: int, host: str) -> bool:
    """Whether ``database`` at an index is of the cluster itself: what another cluster holds needs no role here."""
    if _text(parts, index - 1) != ".":
        return True
    begin = index - 2
    while begin > 0 and parts[begin].text != "(":
        begin -= 1
    if _text(parts, begin - 1) != "cluster":
        return True
    _, name = _argument(parts, begin + 1, {})
    bare = name.lower().removeprefix("https://").rstrip("/")
    return bool(bare) and host in (bare, f"{bare}.kusto.windows.net")


def _member(parts: Sequence[Token], index: int, database: str, inside: set[int]) -> Iterator[Place]:
    """What follows ``database("D")`` behind a dot: a name, bare or in brackets."""
    if _text(parts, index) != "." or index + 1 >= len(parts):
        return
    token, end = parts[index + 1], index + 2
    if token.text == "[" and index + 2 < len(parts) and parts[index + 2].kind == "string":
        token, end = parts[index + 2], index + 4
    if token.kind in ("word", "string") and token.text not in _TABLES:
        inside.add(token.start)
        yield Place(database, token.name, _text(parts, end) == "(")


def _own(parts: Sequence[Token], inside: set[int]) -> Iterator[Place]:
    """Names of the text's own database: what is called, and what stands where a table is wanted."""
    bound = {two.text for one, two in _pairs(parts) if one.text == "let"}
    rows = {one.start for one in sources(parts, fuzzy=True)}
    for index, token in enumerate(parts):
        if token.kind not in ("word", "string") or token.start in inside or token.name in bound:
            continue
        quoted = token.kind == "string"
        if quoted and (_text(parts, index - 1), _text(parts, index + 1)) != ("[", "]"):
            continue
        before, behind = (index - 2, index + 2) if quoted else (index - 1, index + 1)
        is_called = _text(parts, behind) == "(" and _text(parts, before) != "." and token.text not in _QUALIFIERS
        if is_called or token.start in rows:
            yield Place("", token.name, is_called and token.start in rows)


def _words(parts: Sequence[Token], inside: set[int]) -> set[str]:
    """Words that are neither members, nor given a value, nor bound by the text."""
    bound = {two.text for one, two in _pairs(parts) if one.text == "let"}
    return {
        token.text
        for index, token in enumerate(parts)
        if token.kind == "word"
        and token.start not in inside
        and token.text not in bound
        and _text(parts, index - 1) != "."
        and _text(parts, index + 1) not in ("=", ":", ".", "(")
    }
