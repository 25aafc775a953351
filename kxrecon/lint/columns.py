"""The result columns of a query, where they follow from its text without a language service.

A table or a stored function without parameters, filtered, ordered, limited, projected by name: that is what
most exports are. Everything else is None, *not derivable*, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from kxrecon.kql_text import Token, significant, unquote

Columns = tuple[tuple[str, str], ...]
Tables = Mapping[tuple[str, ...], Columns]

# Operators that let every column through as it is (learn.microsoft.com, Tabular operators).
KEEPING = frozenset({"where", "filter", "take", "limit", "order", "sort", "top", "sample", "as", "serialize"})
DEPTH = 8


class Functions(Protocol):
    """Stored functions by database; ``derive.Stored`` is one."""

    def functions(self, database: str) -> Mapping[str, str]:
        """Bodies by name."""


def result(
    query: str,
    database: str,
    tables: Tables,
    functions: Functions,
    *,
    depth: int = DEPTH,
    tokens: Sequence[Token] | None = None,
) -> Columns | None:
    """The columns of ``query`` in ``database``; None if they cannot be derived."""
    pipes = stages(significant(query)) if tokens is None else stages(tokens)
    if pipes is None or not pipes or depth == 0:
        return None
    found = _source(pipes[0], database, tables, functions, depth)
    for stage in pipes[1:]:
        found = _through(stage, found) if found is not None else None
    return found


def stages(parts: Sequence[Token]) -> list[list[Token]] | None:
    """The query between its pipes; None if it is more than one statement."""
    found: list[list[Token]] = [[]]
    depth = 0
    for part in parts:
        if part.kind not in ("word", "string", "number"):
            depth += (part.text in "([{") - (part.text in ")]}")
            if part.text == ";":
                return None
            if part.text == "|" and depth == 0:
                found.append([])
                continue
        found[-1].append(part)
    return found if all(found) else None


def _source(stage: Sequence[Token], database: str, tables: Tables, functions: Functions, depth: int) -> Columns | None:
    words = [part.text for part in stage]
    if len(words) == 1:
        return tables.get((database, words[0])) or _called(words[0], database, tables, functions, depth)
    if len(words) == 3 and (words[0], words[2]) == ("[", "]") and stage[1].kind == "string":
        name = unquote(words[1])
        return tables.get((database, name)) or _called(name, database, tables, functions, depth)
    if len(words) == 3 and words[1:] == ["(", ")"]:
        return _called(words[0], database, tables, functions, depth)
    return None


def _called(name: str, database: str, tables: Tables, functions: Functions, depth: int) -> Columns | None:
    body = functions.functions(database).get(name)
    if not isinstance(body, str):
        return None
    inner = body.strip().removeprefix("{").removesuffix("}").strip().removesuffix(";")
    return result(inner, database, tables, functions, depth=depth - 1)


def _through(stage: Sequence[Token], columns: Columns) -> Columns | None:
    texts = [part.text for part in stage]
    operator, names = ("-".join(texts[:3:2]), texts[3:]) if texts[1:2] == ["-"] else (texts[0], texts[1:])
    if operator in KEEPING:
        return columns
    listed = names[::2]
    if len(names) % 2 == 0 or any(mark != "," for mark in names[1::2]):
        return None
    kinds = dict(columns)
    if operator == "project-away" and all(name in kinds for name in listed):
        return tuple(column for column in columns if column[0] not in listed)
    if operator == "project" and all(name in kinds for name in listed):
        return tuple((name, kinds[name]) for name in listed)
    return None
