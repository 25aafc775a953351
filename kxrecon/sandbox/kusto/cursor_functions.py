"""Database cursors and ingestion times in queries ("learn.microsoft.com, Database cursors" and "ingestion_time()").

The evaluator's translator knows neither, so they are written here as conditions over two hidden columns of a
copy of the table. That is done where nothing can have changed the rows yet, in the ``where`` and ``extend``
steps right behind a table's name; anywhere else they stay, and the evaluator refuses them as not imitated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kxrecon.sandbox.kusto.errors import SemanticRefused
from kxrecon.sandbox.kusto.lexer import SCAN, skip, unquote
from kxrecon.sandbox.kusto.session import Session

INGESTED, SEQUENCE = "__ingested", "__sequence"
_FUNCTIONS = frozenset({"cursor_after", "cursor_before_or_at", "ingestion_time"})
_CURSOR = re.compile(r"\d{1,19}")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query and where it stands."""

    kind: str
    text: str
    start: int
    end: int


@dataclass
class Copies:
    """Copies of tables with the hidden columns, by table; filled while queries are rewritten."""

    session: Session
    names: dict[str, str] = field(default_factory=dict)

    def rewritten(self, query: str) -> str:
        """The query over these copies where it needs them; unchanged if it uses no such function.

        Raises SemanticRefused for a text that is no cursor, or a table without ingestion times.
        """
        query = _with_current(query, self.session)
        found = tokens(query)
        if not any(token.text in _FUNCTIONS for token in found):
            return query
        edits: list[tuple[int, int, str]] = []
        for place, token in enumerate(found):
            table = self._table(found, place)
            if table is not None:
                edits += self._edits(found, place, token, table)
        for start, end, text in sorted(edits, reverse=True):
            query = query[:start] + text + query[end:]
        return query

    def _table(self, found: list[Token], place: int) -> str | None:
        """The table that a pipeline begins with at this token; None if none does."""
        name = name_of(found[place])
        if name in _bound_names(found):
            return None
        before = found[place - 1].text if place else ";"
        after = found[place + 1].text if place + 1 < len(found) else ""
        if name is None or after != "|" or before not in (";", "(", "{", "=", ","):
            return None
        return name if self.session.find("table", name) is not None else None

    def _edits(self, found: list[Token], place: int, token: Token, table: str) -> Iterator[tuple[int, int, str]]:
        stretch, end = _stretch(found, place + 1)
        inner = list(self._conditions(stretch, table))
        if inner:
            yield token.start, token.end, self.names.setdefault(table, f"__rows_{len(self.names)}")
            yield from inner
            yield end, end, f" | project-away {INGESTED}, {SEQUENCE}"

    def _conditions(self, stretch: list[Token], table: str) -> Iterator[tuple[int, int, str]]:
        for place, token in enumerate(stretch):
            if token.text not in _FUNCTIONS or [one.text for one in stretch[place + 1 : place + 2]] != ["("]:
                continue
            inner = stretch[place + 2 : place + 4]
            if token.text == "ingestion_time" and inner and inner[0].text == ")":
                yield token.start, inner[0].end, INGESTED
            elif (
                token.text != "ingestion_time" and len(inner) == 2 and (inner[0].kind, inner[1].text) == ("STRING", ")")
            ):
                self._require_times(table, token.text)
                yield token.start, inner[1].end, _bound(token.text, unquote(inner[0].text))

    def _require_times(self, table: str, function: str) -> None:
        key = (self.session.uri, "table", self.session.database, table, "ingestiontime")
        document = self.session.store.get("policy", *key)
        policy = None if document is None else document["policy"]
        if document is not None and not (isinstance(policy, dict) and policy.get("IsEnabled", True)):
            raise SemanticRefused(
                f"Semantic error: {function}() needs the IngestionTime policy, which table '{table}' does not have"
            )


def current(session: Session) -> str:
    """``cursor_current()``: the sequence that was given last; all rows are at or before it, all new ones after."""
    return str(int((session.store.get("meta", "sequence", session.uri, session.database) or {"last": 0})["last"]))


def tokens(text: str) -> list[Token]:
    """The tokens of a query with their places."""
    found = []
    position = skip(text, 0)
    while position < len(text):
        match = SCAN.match(text, position)
        end = match.end() if match else position + 1
        found.append(Token(str(match.lastgroup) if match else "MARK", text[position:end], position, end))
        position = skip(text, end)
    return found


def _bound_names(found: list[Token]) -> set[str]:
    """Names that ``let`` or a parameter gives another meaning than the table of that name."""
    pairs = list(zip(found, found[1:], strict=False))
    bound = {two.text for one, two in pairs if one.text == "let"}
    return bound | {one.text for one, two in pairs if two.text == ":"}


def _with_current(query: str, session: Session) -> str:
    found = tokens(query)
    for place in range(len(found) - 3, -1, -1):
        if [one.text for one in found[place : place + 3]] == ["cursor_current", "(", ")"]:
            query = f"{query[: found[place].start]}'{current(session)}'{query[found[place + 2].end :]}"
    return query


def told(query: str, session: Session) -> str | None:
    """The cursor that the answer to a query tells beside its rows: None if the query uses no cursor function."""
    used = {token.text for token in tokens(query)} & {"cursor_after", "cursor_before_or_at", "cursor_current"}
    return current(session) if used else None


def _bound(function: str, cursor: str) -> str:
    """A cursor's condition; the empty cursor stands before everything ("learn.microsoft.com, cursor_after()")."""
    if not cursor:
        return "(true)"
    if not _CURSOR.fullmatch(cursor):
        raise SemanticRefused(f"Semantic error: {function}(): '{cursor}' is not a database cursor")
    return f"({SEQUENCE} {'>' if function == 'cursor_after' else '<='} {int(cursor)})"


def _stretch(found: list[Token], place: int) -> tuple[list[Token], int]:
    """The ``where`` and named ``extend`` steps from a pipe on, and the position where they end."""
    kept: list[Token] = []
    end = found[place - 1].end
    while place + 1 < len(found) and found[place].text == "|":
        step = _step(found, place + 1)
        if step[0].text not in ("where", "filter", "extend") or (step[0].text == "extend" and not _all_named(step)):
            break
        kept += step
        end, place = step[-1].end, place + 1 + len(step)
    return kept, end


def _step(found: list[Token], place: int) -> list[Token]:
    """One step: up to the next pipe, semicolon or closing bracket that is not its own."""
    depth, step = 0, [found[place]]
    for token in found[place + 1 :]:
        if depth == 0 and token.text in ("|", ";", ")", "}", "]"):
            break
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        step.append(token)
    return step


def _all_named(step: list[Token]) -> bool:
    """Whether each column of an ``extend`` has a name of its own: a made-up one would tell of the rewriting."""
    depth, starts = 0, [1]
    for place, token in enumerate(step):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            starts.append(place + 1)
    return all(start + 1 < len(step) and step[start + 1].text == "=" for start in starts)


def name_of(token: Token) -> str | None:
    """What a token names, in brackets or not; None if it is no name."""
    if token.kind == "WORD":
        return token.text
    if token.kind != "BNAME":
        return None
    inner = token.text[1:-1].strip()
    return unquote(inner) if inner[0] in "'\"@" else inner
