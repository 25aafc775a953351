"""The links at storage: account and container, the right to write, the firewall, immutability.

("learn.microsoft.com, Access control model in Azure Data Lake Storage"; "Azure Storage firewall and virtual
network rules"; "Immutable storage for blobs": new files may always be written, and an export writes no others.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kxrecon.kinds import kind
from kxrecon.kinds.arm import container, role_assignment
from kxrecon.kinds.arm._ids import enclosing
from kxrecon.kinds.arm._roles import NAMES, WIDER, role_guid
from kxrecon.links import BLOB_WRITER
from kxrecon.model import Entity, Failure, Hidden, Ref
from kxrecon.storage_uri import Location, locate
from kxrecon.verdicts import Fix, Link, broken, holds, unknown
from kxrecon.verify import fixes, reads
from kxrecon.verify.acl import access
from kxrecon.verify.known import Subject

Connection = Mapping[str, Any]


def _place(connection: Connection) -> Location | None:
    uri = connection.get("uri")
    return locate(uri) if isinstance(uri, str) else None


def _account_id(place: Location, subject: Subject) -> str:
    return reads.accounts(subject.known.scope).get(place.host, "")


def target(subject: Subject, connection: Connection) -> Link:
    """The account and the container exist."""
    known, place = subject.known, _place(connection)
    uri = connection.get("uri")
    if isinstance(uri, str) and uri.startswith("adl://"):
        return broken("Azure Data Lake Storage Gen1 is retired", Fix("person", "export to another account"))
    if place is None:
        return unknown(f"{uri} is no Azure storage account")
    account_id = _account_id(place, subject)
    if not account_id:
        if subject.failed_with("could not be resolved", "does not exist"):
            return broken(f"the service says: {subject.failure}", Fix("person", f"create the account of {place.host}"))
        return unknown(f"the account of {place.host} is not shown to this caller")
    answer = known.answers.get(reads.account(account_id))
    if isinstance(answer, Failure) and answer.reason == "absent":
        return broken(
            f"the storage account {account_id} does not exist", Fix("person", "create it, or correct the url")
        )
    entity = container.container(account_id, place, ())
    if entity.ref in known.observed.entities:
        return holds(f"container '{place.container}' of {place.account} exists")
    if hidden := known.hidden(entity.ref):
        return unknown(f"container '{place.container}' of {place.account} {hidden}")
    text = fixes.command(
        *("az", "storage", "container-rm", "create", "--name", place.container, "--storage-account", account_id)
    )
    return broken(f"container '{place.container}' of {place.account} does not exist", Fix("shell", text))


def grant(subject: Subject, connection: Connection) -> Link:
    """Whoever opens the connection may write: by role, by list, or by the connection's own secret."""
    auth, place = connection.get("auth"), _place(connection)
    if auth == "none":
        text = "the connection string says nothing about how to get in"
        return broken(text, *fixes.definition(subject.known), Fix("person", "set auth: impersonate on the target"))
    writer = subject.writer(connection)
    if writer is None and not isinstance(auth, Hidden):
        return _secret(subject, connection, place)
    if not isinstance(writer, str) or place is None:
        return unknown("the service does not show who writes")
    object_id = (
        subject.known.scope.identity(writer, "principalId") if writer in subject.known.scope.identities else writer
    )
    if not isinstance(object_id, str):
        return unknown(subject.known.without_id(writer))
    found = _by_role(subject, writer, place)
    if found.verdict == "holds" or subject.known.scope.manages("arm") == "off":
        return found
    return _by_list(subject, connection, place, object_id, found)


def _secret(subject: Subject, connection: Connection, place: Location | None) -> Link:
    properties = _properties(place, subject)
    keyed = connection.get("auth") in ("key", "sharedKey", "sas")
    if keyed and isinstance(properties, Mapping) and properties.get("allowSharedKeyAccess") is False:
        fix = _account_update(place, subject, "--allow-shared-key-access", "true")
        text = "the account accepts no keys, and signatures made with keys"
        return broken(f"{text} (allowSharedKeyAccess: false)", Fix("person", "set auth: impersonate"), *fix)
    return holds(f"the connection carries its own {connection.get('auth')}; whether it is still valid is not asked")


def _by_role(subject: Subject, writer: str, place: Location) -> Link:
    known = subject.known
    account_id = _account_id(place, subject)
    if not account_id:
        return unknown(f"not reached: the account of {place.host} is not known")
    where = f"{account_id}/blobServices/default/containers/{place.container}"
    entity = role_assignment.assignment(where, BLOB_WRITER, writer, ())
    row = known.observed.entities.get(entity.ref)
    if row is not None and not row.fields.get("condition"):
        return holds(f"{writer} has {BLOB_WRITER} at the container")
    evidence = kind(entity.ref.kind).covers(entity, known.observed)
    if evidence:
        return holds(evidence)
    if hidden := known.hidden(entity.ref):
        return unknown(f"the role assignments {hidden}")
    doubt = None if subject.failed_with("authorizationpermissionmismatch") else _doubt(subject, entity)
    if doubt:
        return unknown(doubt)
    text = f"'{writer}' may not write to {place.account}/{place.container}: no role there or above gives it"
    return broken(text, *fixes.single(entity, known), *fixes.everything(entity, known))


def _doubt(subject: Subject, entity: Entity) -> str | None:
    """A row that may or may not let the identity write: conditional, or of a role made by the customer."""
    scopes = set(enclosing(entity.ref.name[0]))
    writers = set(WIDER[role_guid(BLOB_WRITER) or ""])
    for ref, row in subject.known.observed.entities.items():
        mine = ref.kind == "role_assignment" and entity.ref.name[2] in (ref.name[2], *row.attributes.get("via", ()))
        if not mine or ref.name[0] not in scopes:
            continue
        if ref.name[1] in writers and row.fields.get("condition"):
            return f"its role at {ref.name[0]} has a condition, which cannot be evaluated here"
        if ref.name[1] not in NAMES:
            return f"it has the role {ref.name[1]} at {ref.name[0]}, which is not a built-in one known here"
    return None


def _by_list(subject: Subject, connection: Connection, place: Location, object_id: str, by_role: Link) -> Link:
    """The lists decide where no role does, in an account that has them."""
    properties = _properties(place, subject)
    masked = isinstance(connection.get("auth"), Hidden) and not subject.failed_with("(403)", "denied")
    fallback = unknown("whoever opens the connection is masked: it may carry a secret") if masked else by_role
    if not isinstance(properties, Mapping) or not properties.get("isHnsEnabled"):
        return fallback
    named = subject.known.target(subject.table, str(connection["uri"])) if subject.table else None
    wanted = locate(str(named.doc.get("url") or "")) if named else None
    groups = frozenset(_groups(subject, subject.writer(connection)))
    found = access(subject.known, wanted or place, object_id.lower(), groups)
    if found.verdict == "yes":
        return holds(found.evidence)
    if found.verdict == "unknown" and fallback.verdict == "broken":
        return unknown(f"{fallback.evidence}; {found.evidence}", *fallback.fixes)
    if fallback.verdict == "broken" and named is not None and named.doc.get("grant") == "acl":
        return broken(f"{fallback.evidence}; {found.evidence}", *fixes.definition(subject.known))
    return fallback


def _groups(subject: Subject, writer: Any) -> list[str]:
    reading = subject.known.observed.readings.get(Ref("role_assignment", (str(writer),)))
    return [name.partition("=")[2] for name in reading.values["groups"]] if reading else []


def _properties(place: Location | None, subject: Subject) -> Mapping[str, Any] | Failure | None:
    account_id = _account_id(place, subject) if place else ""
    answer = subject.known.answers.get(reads.account(account_id)) if account_id else None
    if isinstance(answer, Mapping):
        found: Mapping[str, Any] = answer.get("properties") or {}
        return found
    return answer if isinstance(answer, Failure) else None


def _account_update(place: Location | None, subject: Subject, *change: str) -> tuple[Fix, ...]:
    account_id = _account_id(place, subject) if place else ""
    return (Fix("shell", fixes.command("az", "storage", "account", "update", "--ids", account_id, *change)),)


def network(subject: Subject, connection: Connection) -> Link:
    """The account's firewall lets the cluster in, and its container takes new files."""
    place = _place(connection)
    properties = _properties(place, subject)
    if place is None or not isinstance(properties, Mapping):
        why = fixes.words(properties) if isinstance(properties, Failure) else "the account is not known"
        return unknown(f"the firewall could not be read ({why})")
    access = str(properties.get("publicNetworkAccess") or "Enabled")
    if access != "Enabled":
        return _private(access, properties, place, subject)
    rules = properties.get("networkAcls") or {}
    if str(rules.get("defaultAction") or "Allow").lower() == "allow":
        return holds(f"{place.account} is open to all networks{_immutable(place, subject)}")
    return _firewall(rules, place, subject, connection)


def _private(access: str, properties: Mapping[str, Any], place: Location, subject: Subject) -> Link:
    fix = _account_update(place, subject, "--public-network-access", "Enabled")
    if access != "Disabled":
        return unknown(f"a network security perimeter decides who reaches {place.account} ({access})")
    states = [
        str(((one.get("properties") or {}).get("privateLinkServiceConnectionState") or {}).get("status"))
        for one in properties.get("privateEndpointConnections") or ()
    ]
    if "Approved" in states and not subject.failed_with("authorizationfailure"):
        return unknown(
            f"{place.account} is reached by private endpoints only; whether one is the cluster's is not told"
        )
    other = Fix("person", "or give the cluster a managed private endpoint to the account, and have it approved")
    return broken(f"public network access to {place.account} is disabled", *fix, other)


def _firewall(rules: Mapping[str, Any], place: Location, subject: Subject, connection: Connection) -> Link:
    bypass = {part.strip().lower() for part in str(rules.get("bypass") or "").split(",")}
    listed = {str(rule.get("resourceId") or "").lower() for rule in rules.get("resourceAccessRules") or ()}
    if subject.writer(connection) is not None:
        if "azureservices" in bypass:
            return holds(f"the firewall of {place.account} lets trusted services in{_immutable(place, subject)}")
        if subject.known.scope.cluster_id.lower() in listed:
            return _by_rule(f"the firewall of {place.account} has a rule for the cluster", subject)
    open_rules = rules.get("ipRules") or rules.get("virtualNetworkRules")
    if open_rules and not subject.failed_with("authorizationfailure"):
        return unknown(f"the firewall of {place.account} has address rules; the cluster's addresses are not known")
    if subject.writer(connection) is None and isinstance(connection.get("auth"), Hidden):
        return unknown(f"the firewall of {place.account} lets identities in only; how the table gets in is masked")
    if subject.writer(connection) is None:
        text = f"the firewall of {place.account} lets trusted services in by managed identity only"
        return broken(text, Fix("person", "set auth: impersonate and managedIdentity:"), *_opened(place, subject))
    fix = _account_update(place, subject, "--bypass", "AzureServices")
    return broken(f"the firewall of {place.account} does not let trusted services in", *fix)


def _by_rule(found: str, subject: Subject) -> Link:
    """No page says that such a rule counts for exports; a run that was refused speaks against it."""
    refused = subject.failed_with("authorizationfailure")
    return unknown(f"{found}, and its last run was refused by the account") if refused else holds(found)


def _opened(place: Location, subject: Subject) -> tuple[Fix, ...]:
    return _account_update(place, subject, "--default-action", "Allow")


def _immutable(place: Location, subject: Subject) -> str:
    found = subject.known.observed.entities.get(Ref("container", (place.account, place.container)))
    if found is None or not (found.attributes.get("hasImmutabilityPolicy") or found.attributes.get("hasLegalHold")):
        return ""
    return "; its container is immutable: new files are written, what an aborted run left cannot be removed"
