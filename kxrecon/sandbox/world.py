"""What every service of the sandbox shares: the store, the clock, the tenant and who is calling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.store import Document, Store

DEFAULT_TENANT = "0f2b6d5e-7c1a-4a0e-9a53-6f1d2c3b4a59"
DEFAULT_CALLER: Document = {
    "objectId": "5d8f0c3a-1b2e-4f60-8a9b-c7d6e5f40312",
    "displayName": "sandbox operator",
    "type": "User",
}


@dataclass(frozen=True, slots=True)
class World:
    """One sandbox: its documents and its time."""

    store: Store
    clock: Clock

    @property
    def tenant(self) -> str:
        """The Entra tenant of everything in the sandbox."""
        return str((self.store.get("meta", "tenant") or {}).get("id", DEFAULT_TENANT))

    @property
    def caller(self) -> Document:
        """Who sends the requests. Without ``roles`` the caller may do everything."""
        return self.store.get("meta", "caller") or DEFAULT_CALLER

    def stamp(self) -> str:
        """Now, as ARM writes times: ISO 8601 in UTC with seven decimals."""
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"

    def principal(self, object_id: str) -> Document | None:
        """The Entra principal with this object id."""
        return self.store.get("principal", object_id.lower())

    def groups_of(self, object_id: str) -> set[str]:
        """The object ids of all groups that hold the principal, directly or through other groups."""
        return closure(object_id.lower(), self.store.all("principal"))

    def new_service_principal(self, name: str) -> Document:
        """Register a managed identity in Entra; returns its ids (principalId, clientId, tenantId)."""
        ids = {"principalId": str(uuid4()), "clientId": str(uuid4()), "tenantId": self.tenant}
        document: dict[str, Any] = {
            "type": "ServicePrincipal",
            "displayName": name,
            "clientId": ids["clientId"],
            "tenantId": ids["tenantId"],
        }
        self.store.put("principal", (ids["principalId"],), document)
        return ids


def closure(member: str, principals: Iterable[tuple[tuple[str, ...], Document]]) -> set[str]:
    """All groups above a member."""
    parents: dict[str, set[str]] = {}
    for (object_id,), document in principals:
        for one in document.get("members") or ():
            parents.setdefault(str(one).lower(), set()).add(object_id)
    found: set[str] = set()
    todo = [member]
    while todo:
        for group in parents.get(todo.pop(), set()) - found:
            found.add(group)
            todo.append(group)
    return found
