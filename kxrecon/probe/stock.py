"""What is in a database before a probe and after it: ours, told by the name, and that of others.

What has no name of its own (the policy, the monitor, the role assignment) is written down in the docstring of the
first table, before it is made. So a run that was killed can be cleared up from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kxrecon.model import Request
from kxrecon.probe import commands
from kxrecon.probe.commands import EVENTS, PREFIX
from kxrecon.probe.conversation import Conversation
from kxrecon.probe.model import CannotTell, Given
from kxrecon.probe.rights import assignment, monitors

_SECTIONS = {
    "ExternalTables": "external table",
    "MaterializedViews": "materialized view",
    "Functions": "function",
    "Tables": "table",
}


@dataclass(frozen=True, slots=True)
class Stock:
    """``own``: (kind, name) of what bears our prefix, in the order in which it can be dropped; ``foreign``: labels of
    everything else. ``note``: what our first table says is to be undone; None without that table."""

    own: tuple[tuple[str, str], ...] = ()
    foreign: tuple[str, ...] = ()
    has_policy: bool = False
    has_monitor: bool = False
    note: Mapping[str, Any] | None = None


def note(given: Given, began: str) -> str:
    """What our first table says: everything that will be made without a name of ours."""
    makes = {
        "began": began,
        "policy": bool(given.identities) and not given.policy_taken,
        "monitor": given.principal,
        "roleAt": given.role_at if given.object_id else "",
        "objectId": given.object_id,
    }
    return json.dumps({PREFIX: makes})


def take(talk: Conversation) -> Stock:
    """Look what is there. Raises CannotTell if it cannot be seen."""
    talk.forget()
    rows = list(_listed(talk))
    own = tuple((kind, name) for kind, name, _ in rows if name.startswith(PREFIX) and name != EVENTS)
    noted = next((text for kind, name, text in rows if (kind, name) == ("table", EVENTS)), None)
    known = None if noted is None else _read_note(noted)
    return Stock(
        own=own if noted is None else (*own, ("table", EVENTS)),
        foreign=tuple(f"{kind} {name}" for kind, name, _ in rows if not name.startswith(PREFIX)),
        has_policy=_has_policy(talk),
        has_monitor=bool(known and known.get("monitor")) and is_monitor(talk, str((known or {})["monitor"])),
        note=known,
    )


def _listed(talk: Conversation) -> Iterator[tuple[str, str, str]]:
    """Kind, name and docstring of everything: exports first, tables last."""
    for row in talk.look("exports").records():
        yield "continuous-export", str(row["Name"]), ""
    try:
        (database,) = json.loads("".join(str(row[0]) for row in talk.look("schema").rows))["Databases"].values()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotTell(f"the schema of the database is shown in a form that cannot be read: {error}") from error
    for section, kind in _SECTIONS.items():
        for name, one in (database.get(section) or {}).items():
            yield kind, str(name), str((one or {}).get("DocString") or "")


def _has_policy(talk: Conversation) -> bool:
    table = talk.look("policy")
    column = table.index("Policy", "Policies")
    cells = [row[column] for row in table.rows] if column is not None else []
    return any(cell not in (None, "", "null", "[]", []) for cell in cells)


def _read_note(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)[PREFIX]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def is_monitor(talk: Conversation, principal: str) -> bool:
    """Whether somebody is a monitor of the database. Raises CannotTell."""
    return bool(monitors(talk.look("principals").records(), principal))


def removals(stock: Stock, database: str) -> list[tuple[str, Request]]:
    """What takes everything of ours away again, and how each is called; the table with the note goes last.

    The role assignment is named anew, not as the note has it: whoever can write a docstring cannot aim us at another.
    """
    noted = stock.note or {}
    named = [(f"{kind} {name}", _kusto(database, commands.drop(kind, name))) for kind, name in stock.own]
    last = len(named) - (stock.note is not None)
    return [*named[:last], *_unnamed(noted, stock, database), *named[last:]]


def _unnamed(noted: Mapping[str, Any], stock: Stock, database: str) -> Iterator[tuple[str, Request]]:
    if stock.has_monitor:
        principal = str(noted["monitor"])
        yield f"{principal} among the monitors", _kusto(database, commands.monitor("drop", database, principal))
    if noted.get("roleAt") and noted.get("objectId"):
        given = Given(database, identities=(str(noted["objectId"]),), role_at=str(noted["roleAt"]))
        body = assignment(given)
        yield f"the role assignment at {given.role_at}", Request("arm", "", ("roleAssignments.delete",), body)
    if noted.get("policy") and stock.has_policy:
        yield "the managed_identity policy of the database", _kusto(database, commands.drop_policy(database))


def _kusto(database: str, text: str) -> Request:
    return Request("kusto", database, (text,))
