"""Running a batch: statements one by one, guards (``IF … statement``) considered."""

from __future__ import annotations

from typing import Any

from sqlglot import exp, tokenize
from sqlglot.errors import SqlglotError

from kxrecon.sandbox.sql.changes import create_table, make
from kxrecon.sandbox.sql.errors import not_imitated, syntax
from kxrecon.sandbox.sql.query import Answer, parse, select
from kxrecon.sandbox.sql.session import Session
from kxrecon.sandbox.sql.statements import read

_VERBS = {"CREATE", "DROP", "GRANT", "DENY", "REVOKE", "ALTER", "SELECT", "WITH", "BEGIN", "SET", "EXEC", "EXECUTE"}
_STARTS = {"CREATE", "DROP", "GRANT", "DENY", "REVOKE", "ALTER", "SELECT", "BEGIN", "IF"}


def run(session: Session, text: str, parameters: list[Any]) -> Answer | None:
    """Run all statements; the answer of the last query, None if there was none."""
    try:
        tokens = tokenize(text, read="tsql")
    except (SqlglotError, ValueError) as error:
        raise syntax(str(error).splitlines()[0][:100]) from None
    answer = None
    remaining = list(parameters)
    for statement in split(tokens):
        count = sum(1 for token in statement if token.token_type.name == "PLACEHOLDER")
        own, remaining = remaining[:count], remaining[count:]
        found = _run(session, text, statement, own)
        answer = answer if found is None else found
    return answer


def split(tokens: list[Any]) -> list[list[Any]]:
    """Statements of a batch: at semicolons, and before GRANT or CREATE USER at the start of a line."""
    found: list[list[Any]] = [[]]
    depth = 0
    for token in tokens:
        word, kind = str(token.text).upper(), token.token_type.name
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(kind, 0)
        if kind == "SEMICOLON":
            found.append([])
            continue
        begins = kind not in ("IDENTIFIER", "STRING", "NATIONAL_STRING") and word in _STARTS
        if begins and depth == 0 and found[-1] and token.line > found[-1][-1].line and not _open(found[-1]):
            found.append([])
        found[-1].append(token)
    return [statement for statement in found if statement]


def _open(statement: list[Any]) -> bool:
    """Whether a statement cannot end here: a guard that waits for what it guards."""
    return str(statement[0].text).upper() == "IF" and _guarded(statement) == len(statement)


def _run(session: Session, text: str, tokens: list[Any], parameters: list[Any]) -> Answer | None:
    """One statement."""
    verb = str(tokens[0].text).upper()
    if verb == "IF":
        at = _guarded(tokens)
        count = sum(1 for token in tokens[:at] if token.token_type.name == "PLACEHOLDER")
        if at < len(tokens) and _holds(session, _written(text, tokens[1:at]), parameters[:count]):
            return _run(session, text, _unwrapped(tokens[at:]), parameters[count:])
        return None
    if verb == "SET":
        return None
    if verb not in _VERBS or verb in ("EXEC", "EXECUTE"):
        raise not_imitated(verb) if verb in ("EXEC", "EXECUTE", "INSERT", "UPDATE", "DELETE", "MERGE") else syntax(verb)
    statement = read(tokens)
    if statement is not None:
        make(session, statement)
        return None
    written = _written(text, tokens)
    if verb == "CREATE":
        _create_table(session, parse(written))
        return None
    return select(session, written, parameters)


def _guarded(tokens: list[Any]) -> int:
    """Where the statement after an IF's condition begins."""
    depth = 0
    for index, token in enumerate(tokens[1:], start=1):
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(token.token_type.name, 0)
        if depth == 0 and token.token_type.name != "IDENTIFIER" and str(token.text).upper() in _VERBS:
            return index
    return len(tokens)


def _unwrapped(tokens: list[Any]) -> list[Any]:
    """A statement without BEGIN … END around it."""
    if str(tokens[0].text).upper() == "BEGIN" and str(tokens[-1].text).upper() == "END":
        return tokens[1:-1]
    return tokens


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
