"""The commands that a kind makes of a change, and pieces of what the grammar should read in them."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from kxrecon.kinds import World, kind
from kxrecon.leaves import bind
from kxrecon.model import Change, State
from kxrecon.scope import Scope
from tests.witness.judge import judge
from tests.witness.tally import tally

TITLE = "Kusto's grammar (a): generated entities with hostile names, read back"
GUID = "00000000-0000-4000-8000-00000000000a"
SCOPE = Scope(identities={"exporter": "x", "system": ""}, databases=("D",))
calm = settings(deadline=None, derandomize=True, max_examples=60, database=None)

Tokens = list[tuple[str, Any]]


def commands(change: Change, secret: str = "", scope: Scope = SCOPE, desired: State | None = None) -> list[str]:
    """What is sent for a change, its leaves bound."""
    state = desired or (State({change.ref: change.desired}) if change.desired else State())
    steps = kind(change.ref.kind).act([change], World(scope, State(), state))
    requests = [request for step in steps for request in step.requests]
    return [bind(request, lambda leaf: GUID, {"s": secret}).text[0] for request in requests]


def read_back(text: str) -> Tokens:
    """What the grammar reads in a command; AssertionError if it reads none."""
    verdict = judge(text)
    assert verdict.accepted, (text, verdict.syntax)
    assert len(verdict.commands) == 1, (text, verdict.commands)
    tally(TITLE).count("commands read back as they were meant")
    return list(verdict.tokens)


def words(text: str) -> Tokens:
    """Words and marks."""
    return [("word", word) for word in text.split()]


def listed(items: list[Tokens]) -> Tokens:
    """Items in parentheses, with commas between."""
    result = words("(")
    for index, item in enumerate(items):
        result += (words(",") if index else []) + item
    return [*result, *words(")")]


def properties(values: dict[str, Any], role: str = "name") -> Tokens:
    """``with (…)``, nothing where there are none; ``role``: ``word`` where the grammar knows these properties."""
    roles = {bool: "bool", int: "number", str: "string"}
    pairs = [[(role, name), *words("="), (roles[type(value)], value)] for name, value in values.items()]
    return [*words("with"), *listed(pairs)] if pairs else []


def typed(pairs: Any) -> list[Tokens]:
    """Columns."""
    return [[("name", name), *words(f": {kind_name}")] for name, kind_name in pairs]
