"""Running a batch: statements one by one, guards (``IF … statement``) considered."""

from __future__ import annotations

from typing import Any

from sqlglot import exp, tokenize
from sqlglot.errors import SqlglotError

from kxrecon.sandbox.sql.changes import create_table, make
from kxrecon.sandbox.sql.errors import not_imitated, syntax
from kxrecon.sandbox.sql.query import Answer, parse, select
from kxrecon.sandbox.sql.session import Session
from kxrecon.sandbox.sql.statements import QUOTED, read

_VERBS = {"CREATE", "DROP", "GRANT", "DENY", "REVOKE", "ALTER", "SELECT", "WITH", "BEGIN", "SET"}
_NOT_IMITATED = {"EXEC", "EXECUTE", "INSERT", "UPDATE", "DELETE", "MERGE", "DECLARE", "USE", "PRINT", "TRUNCATE"}
_CONTINUED = {",", "UNION", "ALL", "EXCEPT", "INTERSECT", "GRANT", "DENY", "REVOKE", "FOR", "AS"}
_STARTS = {"CREATE", "DROP", "GRANT", "DENY", "REVOKE", "ALTER", "SELECT", "BEGIN", "IF"}


def run(session: Session, text: str, parameters: list[Any]) -> Answer | None:
    """Run all statements; the answer of the last query, None if there was none."""
    try:
        tokens = tokenize(text, read="tsql")
    except (SqlglotError, ValueError) as error:
        raise syntax(str(error).splitlines()[0][:100]) from None
    return _run_all(session, text, tokens, parameters)


def _run_all(session: Session, text: str, tokens: list[Any], parameters: list[Any]) -> Answer | None:
    answer = None
    remaining = list(parameters)
    for statement in split(tokens):
        count = _placeholders(statement)
        found = _run(session, text, statement, remaining[:count])
        remaining = remaining[count:]
        answer = answer if found is None else found
    return answer


def split(tokens: list[Any]) -> list[list[Any]]:
    """Statements of a batch: at semicolons, and where a line starts with a verb; blocks stay whole."""
    found: list[list[Any]] = [[]]
    depth = 0
    for token in tokens:
        depth += _nesting(token)
        if token.token_type.name == "SEMICOLON" and depth == 0:
            found.append([])
            continue
        if depth == int(_word(token) == "BEGIN") and _starts_statement(token, found[-1]):
            found.append([])
        found[-1].append(token)
    return [statement for statement in found if statement]


def _starts_statement(token: Any, before: list[Any]) -> bool:
    """Whether a verb at the start of a line begins a statement, not what a guard waits for."""
    if _word(token) not in _STARTS or not before or token.line == before[-1].line:
        return False
    if _word(before[-1]) in _CONTINUED or (_word(before[0]) == "WITH" and _word(token) == "SELECT"):
        return False
    return _word(before[0]) != "IF" or _guarded(before) < len(before)


def _word(token: Any) -> str:
    """The keyword that a token may be; quoted names and strings are none."""
    return "" if token.token_type.name in QUOTED else str(token.text).upper()


def _nesting(token: Any) -> int:
    return {"(": 1, ")": -1, "BEGIN": 1, "END": -1, "CASE": 1}.get(_word(token), 0)


def _placeholders(tokens: list[Any]) -> int:
    return sum(1 for token in tokens if token.token_type.name == "PLACEHOLDER")


def _run(session: Session, text: str, tokens: list[Any], parameters: list[Any]) -> Answer | None:
    """One statement."""
    verb = _word(tokens[0])
    if verb == "IF":
        return _run_guarded(session, text, tokens, parameters)
    if verb == "BEGIN":
        return _run_all(session, text, _unwrapped(tokens), parameters)
    if verb == "SET":
        return None
    if verb not in _VERBS:
        raise not_imitated(verb) if verb in _NOT_IMITATED else syntax(str(tokens[0].text))
    statement = read(tokens)
    if statement is not None:
        make(session, statement)
        return None
    written = _written(text, tokens)
    if verb == "CREATE":
        _create_table(session, parse(written))
        return None
    return select(session, written, parameters)


def _run_guarded(session: Session, text: str, tokens: list[Any], parameters: list[Any]) -> Answer | None:
    at = _guarded(tokens)
    if at == 1 or at == len(tokens):
        raise syntax(str(tokens[-1].text))
    count = _placeholders(tokens[:at])
    if not _holds(session, _written(text, tokens[1:at]), parameters[:count]):
        return None
    return _run(session, text, tokens[at:], parameters[count:])


def _guarded(tokens: list[Any]) -> int:
    """Where the statement after an IF's condition begins."""
    depth = 0
    for index, token in enumerate(tokens[1:], start=1):
        depth += _nesting(token)
        if (depth == 0 or (depth == 1 and _word(token) == "BEGIN")) and _word(token) in _VERBS:
            return index
    return len(tokens)


def _unwrapped(tokens: list[Any]) -> list[Any]:
    """A statement without BEGIN … END around it."""
    if _word(tokens[-1]) != "END":
        raise syntax(str(tokens[-1].text))
    return tokens[1:-1]


def _holds(session: Session, condition: str, parameters: list[Any]) -> bool:
    _, rows = select(session, f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END AS holds", parameters)
    return bool(rows and rows[0][0])


def _written(text: str, tokens: list[Any]) -> str:
    """The text of some tokens, as it was written."""
    return text[tokens[0].start : tokens[-1].end + 1] if tokens else ""


def _create_table(session: Session, tree: exp.Expr) -> None:
    if not isinstance(tree, exp.Create) or tree.kind != "TABLE" or not isinstance(tree.this, exp.Schema):
        raise not_imitated("this CREATE")
    table = tree.this.this
    columns = [_column(one) for one in tree.this.expressions if isinstance(one, exp.ColumnDef)]
    if not columns:
        raise syntax(")")
    create_table(session, tuple(part for part in (table.db, table.name) if part), columns)


def _column(definition: exp.ColumnDef) -> list[str]:
    kind = definition.kind.sql(dialect="tsql").lower() if definition.kind else "nvarchar(max)"
    required = (exp.NotNullColumnConstraint, exp.PrimaryKeyColumnConstraint)
    kinds = [one.kind for one in definition.constraints if isinstance(one.kind, required)]
    not_null = any(not one.args.get("allow_null") for one in kinds)
    return [definition.name, kind, "not null" if not_null else "null"]
