"""The way of records through a query, and its result columns, as far as they follow from its text.

A table or a stored function, filtered, ordered, projected by name: that is what most exports are. What does not
follow from the text is None, *not derivable*, never a guess. (learn.microsoft.com, Tabular operators.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from kxrecon.kql_text import Token, significant

Columns = tuple[tuple[str, str], ...]
Tables = Mapping[tuple[str, ...], Columns]

# Operators that let every column through as it is.
KEEPING = frozenset({"where", "filter", "take", "limit", "order", "sort", "top", "sample", "as", "serialize"})
# Operators whose result has the columns that they list and no others.
CLOSING = frozenset({"project", "summarize", "distinct"})
# What a call gives, whatever it is called with.
GIVES = {
    **dict.fromkeys(("tostring", "strcat", "toupper", "tolower", "trim", "substring", "replace_string"), "string"),
    **dict.fromkeys(("todynamic", "parse_json", "bag_pack", "pack_all"), "dynamic"),
    **dict.fromkeys(("todatetime", "now", "ago", "ingestion_time", "startofday", "startofhour"), "datetime"),
    "toint": "int",
    "tolong": "long",
    "todouble": "real",
    "toreal": "real",
    "todecimal": "decimal",
    "tobool": "bool",
    "toguid": "guid",
    "totimespan": "timespan",
    "strlen": "long",
    "isnotempty": "bool",
}
UNKNOWN = ""  # the type of a column that is there, and nobody can say of which type
DEPTH = 8


class Functions(Protocol):
    """Stored functions by database; ``surroundings.Stored`` is one."""

    def functions(self, database: str) -> Mapping[str, str]:
        """Bodies by name."""


class Step(NamedTuple):
    """One operator with its arguments; ``function`` names the stored function in whose body it stands."""

    operator: str
    tokens: Sequence[Token]
    function: str

    @property
    def arguments(self) -> Sequence[Token]:
        """What follows the operator."""
        return self.tokens[3:] if "-" in self.operator else self.tokens[1:]


def _step(tokens: Sequence[Token], function: str) -> Step:
    """A step under its operator: the first word, or two with a hyphen (``project-away``)."""
    first = tokens[0].text
    hyphened = len(tokens) > 2 and tokens[1].text == "-"
    return Step(f"{first}-{tokens[2].text}" if hyphened else first, tokens, function)


@dataclass(frozen=True, slots=True)
class Flow:
    """The way of the records: from ``table`` (database, name; None if that cannot be told) through ``steps``.

    ``bound`` are the names that ``let`` gives a meaning of their own.
    """

    table: tuple[str, str] | None
    steps: tuple[Step, ...] = ()
    bound: frozenset[str] = frozenset()

    @property
    def closed(self) -> bool:
        """Whether the query itself lists its result columns: then columns added to its source change nothing."""
        return any(step.operator in CLOSING for step in self.steps)


def flow(
    tokens: Sequence[Token], database: str, functions: Functions, *, depth: int = DEPTH, function: str = ""
) -> Flow:
    """The way of the records through a query, followed into ``let`` statements and stored functions."""
    parts = statements(tokens)
    if not parts:
        return Flow(None)
    bound = {name: body for name, body in map(_let, parts[:-1]) if name}
    found = _followed(parts[-1], bound, _Place(database, functions, depth, function))
    return Flow(found.table, found.steps, found.bound | bound.keys()) if bound else found


class _Place(NamedTuple):
    """Where a piece of query stands."""

    database: str
    functions: Functions
    depth: int
    function: str


def _followed(tokens: Sequence[Token], bound: Mapping[str, Sequence[Token]], at: _Place) -> Flow:
    pipes = stages(tokens)
    if pipes is None or at.depth == 0:
        return Flow(None)
    steps = tuple([_step(pipe, at.function) for pipe in pipes[1:]])
    source = _source(pipes[0])
    if source is None:
        return Flow(None, steps)
    database, name = source
    if database is None and name in bound:
        inner = _followed(bound[name], {one: body for one, body in bound.items() if one != name}, at)
        return Flow(inner.table, (*inner.steps, *steps), inner.bound)
    where = database or at.database
    body = at.functions.functions(where).get(name)
    if body is None:
        return Flow((where, name), steps)
    # Of a function in another database it is not told which steps are whose: its place is not in this one.
    inside = name if where == at.database else f"{where}/{name}"
    inner = flow(_tokens(body), where, at.functions, depth=at.depth - 1, function=inside)
    return Flow(inner.table, (*inner.steps, *steps), inner.bound)


@lru_cache(maxsize=4096)
def _tokens(body: str) -> tuple[Token, ...]:
    """A function's body, without braces around it."""
    found = significant(body)
    wrapped = len(found) > 1 and (found[0].text, found[-1].text) == ("{", "}")
    return tuple(found[1:-1] if wrapped else found)


def statements(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """A text between its semicolons, without empty statements."""
    if ";" not in [part.text for part in tokens]:
        return [tokens] if tokens else []
    found: list[list[Token]] = [[]]
    depth = 0
    for part in tokens:
        if part.kind == "mark":
            depth += (part.text in "([{") - (part.text in ")]}")
            if part.text == ";" and depth <= 0:
                found.append([])
                continue
        found[-1].append(part)
    return [one for one in found if one]


def _let(statement: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """Name and value of ``let name = value``; no name for another statement."""
    if len(statement) > 3 and (statement[0].text, statement[2].text) == ("let", "="):
        return statement[1].text, statement[3:]
    return "", ()


def stages(parts: Sequence[Token]) -> list[list[Token]] | None:
    """One statement between its pipes; None if a bracket or a stage is missing."""
    found: list[list[Token]] = [[]]
    depth = 0
    for part in parts:
        if part.kind == "mark":
            depth += (part.text in "([{") - (part.text in ")]}")
            if part.text == "|" and depth == 0:
                found.append([])
                continue
        found[-1].append(part)
    return found if depth == 0 and all(found) else None


def _source(stage: Sequence[Token]) -> tuple[str | None, str] | None:
    """Database (None for the own one) and name that a stage starts from; None where it is not that simple."""
    if len(stage) == 1:
        return (None, stage[0].text) if stage[0].kind == "word" else None
    texts = [part.text for part in stage]
    if texts[0] == "[" and len(stage) == 3 and stage[1].kind == "string" and texts[2] == "]":
        return None, stage[1].name
    if texts[:2] == ["database", "("] and texts[3:5] == [")", "."] and stage[2].kind == "string":
        inner = _source(stage[5:])
        return (stage[2].name, inner[1]) if inner is not None and inner[0] is None else None
    if stage[0].kind == "word" and texts[1] == "(" and texts[-1] == ")" and _plain(stage[2:-1]):
        return None, texts[0]
    return None


def _plain(arguments: Sequence[Token]) -> bool:
    """Whether a call's arguments are literals only: then none of them is a table."""
    return all(part.kind in ("string", "number") or part.text in (",", "-", "true", "false") for part in arguments)


def result(flow: Flow, tables: Tables) -> Columns | None:
    """The result columns of a flow; None if they cannot be derived. A type may be UNKNOWN."""
    return on_the_way(flow, tables)[-1]


def on_the_way(flow: Flow, tables: Tables) -> list[Columns | None]:
    """The columns of the source, and those after each step; None where they cannot be derived."""
    columns = (tables.get(flow.table) or None) if flow.table is not None else None
    found = [columns]
    for step in flow.steps:
        columns = through(step, columns) or None if columns else None
        found.append(columns)
    return found


def through(step: Step, columns: Columns) -> Columns | None:
    """The columns after one more step; None if they cannot be derived."""
    operator = step.operator
    if operator in KEEPING:
        return columns
    change = _CHANGES.get(operator)
    items = list(_items(step.arguments)) if change else []
    return change(items, columns) if change and items and all(name for name, _ in items) else None


Items = list[tuple[str, Sequence[Token]]]


def _items(arguments: Sequence[Token]) -> Iterator[tuple[str, Sequence[Token]]]:
    """Name and expression of each ``name`` or ``name = expression``; no name where it is not that simple."""
    for part in between_commas(arguments):
        name, rest = _name(part)
        if rest and rest[0].text == "=" and len(rest) > 1 and rest[1].text not in ("=", "~"):
            yield name, rest[1:]
        else:
            yield ("" if rest else name), part


def between_commas(arguments: Sequence[Token]) -> list[list[Token]]:
    """Arguments, split at the commas that stand in no bracket."""
    found: list[list[Token]] = [[]]
    depth = 0
    for part in arguments:
        if part.kind == "mark":
            depth += (part.text in "([{") - (part.text in ")]}")
            if part.text == "," and depth == 0:
                found.append([])
                continue
        found[-1].append(part)
    return found


def _name(part: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The name that some tokens begin with (``A``, ``['A']``), and what follows it."""
    if part and part[0].kind == "word":
        return part[0].text, part[1:]
    if len(part) > 2 and part[0].text == "[" and part[1].kind == "string" and part[2].text == "]":
        return part[1].name, part[3:]
    return "", part


def _project(items: Items, columns: Columns) -> Columns | None:
    kinds = dict(columns)
    if any(_is_column(name, expression) and name not in kinds for name, expression in items):
        return None
    return tuple([(name, _kind(expression, kinds)) for name, expression in items])


def _is_column(name: str, expression: Sequence[Token]) -> bool:
    """Whether an item is nothing but the name of a column."""
    found, rest = _name(expression)
    return found == name and not rest


def _kind(expression: Sequence[Token], kinds: Mapping[str, str]) -> str:
    name, rest = _name(expression)
    if not rest:
        return kinds.get(name, UNKNOWN)
    closes = len(rest) > 1 and (rest[0].text, rest[-1].text) == ("(", ")") and stages(rest[1:-1]) is not None
    return GIVES.get(name, UNKNOWN) if closes else UNKNOWN


def _extend(items: Items, columns: Columns) -> Columns | None:
    """A column that is there already is taken away, and comes last again."""
    kinds, fresh = dict(columns), {name for name, _ in items}
    if any(_is_column(name, expression) for name, expression in items):
        return None
    return (
        *(one for one in columns if one[0] not in fresh),
        *((name, _kind(expression, kinds)) for name, expression in items),
    )


def _away(items: Items, columns: Columns) -> Columns | None:
    gone = {name for name, expression in items if _is_column(name, expression)}
    return tuple(one for one in columns if one[0] not in gone) if len(gone) == len(items) else None


def _rename(items: Items, columns: Columns) -> Columns | None:
    names = {_name(expression)[0]: name for name, expression in items if len(expression) in (1, 3)}
    known = len(names) == len(items) and names.keys() <= dict(columns).keys()
    return tuple((names.get(name, name), kind) for name, kind in columns) if known else None


_CHANGES = {"project": _project, "extend": _extend, "project-away": _away, "project-rename": _rename}
