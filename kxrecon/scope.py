"""What a spec says about its surroundings: the cluster, its identities, principals and targets.

Kinds get a ``Scope`` beside their own part of the spec. It is complete when the spec is loaded, except
for the ``Directory``, which grows as answers come in (an identity's principal id, an account's ARM id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kxrecon.model import HIDDEN, Failure, Hidden, Ref, Unknown

SYSTEM = "system"
MARK = "kxrecon/"
LEDGER = "KxreconLedger"  # the table that ledgers are kept in, whichever spec it is that keeps one there

Manage = Literal["apply", "check", "off"]
Prune = Literal["none", "owned", "all"]


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is who: the ids of identities and principals, and the ARM ids of accounts, as learned so far.

    ``attributes``: per identity symbol (``system``, ``exporter``) its ``principalId``, ``clientId``, ``tenantId``.
    A system identity that is known not to be there has the ``principalId`` "".
    ``symbols``: lower-cased object id, client id, UPN or FQN → the spec's symbol for it.
    ``accounts``: lower-cased storage host (``contosolake.dfs.core.windows.net``) → ARM resource id.
    ``unread``: identities whose ids a failed read hides, with that failure.
    """

    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    symbols: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, Failure] = field(default_factory=dict)

    def symbol(self, *ids: str | None) -> str | None:
        """The spec's symbol for whoever has any of these ids; None if nobody is known."""
        for one in ids:
            symbol = self.symbols.get(one.lower()) if one else None
            if symbol:
                return symbol
        return None

    def identity(self, shown: str) -> str | Hidden:
        """An identity that a service shows by an id: its symbol, else the id in lower case; hidden while a failed
        read leaves open whose id it is."""
        return self.symbol(shown) or (HIDDEN if self.unread else shown.lower())

    def knows(self, symbol: str) -> bool:
        """Whether it is known which principal an identity is, or that there is none (yet)."""
        return self.attributes.get(symbol, {}).get("principalId") is not None


def owner_of(text: str) -> str | None:
    """The mark that a principal's Notes or a description begins with; None if it begins with none."""
    return text.split(maxsplit=1)[0] if text.startswith(MARK) else None


@dataclass(frozen=True, slots=True)
class Target:
    """An entry of ``targets``: where exports go and how they get in. ``doc`` is the entry as written."""

    name: str
    doc: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rotation:
    """An identity or a target that takes another one's place: exports use ``name`` from now on, ``previous`` goes
    when they had ``runs`` good runs.

    ``revoke`` says which grants of the previous one go then: those with this spec's mark (``owned``), those without
    any mark too (``all``), or ``none``. ``exports`` are the spec's exports that it is about.
    """

    what: Literal["identity", "target"]
    name: str
    previous: str
    runs: int = 1
    revoke: Prune = "owned"
    exports: tuple[Ref, ...] = ()

    def __str__(self) -> str:
        return f"{self.what} {self.previous} → {self.name}"


@dataclass(frozen=True, slots=True)
class Scope:
    """The spec's frame around its entities. ``name`` marks what this spec owns (``kxrecon/<name>``)."""

    name: str = "spec"
    cluster_uri: str = ""
    cluster_id: str = ""
    identities: Mapping[str, str] = field(default_factory=dict)  # symbol → ARM resource id; system → ""
    principals: Mapping[str, str] = field(default_factory=dict)  # symbol → FQN as the spec has it
    targets: Mapping[str, Target] = field(default_factory=dict)
    databases: tuple[str, ...] = ()
    declared: frozenset[tuple[str, ...]] = (
        frozenset()
    )  # sections that the spec has: ("databases", "Telemetry", "tables")
    manage: Mapping[str, Manage] = field(default_factory=dict)
    prune: Mapping[str, Prune] = field(default_factory=dict)
    policy_scope: Literal["cluster", "database"] = "database"
    cloud: Literal["public", "usgov", "china"] = "public"
    subscriptions: tuple[str, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    directory: Directory = field(default_factory=Directory)

    @property
    def mark(self) -> str:
        """What we write beside what we own: a principal's Notes, a role assignment's description. Without a spec there
        is nobody to own anything."""
        return f"{MARK}{self.name}" if self.name else ""

    def identity(self, symbol: str, attribute: str) -> str | Unknown:
        """``principalId`` or ``clientId`` of an identity of the cluster: known, or known after apply."""
        known = self.directory.attributes.get(symbol, {}).get(attribute)
        return known or Unknown(Ref("cluster_identity", (symbol,)), attribute)

    def manages(self, plane: str) -> Manage:
        """Whether this pipeline may write to a plane (``manage:`` in the spec; default ``apply``)."""
        return self.manage.get(plane, "apply")
