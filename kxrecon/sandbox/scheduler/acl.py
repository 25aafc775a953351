"""Who may write under a path of an account with a hierarchical namespace, by access control lists alone.

("learn.microsoft.com, Access control lists in Azure Data Lake Storage".) A path is a document
(account, container, "/a/b") with ``owner``, ``group`` and ``acl``.
"""

from __future__ import annotations

from kxrecon.sandbox import acl
from kxrecon.sandbox.store import Document, Store


def refusal(store: Store, connection: Document, principal: str, groups: set[str]) -> str | None:
    """Why an identity may not create files in the target of a connection; None if it may.

    Directories that do not exist yet are made by the writer, who then owns them: the deepest one that
    exists decides.
    """
    account, container = str(connection["account"]), str(connection["container"])
    here, document = "/", store.get("path", account, container, "/") or {}
    for part in [part for part in str(connection.get("path") or "").split("/") if part]:
        below = here.rstrip("/") + "/" + part
        found = store.get("path", account, container, below)
        if found is None:
            break
        if not _allows(document, principal, groups, "x"):
            return f"the ACL of '{here}' gives no --x"
        here, document = below, found
    return None if _allows(document, principal, groups, "wx") else f"the ACL of '{here}' gives no -wx"


def _allows(document: Document, principal: str, groups: set[str], bits: str) -> bool:
    """Owner first, then named entries, groups and other, in this order."""
    entries = acl.parse(str(document.get("acl") or acl.ROOT))
    if str(document.get("owner", "")).lower() == principal:
        return all(bit in entries[False, "user", ""] for bit in bits)
    owning = str(document.get("group", "")).lower()
    if owning in groups:
        entries.setdefault((False, "group", owning), entries[False, "group", ""])
    return acl.allows(entries, principal, groups, bits)
