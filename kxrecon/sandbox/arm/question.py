"""The piece of Kusto's language that questions to Resource Graph use, parsed with lark and evaluated on dicts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError

from kxrecon.sandbox.store import Document

Value = Any
Expression = Callable[[Document], Value]


class BadQuery(Exception):
    """The query does not parse, or asks for something that is not imitated."""


GRAMMAR = r"""
start: NAME ("|" operator)* ";"?
?operator: "where"i disjunction                        -> where
    | "project"i item ("," item)*                      -> project
    | "extend"i item ("," item)*                       -> extend
    | ("order"i | "sort"i) "by"i sort ("," sort)*      -> order
    | ("take"i | "limit"i) INT                         -> take
    | "count"i                                         -> count
item: (NAME "=")? operand
sort: operand (ASC | DESC)?
?disjunction: conjunction ("or"i conjunction)*
?conjunction: condition ("and"i condition)*
?condition: "not"i "(" disjunction ")"                 -> negation
    | "(" disjunction ")"
    | operand OP operand                               -> compare
    | operand MEMBER "(" operand ("," operand)* ")"    -> member
    | operand                                          -> truth
?operand: FUNCTION "(" operand ")"                     -> call
    | STRING                                           -> text
    | INT                                              -> number
    | ("true"i)                                        -> yes
    | ("false"i)                                       -> no
    | NAME part*                                       -> path
part: "." NAME | "[" STRING "]"
ASC.2: "asc"i
DESC.2: "desc"i
MEMBER.3: /(!in~|in~|!in|in)(?=\s*\()/i
OP.2: "=~" | "!~" | "==" | "!=" | "<=" | ">=" | "<" | ">"
    | /!?(contains_cs|contains|startswith|endswith|has)\b/i
FUNCTION.3: /(tolower|toupper|tostring|isnotempty|isempty|isnull|isnotnull|tobool)(?=\s*\()/i
STRING: /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
INT: /\d+/
COMMENT: /\/\/[^\n]*/
%ignore COMMENT
%ignore /\s+/
"""


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual")


def evaluate(text: str, rows: list[Document]) -> list[Document]:
    """The rows that a query answers. Raises BadQuery."""
    try:
        tree = _parser().parse(text)
    except (LarkError, RecursionError) as error:
        raise BadQuery(f"Query is invalid: {str(error).splitlines()[0]}") from None
    table, *operators = tree.children
    if str(table).lower() != "resources":
        raise BadQuery(f"Table {table} was not found (the sandbox has 'resources' only)")
    try:
        for operator in operators:
            assert isinstance(operator, Tree)
            rows = _OPERATORS[str(operator.data)](operator, rows)
    except RecursionError:
        raise BadQuery("Query is too deep") from None
    return rows


def _where(tree: Tree[Token], rows: list[Document]) -> list[Document]:
    condition = _expression(tree.children[0])
    return [row for row in rows if condition(row)]


def _project(tree: Tree[Token], rows: list[Document]) -> list[Document]:
    items = [_item(child) for child in tree.children]
    return [{name: value(row) for name, value in items} for row in rows]


def _extend(tree: Tree[Token], rows: list[Document]) -> list[Document]:
    items = [_item(child) for child in tree.children]
    return [{**row, **{name: value(row) for name, value in items}} for row in rows]


def _item(tree: Any) -> tuple[str, Expression]:
    """Name and value of a column; without a name, a path's segments are joined by ``_``."""
    *named, value = tree.children
    if named:
        return str(named[0]), _expression(value)
    if value.data != "path":
        raise BadQuery("A computed column needs a name")
    return "_".join(_segments(value)), _expression(value)


def _order(tree: Tree[Token], rows: list[Document]) -> list[Document]:
    for child in reversed(tree.children):
        assert isinstance(child, Tree)
        value = _expression(child.children[0])
        ascending = len(child.children) > 1 and str(child.children[1]).lower() == "asc"
        rows = sorted(rows, key=lambda row, of=value: str(of(row)), reverse=not ascending)  # type: ignore[misc]
    return rows


def _take(tree: Tree[Token], rows: list[Document]) -> list[Document]:
    return rows[: int(str(tree.children[0]))]


def _count(tree: Tree[Token], rows: list[Document]) -> list[Document]:
    return [{"Count": len(rows)}]


_OPERATORS: dict[str, Callable[[Tree[Token], list[Document]], list[Document]]] = {
    "where": _where,
    "project": _project,
    "extend": _extend,
    "order": _order,
    "take": _take,
    "count": _count,
}


def _expression(tree: Any) -> Expression:
    """A function of a row for any expression."""
    return _EXPRESSIONS[str(tree.data)](tree)


def _all(tree: Any) -> Expression:
    parts = [_expression(child) for child in tree.children]
    return lambda row: all(part(row) for part in parts)


def _any(tree: Any) -> Expression:
    parts = [_expression(child) for child in tree.children]
    return lambda row: any(part(row) for part in parts)


def _negation(tree: Any) -> Expression:
    part = _expression(tree.children[0])
    return lambda row: not part(row)


def _compare(tree: Any) -> Expression:
    left, operator, right = tree.children
    one, other, test = _expression(left), _expression(right), _COMPARISONS[str(operator).lower()]
    return lambda row: test(one(row), other(row))


def _member(tree: Any) -> Expression:
    left, operator, *choices = tree.children
    one, others = _expression(left), [_expression(choice) for choice in choices]
    name = str(operator).lower()
    same = _COMPARISONS["=~" if name.endswith("~") else "=="]
    return lambda row: any(same(one(row), other(row)) for other in others) != name.startswith("!")


def _path(tree: Any) -> Expression:
    segments = _segments(tree)

    def value(row: Document) -> Value:
        found: Value = row
        for segment in segments:
            found = found.get(segment) if isinstance(found, dict) else None
        return found

    return value


def _segments(tree: Any) -> list[str]:
    first, *parts = tree.children
    return [str(first), *(_unquote(str(part.children[0])) for part in parts)]


def _call(tree: Any) -> Expression:
    function, operand = _FUNCTIONS[str(tree.children[0]).lower()], _expression(tree.children[1])
    return lambda row: function(operand(row))


def _unquote(text: str) -> str:
    return text[1:-1].replace("\\'", "'").replace('\\"', '"').replace("\\\\", "\\") if text[:1] in "'\"" else text


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _constant(value: Value) -> Expression:
    return lambda row: value


_COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "=~": lambda one, other: _text(one).lower() == _text(other).lower(),
    "!~": lambda one, other: _text(one).lower() != _text(other).lower(),
    "==": lambda one, other: _text(one) == _text(other),
    "!=": lambda one, other: _text(one) != _text(other),
    "<": lambda one, other: _text(one) < _text(other),
    ">": lambda one, other: _text(one) > _text(other),
    "<=": lambda one, other: _text(one) <= _text(other),
    ">=": lambda one, other: _text(one) >= _text(other),
    "contains": lambda one, other: _text(other).lower() in _text(one).lower(),
    "!contains": lambda one, other: _text(other).lower() not in _text(one).lower(),
    "contains_cs": lambda one, other: _text(other) in _text(one),
    "!contains_cs": lambda one, other: _text(other) not in _text(one),
    "has": lambda one, other: _text(other).lower() in _text(one).lower(),
    "!has": lambda one, other: _text(other).lower() not in _text(one).lower(),
    "startswith": lambda one, other: _text(one).lower().startswith(_text(other).lower()),
    "!startswith": lambda one, other: not _text(one).lower().startswith(_text(other).lower()),
    "endswith": lambda one, other: _text(one).lower().endswith(_text(other).lower()),
    "!endswith": lambda one, other: not _text(one).lower().endswith(_text(other).lower()),
}

_FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "tolower": lambda value: _text(value).lower(),
    "toupper": lambda value: _text(value).upper(),
    "tostring": _text,
    "tobool": lambda value: _text(value).lower() == "true",
    "isempty": lambda value: _text(value) == "",
    "isnotempty": lambda value: _text(value) != "",
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
}

_EXPRESSIONS: dict[str, Callable[[Any], Expression]] = {
    "conjunction": _all,
    "disjunction": _any,
    "negation": _negation,
    "compare": _compare,
    "member": _member,
    "truth": lambda tree: _expression(tree.children[0]),
    "call": _call,
    "text": lambda tree: _constant(_unquote(str(tree.children[0]))),
    "number": lambda tree: _constant(int(tree.children[0])),
    "yes": lambda tree: _constant(True),
    "no": lambda tree: _constant(False),
    "path": _path,
}
