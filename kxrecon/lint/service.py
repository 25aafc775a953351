"""Microsoft's language service behind a few plain values: what it says of a text, and which databases that reads.

Everything of .NET is in this module, and imported when it is first asked. Whatever a text holds, the answer is a
``Code``: an analyzer that gives up is a reason in words (``refused``), never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kxrecon.lint.columns import UNKNOWN, Columns
from kxrecon.lint.world import World
from kxrecon.model import Ref

# "This name is not among the things that the schema describes": a table, function, database of another tool.
UNKNOWN_NAMES = frozenset(f"KS{number}" for number in (142, 204, 205, 207, 208, 209, 210, 211, 247, 248, 260, 261))
UNKNOWN_COLUMN = "KS142"
# Other clusters and databases are what a schema need not describe; rules of their own speak of them.
ELSEWHERE = frozenset({"KS207", "KS208"})
TOO_COMPLEX = "KS245"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that it says. ``start`` counts characters of the text; ``text`` is what it is about.

    ``unknown``: about a name that nothing known has; ``scope``: the columns that it could have been.
    """

    code: str
    severity: str
    message: str
    start: int
    text: str
    unknown: bool = False
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """What it makes of a text. ``columns``: of its result; empty where that is not known.

    ``reads``: the databases that it names; ``open``: whether it reads some whose name cannot be told.
    ``refused``: why it was not judged; empty if it was.
    """

    diagnostics: tuple[Diagnostic, ...] = ()
    columns: Columns = ()
    reads: frozenset[str] = frozenset()
    open: bool = False
    refused: str = ""


@cache
def available() -> str:
    """Empty if the language service can be used, else why not and what would help."""
    if find_spec("kustology") is None:
        return "without the extra kxrecon[kql] the queries themselves were not checked"
    if not os.environ.get("DOTNET_ROOT") and (found := find_spec("dnv")) and found.submodule_search_locations:
        os.environ["DOTNET_ROOT"] = str(Path(next(iter(found.submodule_search_locations))) / "net" / "runtime" / ".net")
    os.environ.setdefault("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
    try:
        import kustology.bridge  # noqa: F401  starts the runtime
    except (RuntimeError, ImportError) as error:
        first = str(error).splitlines()[0]
        return f"the queries themselves were not checked: {first} (kxrecon[kql] needs .NET 8)"
    return ""


class Service:
    """The language service over the schema of a world; what the schema holds is told to it once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._globals: dict[str, Any] = {}

    def query(self, text: str, database: str) -> Code:
        """What it makes of a query in a database."""
        return self._judged(text, 0, len(text), database)

    def function(self, body: str, parameters: str, database: str) -> Code:
        """What it makes of a stored function's body."""
        head = f"let __body = {parameters} {{\n"
        return self._judged(f"{head}{body}\n}};", len(head), len(body), database)

    def _judged(self, text: str, start: int, length: int, database: str) -> Code:
        from Kusto.Language import KustoCode

        if not _is_text(text):
            return Code(refused="it holds half of a character")
        try:
            code = KustoCode.ParseAndAnalyze(text, self._state(database))
            found = [one for one in code.GetDiagnostics() if str(one.Code) not in ELSEWHERE]
            if not code.HasSemantics and any(str(one.Code) == TOO_COMPLEX for one in found):
                return Code(refused="it is too deeply nested")
            said = tuple(_diagnostic(code, one, text, start, length) for one in found)
            reads, is_open = _databases(code.Syntax)
            return Code(said, _columns(code.ResultType), reads, is_open)
        except (MemoryError, RecursionError, KeyboardInterrupt):
            raise
        except Exception as error:  # the analyzer is known to raise some, and .NET's have no base class of their own
            return Code(refused=f"{type(error).__name__}")

    def _state(self, home: str) -> Any:
        """The schema as the language service takes it, with a database as the current one."""
        if home not in self._globals:
            databases = self._databases
            symbol = databases.get(home) or _database(home, [])
            self._globals[home] = self._cluster.WithDatabase(symbol)
        return self._globals[home]

    @cached_property
    def _databases(self) -> dict[str, Any]:
        world = self._world
        symbols: dict[str, list[Any]] = {}
        for (database, table), columns in world.shapes.items():
            symbols.setdefault(database, []).append(_table(table, columns))
        for database in sorted({*symbols, *world.names}):
            into = symbols.setdefault(database, [])
            bodies = world.stored.functions(database).items()
            into += [self._function(database, name, body) for name, body in bodies if _is_text(body)]
        return {name: _database(name, members) for name, members in symbols.items()}

    def _function(self, database: str, name: str, body: str) -> Any:
        from Kusto.Language.Symbols import FunctionSymbol

        entity = self._world.get(Ref("function", (database, name)))
        fields: Mapping[str, Any] = entity.fields if entity is not None else {}
        return FunctionSymbol(name, str(fields.get("parameters") or "()"), f"{{\n{body}\n}}")

    @cached_property
    def _cluster(self) -> Any:
        from Kusto.Language import GlobalState
        from Kusto.Language.Symbols import DatabaseSymbol
        from System import Array

        state = GlobalState.Default
        return state.WithCluster(state.Cluster.WithDatabases(Array[DatabaseSymbol](list(self._databases.values()))))


def _is_text(text: str) -> bool:
    """Whether .NET can hold a text: half of a surrogate pair would end the whole process."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _database(name: str, members: list[Any]) -> Any:
    from Kusto.Language.Symbols import DatabaseSymbol, Symbol
    from System import Array

    return DatabaseSymbol(name, Array[Symbol](members))


def _table(name: str, columns: Columns) -> Any:
    from Kusto.Language.Symbols import TableSymbol

    quoted = ("['" + one.replace("\\", "\\\\").replace("'", "\\'") + f"']:{kind}" for one, kind in columns)
    return TableSymbol.From("(" + ", ".join(quoted) + ")").WithName(name)


def _diagnostic(code: Any, one: Any, text: str, start: int, length: int) -> Diagnostic:
    """A diagnostic, counted in characters (.NET counts UTF-16 units) from ``start`` and kept inside the text."""
    units = text.encode("utf-16-le", "surrogatepass")
    place = len(units[: one.Start * 2].decode("utf-16-le", "surrogatepass"))
    about = units[one.Start * 2 : (one.Start + one.Length) * 2].decode("utf-16-le", "surrogatepass")
    number = str(one.Code)
    # Where no column is in scope, the name of a table is wanted; the code is the same.
    table = code.GetColumnsInScope(one.Start) if number == UNKNOWN_COLUMN else None
    scope = tuple(str(each.Name) for each in table.Columns) if table is not None else ()
    at = min(max(place - start, 0), max(length - 1, 0))
    return Diagnostic(number, str(one.Severity), str(one.Message), at, about, number in UNKNOWN_NAMES, scope)


def _columns(result: Any) -> Columns:
    """The columns of a result; none where some may be unknown."""
    if not hasattr(result, "Columns") or getattr(result, "IsOpen", False):
        return ()
    kinds = ((str(one.Name), str(one.Type.Name)) for one in result.Columns)
    return tuple((name, UNKNOWN if kind == "unknown" else kind) for name, kind in kinds)


def _databases(root: Any) -> tuple[frozenset[str], bool]:
    """The databases that a tree reads, called functions included, and whether one has a name that cannot be told."""
    found, is_open = set[str](), False
    for call in _calls(root):
        if type(call.ReferencedSymbol).__name__ != "FunctionSymbol" or str(call.ReferencedSymbol.Name) == "cluster":
            is_open = True
        elif str(call.ReferencedSymbol.Name) == "database":
            named = str(call.ResultType.Name) if type(call.ResultType).__name__ == "DatabaseSymbol" else ""
            # A pattern stands for databases that nobody described, too.
            named = "" if "*" in call.ToString() else named
            found.update({named} if named else ())
            is_open = is_open or not named
    return frozenset(found), is_open


def _is_function(symbol: Any) -> bool:
    return type(symbol).__name__ == "FunctionSymbol"


def _calls(root: Any) -> Iterator[Any]:
    """Every call that happens: those in the functions called too, those in what is only declared not."""
    from Kusto.Language.Syntax import FunctionCallExpression, FunctionDeclaration, NameReference

    waiting = [root]
    while waiting:
        tree = waiting.pop()
        # A function without arguments may be called by its name alone.
        names = [one for one in tree.GetDescendants[NameReference]() if _is_function(one.ReferencedSymbol)]
        bare = [one for one in names if not isinstance(one.Parent, FunctionCallExpression)]
        for call in (*tree.GetDescendants[FunctionCallExpression](), *bare):
            if call.GetFirstAncestor[FunctionDeclaration]() is None:
                yield call
                body = call.GetCalledFunctionBody()
                waiting += [body] if body is not None else []
