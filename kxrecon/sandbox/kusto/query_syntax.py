"""Is this text a KQL query? Asked when a query or function body is stored, as Kusto itself parses both then."""

from __future__ import annotations

import threading
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedInput

from kxrecon.sandbox.kusto.errors import SyntaxRefused
from kxrecon.sandbox.kusto.lexer import KustoLexer, Unreadable, mask

_BUILDING = threading.Lock()


def check(text: str) -> None:
    """Raise SyntaxRefused when the text cannot be a query, or a list of statements."""
    with _BUILDING:
        parser = _parser()
    try:
        for body in parser.parse(text).find_data("body"):
            check(_inner(body))
    except UnexpectedInput as problem:
        place = problem.pos_in_stream if problem.pos_in_stream is not None else len(text)
        near = mask(text)[place : place + 40] or "the end"
        raise SyntaxRefused(f"Syntax error: Query could not be parsed near '{near}' (position {place})") from problem
    except Unreadable as problem:
        raise SyntaxRefused(f"Syntax error: {problem} (position {problem.position})") from problem


def _inner(body: Any) -> str:
    return str(body.children[0])[1:-1]


@cache
def _parser() -> Lark:
    grammar = resources.files(__package__).joinpath("grammar", "query.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer=KustoLexer, maybe_placeholders=False)
