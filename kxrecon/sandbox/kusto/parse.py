"""From command text to a ``Command``: the name of its grammar alternative and its arguments."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark, Transformer, Tree
from lark.exceptions import LarkError, UnexpectedInput

from kxrecon.sandbox.kusto.lexer import SCAN, KustoLexer, Unreadable, mask, skip, unquote
from kxrecon.sandbox.kusto.values import Literal, typed, unit_ticks


class SyntaxProblem(Exception):
    """The text is no command that the sandbox knows; the message names the place."""


@dataclass(frozen=True, slots=True)
class Command:
    """One parsed command: ``name`` is the grammar's alias, ``query`` what followed a pipe (or None)."""

    name: str
    arguments: dict[str, Any]
    text: str = ""
    query: str | None = None


class _Build(Transformer):  # type: ignore[type-arg]
    """Grammar nodes to plain values; a labelled rule becomes a (label, value) pair."""

    def __default__(self, data: Any, children: list[Any], meta: Any) -> Any:
        if data.startswith("_"):
            return Tree(data, children)  # lark itself splices these into their parent
        kind, _, label = str(data).partition("_")
        if kind == "a" and label:
            return (label, children[0])
        if kind == "l" and label:
            return (label, [child for child in children if child is not None])
        if kind == "f" and label:
            return (label, True)
        if kind == "w" and label:
            return (label, str(children[0]))
        return Command(str(data), dict(child for child in children if child is not None))

    def bare_name(self, c: list[Any]) -> str:
        return str(c[0])

    def quoted_name(self, c: list[Any]) -> str:
        inner = str(c[0])[1:-1].strip()
        return unquote(inner) if inner[0] in "hH@'\"`~" and not inner[-1].isalnum() else inner

    def string(self, c: list[Any]) -> Literal:
        return Literal("string", "".join(unquote(str(part)) for part in c), any(part[0] in "hH" for part in c))

    def unit_timespan(self, c: list[Any]) -> Literal:
        return Literal("timespan", unit_ticks(str(c[0])))

    def typed_timespan(self, c: list[Any]) -> Literal:
        value = typed(str(c[0]))
        if value.kind != "timespan":
            raise ValueError("expected a timespan")
        return value

    def long(self, c: list[Any]) -> Literal:
        return Literal("long", int(str(c[-1]), 0) if "x" in c[-1].lower() else int(c[-1]))

    def real(self, c: list[Any]) -> Literal:
        return Literal("real", float(c[-1]))

    def guid(self, c: list[Any]) -> Literal:
        return Literal("guid", str(c[0]).lower())

    def true(self, c: list[Any]) -> Literal:
        return Literal("bool", True)

    def false(self, c: list[Any]) -> Literal:
        return Literal("bool", False)

    def word_literal(self, c: list[Any]) -> Literal:
        words = {"True": True, "False": False, "TRUE": True, "FALSE": False}
        if str(c[0]) not in words:
            raise ValueError(f"'{c[0]}' is no literal")
        return Literal("bool", words[str(c[0])])

    def typed(self, c: list[Any]) -> Literal:
        return typed(str(c[0]))

    def type(self, c: list[Any]) -> str:
        return str(c[0])

    def property(self, c: list[Any]) -> tuple[str, Literal]:
        return (c[0], c[1])

    def properties(self, c: list[Any]) -> tuple[str, dict[str, Literal]]:
        return ("properties", dict(c))

    def column(self, c: list[Any]) -> tuple[str, str]:
        return (c[0], c[1])

    def columns(self, c: list[Any]) -> tuple[str, list[tuple[str, str]]]:
        return ("columns", list(c))

    def virtual_string(self, c: list[Any]) -> dict[str, Any]:
        return _partition(c[0], "string")

    def column_string(self, c: list[Any]) -> dict[str, Any]:
        return _partition(c[0], "string", column=c[1])

    def virtual_datetime(self, c: list[Any]) -> dict[str, Any]:
        return _partition(c[0], "datetime")

    def start_datetime(self, c: list[Any]) -> dict[str, Any]:
        return _partition(c[0], "datetime", str(c[1]), c[2])

    def bin_datetime(self, c: list[Any]) -> dict[str, Any]:
        return _partition(c[0], "datetime", "bin", c[1], c[2].value)

    def hash_long(self, c: list[Any]) -> dict[str, Any]:
        return _partition(c[0], "long", "hash", c[1], int(c[2]))

    def start_of(self, c: list[Any]) -> str:
        return str(c[0])

    def path_part(self, c: list[Any]) -> list[Any]:
        return [child for child in c if child is not None]

    def path_text(self, c: list[Any]) -> list[str]:
        return ["text", c[0].value]

    def path_name(self, c: list[Any]) -> list[str]:
        return ["name", c[0]]

    def path_pattern(self, c: list[Any]) -> list[str]:
        return ["datetime_pattern", c[0].value, c[1]]

    def window(self, c: list[Any]) -> tuple[str, str]:
        return (typed(str(c[0])).value, typed(str(c[1])).value)

    def schema(self, c: list[Any]) -> tuple[str, list[tuple[str, str]]]:
        return (c[0], c[1][1])

    def doc(self, c: list[Any]) -> tuple[str, str]:
        return (c[0], c[1].value)

    def rename(self, c: list[Any]) -> tuple[str, str, bool]:
        return (c[0], c[1], len(c) > 2 and c[2] is not None)

    def scalar_parameter(self, c: list[Any]) -> tuple[str, str, Literal | None]:
        return (c[0], c[1], c[2] if len(c) > 2 else None)

    def any_table(self, c: list[Any]) -> tuple[str, str, None]:
        return (c[0], "(*)", None)

    def typed_table(self, c: list[Any]) -> tuple[str, str, None]:
        return (c[0], "(" + ", ".join(f"{name}:{kind}" for name, kind in c[1][1]) + ")", None)


def _partition(
    name: str, kind: str, function: str | None = None, column: str | None = None, argument: int | None = None
) -> dict[str, Any]:
    return {"name": name, "type": kind, "function": function, "column": column, "argument": argument}


EXPORTS = re.compile(r"\.\s*(export\b|\S+\s+(continuous-export|external)\b)")
_BUILDING = threading.Lock()


def _parser(text: str) -> Lark:
    """The parser of the text's group of commands: building one takes a tenth of a second, all of them three."""
    group = "show" if text.startswith(".show") else "exports" if EXPORTS.match(text) else "changes"
    with _BUILDING:  # cache alone would let each of the first concurrent commands build the grammar
        return _built(group)


@cache
def _built(group: str) -> Lark:
    folder = resources.files(__package__).joinpath("grammar")
    grammar = "".join(folder.joinpath(f"{name}.lark").read_text("utf-8") for name in ("shared", group))
    return Lark(grammar, parser="lalr", lexer=KustoLexer, transformer=_Build(), maybe_placeholders=False)


def parse(text: str) -> Command:
    """The command in ``text``; SyntaxProblem when it is none of those the sandbox knows."""
    command, query = split(text)
    try:
        parsed = _parser(command[skip(command, 0) :]).parse(command)
    except UnexpectedInput as problem:
        place = problem.pos_in_stream if problem.pos_in_stream is not None else len(command)
        near = mask(command)[place : place + 40] or "the end"
        raise SyntaxProblem(f"The command could not be parsed near '{near}' (position {place})") from problem
    except Unreadable as problem:
        raise SyntaxProblem(f"{problem} (position {problem.position})") from problem
    except LarkError as problem:
        cause = getattr(problem, "orig_exc", None) or problem
        raise SyntaxProblem(f"The command could not be parsed: {cause}") from problem
    except ValueError as problem:
        raise SyntaxProblem(f"The command could not be parsed: {problem}") from problem
    if not isinstance(parsed, Command):
        raise SyntaxProblem("The command could not be parsed")
    return Command(parsed.name, parsed.arguments, command, query)


def split(text: str) -> tuple[str, str | None]:
    """Command and the query piped after it (``.show … | where …``); nothing is piped after ``<|``."""
    position, depth = skip(text, 0), 0
    while position < len(text):
        match = SCAN.match(text, position)
        if match is None or match.group() == "<|":
            return text, None
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(match.group(), 0)
        if match.group() == "|" and depth == 0:
            return text[:position], text[match.end() :]
        position = skip(text, match.end())
    return text, None
