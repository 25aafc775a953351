"""KX13x: Microsoft's language service judges the queries, offline (extra ``kql``: PyPI ``kustology`` and .NET 8).

It knows the language, the schema comes from the spec and the last read. A name that the spec need not hold
(a table of another tool) is no finding: only what is wrong whatever else is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kxrecon.lint.columns import Columns
from kxrecon.lint.results import difference
from kxrecon.lint.rules import Export, Lint, Rule, Said, World
from kxrecon.model import Ref

# "This name is not among the things that the schema describes": a table, function, database of another tool.
UNKNOWN_NAMES = frozenset(f"KS{number}" for number in (142, 204, 205, 207, 208, 209, 210, 211, 247, 248, 260, 261))


def _judged_elsewhere(export: Export) -> Iterator[Said]:
    """Rules of the language service run all at once, in ``judge``."""
    return iter(())


RULES = (
    Rule("KX130", "error", "the language service finds a mistake in the query", "query", _judged_elsewhere),
    Rule("KX131", "warning", "the language service warns about the query", "query", _judged_elsewhere),
)


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


def judge(world: World) -> tuple[list[Lint], str]:
    """The findings of the language service, and why there are none if it cannot be used."""
    exports = list(world.exports())
    if not exports or (why := available()):
        return [], why if exports else ""
    return [lint for export in exports for lint in _findings(export, _state(world, export.database))], ""


def _findings(export: Export, state: Any) -> Iterator[Lint]:
    from Kusto.Language import KustoCode

    code = KustoCode.ParseAndAnalyze(export.query, state)
    label, path = export.entity.ref.label, (*export.entity.path, "query")
    found = list(code.GetDiagnostics())
    unknown = any(str(one.Code) in UNKNOWN_NAMES for one in found)
    mistakes = [one for one in found if str(one.Code) not in UNKNOWN_NAMES]
    for one in mistakes:
        # Where the source is unknown, so are its columns: what follows from that is no mistake.
        error = str(one.Severity) == "Error"
        if unknown and str(one.Category) == "Correctness":
            continue
        offset = len(export.query.encode("utf-16-le")[: one.Start * 2].decode("utf-16-le"))
        rule = RULES[0] if error else RULES[1]
        remedy = f"{one.Code} of Microsoft's language service"
        yield Lint(rule.code, rule.severity, label, str(one.Message), remedy, path, offset)
    if not unknown and not any(str(one.Severity) == "Error" for one in mistakes):
        yield from _columns(export, code)


def _columns(export: Export, code: Any) -> Iterator[Lint]:
    wanted: Columns = tuple((export.table.fields.get("columns") or ()) if export.table else ())
    result = code.ResultType
    if not wanted or not hasattr(result, "Columns") or (hasattr(result, "IsOpen") and result.IsOpen):
        return
    found = tuple((str(one.Name), str(one.Type.Name)) for one in result.Columns)
    if found != wanted:
        path = (*export.entity.path, "query")
        remedy = "project the external table's columns, in their order, at the end of the query"
        yield Lint("KX101", "error", export.entity.ref.label, difference(found, wanted), remedy, path)


def _state(world: World, home: str) -> Any:
    """The schema as the language service takes it: every known database, the export's own as the current one."""
    from Kusto.Language import GlobalState
    from Kusto.Language.Symbols import DatabaseSymbol, Symbol
    from System import Array

    names = sorted({name for name, _ in world.tables} | {home} | _function_databases(world))
    databases = [DatabaseSymbol(name, Array[Symbol](_symbols(world, name))) for name in names]
    state = GlobalState.Default
    state = state.WithCluster(state.Cluster.WithDatabases(Array[DatabaseSymbol](databases)))
    return state.WithDatabase(databases[names.index(home)])


def _function_databases(world: World) -> set[str]:
    states = [state for state in (world.observed, world.desired) if state is not None]
    return {ref.name[0] for state in states for ref in state.entities if ref.kind == "function"}


def _symbols(world: World, database: str) -> list[Any]:
    from Kusto.Language.Symbols import FunctionSymbol, TableSymbol

    tables = [
        TableSymbol.From(_csl(columns)).WithName(table)
        for (where, table), columns in world.tables.items()
        if where == database
    ]
    functions = [
        FunctionSymbol(name, _parameters(world, database, name), body)
        for name, body in world.stored.functions(database).items()
        if isinstance(body, str)
    ]
    return [*tables, *functions]


def _parameters(world: World, database: str, name: str) -> str:
    entity = world.get(Ref("function", (database, name)))
    fields: Mapping[str, Any] = entity.fields if entity is not None else {}
    return str(fields.get("parameters") or "()")


def _csl(columns: Columns) -> str:
    quoted = ("['" + name.replace("\\", "\\\\").replace("'", "\\'") + f"']:{kind}" for name, kind in columns)
    return "(" + ", ".join(quoted) + ")"
