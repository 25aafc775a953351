"""Entra principals as Kusto names them: parsed, resolved to object ids, printed as FQNs.

Input forms: "learn.microsoft.com, Referencing security principals"; shown forms: ".show database principals".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kxrecon.sandbox.kusto.errors import BadRequest
from kxrecon.sandbox.kusto.lexer import GUID
from kxrecon.sandbox.kusto.session import Caller
from kxrecon.sandbox.store import Document, Store
from kxrecon.sandbox.world import DEFAULT_CALLER, DEFAULT_TENANT, closure

PREFIX = {"aaduser": "User", "aadgroup": "Group", "aadapp": "ServicePrincipal", "msauser": "User"}
SHOWN = {"User": "AAD User", "Group": "AAD Group", "ServicePrincipal": "AAD Application"}
NAMED = {"User": "aaduser", "Group": "aadgroup", "ServicePrincipal": "aadapp"}
CLUSTER_ROLES = ("AllDatabasesAdmin", "AllDatabasesViewer", "AllDatabasesMonitor")


@dataclass(frozen=True, slots=True)
class Principal:
    """A resolved principal. ``app_id`` is the client id of an application, else None."""

    object_id: str
    kind: str
    display: str
    tenant: str
    app_id: str | None = None
    upn: str | None = None

    @property
    def fqn(self) -> str:
        """``aadapp=<application id>;<tenant>``, or by object id for users and groups."""
        return f"{NAMED[self.kind]}={self.app_id or self.object_id};{self.tenant}"

    @property
    def shown(self) -> str:
        """The display name as ``.show … principals`` prints it."""
        if self.kind == "ServicePrincipal":
            return f"{self.display} (app id: {self.app_id or self.object_id})"
        return f"{self.display} (upn: {self.upn})" if self.upn else self.display


def tenant(store: Store) -> str:
    """The tenant of the sandbox."""
    return str((store.get("meta", "tenant") or {}).get("id") or DEFAULT_TENANT)


def attached(store: Store, cluster: Mapping[str, Any]) -> list[Principal]:
    """The managed identities on the cluster; the system-assigned one is first and named ``system``."""
    found: list[Principal] = []
    block = cluster.get("identity") or {}
    if block.get("system"):
        found.append(by_object_id(store, str(block["system"])) or _system(store, str(block["system"])))
    for resource in block.get("user") or []:
        document = store.get("identity", str(resource).lower()) or store.get("identity", str(resource))
        if document:
            found.append(_identity(store, document))
    return found


def _system(store: Store, object_id: str) -> Principal:
    client = str(uuid.uuid5(uuid.NAMESPACE_OID, object_id))
    return Principal(object_id, "ServicePrincipal", "system", tenant(store), client)


def _identity(store: Store, document: Document) -> Principal:
    return Principal(
        str(document["principalId"]),
        "ServicePrincipal",
        str(document.get("name") or "identity"),
        str(document.get("tenantId") or tenant(store)),
        str(document.get("clientId") or document["principalId"]),
    )


def by_object_id(store: Store, object_id: str) -> Principal | None:
    """The principal or managed identity with this object id."""
    document = store.get("principal", object_id) or store.get("principal", object_id.lower())
    return _principal(store, object_id, document) if document else None


def _principal(store: Store, object_id: str, document: Document) -> Principal:
    kind = str(document.get("type") or "User")
    return Principal(
        object_id,
        kind if kind in SHOWN else "User",
        str(document.get("displayName") or document.get("upn") or object_id),
        str(document.get("tenantId") or tenant(store)),
        document.get("clientId") or (object_id if kind == "ServicePrincipal" else None),
        document.get("upn"),
    )


def everyone(store: Store, cluster: Mapping[str, Any]) -> list[Principal]:
    """Every principal that the sandbox knows: directory, managed identities, the cluster's own."""
    found = [_principal(store, key[0], document) for key, document in store.all("principal")]
    found += [_identity(store, document) for _, document in store.all("identity")]
    return found + attached(store, cluster)


def resolve(store: Store, cluster: Mapping[str, Any], text: str, strict: bool) -> Principal:
    """The principal that ``text`` names.

    An unknown one is refused in a strict sandbox; else it joins the directory, as everything else that a spec
    addresses does. ``system`` is a word of the managed identity policy and of exports, and nobody's name.
    """
    prefix, equals, rest = text.strip().partition("=")
    kind = PREFIX.get(prefix.strip().lower())
    wanted, _, home = rest.strip().partition(";")
    if not equals or kind is None or not wanted:
        raise BadRequest(f"'{text}' is not a valid fully-qualified principal name")
    if wanted.lower() == "system":
        raise BadRequest(f"Principal '{text}' could not be resolved: it was not found in the directory")
    direct = by_object_id(store, wanted)  # the usual case; the rest may be thousands
    if direct is not None and direct.kind == kind:
        return direct
    for known in everyone(store, cluster):
        if known.kind == kind and wanted.lower() in _names(known):
            return known
    if strict:
        raise BadRequest(f"Principal '{text}' could not be resolved: it was not found in the directory")
    return _enrol(store, kind, wanted, home)


def _names(known: Principal) -> set[str]:
    names = {known.object_id, known.app_id or "", known.upn or ""}
    if known.kind != "User":
        names.add(known.display)
    return {name.lower() for name in names if name}


def _enrol(store: Store, kind: str, wanted: str, home: str) -> Principal:
    given = re.fullmatch(GUID, wanted) is not None
    object_id = wanted.lower() if given else str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}:{wanted.lower()}"))
    document: Document = {"type": kind, "displayName": wanted, "upn": wanted if kind == "User" and not given else None}
    if re.fullmatch(GUID, home):
        document["tenantId"] = home.lower()
    store.put("principal", (object_id,), document)
    return _principal(store, object_id, document)


def caller(store: Store, uri: str, given: Mapping[str, Any] | None) -> Caller:
    """Who the caller is and which cluster roles it holds: its own, and what ARM assigned to it or its groups.

    A caller without ``roles`` may do everything.
    """
    document = dict(given or store.get("meta", "caller") or DEFAULT_CALLER)
    object_id = str(document.get("objectId") or DEFAULT_CALLER["objectId"]).lower()
    kind = str(document.get("type") or "User")
    name = str(document.get("clientId") or object_id)
    fqn = f"{NAMED.get(kind, 'aaduser')}={name};{tenant(store)}"
    ids = {object_id, name.lower()}
    if "roles" not in document:
        return Caller(object_id, fqn, frozenset(ids), frozenset({"AllDatabasesAdmin"}))
    ids |= closure(object_id, store.all("principal"))
    stated = {str(role.get("role")) if isinstance(role, Mapping) else str(role) for role in document["roles"] or ()}
    held = {str(one["role"]) for _, one in store.all("cluster_principal", uri) if assigned_ids(one) & ids}
    return Caller(object_id, fqn, frozenset(ids), frozenset((held | stated) & set(CLUSTER_ROLES)))


def assigned_ids(assignment: Mapping[str, Any]) -> set[str]:
    """The ids by which an ARM principal assignment names its principal."""
    return {str(assignment[field]).lower() for field in ("principalId", "aadObjectId") if assignment.get(field)}
