"""POSIX access control lists of accounts with a hierarchical namespace: who may write under a path.

("learn.microsoft.com, Access control lists in Azure Data Lake Storage".) A path is a document
(account, container, "/a/b") whose ``acl`` is ``user::rwx,user:<object id>:-wx,group::r-x,mask::rwx,other::---``.
"""

from __future__ import annotations

from kxrecon.sandbox.store import Document, Store

ROOT_ACL = "user::rwx,group::r-x,other::---"


def refusal(store: Store, connection: Document, principal: str, ids: set[str]) -> str | None:
    """Why an identity (``ids``: itself and its groups) may not create files in the target; None if it may.

    Directories that do not exist yet are made by the writer, who then owns them: the deepest one that
    exists decides.
    """
    account, container = str(connection["account"]), str(connection["container"])
    here, document = "/", store.get("path", account, container, "/") or {"acl": ROOT_ACL}
    for part in [part for part in str(connection.get("path") or "").split("/") if part]:
        below = here.rstrip("/") + "/" + part
        found = store.get("path", account, container, below)
        if found is None:
            break
        if "x" not in permissions(document, principal, ids):
            return f"the ACL of '{here}' gives no --x"
        here, document = below, found
    if not {"w", "x"} <= permissions(document, principal, ids):
        return f"the ACL of '{here}' gives no -wx"
    return None


def permissions(document: Document, principal: str, ids: set[str]) -> set[str]:
    """The letters of r, w, x that apply: owner, named user, groups, other, in this order; masked."""
    entries = parse(str(document.get("acl") or ROOT_ACL))
    mask = entries.get(("mask", ""), set("rwx"))
    if str(document.get("owner", "")).lower() == principal:
        return entries.get(("user", ""), set())
    if ("user", principal) in entries:
        return entries[("user", principal)] & mask
    groups = [entries[("group", one)] for one in ids - {principal} if ("group", one) in entries]
    if str(document.get("group", "")).lower() in ids - {principal}:
        groups.append(entries.get(("group", ""), set()))
    if groups:
        # one matching group must give all that is asked for; the sandbox asks for the richest
        return max((one & mask for one in groups), key=lambda one: ("w" in one, "x" in one, len(one)))
    return entries.get(("other", ""), set())


def parse(text: str) -> dict[tuple[str, str], set[str]]:
    """Access entries by (type, id); default entries apply to children only and are left out."""
    found: dict[tuple[str, str], set[str]] = {}
    for entry in text.split(","):
        parts = entry.strip().split(":")
        if len(parts) == 3:
            found[(parts[0].lower(), parts[1].lower())] = set(parts[2]) - {"-"}
    return found
