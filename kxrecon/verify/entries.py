"""Whether an entry of a database's journal is about a difference: read off the command that was sent.

Event names and the names beside them are no contract (".show journal", learn.microsoft.com), and one policy or role is
one entry whoever it is about; so the command decides. ``maybe``: it names somebody by an id that nobody here knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from kxrecon.model import Change
from kxrecon.principals import aliases, fqn_of, is_guid, is_identity, parse
from kxrecon.scope import SYSTEM, Scope

Match = Literal["yes", "maybe", "no"]
Row = Mapping[str, Any]

_HEAD = re.compile(
    r"(?is)^\s*\.(?P<verb>[a-z-]+)\s+(?:async\s+)?"
    r"(?P<kind>external\s+table|tables?|columns?|functions?|continuous-(?:data-)?export)\b(?P<rest>.*)"
)
_KINDS = {"table": "table", "column": "table", "external table": "external_table", "function": "function"}
_NAME = r"(?:\[\s*['\"][^'\"]*['\"]\s*\]|[^\s(.]+)"
_PART = re.compile(rf"(?is)^\s*{_NAME}\s+(?P<part>docstring|folder|column-docstrings?|policy\s+(?P<policy>\w+))\b")
_ROLE = re.compile(rf"(?is)^\s*\.(?P<verb>add|drop|set)\s+database\s+{_NAME}\s+(?P<role>[a-z]+)\b(?P<rest>.*)")
_POLICY = re.compile(
    rf"(?is)^\s*\.(?P<verb>alter-merge|alter|delete)\s+database\s+{_NAME}\s+policy\s+managed_identity\b(?P<rest>.*)"
)
_QUOTED = re.compile(r"""['"]([a-zA-Z]+\s*=[^'"]+)['"]""")
_WRITES_COLUMNS = frozenset({"alter-merge", "create-merge"})


def about(change: Change, row: Row, scope: Scope) -> Match:
    """Whether a journal's entry (keys in lower case) changed what differs."""
    if change.ref.kind == "database_role":
        return _role(change, _command(row), scope)
    if change.ref.kind == "managed_identity_policy":
        return _policy(change, _command(row), scope)
    return _named(change, row)


def explains(change: Change, row: Row) -> bool:
    """Whether an entry can have led to what is seen: an addition takes nothing away, a removal adds nothing."""
    takes, gives = _direction(row)
    return takes if change.observed is None else gives if change.desired is None else True


def _direction(row: Row) -> tuple[bool, bool]:
    words = f"{row.get('event') or ''} {_command(row)[:40]}".lower()
    verb = re.match(r"\s*\.([a-z-]+)", _command(row).lower())
    if verb is not None and verb[1] in ("alter", "set", "rename", "undo", "execute"):
        return True, True  # what it leaves out is gone, what it names is there
    takes = bool(re.search(r"drop|delete|rename", words))
    return takes, not takes or "rename" in words


def _command(row: Row) -> str:
    return str(row.get("changecommand") or "")


def _named(change: Change, row: Row) -> Match:
    head = _HEAD.match(_command(row))
    kind = _kind(str(row.get("event") or "").upper().replace("_", "-"), head)
    names = {str(row.get("entityname") or ""), str(row.get("updatedentityname") or "")}
    stated = head is not None and _states(head["rest"], change.ref.name[1])
    if kind != change.ref.kind or not (change.ref.name[1] in names or stated):
        return "no"
    written = _fields(head) if head is not None else None
    if written is None:
        return "yes"
    differing = {part.field.split("[")[0].split(".")[0] for part in change.fields}
    return "yes" if written & differing else "no"


def _kind(event: str, head: re.Match[str] | None) -> str | None:
    if head is not None:
        word = " ".join(head["kind"].lower().split())
        return "continuous_export" if "export" in word else _KINDS.get(word.removesuffix("s"))
    if "EXTERNAL-TABLE" in event:
        return "external_table"
    words = {"EXPORT": "continuous_export", "FUNCTION": "function", "TABLE": "table", "COLUMN": "table"}
    return next((kind for word, kind in words.items() if word in event), None)


def _states(rest: str, name: str) -> bool:
    """Whether what follows the kind begins with the name, as it is written or quoted."""
    quoted = re.escape(name)
    return re.match(rf"(?s)\s*(?:\[\s*['\"]{quoted}['\"]\s*\]|{quoted}(?![\w-]))", rest) is not None


def _fields(head: re.Match[str]) -> frozenset[str] | None:
    """The fields that a command writes; None for the whole entity."""
    verb, part = head["verb"].lower(), _PART.match(head["rest"])
    if verb in ("enable", "disable"):
        return frozenset({"isDisabled"})
    if part is not None:
        word = part["part"].lower()
        if part["policy"]:
            return frozenset({"ingestionTimePolicy"} if part["policy"].lower() == "ingestiontime" else ())
        return frozenset({"docstring": ("docString",), "folder": ("folder",)}.get(word, ()))
    if head["kind"].lower().startswith("column"):
        return frozenset({"columns"})
    if head["kind"].lower().startswith("table") and verb in (*_WRITES_COLUMNS, "alter"):
        return frozenset({"columns", "docString", "folder"})
    return None


def _role(change: Change, command: str, scope: Scope) -> Match:
    found = _ROLE.match(command)
    if found is None or found["role"].lower() != change.ref.name[1]:
        return "no"
    if found["verb"].lower() == "set":
        return "yes"  # the whole role: whoever it names is in, everybody else out
    said = {_is(text, change, scope) for text in _QUOTED.findall(found["rest"])}
    return "yes" if "yes" in said else "maybe" if "maybe" in said else "no"


def _is(text: str, change: Change, scope: Scope) -> Match:
    """Whether a name in a command is the principal of a change."""
    symbol, named = change.ref.name[2], parse(text)
    known = scope.directory.symbol(*aliases(text))
    if named is None or known is not None:
        return "yes" if known == symbol else "no"
    if is_identity(symbol, scope):
        return "no" if named.prefix != "aadapp" else _among(named.id, _ids(symbol, scope))
    seen = change.observed.attributes if change.observed is not None else {}
    own = parse(fqn_of(symbol, str(seen.get("fqn") or "") or None, scope))
    if own is None or own.prefix != named.prefix:
        return "no"
    ids = {own.id.lower(), str(seen.get("objectId") or "").lower()} - {""}
    if named.id.lower() in ids:
        return "yes"
    comparable = {is_guid(one) for one in ids} >= {is_guid(named.id)}
    return "no" if comparable and named.prefix != "aadapp" else "maybe"


def _ids(symbol: str, scope: Scope) -> tuple[str, str]:
    """Object id and client id of an identity, as far as they are known."""
    known = scope.directory.attributes.get(symbol, {})
    return str(known.get("principalId") or "").lower(), str(known.get("clientId") or "").lower()


def _among(given: str, ids: tuple[str, str]) -> Match:
    if given.lower() in ids:
        return "yes"
    return "no" if all(ids) or not is_guid(given) else "maybe"


def _policy(change: Change, command: str, scope: Scope) -> Match:
    found = _POLICY.match(command)
    if found is None:
        return "no"
    if found["verb"].lower() != "alter-merge":
        return "yes"  # the whole policy of the database
    entries = _entries(found["rest"])
    if entries is None:
        return "maybe"
    said = {_allows(one, change, scope) for one in entries}
    return "yes" if "yes" in said else "maybe" if "maybe" in said else "no"


def _entries(text: str) -> list[Mapping[str, Any]] | None:
    """The policy in a command; None where it cannot be read."""
    whole = re.search(r"(?s)\[.*\]", text)
    for form in (str.strip, lambda part: part.replace('\\"', '"')):
        try:
            found = json.loads(form(whole[0])) if whole else None
        except ValueError:
            continue
        if isinstance(found, list):
            return [one for one in found if isinstance(one, Mapping)]
    return None


def _allows(entry: Mapping[str, Any], change: Change, scope: Scope) -> Match:
    """Whether an entry of the policy gives the identity the usage."""
    symbol, usage = change.ref.name[-2:]
    usages = {word.strip().lower() for word in str(entry.get("AllowedUsages") or "").split(",")}
    given = str(entry.get("ObjectId") or "").lower()
    if usage.lower() not in usages:
        return "no"
    known = SYSTEM if given == SYSTEM else scope.directory.symbol(given)
    if known is not None or not is_identity(symbol, scope):
        return "yes" if symbol in (known, given) else "no"
    return _among(given, _ids(symbol, scope))
