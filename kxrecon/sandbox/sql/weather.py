"""Bad days of a SQL server: what a forecast does to a statement, or to the opening of a connection."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from kxrecon.sandbox.forecast import SQL_REFUSALS, Event
from kxrecon.sandbox.sql.errors import DatabaseError, OperationalError
from kxrecon.sandbox.watch import Lookout
from kxrecon.sandbox.weather import prepare
from kxrecon.sandbox.world import World

T = TypeVar("T")
LOST = ("cut-before", "cut-after")
_CHANGE = re.compile(r"\b(create|drop|grant|deny|revoke|alter)\s+(\w+)", re.IGNORECASE)
_READS = ("select", "with")


class ConnectionLost(OperationalError):
    """The link broke; what was not committed is rolled back by the server, and the connection is of no more use."""

    def __init__(self) -> None:
        super().__init__("[08S01] Communication link failure")


def operation(text: str) -> str:
    """How rules name a statement: its verb and what that works on (``create user``), or ``select``; guards are left
    out (``IF NOT EXISTS (…) CREATE USER`` is ``create user``)."""
    words = text.lower().split()
    if words and words[0].lstrip("(") in _READS:
        return "select"
    found = _CHANGE.search(text) if words and words[0] == "if" else None
    return f"{found[1]} {found[2]}".lower() if found else " ".join(words[:2])


def under(world: World, lookout: Lookout | None, name: str, text: str, act: Callable[[], T]) -> T:
    """Do something as the weather lets it.

    Raises ConnectionLost, or OperationalError with SQL Server's number; what ``act`` raises comes first.
    """
    event = None if lookout is None or lookout.is_idle else lookout.event("SQL", name, text)
    if event is None:
        return act()
    if event.kind == "cut-before":
        raise ConnectionLost
    if event.kind in SQL_REFUSALS:
        raise refused(event)
    prepare(world, event, {})
    if event.kind == "slow":
        time.sleep(event.seconds)
    answer = act()
    if event.kind == "cut-after":
        raise ConnectionLost
    if event.kind == "gateway-timeout-after":
        raise refused(Event("gateway-timeout"))
    return answer


def refused(event: Event) -> DatabaseError:
    """The error of an event that refuses; ``code`` of the event replaces the number, ``message`` the words."""
    number, words = SQL_REFUSALS[event.kind]
    return OperationalError(event.message or words, int(event.code) if event.code.isdigit() else number)
