"""Which tables and databases a query reads, found in its tokens and in those of the functions that it calls.

Tolerant on purpose: a query that can't be evaluated here still has links to check. A column that is named
like a table counts as that table; a table that is read is never missed (but by a wildcard).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kxrecon.sandbox.kusto.lexer import SCAN, skip, unquote
from kxrecon.sandbox.scheduler.documents import database_name
from kxrecon.sandbox.store import Store

Token = tuple[str, str]


@dataclass(slots=True)
class Reads:
    """What was found: tables as (database, table), databases by name as in the store, foreign clusters."""

    tables: set[tuple[str, str]] = field(default_factory=set)
    databases: set[str] = field(default_factory=set)
    clusters: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)


def reads(store: Store, uri: str, database: str, query: str) -> Reads:
    """The references of a query that runs in ``database``."""
    found = Reads(databases={database})
    _Walk(store, uri, found).text(database, query)
    return found


def tokens(text: str) -> Iterator[Token]:
    """Kind and value of each token; what is no token is passed over."""
    position = skip(text, 0)
    while position < len(text):
        match = SCAN.match(text, position)
        if match:
            yield _token(str(match.lastgroup), match.group())
        position = skip(text, match.end() if match else position + 1)


def _token(kind: str, value: str) -> Token:
    if kind == "STRING":
        return kind, unquote(value)
    if kind == "BNAME":
        inner = value[1:-1].strip()
        return "WORD", unquote(inner) if inner[-1] in "'\"`~" else inner
    return kind, value


class _Walk:
    """One search through a query and its functions; ``seen`` keeps recursive functions from looping."""

    def __init__(self, store: Store, uri: str, found: Reads) -> None:
        self._store, self._uri, self._found = store, uri, found
        self._seen: set[tuple[str, str]] = set()

    def text(self, database: str, query: str) -> None:
        """Search one text in the context of a database."""
        listed = [*tokens(query), ("END", "")]
        bound = {value for (_, before), (_, value) in zip(listed, listed[1:], strict=False) if before == "let"}
        at = 0
        while at < len(listed) - 1:
            at = self._step(listed, at, database, bound)

    def _step(self, listed: list[Token], at: int, database: str, bound: set[str]) -> int:
        kind, value = listed[at]
        if kind != "WORD":
            return at + 1
        called = _argument(listed, at)
        if value == "cluster" and called is not None:
            self._found.clusters.add(called)
            return at + 4
        if value == "database" and called is not None:
            return self._qualified(listed, at, called)
        if value == "table" and called is not None:
            self._name(database, called)
            return at + 4
        before, after = listed[at - 1][1] if at else "", listed[at + 1][1]
        if before != "." and after != "=" and value not in bound:
            self._name(database, value)
        return at + 1

    def _qualified(self, listed: list[Token], at: int, written: str) -> int:
        """``database("x").T``; a part of ``cluster("c").database("x").T`` belongs to that cluster."""
        foreign = at > 4 and listed[at - 1][1] == "." and listed[at - 5][1] == "cluster"
        name = database_name(self._store, self._uri, written)
        if not foreign and name is None:
            self._found.missing.add(written)
        if foreign or name is None:
            return at + 6
        self._found.databases.add(name)
        if listed[at + 4][1] == "." and listed[at + 5][0] == "WORD":
            self._name(name, listed[at + 5][1])
        return at + 6

    def _name(self, database: str, name: str) -> None:
        """A name where a table or function may stand; a function hides the table of its name."""
        function = self._store.get("function", self._uri, database, name)
        if function is not None and (database, name) not in self._seen:
            self._seen.add((database, name))
            self.text(database, str(function.get("body") or ""))
        elif function is None and self._store.get("table", self._uri, database, name) is not None:
            self._found.tables.add((database, name))


def _argument(listed: list[Token], at: int) -> str | None:
    """The text in ``name("text")``, None if that is not what stands here."""
    part = listed[at : at + 4]
    if len(part) < 4 or part[1][1] != "(" or part[2][0] != "STRING" or part[3][1] != ")":
        return None
    return part[2][1]
