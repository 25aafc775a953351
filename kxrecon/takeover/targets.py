"""From connection strings to ``targets``: one entry for each place and way in, tables by their path below it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kxrecon.kinds.kusto import external_table
from kxrecon.model import HIDDEN, Entity, Hidden, Ref, Secret
from kxrecon.scope import Target
from kxrecon.storage_uri import locate
from kxrecon.takeover.survey import unique

ASSUMED = "how it gets in is masked: an export with a managed identity can only impersonate, check it"
SECRET = "the secret is masked: give {name} its value before anything here is changed"
_SECRET_AUTHS = ("sas", "presigned", "key", "sharedKey", "token", "aws")
_WORD = re.compile(r"[^A-Za-z0-9_]")
Doc = dict[str, Any]


@dataclass
class Targets:
    """The targets of a spec in the making; ``secrets`` are variables to declare, ``comments`` by target."""

    docs: dict[str, Doc] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)

    def place(self, table: Entity, writers: Iterable[Any]) -> tuple[Doc, str]:
        """The fields of a table's entry that say where it writes, and a comment."""
        writes = [one for one in writers if one is not None]
        if table.fields.get("kind") == "sql":
            return self._sql(table.fields["connection"], writes)
        connections = table.fields.get("connections") or ()
        if len(connections) != 1:
            settled = [self._settled(dict(one), writes, table.ref.name[1]) for one in connections]
            return {"connections": [_written(one, table) for one, _ in settled]}, settled[0][1] if settled else ""
        connection, comment = self._settled(dict(next(iter(connections))), writes, "")
        root, path = _split(str(connection["uri"]))
        if root is None:
            return {"connections": [_written(connection, table)]}, comment
        doc: Doc = {"url": root, "auth": connection["auth"]}
        if connection["identity"]:
            doc["identity"] = connection["identity"]
        named = self._named(doc, root.rpartition("/")[2], connection["auth"] in _SECRET_AUTHS, comment)
        return ({"target": named, "path": path} if path else {"target": named}), ""

    def _settled(self, one: Doc, writers: list[Any], name: str) -> tuple[Doc, str]:
        """A connection whose masked parts are filled in by what alone can be there, or by a secret to declare."""
        comment = ""
        if isinstance(one["auth"], Hidden):
            one.update(auth="impersonate" if writers else "key", identity=None, secret=None if writers else HIDDEN)
            comment = ASSUMED if writers else ""
        if isinstance(one["identity"], Hidden):
            one.update(identity=next((who for who in writers if isinstance(who, str)), "system"))
            comment = "which identity it uses is masked: check it"
        if isinstance(one["secret"], Hidden):
            if not name:
                return one, comment
            one["secret"] = Secret(self._secret(f"{name}Secret"))
            comment = SECRET.format(name=one["secret"])
        return one, comment

    def _sql(self, one: Mapping[str, Any], writers: list[Any]) -> tuple[Doc, str]:
        known = dict(one)
        comment = ""
        if isinstance(known["auth"], Hidden):
            known.update(auth="impersonate" if writers else "password", identity=None, secret=None, user=None)
            comment = ASSUMED
        doc: Doc = {"server": known["server"], "database": known["database"], "auth": known["auth"]}
        if known["auth"] == "managedIdentity":
            hidden = isinstance(known["identity"], Hidden)
            doc["identity"] = next(iter(writers), "system") if hidden else known["identity"]
        if known["auth"] == "password":
            doc["user"] = known["user"] or "unknown"
        if known["options"]:
            text = external_table.describe(_with(known))["connections"][0]
            return {"connections": [_joined(text)]}, comment
        return {"target": self._named(doc, str(known["database"]), known["auth"] == "password", comment)}, ""

    def _named(self, doc: Doc, wanted: str, secret: bool, comment: str) -> str:
        """The name of a target with these fields; a new one if none has them."""
        for name, known in self.docs.items():
            if all(_same(key, known.get(key), value) for key, value in doc.items()):
                return name
        name = unique(wanted, self.docs)
        if secret:
            key = "password" if "server" in doc else "secret"
            doc = {**doc, key: Secret(self._secret(f"{_WORD.sub('_', name)}Secret"))}
            comment = SECRET.format(name=doc[key].variable)
        self.docs[name] = doc
        self.new.append(name)
        if comment:
            self.comments[name] = comment
        return name

    def _secret(self, wanted: str) -> str:
        name = _WORD.sub("_", wanted)
        self.secrets[name] = "of a connection string, which the service masks"
        return name

    def as_scope(self) -> list[Target]:
        """The targets as a scope takes them."""
        return [Target(name, doc) for name, doc in self.docs.items()]


def _same(key: str, known: Any, value: Any) -> bool:
    if key in ("url", "server"):
        return str(known).rstrip("/").lower() == str(value).rstrip("/").lower()
    return bool(known == value)


def _split(uri: str) -> tuple[str | None, str]:
    """The container's URL and the path below it; None where there is no such thing."""
    location = locate(uri)
    if location is None:
        return None, ""
    return f"https://{location.host}/{location.container}", location.path


def _with(connection: Doc) -> Entity:
    return Entity(Ref("external_table", ("", "")), {"kind": "sql", "columns": (), "connection": connection})


def _written(connection: Doc, table: Entity) -> str:
    one = replace(table, fields={"kind": "storage", "connections": (connection,)})
    return _joined(external_table.describe(one)["connections"][0])


def _joined(text: Any) -> str:
    """A connection string with its secrets as ``${name}``."""
    if isinstance(text, str):
        return text
    return "".join(f"${{{part.variable}}}" if isinstance(part, Secret) else str(part) for part in text)
