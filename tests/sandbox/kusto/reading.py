"""What the sandbox makes of a text before it looks at the world: a command, or a refusal."""

from __future__ import annotations

from kxrecon.sandbox.kusto import parse, policies, script
from kxrecon.sandbox.kusto.errors import KustoError
from kxrecon.sandbox.kusto.query_syntax import check


def refusal(text: str) -> str | None:
    """Why the sandbox does not take a text as a command; None if it does."""
    try:
        _read(text)
    except (parse.SyntaxProblem, KustoError) as problem:
        return str(problem)
    return None


def _read(text: str) -> None:
    command = parse.parse(text)
    given = command.arguments
    if "query" in given:
        check(str(given["query"]))
    if "body" in given:
        check(str(given["body"]).strip()[1:-1])
    if command.query is not None:
        check(f"Result | {command.query}")
    if command.name == "script_run":
        for one in script.commands(str(given["script"])):
            _read(one)
    if "policy" in given:
        level, _, verb = command.name.split("_", 2)
        policies._check(given["policy"], level, given if verb != "delete" and verb != "show" else None, verb == "merge")
