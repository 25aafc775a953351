"""Connection strings of external tables, taken apart; secrets are dropped, never stored.

Forms: "learn.microsoft.com, Storage connection strings" and "SQL external tables".
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from kxrecon.sandbox.kusto.errors import BadRequest

MASK = "*******"
HIDDEN = {"password", "pwd", "accountkey"}


def storage(text: str) -> dict[str, Any]:
    """``{uri, auth, identity, scheme, account, container, path}`` of a storage connection string."""
    uri, _, suffix = text.partition(";")
    uri, question, _sas = uri.partition("?")
    auth, identity = _storage_auth(suffix.strip(), bool(question), uri)
    return {"uri": uri, "auth": auth, "identity": identity, **_place(uri)}


def _storage_auth(suffix: str, signed: bool, uri: str) -> tuple[str, str | None]:
    name, equals, value = suffix.partition("=")
    word = name.strip().lower()
    if word == "impersonate" and not equals:
        return "impersonate", None
    if word == "managed_identity" and equals:
        return "managed_identity", value.strip().lower()
    if equals and word in ("token", "awscredentials"):
        return {"token": "token", "awscredentials": "aws"}[word], None
    if signed:
        return ("presigned" if ".amazonaws.com" in uri else "sas"), None
    return ("key" if suffix else "none"), None


def _place(uri: str) -> dict[str, str]:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError as problem:
        raise BadRequest(f"'{uri}' is not a valid storage connection string") from problem
    if parts.scheme not in ("https", "http", "abfss", "adl") or not host:
        raise BadRequest(f"'{uri}' is not a valid storage connection string")
    if parts.scheme == "adl":
        raise BadRequest("Azure Data Lake Storage Gen1 is retired: 'adl://' is not supported by external tables")
    container, _, path = parts.path.lstrip("/").partition("/")
    if parts.scheme == "abfss":
        container, path = parts.username or "", parts.path.lstrip("/")
    if not container:
        raise BadRequest(f"'{uri}' names no container")
    return {
        "scheme": parts.scheme,
        "account": host.partition(".")[0].lower(),
        "host": host.lower(),
        "container": container,
        "path": path,
    }


def shown_storage(connection: dict[str, Any], identities_visible: bool) -> str:
    """The string as ``.show external tables`` prints it."""
    auth, uri = connection["auth"], connection["uri"]
    if auth == "none":
        return str(uri)
    if identities_visible and auth == "impersonate":
        return f"{uri};impersonate"
    if identities_visible and auth == "managed_identity":
        return f"{uri};managed_identity={connection['identity']}"
    return f"{uri};{MASK}"


def sql(text: str) -> dict[str, Any]:
    """``{text, server, database, auth, identity, user}`` of a SQL connection string; passwords masked."""
    found: dict[str, str] = {}
    parts = []
    for part in filter(str.strip, re.findall(r"(?:[^;\"']|\"[^\"]*\"|'[^']*')+", text)):
        name, equals, value = part.partition("=")
        if not equals:
            raise BadRequest("The SQL connection string is not valid")
        found[name.strip().lower().replace(" ", "")] = value.strip().strip("\"'")
        parts.append(f"{name}={MASK}" if name.strip().lower() in HIDDEN else part)
    server = next((found[n] for n in ("server", "datasource", "host", "accountendpoint") if n in found), "")
    if not server:
        raise BadRequest("The SQL connection string names no server")
    database = next((found[n] for n in ("initialcatalog", "database") if n in found), "")
    word = found.get("authentication", "").lower()
    identity = found.get("userid")
    auth = {"active directory integrated": "impersonate", "active directory managed identity": "managed_identity"}
    return {
        "text": ";".join(parts) + (";" if text.rstrip().endswith(";") else ""),
        "server": re.sub(r"^tcp:|,\d+$", "", server.strip()).lower(),
        "database": database,
        "auth": auth.get(word, "password"),
        "identity": (identity or "system") if word.endswith("managed identity") else None,
        "user": identity if word not in auth else None,
    }
