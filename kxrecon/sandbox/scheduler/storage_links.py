"""The links at the target storage: account, container, the right to write, the account's firewall.

("learn.microsoft.com, Access control model in Azure Data Lake Storage" and "Azure built-in roles".)
"""

from __future__ import annotations

from kxrecon.sandbox.arm.builtin import BY_GUID
from kxrecon.sandbox.arm.ids import covers, normal
from kxrecon.sandbox.arm.rights import grants_content, role_guid
from kxrecon.sandbox.kusto.errors import NotImitated
from kxrecon.sandbox.scheduler import acl
from kxrecon.sandbox.scheduler.documents import Identity, moment
from kxrecon.sandbox.scheduler.verdicts import Broken, Subject, Unreached
from kxrecon.sandbox.store import Document

WRITE = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
DENIED = "Access to '{place}' was denied: (403) This request is not authorized to perform this operation{why}"


def account(subject: Subject) -> str:
    """The storage accounts and containers exist."""
    for connection in subject.connections():
        _imitated(connection)
        name, container = str(connection["account"]), str(connection["container"])
        if subject.world.store.get("account", name) is None:
            raise Broken(f"Storage account '{name}' does not exist: the remote name could not be resolved.")
        if subject.world.store.get("container", name, container) is None:
            raise Broken(f"(404) The specified container '{container}' does not exist (ContainerNotFound).")
    return "accounts and containers exist"


def _imitated(connection: Document) -> None:
    if str(connection.get("scheme", "")).lower() == "adl":
        raise Broken("Azure Data Lake Storage Gen1 is retired: its resources are no longer accessible.")
    if not connection.get("account") or connection["auth"] in ("aws", "presigned"):
        raise Broken(str(NotImitated(f"export to {connection.get('uri')}")), permanent=False)


def place(subject: Subject, connection: Document) -> tuple[Document, str]:
    """The account's document and the container's scope; Unreached where one is missing."""
    name, container = str(connection.get("account") or ""), str(connection.get("container") or "")
    found = subject.world.store.get("account", name)
    if found is None or subject.world.store.get("container", name, container) is None:
        raise Unreached("the account or the container does not exist")
    return found, normal(f"{found['resourceId']}/blobServices/default/containers/{container}")


def grant(subject: Subject) -> str:
    """Each connection may write: by a role at or above the container, by ACL, or by its own secret."""
    evidence = [granted(subject, connection) for connection in subject.connections()]
    return "; ".join(evidence)


def granted(subject: Subject, connection: Document) -> str:
    """What lets one connection write; Broken if nothing does."""
    document, scope = place(subject, connection)
    who = subject.connection_identity(connection)
    if who is None:
        return _secret(document, connection)
    if not who.principal:
        raise Unreached(f"the identity '{who.name}' is unknown")
    found = by_role(subject, who, scope)
    if found.startswith("!") and document.get("hns"):
        groups = subject.world.groups_of(who.principal)
        refused = acl.refusal(subject.world.store, connection, who.principal, groups)
        if refused is None:
            return "the ACLs allow to write"
        found += f"; {refused}"
    if found.startswith("!"):
        text = DENIED.format(place=connection["uri"], why=" using this permission (AuthorizationPermissionMismatch)")
        raise Broken(f"{text}: {found[1:]}.", permanent="takes effect" not in found)
    return found


def _secret(document: Document, connection: Document) -> str:
    """A key or signature is taken on trust, unless the account accepts none; it gives no trusted service."""
    if connection["auth"] == "none":
        raise Broken(DENIED.format(place=connection["uri"], why=": no credentials were given."))
    if connection["auth"] in ("key", "sas") and document.get("allowSharedKeyAccess") is False:
        raise Broken(
            f"Access to '{connection['uri']}' was denied: (403) Key based authentication is not permitted on this "
            "storage account (KeyBasedAuthenticationNotPermitted)."
        )
    return f"the connection carries its own {connection['auth']}"


def by_role(subject: Subject, who: Identity, scope: str) -> str:
    """The role that lets an identity write at a scope; else "!" and the nearest miss."""
    holders = {who.principal} | subject.world.groups_of(who.principal)
    now = subject.world.clock.now()
    miss = "no role assignment with write access to the data was found"
    for (at, _), row in subject.world.store.all("role_assignment"):
        known = BY_GUID.get(role_guid(str(row["roleDefinitionId"])))
        if str(row["principalId"]).lower() not in holders or not covers(at, scope) or known is None:
            continue
        due = moment(row.get("effectiveAt"))
        if not grants_content([known], WRITE):
            miss = f"the role '{known.name}' gives no write access to the data"
        elif row.get("condition"):
            miss = f"the role assignment '{known.name}' has a condition that is not met"
        elif due and due > now:
            miss = f"the role assignment '{known.name}' takes effect at {row['effectiveAt']}"
        else:
            return f"'{known.name}' at {at}"
    return "!" + miss


def network(subject: Subject) -> str:
    """The account's firewall lets the cluster in: open, a trusted service, or a rule for the resource."""
    for connection in subject.connections():
        document, _ = place(subject, connection)
        _check_network(subject, document, connection)
    return "the accounts' firewalls let the cluster in"


def _check_network(subject: Subject, document: Document, connection: Document) -> None:
    refused = DENIED.format(place=connection["uri"], why=" (AuthorizationFailure): ")
    if document.get("publicNetworkAccess", "Enabled") != "Enabled":
        raise Broken(refused + "the account's public network access is disabled.")
    rules = document.get("networkAcls") or {}
    if str(rules.get("defaultAction", "Allow")).lower() == "allow":
        return
    if subject.connection_identity(connection) is None:
        raise Broken(refused + "the account's firewall lets trusted services in by managed identity only.")
    bypass = {part.strip().lower() for part in str(rules.get("bypass", "AzureServices")).split(",")}
    listed = {normal(str(rule.get("resourceId", ""))) for rule in rules.get("resourceAccessRules") or ()}
    if "azureservices" not in bypass and normal(str(subject.cluster.get("resourceId", ""))) not in listed:
        raise Broken(refused + "the account's firewall does not let trusted services in.")
