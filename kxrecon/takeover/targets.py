"""From connection strings to ``targets``: one entry for each place and way in, tables by their path below it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kxrecon.kinds.kusto import external_table
from kxrecon.kinds.kusto._connections import UNSTATED, is_unstated
from kxrecon.model import HIDDEN, Entity, Hidden, Ref, Secret
from kxrecon.scope import Target
from kxrecon.storage_uri import locate
from kxrecon.takeover.survey import unique

MASKED = "how it gets in is masked: state auth (impersonate, managedIdentity, or what its secret is)"
KEYED = (
    "how it gets in is masked, and an export without an identity writes there: state auth (a secret, managedIdentity)"
)
CARRIED = "it gets in by an identity of its own, which is masked: state auth: managedIdentity and identity"
BEFORE = "before a table that uses it is changed"
AMAZON = "masked: AWS credentials, unless it is a presigned URL (auth: presigned)"
SECRET = "the secret is masked: give {name} its value before anything here is changed"
_SECRET_AUTHS = ("sas", "presigned", "key", "sharedKey", "token", "aws")
STATED = ("impersonate", "key", "sas", "token")
_WORD = re.compile(r"[^A-Za-z0-9_]")
Doc = dict[str, Any]


@dataclass
class Targets:
    """The targets of a spec in the making; ``secrets`` are variables to declare, ``comments`` by target.

    ``stated`` is how everything gets in that the service masks, by somebody's word; without it nobody knows.
    """

    docs: dict[str, Doc] = field(default_factory=dict)
    stated: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)

    def place(self, table: Entity, writers: Sequence[Any]) -> tuple[Doc, str]:
        """The fields of a table's entry that say where it writes, and a comment. ``writers`` are the identities of the
        exports that write there, None for one that has none."""
        if table.fields.get("kind") == "sql":
            return self._sql(table, writers)
        connections = [self._settled(dict(one), writers) for one in table.fields.get("connections") or ()]
        root, path = _split(str(connections[0][0]["uri"])) if len(connections) == 1 else (None, "")
        if root is None:
            return self._written_out(table, connections)
        connection, comment = connections[0]
        doc: Doc = {"url": root, "auth": UNSTATED if is_unstated(connection) else connection["auth"]}
        if isinstance(connection["identity"], str):
            doc["identity"] = connection["identity"]
        named = self._named(doc, root.rpartition("/")[2], connection["auth"] in _SECRET_AUTHS, comment)
        return ({"target": named, "path": path} if path else {"target": named}), ""

    def _written_out(self, table: Entity, connections: Iterable[tuple[Doc, str]]) -> tuple[Doc, str]:
        """Connections that no target holds, each with a secret of its own."""
        written, comments = [], []
        for one, comment in connections:
            if isinstance(one["secret"], Hidden) and not is_unstated(one):
                secret = self._own_secret(table)
                one["secret"] = secret
                comments.append(SECRET.format(name=secret.variable))
            comments.append(comment)
            written.append(_written(one, table))
        return {"connections": written}, "\n".join(dict.fromkeys(filter(None, comments)))

    def _settled(self, one: Doc, writers: Sequence[Any]) -> tuple[Doc, str]:
        """A connection with what is known of how it gets in, and what a person should know of the rest."""
        if not is_unstated(one):
            return one, ""
        if ".amazonaws." in str(one["uri"]):
            return {**one, "auth": "aws", "identity": None}, AMAZON
        stated = self._word(writers)
        if isinstance(one["auth"], Hidden) and stated:
            secret = HIDDEN if stated in _SECRET_AUTHS else None
            keyed = "sharedKey" if stated == "key" and ".dfs." in str(one["uri"]) else stated
            return {**one, "auth": keyed, "identity": None, "secret": secret}, ""
        return one, f"{_masked(one, writers)} {BEFORE}"

    def _word(self, writers: Sequence[Any]) -> str:
        """What was said of all that is masked; nothing impersonates an export without an identity."""
        return "" if self.stated == "impersonate" and None in writers else self.stated

    def _sql(self, table: Entity, writers: Sequence[Any]) -> tuple[Doc, str]:
        known: Doc = dict(table.fields["connection"])
        comment = ""
        if known["auth"] == "password" and not known["user"]:
            known.update(auth=HIDDEN, identity=HIDDEN, user=HIDDEN, secret=HIDDEN)
        if isinstance(known["auth"], Hidden) and self._word(writers) == "impersonate":
            known.update(auth="impersonate", identity=None, user=None, secret=None)
        if is_unstated(known):
            comment = f"{_masked(known, writers)} {BEFORE}"
        if known["options"] or isinstance(known["server"], Hidden) or isinstance(known["database"], Hidden):
            return self._sql_written_out(table, known, comment)
        doc: Doc = {"server": known["server"], "database": known["database"]}
        doc["auth"] = UNSTATED if is_unstated(known) else known["auth"]
        doc |= {key: known[key] for key in ("identity", "user") if isinstance(known[key], str)}
        return {"target": self._named(doc, str(known["database"]), known["auth"] == "password", comment)}, ""

    def _sql_written_out(self, table: Entity, known: Doc, comment: str) -> tuple[Doc, str]:
        if known["auth"] == "password":
            known["secret"] = self._own_secret(table)
            comment = SECRET.format(name=known["secret"].variable)
        text = external_table.describe(_with(known))["connections"][0]
        return {"connections": [_joined(text)]}, comment

    def _named(self, doc: Doc, wanted: str, secret: bool, comment: str) -> str:
        """The name of a target with these fields; a new one if none has them.

        Where nobody knows how to get in, what is known of it has to be the same too: a person states it for all.
        """
        unstated = doc["auth"] == UNSTATED
        for name, known in self.docs.items():
            alike = not unstated or self.comments.get(name, comment) == comment
            if alike and all(_same(key, known.get(key), value) for key, value in doc.items()):
                return name
        name = unique(wanted, self.docs)
        if secret:
            key = "password" if "server" in doc else "secret"
            doc = {**doc, key: Secret(self._secret(f"{_WORD.sub('_', name)}Secret"))}
            comment = "\n".join(filter(None, (comment, SECRET.format(name=doc[key].variable))))
        self.docs[name] = doc
        self.new.append(name)
        if comment:
            self.comments[name] = comment
        return name

    def _own_secret(self, table: Entity) -> Secret:
        """A variable for a connection string that is written out."""
        name = unique(f"{_WORD.sub('_', table.ref.name[1])}Secret", self.secrets)
        return Secret(self._secret(name))

    def _secret(self, wanted: str) -> str:
        name = _WORD.sub("_", wanted)
        self.secrets[name] = "of a connection string, which the service masks"
        return name

    def as_scope(self) -> list[Target]:
        """The targets as a scope takes them."""
        return [Target(name, doc) for name, doc in self.docs.items()]


def _masked(one: Mapping[str, Any], writers: Sequence[Any]) -> str:
    if not isinstance(one["auth"], Hidden):
        return CARRIED
    return KEYED if None in writers else MASKED


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
