"""``.show … | where … | project … | take n | count``: simple steps here, everything else by the evaluator."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from kxrecon.sandbox.kusto import evaluate
from kxrecon.sandbox.kusto.answers import Answer, columns
from kxrecon.sandbox.kusto.lexer import SCAN, STRING, skip, unquote
from kxrecon.sandbox.kusto.query_syntax import check

TAKE = re.compile(r"(?:take|limit)\s+(\d+)")
PROJECT = re.compile(r"project\s+([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)")
EQUAL = re.compile(rf"where\s+([A-Za-z_]\w*)\s*(==|!=)\s*({STRING})")


def apply(table: Answer, query: str, now: datetime) -> Answer:
    """The answer after the piped steps; ``now`` is the sandbox's time."""
    for step in steps(query):
        table = _step(table, step, now)
    return table


def steps(query: str) -> list[str]:
    """The query's steps, split at its pipes outside brackets and literals."""
    found, start, depth = [], 0, 0
    position = skip(query, 0)
    while position < len(query):
        match = SCAN.match(query, position)
        end = match.end() if match else position + 1
        token = query[position:end]
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token, 0)
        if token == "|" and depth == 0:
            found.append(query[start:position].strip())
            start = end
        position = skip(query, end)
    return [*found, query[start:].strip()]


def _step(table: Answer, step: str, now: datetime) -> Answer:
    names = [name for name, _ in table.columns]
    take, project, equal = TAKE.fullmatch(step), PROJECT.fullmatch(step), EQUAL.fullmatch(step)
    if step == "count":
        return Answer(columns("Count:long"), [[len(table.rows)]])
    if take:
        return Answer(table.columns, table.rows[: int(take.group(1))])
    if project:
        wanted = [name.strip() for name in project.group(1).split(",")]
        if set(wanted) <= set(names):
            places = [names.index(name) for name in wanted]
            return Answer(tuple(table.columns[i] for i in places), [[row[i] for i in places] for row in table.rows])
    if equal and equal.group(1) in names and dict(table.columns)[equal.group(1)] == "string":
        return _where(table, names.index(equal.group(1)), equal.group(2) == "==", unquote(equal.group(3)))
    check(f"{evaluate.PIPED} | {step}")
    return evaluate.pipe(table, step, now)


def _where(table: Answer, place: int, same: bool, value: Any) -> Answer:
    return Answer(table.columns, [row for row in table.rows if (row[place] == value) == same])
