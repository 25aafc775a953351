"""``.execute database script`` ("learn.microsoft.com, Database script"): commands one after the other, no rollback."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from kxrecon.sandbox.kusto import permissions
from kxrecon.sandbox.kusto.answers import Answer, answer, columns
from kxrecon.sandbox.kusto.errors import BadRequest, KustoError, SyntaxRefused
from kxrecon.sandbox.kusto.lexer import SCAN, mask, skip
from kxrecon.sandbox.kusto.session import Session

RESULT = columns("OperationId:guid, CommandType:string, CommandText:string, Result:string, Reason:string")
COMMAND_LINE = re.compile(r"\.[a-z]")


def commands(text: str) -> list[str]:
    """The script's commands: each starts on a line of its own, outside brackets and literals."""
    starts = []
    position, depth = skip(text, 0), 0
    while position < len(text):
        match = SCAN.match(text, position)
        if match is None:
            raise SyntaxRefused(f"Syntax error: unexpected '{text[position]}' in the script")
        if depth == 0 and match.group() == "." and COMMAND_LINE.match(text, position) and _leads(text, position):
            starts.append(position)
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(match.group(), 0)
        position = skip(text, match.end())
    if not starts or text[: starts[0]].strip() and skip(text, 0) != starts[0]:
        raise SyntaxRefused("Syntax error: the script must hold commands, each on a line of its own")
    return [text[a:b].strip() for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def _leads(text: str, position: int) -> bool:
    line = text.rfind("\n", 0, position) + 1
    return not text[line:position].strip()


def run(session: Session, given: dict[str, Any], execute: Callable[[Session, str], tuple[str, Answer]]) -> Answer:
    """Every command under its own rights; a failure is a row, unless ``ThrowOnErrors``."""
    permissions.require(session, permissions.ADMIN, "DatabaseScriptExecute")
    asked = {name.lower(): str(v.value).lower() == "true" for name, v in given.get("properties", {}).items()}
    if set(asked) - {"continueonerrors", "throwonerrors"}:
        raise BadRequest("A script knows the properties ContinueOnErrors and ThrowOnErrors only")
    if asked.get("continueonerrors") and asked.get("throwonerrors"):
        raise BadRequest("ContinueOnErrors and ThrowOnErrors exclude each other")
    rows = list(_rows(session, commands(str(given["script"])), asked, execute))
    return answer(RESULT, rows)


def _rows(
    session: Session,
    texts: list[str],
    asked: dict[str, bool],
    execute: Callable[[Session, str], tuple[str, Answer]],
) -> Iterator[list[Any]]:
    failed = False
    for text in texts:
        operation, kind = str(uuid.uuid4()), _kind(text)
        if text.startswith(".show") or (failed and not asked.get("continueonerrors")):
            yield [operation, kind, mask(text), "Skipped", ""]
            continue
        try:
            name, _ = execute(session, text)
            yield [operation, kind or name, mask(text), "Completed", ""]
        except KustoError as problem:
            if asked.get("throwonerrors"):
                raise
            failed = True
            yield [operation, kind, mask(text), "Failed", problem.text]


def _kind(text: str) -> str:
    """A command's type as Kusto names it: object first, then verb (``TableCreate``)."""
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", text.partition("(")[0])[:2]
    return "".join("".join(part.capitalize() for part in word.split("-")) for word in reversed(words))
