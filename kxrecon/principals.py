"""Who a principal is: fully qualified names in, one comparable symbol out.

A principal appears as an identity of the cluster (``exporter``), as a name from ``principals:``, or as a
raw name such as ``aadgroup=6f0e9c1e-…;contoso.com`` (learn.microsoft.com, Referencing security
principals). Kusto answers with object ids whatever was written, so a symbol never carries the tenant,
and ``observed_symbol`` tries every id that an answer shows before it settles for the object id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from kxrecon.errors import Problem
from kxrecon.model import Text, Unknown
from kxrecon.scope import SYSTEM, Scope

# How Azure Resource Manager's role assignments name what Kusto writes as a prefix.
ARM_TYPES = {"aaduser": "User", "aadgroup": "Group", "aadapp": "ServicePrincipal", "msauser": "User"}
# How Kusto's own principal assignments in ARM name the same.
KUSTO_TYPES = {"aaduser": "User", "aadgroup": "Group", "aadapp": "App", "msauser": "User"}

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# What Kusto appends to a display name: "Abbi Atkins (upn: abbi@fabrikam.com)", "Exporter (app id: …)".
_REMARK = re.compile(r"\s*\((?:upn|app id):\s*([^)]*)\)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fqn:
    """A fully qualified principal name in its parts; ``prefix`` lower-case, ``tenant`` empty if left out."""

    prefix: str
    id: str
    tenant: str = ""

    @property
    def canonical(self) -> str:
        """The comparable form: lower-case, without the tenant."""
        return f"{self.prefix}={self.id}".lower()


def is_guid(text: str) -> bool:
    """Whether ``text`` is an object or client id rather than a name."""
    return _GUID.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def parse(text: str) -> Fqn | None:
    """``aadgroup=<id>;<tenant>`` in parts; None if it is no such name."""
    prefix, equals, rest = text.strip().partition("=")
    name, _, tenant = rest.partition(";")
    known = prefix.strip().lower()
    if not equals or known not in ARM_TYPES or not name.strip():
        return None
    return Fqn(known, name.strip(), tenant.strip())


@lru_cache(maxsize=4096)
def aliases(text: str) -> tuple[str, ...]:
    """The keys under which a directory should know the principal with this name, all lower-case.

    A display name alone is no key: two groups may share one, so it counts only behind its prefix.
    """
    fqn = parse(text)
    if fqn is None:
        return (text.strip().lower(),)
    bare = (fqn.id.lower(),) if is_guid(fqn.id) or "@" in fqn.id else ()
    return (fqn.canonical, *bare)


def is_identity(symbol: str, scope: Scope) -> bool:
    """Whether ``symbol`` names a managed identity of the cluster."""
    return symbol == SYSTEM or symbol in scope.identities


def symbol_of(text: str, scope: Scope) -> str | None:
    """The symbol of a principal as a spec names it; None if it is neither declared nor a name by itself.

    A raw name that a ``principals:`` entry spells too becomes that entry's symbol, so that both are one.
    """
    if is_identity(text, scope) or text in scope.principals:
        return text
    fqn = parse(text)
    if fqn is None:
        return None
    declared = (name for name, written in scope.principals.items() if fqn.canonical in aliases(written))
    return next(declared, None) or scope.directory.symbol(*aliases(text)) or fqn.canonical


def fqn_of(symbol: str, written: str | None, scope: Scope) -> str:
    """The full name of a principal that is no identity: as declared, else as written, else the symbol itself."""
    return scope.principals.get(symbol) or written or symbol


def identity_fqn(symbol: str, scope: Scope) -> Text:
    """``aadapp=<principalId>;<tenantId>`` of an identity, in parts, because its ids may be known after apply only."""
    principal = scope.identity(symbol, "principalId")
    tenant = scope.identity(symbol, "tenantId")
    if isinstance(principal, str) and isinstance(tenant, Unknown):
        return (f"aadapp={principal}",)  # the cluster's own tenant is implied
    return ("aadapp=", principal, ";", tenant)


def unknown_principal(text: str, path: tuple[str | int, ...], entity: str) -> Problem:
    """The problem of a name that stands for nobody."""
    return Problem(
        f"unknown principal '{text}'",
        path=path,
        entity=entity,
        remedy="name it under principals: or cluster.identities, or write aaduser=, aadgroup= or aadapp=<id>;<tenant>",
    )


def observed_symbol(object_id: str, fqn: str, display: str, scope: Scope) -> str:
    """The symbol of a principal that a service shows; its object id's canonical name if the spec knows it not."""
    shown = parse(fqn)
    remark = _REMARK.search(display) if display.endswith(")") else None
    name = display[: remark.start()] if remark else display
    prefix = shown.prefix if shown else "aadapp"
    keys = [object_id, shown.id if shown else "", shown.canonical if shown else fqn]
    if remark:
        keys += [remark.group(1), f"{prefix}={remark.group(1)}"]
    if name:
        keys.append(f"{prefix}={name}")
    return scope.directory.symbol(*keys) or f"{prefix}={object_id or (shown.id if shown else fqn)}".lower()
