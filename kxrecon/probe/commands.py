"""The commands that probes send, and what each of them is about; every name begins with ``PREFIX``.

Forms: learn.microsoft.com, Create or alter continuous export; Create and alter Azure Storage external tables;
.create-merge table; .create-or-alter function; Managed identity policy; Manage database security roles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kxrecon.kql import (
    MINUTE,
    TYPES,
    Columns,
    column_list,
    hidden,
    identifier,
    json_literal,
    literal,
    string,
    timespan,
    verbatim,
)

PREFIX = "KxreconProbe"
EVENTS, OTHERS = f"{PREFIX}Events", f"{PREFIX}Others"
TYPED, VIEW = f"{PREFIX}Typed", f"{PREFIX}View"
LAKE, LAKE2 = f"{PREFIX}Lake", f"{PREFIX}Lake2"
COLUMNS = (("Timestamp", "datetime"), ("Message", "string"))
OF_EACH_TYPE = tuple((f"a_{kind}", kind) for kind in TYPES)
USAGES = "ExternalTable, AutomatedFlows"
_TIMESPANS = ("intervalBetweenRuns", "forcedLatency")


def own(name: str) -> str:
    """A name of ours."""
    return f"{PREFIX}{name}"


# ---- what is made
def table(name: str, note: str = "", columns: Columns = COLUMNS) -> str:
    """A table, of two columns if nothing else is said."""
    tail = f" with (docstring={string(note)})" if note else ""
    return f".create-merge table {identifier(name)} ({column_list(columns)}){tail}"


def record(name: str) -> str:
    """One record more."""
    return f".set-or-append {identifier(name)} <| print Timestamp=now(), Message={string(PREFIX)}"


def function(name: str) -> str:
    """A view of two lines."""
    options = f"with (view={literal(True)}, skipvalidation={literal(True)})"
    return f".create-or-alter function {options} {identifier(name)}() {{\n    {EVENTS}\n    | where Message != ''\n}}"


def external_table(name: str, connection: str, kind: str = "storage dataformat=csv") -> str:
    """An external table at a connection string, which is hidden from Kusto's logs."""
    (secret,) = hidden((connection,))
    return f".create-or-alter external table {identifier(name)} ({column_list(COLUMNS)}) kind={kind} ({secret})"


def export(
    name: str,
    properties: Mapping[str, Any],
    *,
    over: Sequence[str] | None = (EVENTS,),
    to: str = LAKE,
    query: str = EVENTS,
) -> str:
    """A continuous export's definition with exactly these properties; timespans in ticks."""
    facts = "" if over is None else f" over ({', '.join(map(identifier, over))})"
    given = ", ".join(
        f"{key}={timespan(value) if key in _TIMESPANS else literal(value)}" for key, value in properties.items()
    )
    head = f".create-or-alter continuous-export {identifier(name)}{facts} to table {identifier(to)}"
    return f"{head} with ({given}) <| {query}"


def still(identity: str, **more: Any) -> dict[str, Any]:
    """Properties of an export that stands still."""
    return {"managedIdentity": identity, "intervalBetweenRuns": 60 * MINUTE, "isDisabled": True, **more}


def running(identity: str, **more: Any) -> dict[str, Any]:
    """Properties of an export that runs every minute."""
    return {"managedIdentity": identity, "intervalBetweenRuns": MINUTE, "isDisabled": False, **more}


def policy(database: str, identities: Sequence[str], usages: str = USAGES) -> str:
    """The managed_identity policy that allows these usages to these identities, and nothing else."""
    entries = [{"ObjectId": one, "AllowedUsages": usages} for one in identities]
    return f".alter database {identifier(database)} policy managed_identity {json_literal(entries)}"


def monitor(verb: str, database: str, principal: str, note: str = "") -> str:
    """``add`` or ``drop`` of a monitor, the role that may do least."""
    tail = f" {string(note)}" if note else ""
    return f".{verb} database {identifier(database)} monitors ({verbatim(principal)}){tail}"


def script(command: str) -> str:
    """A command inside a script."""
    return f"{_SCRIPT}{command}"


# ---- what is said about an export
def switch(verb: str, name: str) -> str:
    """``enable``, ``disable`` or ``drop`` of an export."""
    return f".{verb} continuous-export {identifier(name)}"


def set_cursor(name: str, cursor: str) -> str:
    """``.set continuous-export … cursor to``, which is in the grammar and in no page."""
    return f".set continuous-export {identifier(name)} cursor to {string(cursor)}"


# ---- what is looked at
def looks(database: str) -> Mapping[str, str]:
    """The questions whose answers probes judge, by name; the same that kxrecon asks."""
    at = f".show database {identifier(database)}"
    sections = "Tables=true, ExternalTables=true, MaterializedViews=true, Functions=true"
    return {
        "databases": ".show databases",
        "exports": ".show continuous-exports",
        "external tables": ".show external tables",
        "script": f"{at} schema as csl script with (IncludeSecuritySettings=false)",
        "schema": f"{at} schema as json with ({sections})",
        "policy": f"{at} policy managed_identity",
        "principals": f"{at} principals",
        "journal": f"{at} journal | where ChangeCommand contains {string(PREFIX)}",
        "version": ".show version",
    }


# ---- what is taken away
def drop(kind: str, name: str) -> str:
    """The end of a ``table``, an ``external table``, a ``function`` or a ``continuous-export``."""
    return f".drop {kind} {identifier(name)}"


def drop_policy(database: str) -> str:
    """No managed_identity policy of the database any more."""
    return f".delete database {identifier(database)} policy managed_identity"


# ---- what a command is about
class Subject(NamedTuple):
    """What a command makes, changes or takes away."""

    kind: str
    name: str


_SCRIPT = ".execute database script <|\n"
_ENTITY = re.compile(
    r"\.(?:create-merge|create-or-alter|enable|disable|drop|set|set-or-append)\s+"
    r"(?P<kind>table|external\ table|continuous-export|function)?(?:\s+with\s+\([^)]*\))?\s*"
    rf"\['(?P<name>{PREFIX}\w+)'\]"
)
_DATABASE = re.compile(
    r"\.(?:alter|delete|add|drop) database (?P<name>\['(?:[^'\\]|\\.)*'\]) (?P<kind>policy managed_identity|monitors)\b"
)


def subject(text: str, database: str) -> Subject | None:
    """What a command writes; None for whatever is not ours to write."""
    text = text.removeprefix(_SCRIPT)
    found = _ENTITY.match(text)
    if found:
        return Subject(found["kind"] or "table", found["name"])
    found = _DATABASE.match(text)
    if found and found["name"] == identifier(database):
        return Subject(found["kind"], database)
    return None
