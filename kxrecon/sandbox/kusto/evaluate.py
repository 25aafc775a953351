"""Queries, really evaluated: the stored rows in a throw-away DuckDB, the KQL translated by duckdb-kql (an extra).

What the translator cannot do is refused as "not imitated", never answered with wrong rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.kusto import getschema, let_functions, values
from kxrecon.sandbox.kusto.answers import Answer, Columns
from kxrecon.sandbox.kusto.cursor_functions import INGESTED, SEQUENCE, Copies
from kxrecon.sandbox.kusto.errors import NotImitated, SemanticRefused, SyntaxRefused
from kxrecon.sandbox.kusto.queries import Mentions, mentions
from kxrecon.sandbox.kusto.query_syntax import check
from kxrecon.sandbox.kusto.session import Caller, Session
from kxrecon.sandbox.store import Document, Store
from kxrecon.sandbox.switches import Switches

DUCK = {
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "decimal": "DECIMAL(38, 17)",
    "dynamic": "JSON",
    "guid": "UUID",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "string": "VARCHAR",
    "timespan": "INTERVAL",
}
_DECIMAL = re.compile(r"\bdecimal\s*\(")
_INEXACT = re.compile(
    r"/(?!/)|\b(?:tostring|strcat\w*|avg\w*|toreal|todouble|round|stdev\w*|variance\w*|percentile\w*)\s*\("
)
_WORD = re.compile(r"\w+")
NOBODY = Caller("", "", frozenset(), frozenset())
PIPED = "CommandResult"


def run(
    store: Store,
    cluster_uri: str,
    database: str,
    query: str,
    rows_after: Mapping[str, int] | None = None,
    rows_until: int | None = None,
) -> tuple[Columns, list[list[Any]]]:
    """Columns and rows of a query over the stored rows of ``database`` (the key of its document).

    ``rows_after``: per fact table, the sequence after which rows count; ``rows_until``: the last sequence that
    counts in those tables. Raises NotImitated, or Kusto's refusal for a query that is wrong.
    """
    check(query)
    if _DECIMAL.search(query):
        raise NotImitated("decimals written in a query: they would be evaluated as binary fractions")
    session = Session(store, Clock(store), cluster_uri, Switches(), NOBODY, database)
    inner = getschema.without(query)
    if inner is not None:
        shape, _ = run(store, cluster_uri, database, inner, rows_after, rows_until)
        seen = mentions(session, inner)
        texts = [inner, *(str(session.get("function", name)["body"]) for name in sorted(seen.functions))]
        found = getschema.schema(texts, shape, _known(session, seen))
        return found.columns, found.rows
    duckdb, translate = _libraries()
    connection = duckdb.connect(":memory:")
    try:
        seen = mentions(session, query)
        _check_decimals(query, _known(session, seen))
        copies = Copies(session)
        query, functions = copies.rewritten(let_functions.plain(query)), _functions(session, seen, copies)
        with _imitated():
            _load(connection, session, seen, rows_after or {}, rows_until)
            for table, name in copies.names.items():
                _load_copy(connection, session, table, name, (rows_after or {}).get(table), rows_until)
        connection.execute("SET enable_external_access=false")
        return _evaluate(connection, translate, query, session.database_name, functions, session.now)
    finally:
        connection.close()


def pipe(table: Answer, query: str, now: datetime) -> Answer:
    """A command's answer filtered by what followed its pipe; ``now`` is the sandbox's time."""
    duckdb, translate = _libraries()
    connection = duckdb.connect(":memory:")
    try:
        with _imitated():
            connection.execute("ATTACH ':memory:' AS \"piped\"")
            _fill(connection, "piped", PIPED, table.columns, table.rows)
        columns, rows = _evaluate(connection, translate, f"{PIPED} | {query}", "piped", [], now)
        return Answer(columns, rows)
    finally:
        connection.close()


def _libraries() -> tuple[Any, Any]:
    try:
        import duckdb
        import duckdb_kql
    except ImportError as problem:
        raise NotImitated("evaluating queries needs the extra: pip install 'kxrecon[sandbox]'") from problem
    return duckdb, duckdb_kql


@contextmanager
def _imitated() -> Iterator[None]:
    """A stored value that DuckDB cannot hold ends as a refusal, whoever stored it."""
    import duckdb

    try:
        yield
    except (duckdb.Error, TypeError, ValueError, OverflowError) as problem:
        raise NotImitated(f"a stored value: {_first_line(problem)}") from problem


def _check_decimals(query: str, columns: set[tuple[str, str]]) -> None:
    """Refuse what would turn a decimal into another number, or into a text with more digits than it has."""
    decimals = {name for name, kind in columns if kind == "decimal"}
    if decimals & set(_WORD.findall(query)) and _INEXACT.search(query):
        raise NotImitated("decimals in a division, an average or a text: DuckDB gives other digits than Kusto")


def _known(session: Session, seen: Mentions) -> set[tuple[str, str]]:
    """The columns of all tables that a query mentions."""
    found = {column for table in seen.tables for column in _shape(session, table)}
    for name, table in seen.foreign:
        other = session.within(name) if name else None
        if other is not None and table and other.find("table", table) is not None:
            found |= set(_shape(other, table))
    return found


# ---- rows in
def _load(connection: Any, session: Session, seen: Mentions, after: Mapping[str, int], until: int | None) -> None:
    connection.execute(f"ATTACH ':memory:' AS {_quoted(session.database_name)}")
    for table in sorted(seen.tables):
        _load_table(connection, session, table, after.get(table), until if table in after else None)
    for name in sorted({database for database, _ in seen.foreign}):
        if not name:
            raise NotImitated("queries over other clusters")
        other = session.within(name)
        connection.execute(f"ATTACH ':memory:' AS {_quoted(name)}")
        for table in sorted({table for database, table in seen.foreign if database == name}):
            if table and other.find("table", table) is not None:
                _load_table(connection, other, table, None, None, name)


def _load_table(
    connection: Any, session: Session, table: str, after: int | None, until: int | None, where: str = ""
) -> None:
    rows = [row["values"] for _, row in _stored(session, table, after, until)]
    _fill(connection, where or session.database_name, table, _shape(session, table), rows)


def _load_copy(connection: Any, session: Session, table: str, name: str, after: int | None, until: int | None) -> None:
    """A copy of a table with the ingestion time and the sequence of each row."""
    shape = _shape(session, table)
    stored = _stored(session, table, after, until if after is not None else None)
    full = [[*row["values"], *[None] * (len(shape) - len(row["values"]))][: len(shape)] for _, row in stored]
    rows = [[*cells, row["ingested"], key] for cells, (key, row) in zip(full, stored, strict=True)]
    _fill(connection, session.database_name, name, (*shape, (INGESTED, "datetime"), (SEQUENCE, "long")), rows)


def _shape(session: Session, table: str) -> Columns:
    return tuple((str(name), str(kind)) for name, kind in session.get("table", table)["columns"])


def _stored(session: Session, table: str, after: int | None, until: int | None) -> list[tuple[int, Document]]:
    """Sequence and document of each row of a table within the bounds."""
    stored = ((int(key[3]), row) for key, row in session.store.all("rows", session.uri, session.database, table))
    return [(at, row) for at, row in stored if (after is None or at > after) and (until is None or at <= until)]


def _fill(connection: Any, database: str, table: str, shape: Columns, rows: Sequence[Sequence[Any]]) -> None:
    target = f"{_quoted(database)}.{_quoted(table)}"
    connection.execute(f"CREATE TABLE {target} ({', '.join(f'{_quoted(n)} {DUCK[k]}' for n, k in shape)})")
    if rows:
        marks = ", ".join("?" for _ in shape)
        kinds = [kind for _, kind in shape]
        cells = [[_inward(cell, kind) for cell, kind in zip(row, kinds, strict=False)] for row in rows]
        cells = [row + [None] * (len(kinds) - len(row)) for row in cells]
        connection.executemany(f"INSERT INTO {target} VALUES ({marks})", cells)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _inward(cell: Any, kind: str) -> Any:
    if cell is None:
        return None
    if kind == "datetime":
        return values.when(cell).replace(tzinfo=None)
    if kind == "timespan":
        return timedelta(microseconds=values.whole_micros(values.ticks(cell)) // 10)
    if kind == "decimal":
        return Decimal(values.decimal(str(cell)))
    return json.dumps(cell) if kind == "dynamic" else cell


# ---- the query
def _functions(session: Session, seen: Mentions, copies: Copies) -> list[str]:
    found = [session.get("function", name) for name in sorted(seen.functions)]
    return [copies.rewritten(f"function {one['name']}{one['parameters']} {one['body']}") for one in found]


def _evaluate(
    connection: Any, library: Any, query: str, database: str, functions: list[str], now: datetime
) -> tuple[Columns, list[list[Any]]]:
    import duckdb
    from duckdb_kql.types import kusto_type

    try:
        connection.execute(f"USE {_quoted(database)}")
        given = {"database": database, "functions": functions or None, "query_now": now}
        relation = library.kql(connection, query, allow_write=False, **given)
        shape = tuple((str(n), str(kusto_type(k))) for n, k in zip(relation.columns, relation.types, strict=True))
        rows = relation.fetchall()
    except library.KqlSyntaxError as problem:
        raise SyntaxRefused(f"Syntax error: {problem}") from problem
    except library.KqlSchemaError as problem:
        raise SemanticRefused(f"Semantic error: SEM0100: {problem}") from problem
    except library.KqlUnsupportedError as problem:
        raise NotImitated(str(problem)) from problem
    except (duckdb.BinderException, duckdb.CatalogException) as problem:
        raise SemanticRefused(f"Semantic error: SEM0100: {_first_line(problem)}") from problem
    except (duckdb.Error, library.KqlError, TypeError, ValueError) as problem:
        raise NotImitated(_first_line(problem)) from problem
    kinds = [kind for _, kind in shape]
    return shape, [[_outward(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in rows]


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]


def _outward(cell: Any, kind: str) -> Any:
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, datetime):
        return values.iso(cell.replace(tzinfo=cell.tzinfo or UTC))
    if isinstance(cell, timedelta):
        return values.clock((cell.days * 86_400 + cell.seconds) * values.SECOND + cell.microseconds * 10)
    if isinstance(cell, Decimal):
        return values.decimal(format(cell, "f"))
    if kind == "dynamic" and isinstance(cell, str):
        return json.loads(cell)
    return cell if isinstance(cell, (int, float, str, list, dict)) else str(cell)
