"""SELECTs over the catalog views: T-SQL parsed and rewritten by sqlglot, run by SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from kxrecon.sandbox.sql.catalog import VIEWS, open_catalog
from kxrecon.sandbox.sql.errors import ProgrammingError, not_imitated, syntax
from kxrecon.sandbox.sql.session import Session

Answer = tuple[list[str], list[tuple[Any, ...]]]
CONVERT = "TSQL_CONVERT"
_TYPES = {"UUID": "uniqueidentifier", "VARBINARY": "varbinary", "BINARY": "varbinary", "INT": "int", "BIGINT": "bigint"}


def select(session: Session, text: str, parameters: Sequence[Any]) -> Answer:
    """Column names and rows of a query."""
    tree = parse(text)
    if not isinstance(tree, exp.Query):
        raise not_imitated(text.split(None, 1)[0] if text.split() else "an empty statement")
    _check_tables(session, tree)
    rewritten = _for_sqlite(tree).sql(dialect="sqlite")
    catalog = open_catalog(session)
    try:
        cursor = catalog.execute(rewritten, [_bound(one) for one in parameters])
        return [column[0] for column in cursor.description or ()], cursor.fetchall()
    except sqlite3.Error as error:
        raise _refused(error) from None
    finally:
        catalog.close()


def parse(text: str) -> exp.Expr:
    """The syntax tree of one statement; 102 for what is none."""
    try:
        return parse_one(text, read="tsql")
    except (SqlglotError, RecursionError, ValueError) as error:
        raise syntax(str(error).splitlines()[0][:100]) from None


def _check_tables(session: Session, tree: exp.Expr) -> None:
    """208 for a table that does not exist; rows of user tables are not kept here."""
    named = {one.alias for one in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        schema, name = table.db.lower(), table.name.lower()
        if (schema == "sys" and name in VIEWS) or (not schema and name in named):
            continue
        full = ".".join(part for part in (table.db, table.name) if part)
        if (schema or "dbo", name) in {(one.lower(), other.lower()) for one, other in session.tables()}:
            raise not_imitated(f"reading the rows of {full}")
        raise ProgrammingError(f"Invalid object name '{full}'.", 208)


def _for_sqlite(tree: exp.Expr) -> exp.Expr:
    """The query in SQLite's words; from the leaves up, since a replaced node is not looked into again."""
    for node in reversed(list(tree.walk())):
        changed = _rewrite(node)
        if changed is not node:
            node.replace(changed)
    return tree


def _rewrite(node: exp.Expr) -> exp.Expr:
    """What SQLite does not know, said with functions of ``catalog``."""
    if isinstance(node, exp.National):
        return exp.Literal.string(node.name)
    if isinstance(node, exp.Convert):
        return _conversion(node.this, node.expression, node.args.get("style"))
    if isinstance(node, exp.Cast | exp.TryCast):
        return _conversion(node.args["to"], node.this, None)
    if isinstance(node, exp.ObjectId):
        return exp.Anonymous(this="OBJECT_ID", expressions=[node.this, *([node.expression] if node.expression else [])])
    if isinstance(node, exp.Table) and node.db:
        # SQLite's attached database is lower-case, T-SQL's names are not compared by case.
        node.set("db", exp.to_identifier(node.db.lower()))
    return node


def _conversion(kind: exp.Expr, value: exp.Expr | None, style: exp.Expr | None) -> exp.Expr:
    """A call of ``catalog.convert``; a GUID on its way to binary becomes its bytes, not its letters."""
    if value is None:
        raise syntax(")")
    shown = _TYPES.get(kind.this.name if isinstance(kind, exp.DataType) else "", "text")
    if shown == "varbinary" and isinstance(value, exp.Anonymous) and value.name == CONVERT:
        first, *rest = value.expressions
        if first.name == "uniqueidentifier":
            shown, value = "guid-bytes", rest[0]
    arguments = [exp.Literal.string(shown), value.copy(), *([style.copy()] if style is not None else [])]
    return exp.Anonymous(this=CONVERT, expressions=arguments)


def _bound(value: Any) -> Any:
    """Parameters as SQLite takes them: a GUID as its text."""
    return value if value is None or isinstance(value, int | float | str | bytes) else str(value)


def _refused(error: sqlite3.Error) -> ProgrammingError:
    """SQLite's complaint in SQL Server's words."""
    words = str(error)
    if words.startswith("no such column: "):
        return ProgrammingError(f"Invalid column name '{words.removeprefix('no such column: ').split('.')[-1]}'.", 207)
    if words.startswith("no such function: "):
        name = words.removeprefix("no such function: ")
        return ProgrammingError(f"'{name}' is not a recognized built-in function name.", 195)
    if "binding" in words.lower():
        return ProgrammingError("The number of parameters does not match the statement.", 8178)
    return ProgrammingError(words)
