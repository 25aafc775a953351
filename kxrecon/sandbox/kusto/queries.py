"""What a query mentions: local tables, functions, other databases. Found by its tokens, not by guessing text."""

from __future__ import annotations

from dataclasses import dataclass, field

from kxrecon.sandbox.kusto.lexer import SCAN, skip, unquote
from kxrecon.sandbox.kusto.session import Session

Token = tuple[str, str]


def tokens(text: str) -> list[Token]:
    """(kind, text) of each token; unreadable characters are passed over as marks."""
    found = []
    position = skip(text, 0)
    while position < len(text):
        match = SCAN.match(text, position)
        if match is None:
            found.append(("MARK", text[position]))
            position = skip(text, position + 1)
            continue
        found.append((str(match.lastgroup), match.group()))
        position = skip(text, match.end())
    return found


@dataclass
class Mentions:
    """Names of local tables, of other databases' tables as (db, table), and of stored functions."""

    tables: set[str] = field(default_factory=set)
    foreign: set[tuple[str, str]] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    external: set[str] = field(default_factory=set)


def mentions(session: Session, query: str) -> Mentions:
    """Everything the query reads, through stored functions too."""
    found = Mentions()
    _walk(session, query, found, session.database)
    return found


def _name(token: Token) -> str | None:
    kind, text = token
    if kind == "WORD":
        return text
    if kind == "BNAME":
        inner = text[1:-1].strip()
        return unquote(inner) if inner[0] in "'\"@" else inner
    return None


def _walk(session: Session, query: str, found: Mentions, home: str) -> None:
    stream = tokens(query)
    for index, token in enumerate(stream):
        name = _name(token)
        before = stream[index - 1][1] if index else ""
        after = stream[index + 1][1] if index + 1 < len(stream) else ""
        if name is None:
            continue
        if name in ("database", "cluster", "external_table", "table") and after == "(":
            _call(session, name, stream[index:], found)
        elif before != "." and session.find("function", name) is not None and name not in found.functions:
            found.functions.add(name)
            _walk(session, str(session.get("function", name)["body"])[1:-1], found, home)
        elif before != "." and session.find("table", name) is not None:
            found.tables.add(name)


def _call(session: Session, name: str, stream: list[Token], found: Mentions) -> None:
    """``database("X").T``, ``external_table("E")``, ``table("T")`` with a literal argument."""
    if len(stream) < 4 or stream[2][0] != "STRING":
        return
    argument = unquote(stream[2][1])
    if name == "external_table":
        found.external.add(argument)
    elif name == "table" and session.find("table", argument) is not None:
        found.tables.add(argument)
    elif name == "database":
        target = _name(stream[5]) if len(stream) > 5 and stream[4][1] == "." else None
        if argument.lower() == session.database_name.lower():
            if target and session.find("table", target) is not None:
                found.tables.add(target)
        else:
            found.foreign.add((argument, target or ""))
    elif name == "cluster":
        found.foreign.add(("", argument))
