"""SQL connection strings by their comparable part: server, database, and how they get in.

A connection is a record of ``server`` (host, with a port only if it is not 1433), ``database``, ``auth``,
``identity`` (a symbol), ``user``, ``secret`` and ``options`` (every other keyword).
Source: learn.microsoft.com, SQL connection strings (Kusto); Create and alter SQL external tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kxrecon import kql
from kxrecon.kinds.kusto._connections import UNSTATED, identity_value, is_unstated
from kxrecon.kinds.kusto._draft import Draft, nearest, one_of
from kxrecon.model import HIDDEN, Hidden, Leaf, Secret, Text, Value
from kxrecon.scope import SYSTEM, Scope

SqlConnection = dict[str, Value]

AUTHS = ("impersonate", "managedIdentity", "password", UNSTATED)
_INTEGRATED = "Active Directory Integrated"
_MANAGED = "Active Directory Managed Identity"
_PAIR = re.compile(r"""\s*([^=;]+?)\s*(?:=\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|[^;]*?))?\s*(?:;|\Z)""")
_HOLE = "\x00"
_KEYS = {
    **dict.fromkeys(("server", "datasource", "address", "addr", "networkaddress"), "server"),
    **dict.fromkeys(("database", "initialcatalog"), "database"),
    **dict.fromkeys(("userid", "uid", "user"), "user"),
    **dict.fromkeys(("password", "pwd"), "password"),
    "authentication": "authentication",
}


def _server(text: str) -> str:
    return text.strip().lower().removeprefix("tcp:").removesuffix(",1433")


def parse(text: str | Sequence[str | Leaf], scope: Scope) -> SqlConnection:
    """A connection string as written or shown; what is masked is HIDDEN."""
    parts = (text,) if isinstance(text, str) else tuple(text)
    leaves = [part for part in parts if not isinstance(part, str)]
    flat = "".join(part if isinstance(part, str) else _HOLE for part in parts)
    known: dict[str, str] = {}
    options: dict[str, Value] = {}
    masked = False
    for keyword, value in _PAIR.findall(flat):
        if not keyword.strip("*"):
            masked = True
            continue
        name = keyword.lower().replace(" ", "").replace("_", "")
        if name in _KEYS:
            known[_KEYS[name]] = _unquoted(value)
        else:
            options[name] = _unquoted(value)
    unseen = HIDDEN if masked else ""
    return {
        "server": _server(known["server"]) if "server" in known else unseen,
        "database": known.get("database", unseen),
        **_access(known, leaves, masked, scope),
        "options": options,
    }


def _unquoted(value: str) -> str:
    quote = value[:1]
    return value[1:-1].replace(quote * 2, quote) if quote in ("'", '"') and len(value) > 1 else value


def _access(known: Mapping[str, str], leaves: list[Leaf], masked: bool, scope: Scope) -> dict[str, Value]:
    method, user = known.get("authentication", "").lower(), known.get("user")
    if method == _INTEGRATED.lower():
        return _record("impersonate")
    if method in (_MANAGED.lower(), "active directory msi"):
        identity = SYSTEM if not user else scope.directory.identity(user)
        return _record("managedIdentity", identity=HIDDEN if user and not user.strip("*") else identity)
    if masked and user is None:
        return _UNSTATED
    return _record("password", user=user, secret=leaves[0] if leaves else HIDDEN)


def _record(auth: Value, identity: Value = None, user: Value = None, secret: Value = None) -> dict[str, Value]:
    return {"auth": auth, "identity": identity, "user": user, "secret": secret}


_UNSTATED = _record(HIDDEN, HIDDEN, HIDDEN, HIDDEN)


def completed(wanted: SqlConnection, seen: SqlConnection) -> SqlConnection:
    """The desired connection; where it leaves open how it gets in, that is as it is observed at the same place."""
    there = all(wanted[key] == seen.get(key) for key in ("server", "database"))
    return {**wanted, **{key: seen[key] for key in _UNSTATED}} if there and is_unstated(wanted) else wanted


# --- from the spec ----------------------------------------------------------------------------------------


def from_target(draft: Draft, doc: Mapping[str, Any], scope: Scope) -> SqlConnection | None:
    """The connection to a SQL target."""
    auth = one_of(str(doc.get("auth") or "impersonate"), AUTHS)
    if auth is None:
        draft.wrong(f"unknown auth '{doc['auth']}'", "target", remedy=nearest(str(doc["auth"]), AUTHS))
        return None
    identity: Value = None
    if auth == "managedIdentity":
        identity = draft.identity(str(doc.get("identity") or SYSTEM), scope, "target")
    user, secret = (doc.get("user"), doc.get("password")) if auth == "password" else (None, None)
    if auth == "password" and not (user and isinstance(secret, Secret)):
        remedy = "declare a variable with secret: true and write password: ${name}"
        message = "a password is written in clear" if secret else "auth: password needs user: and password:"
        draft.wrong(message, "target", remedy=remedy)
    if not doc.get("server") or not doc.get("database"):
        draft.wrong("a SQL target needs server: and database:", "target")
    found = _UNSTATED if auth == UNSTATED else _record(auth, identity, user, secret)
    options = {str(key).lower(): str(value) for key, value in (doc.get("options") or {}).items()}
    server, database = _server(str(doc.get("server") or "")), str(doc.get("database") or "")
    return {"server": server, "database": database, **found, "options": options}


def from_string(draft: Draft, text: Any, scope: Scope) -> SqlConnection:
    """A connection string written out as Kusto takes it."""
    found = parse(text if isinstance(text, str) else tuple(text), scope)
    if not found["server"] or isinstance(found["server"], Hidden):
        draft.wrong("the connection string names no Server", "connections", 0)
    if is_unstated(found):
        return found
    if isinstance(found["secret"], Hidden):
        remedy = "declare a variable with secret: true and write Password=${name}"
        draft.wrong("the password is missing, masked or written in clear", "connections", 0, remedy=remedy)
    elif found["auth"] == "managedIdentity":
        found["identity"] = draft.identity(str(found["identity"]), scope, "connections", 0)
    return found


# --- as text again ----------------------------------------------------------------------------------------


def _value(text: str) -> str:
    """A value, in double quotes if it holds what would end it."""
    if text and text == text.strip() and not set(text) & set(";\"'=\r\n"):
        return text
    return '"' + text.replace('"', '""') + '"'


def _parts(one: SqlConnection, identity: str | Leaf) -> list[str | Leaf]:
    server = _value(f"tcp:{one['server']}{'' if ',' in one['server'] else ',1433'}")
    parts: list[str | Leaf] = [f"Server={server};Database={_value(one['database'])}"]
    if is_unstated(one):
        parts.append(";*******")
    elif one["auth"] == "impersonate":
        parts.append(f";Authentication={_INTEGRATED}")
    elif one["auth"] == "managedIdentity":
        parts.append(f";Authentication={_MANAGED}")
        parts += [";User Id=", identity] if identity != SYSTEM else []
    else:
        parts += [f";User Id={_value(str(one['user'] or ''))};Password="]
        # In double quotes, because a semicolon in the password would end it.
        parts += ['"', one["secret"], '"'] if isinstance(one["secret"], Secret) else ["*******"]
    return parts + [f";{key}={_value(value)}" for key, value in sorted(one["options"].items())]


def render(one: SqlConnection, scope: Scope) -> Text:
    """``h@'…'`` with its leaves."""
    identity = identity_value(one["identity"], scope) if one["auth"] == "managedIdentity" else ""
    if isinstance(one["secret"], Secret):  # between double quotes, where it doubles its own
        one = {**one, "secret": replace(one["secret"], doubled='"')}
    return kql.hidden(kql.command(*_parts(one, identity)))


def describe(one: SqlConnection) -> Any:
    """A connection as the spec writes it; a masked one stays masked, for somebody to fill in."""
    if isinstance(one["server"], Hidden) or isinstance(one["database"], Hidden):
        return f"Server={one['server']};*******"
    parts = kql.command(*_parts(one, str(one["identity"])))
    return parts[0] if len(parts) == 1 else list(parts)
