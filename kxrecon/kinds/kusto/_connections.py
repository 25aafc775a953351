"""Storage connection strings by their comparable part: where they point, and how they get in.

A connection is a record of ``uri`` (without credentials, ``abfss://`` as its ``https://`` form), ``auth``,
``identity`` (a symbol) and ``secret``. Kusto masks what follows ``;``, so an observed one may hold HIDDEN, and so
does a desired one of which nobody has said yet how it gets in (``auth: unknown``, ``;*******``).
Source: learn.microsoft.com, Storage connection strings; Create and alter Azure Storage external tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kxrecon import kql
from kxrecon.kinds.kusto._draft import Draft, nearest, one_of
from kxrecon.model import HIDDEN, Hidden, Leaf, Secret, Text, Value
from kxrecon.scope import SYSTEM, Scope

Connection = dict[str, Value]

_SECRET_SUFFIX = {
    "sas": "?",
    "presigned": "?",
    "key": ";",
    "sharedKey": ";sharedkey=",
    "token": ";token=",
    "aws": ";AwsCredentials=",
}
UNSTATED = "unknown"
AUTHS = ("impersonate", "managedIdentity", *_SECRET_SUFFIX, "none", UNSTATED)
_KEYWORDS = {"managed_identity": "managedIdentity", "sharedkey": "sharedKey", "token": "token", "awscredentials": "aws"}
_HOLE = "\x00"  # stands for a secret while a connection string is taken apart
RETIRED = "adl://"
_NOT_IN_URI = re.compile("[\x00-\x1f;?*]")


def canonical_uri(uri: str) -> str:
    """A storage URI in one spelling: scheme and host in lower case, without the port of https, no slash at the end."""
    scheme, separator, rest = uri.strip().partition("://")
    host, _, path = rest.partition("/")
    scheme = scheme.lower()
    if scheme in ("abfss", "abfs") and "@" in host:
        filesystem, _, host = host.partition("@")
        scheme, path = "https", f"{filesystem}/{path}"
    tail = path.rstrip("/")
    host = host.lower().removesuffix(":443") if scheme == "https" else host.lower()
    return f"{scheme}{separator}{host}{'/' if tail else ''}{tail}"


def connection(uri: str, auth: Value, identity: Value = None, secret: Value = None) -> Connection:
    """A connection record."""
    return {"uri": canonical_uri(uri), "auth": auth, "identity": identity, "secret": secret}


def unstated(uri: str) -> Connection:
    """A connection of which nobody has said how it gets in, and the service does not show it."""
    return connection(uri, HIDDEN, HIDDEN, HIDDEN)


def is_unstated(one: Mapping[str, Value]) -> bool:
    """Whether a desired connection leaves open how it gets in; what is observed stands in for it then."""
    return isinstance(one["auth"], Hidden) or isinstance(one["identity"], Hidden)


def parse(text: str | Sequence[str | Leaf], scope: Scope) -> Connection:
    """A connection string as written or shown; a masked credential gives HIDDEN auth."""
    parts = (text,) if isinstance(text, str) else tuple(text)
    leaves = [part for part in parts if not isinstance(part, str)]
    flat = "".join(part if isinstance(part, str) else _HOLE for part in parts)
    head, semicolon, suffix = flat.partition(";")
    uri, question, query = head.partition("?")
    if question:
        auth = "presigned" if ".amazonaws." in uri else "sas"
        return connection(uri, auth, None, _secret(query, leaves))
    keyword, equals, value = suffix.partition("=")
    if not semicolon or not suffix:
        return connection(uri, "none")
    if suffix.lower() == "impersonate":
        return connection(uri, "impersonate")
    if not suffix.strip("*"):
        return unstated(uri)
    known = _KEYWORDS.get(keyword.strip().lower()) if equals else None
    if known == "managedIdentity":
        return connection(uri, known, _identity(value, scope))
    return connection(uri, known or "key", None, _secret(value if known else suffix, leaves))


def _identity(value: str, scope: Scope) -> Value:
    if not value.strip("*"):
        return HIDDEN
    name = value.strip()
    return SYSTEM if name.lower() == SYSTEM else scope.directory.identity(name)


def _secret(value: str, leaves: list[Leaf]) -> Value:
    """The secret part of a connection string: its leaf, texts and leaves in a row, or HIDDEN if in clear or masked."""
    if not leaves:
        return HIDDEN
    if value == _HOLE:
        return leaves[0]
    pieces: list[str | Leaf] = []
    for index, piece in enumerate(value.split(_HOLE)):
        pieces += ([leaves[index - 1]] if index else []) + [piece]
    return kql.command(*pieces)


def completed(wanted: Sequence[Connection], seen: Sequence[Connection]) -> tuple[Connection, ...]:
    """The desired connections, those that leave open how they get in as they are observed at the same place."""
    left = list(seen)
    found = []
    for one in wanted:
        there = next((other for other in left if other["uri"] == one["uri"]), None) if is_unstated(one) else None
        if there is not None:
            left.remove(there)
        found.append(one if there is None else there)
    return tuple(found)


def observed_connections(cell: Any, scope: Scope) -> tuple[Connection, ...]:
    """Connections from ``.show external tables``, in the order of their URIs."""
    found = [parse(text, scope) for text in cell or ()]
    return tuple(sorted(found, key=_uri)) if len(found) > 1 else tuple(found)


def _uri(one: Connection) -> str:
    return str(one["uri"])


# --- from the spec ----------------------------------------------------------------------------------------


def from_target(draft: Draft, doc: Mapping[str, Any], path: str, scope: Scope) -> Connection | None:
    """The connection to ``path`` below a storage target."""
    uri = f"{str(doc.get('url') or '').rstrip('/')}/{path.strip('/')}"
    auth = one_of(str(doc.get("auth") or "impersonate"), AUTHS)
    if auth is None:
        draft.wrong(f"unknown auth '{doc['auth']}'", "target", remedy=nearest(str(doc["auth"]), AUTHS))
        return None
    if auth == "key" and ".dfs." in uri:
        auth = "sharedKey"
    if auth == UNSTATED:
        _check(draft, uri, unstated(uri), "path" if path else "target")
        return unstated(uri)
    identity, secret = None, None
    if auth == "managedIdentity":
        identity = draft.identity(str(doc.get("identity") or SYSTEM), scope, "target")
    if auth in _SECRET_SUFFIX:
        secret = _desired_secret(draft, doc.get("secret"), auth)
    found = connection(uri, auth, identity, secret)
    _check(draft, uri, found, "path" if path else "target")
    return found


def _desired_secret(draft: Draft, secret: Any, auth: str) -> Value:
    if isinstance(secret, Secret):
        return secret
    if isinstance(secret, list | tuple) and any(isinstance(part, Secret) for part in secret):
        return tuple(secret)
    message = f"auth: {auth} needs secret:" if secret is None else "a secret is written in clear"
    draft.wrong(message, "target", remedy="declare a variable with secret: true and write secret: ${name}")
    return None


def from_strings(draft: Draft, texts: Sequence[Any], scope: Scope) -> tuple[Connection, ...]:
    """Connections written out as Kusto takes them."""
    found = []
    for index, text in enumerate(texts):
        one = parse(text if isinstance(text, str) else tuple(text), scope)
        _check(draft, str(one["uri"]), one, "connections", index)
        if not is_unstated(one) and isinstance(one["secret"], Hidden):
            remedy = "declare a variable with secret: true and write ${name}"
            draft.wrong("a secret is written in clear", "connections", index, remedy=remedy)
        elif one["auth"] == "managedIdentity" and not is_unstated(one):
            one["identity"] = draft.identity(str(one["identity"]), scope, "connections", index)
        found.append(one)
    return tuple(sorted(found, key=_uri))


def _check(draft: Draft, uri: str, one: Connection, *where: str | int) -> None:
    """Say what is wrong with a URI: a retired store, no container, characters that would end it early."""
    text = str(one["uri"])
    if text.startswith(RETIRED):
        return  # told by the kind, which knows allowRetired
    scheme, _, rest = text.partition("://")
    host, _, path = rest.partition("/")
    if scheme != "https" or not host:
        draft.wrong(f"'{text}' is no storage URI", *where, remedy="https://ACCOUNT.dfs.core.windows.net/CONTAINER")
    elif not path and ".amazonaws." not in host:
        draft.wrong(f"'{text}' names no container", *where, remedy=f"{text}/CONTAINER")
    if _NOT_IN_URI.search(uri):
        draft.wrong(f"a storage URI cannot hold ';', '?', '*' or line breaks: {uri!r}", *where)


# --- as text again ----------------------------------------------------------------------------------------


def render(one: Connection, scope: Scope) -> Text:
    """``h@'…'`` with its leaves; the principal id of an identity may be known only after apply."""
    uri, auth = one["uri"], one["auth"]
    if auth == "impersonate":
        return kql.hidden((f"{uri};impersonate",))
    if auth == "managedIdentity":
        return kql.hidden(kql.command(f"{uri};managed_identity=", identity_value(one["identity"], scope)))
    if auth in _SECRET_SUFFIX:
        return kql.hidden(kql.command(f"{uri}{_SECRET_SUFFIX[auth]}", one["secret"]))
    return kql.hidden((uri,))


def identity_value(symbol: str, scope: Scope) -> str | Leaf:
    """What Kusto takes for an identity: ``system``, or the object id, known now or after apply."""
    if symbol == SYSTEM or symbol not in scope.identities:
        return symbol
    return scope.identity(symbol, "principalId")


def describe(one: Connection) -> Any:
    """A connection as the spec writes it; a masked one stays masked, for somebody to fill in."""
    uri, auth, secret = one["uri"], one["auth"], one["secret"]
    if isinstance(auth, Hidden):
        return f"{uri};*******"
    if auth in ("impersonate", "none"):
        return f"{uri};impersonate" if auth == "impersonate" else uri
    if auth == "managedIdentity":
        return f"{uri};managed_identity={'*******' if isinstance(one['identity'], Hidden) else one['identity']}"
    start = f"{uri}{_SECRET_SUFFIX[auth]}"
    if isinstance(secret, Secret):
        return [start, secret]
    return [start, *secret] if isinstance(secret, tuple) else f"{start}*******"
