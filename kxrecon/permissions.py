"""The least rights that a spec asks of whoever plans and applies it, by plane and place.

Sources: learn.microsoft.com, Kusto role-based access control; Azure built-in roles; Continuous data export;
GRANT (Transact-SQL). ``docs/permissions.md`` is the same for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from kxrecon.errors import MALFORMED
from kxrecon.kinds.arm import container
from kxrecon.kinds.kusto.managed_identity_policy import KIND as POLICY
from kxrecon.model import Failure, Plane, Read, State, Table
from kxrecon.observe import learn
from kxrecon.planes import PlaneClient
from kxrecon.scope import Scope
from kxrecon.storage_uri import locate
from kxrecon.surroundings import carried

Verb = Literal["plan", "apply"]
Has = Literal["yes", "no", "unknown"]
_IN_DATABASE = ("continuous_export", "database_role", "function", "table", "external_table")
# Kusto roles that give another one (learn.microsoft.com, Kusto role-based access control).
_WIDER: Mapping[str, tuple[str, ...]] = {
    "Database Viewer": ("Viewer", "User", "Admin", "Monitor", "AllDatabasesViewer", "AllDatabasesMonitor"),
    "Database User": ("User", "Admin"),
    "Database Admin": ("Admin",),
    "AllDatabasesMonitor": ("AllDatabasesMonitor",),
    "AllDatabasesAdmin": (),
}


@dataclass(frozen=True, slots=True)
class Right:
    """One right: ``role`` at ``where`` on a plane, for a verb. ``test`` is what is asked to check it: an ARM
    action, a SQL permission; ``reason`` says what it is for."""

    verb: Verb
    plane: Plane
    where: str
    role: str
    reason: str
    test: str = ""


def addressed(scope: Scope) -> Scope:
    """The scope with an address for each storage account whose id is not known: what it asks for is derived all the
    same, and is told of that address."""
    docs = [target.doc for target in scope.targets.values() if not target.doc.get("resourceId")]
    hosts = {location.host for doc in docs if (location := locate(str(doc.get("url") or "")))}
    accounts = {**{host: f"https://{host}" for host in hosts}, **scope.directory.accounts}
    return replace(scope, directory=replace(scope.directory, accounts=accounts))


def located(scope: Scope, planes: Mapping[Plane, PlaneClient]) -> Scope:
    """The scope with the accounts that Resource Graph shows to the caller, asked once for all of them."""
    reads = [read for read in container.reads(scope, {}) if read.text == "resources.query"]
    if scope.manages("arm") == "off" or not reads:
        return scope
    return replace(scope, directory=learn(scope, {read: planes["arm"].read(read) for read in reads}))


def rights(desired: State, scope: Scope, ledger: str = "") -> list[Right]:
    """All rights, each once, those to plan first. ``desired`` has its derived links, ``scope`` an address or an id of
    each account (``addressed``), ``ledger`` is the database that holds the ledger's table."""
    found = [*_to_read(scope, desired), *_to_write(scope, desired)]
    kept = [
        right
        for right in found
        if scope.manages(right.plane) in (("apply",) if right.verb == "apply" else ("apply", "check"))
    ]
    return list(dict.fromkeys([*kept, *_to_keep(ledger)]))


def _to_keep(ledger: str) -> Iterator[Right]:
    """The ledger's table: made by a Database User, appended to by a Table Ingestor, who is also a user or ingestor."""
    if ledger:
        yield Right("plan", "kusto", ledger, "Database Viewer", "the ledger")
        yield Right("apply", "kusto", ledger, "Database User", "the ledger's table, to make it and to append to it")


def _to_read(scope: Scope, desired: State) -> Iterator[Right]:
    for name in scope.databases:
        yield Right("plan", "kusto", name, "Database Viewer", "tables, functions, external tables, exports")
        yield Right("plan", "kusto", name, "Database Admin", "who is in which role of the database")
    yield Right("plan", "kusto", "cluster", "AllDatabasesMonitor", "the managed_identity policy of the cluster")
    if scope.cluster_id:
        yield Right(
            "plan", "arm", scope.cluster_id, "Reader", "the cluster's identities", "Microsoft.Kusto/clusters/read"
        )
    action = "Microsoft.ManagedIdentity/userAssignedIdentities/read"
    for resource_id in sorted(filter(None, scope.identities.values())):
        yield Right("plan", "arm", resource_id, "Reader", "the identity's ids", action)
    for account in sorted(_accounts(scope)):
        action = "Microsoft.Authorization/roleAssignments/read"
        yield Right("plan", "arm", account, "Reader", "role assignments and containers", action)
    for host, filesystem in _lists(scope):
        yield Right("plan", "adls", f"{host}/{filesystem}", "Storage Blob Data Reader", "access control lists")
    for where in _sql(scope):
        yield Right("plan", "sql", where, "VIEW DEFINITION", "users and what they may do", "VIEW DEFINITION")


def _accounts(scope: Scope) -> set[str]:
    stated = {
        str(target.doc.get("resourceId") or "").partition("/blobServices/")[0] for target in scope.targets.values()
    }
    return {one for one in (*stated, *scope.directory.accounts.values()) if one}


def _lists(scope: Scope) -> list[tuple[str, str]]:
    """(host, file system) of targets that let writers in by list."""
    docs = [target.doc for target in scope.targets.values() if target.doc.get("grant") == "acl"]
    found = [location for doc in docs if (location := locate(str(doc.get("url") or "")))]
    return sorted({(one.dfs_host, one.container) for one in found})


def _sql(scope: Scope) -> list[str]:
    docs = [target.doc for target in scope.targets.values() if target.doc.get("server")]
    return sorted({f"{doc['server']}/{doc['database']}" for doc in docs if doc.get("auth") != "password"})


def _to_write(scope: Scope, desired: State) -> Iterator[Right]:
    refs = sorted(desired.entities)
    for name in sorted({ref.name[0] for ref in refs if ref.kind in _IN_DATABASE}):
        yield Right("apply", "kusto", name, "Database Admin", "exports, external tables, functions, roles")
    if any(ref.kind == POLICY for ref in refs):
        yield Right("apply", "kusto", "cluster", "AllDatabasesAdmin", "the managed_identity policy")
    if any(carried(table) for table in desired.of_kind("external_table")):
        reason = "external tables whose connection string carries an identity"
        yield Right("apply", "kusto", "cluster", "AllDatabasesAdmin", reason)
    if scope.cluster_id and any(ref.kind in ("cluster_identity", "cluster_role") for ref in refs):
        reason, action = "the cluster's identities and roles", "Microsoft.Kusto/clusters/write"
        yield Right("apply", "arm", scope.cluster_id, "Contributor", reason, action)
    action = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    for resource_id in sorted(filter(None, scope.identities.values())):
        yield Right("apply", "arm", resource_id, "Managed Identity Operator", "attaching it to the cluster", action)
    for entity in sorted(desired.of_kind("role_assignment"), key=lambda one: one.ref):
        where = _place(str(entity.attributes.get("scope") or entity.ref.name[0]))
        role, action = "Role Based Access Control Administrator", "Microsoft.Authorization/roleAssignments/write"
        yield Right("apply", "arm", where, role, "role assignments", action)
    for entity in sorted(desired.of_kind("container"), key=lambda one: one.ref):
        where = str(entity.attributes["resourceId"]).partition("/blobServices/")[0]
        action = "Microsoft.Storage/storageAccounts/blobServices/containers/write"
        yield Right("apply", "arm", where, "Storage Account Contributor", "containers", action)
    for host, filesystem in sorted({(ref.name[0], ref.name[1]) for ref in refs if ref.kind == "acl_entry"}):
        yield Right("apply", "adls", f"{host}/{filesystem}", "Storage Blob Data Owner", "access control lists")
    for where in sorted({"/".join(ref.name[:2]) for ref in refs if ref.kind == "sql_user"}):
        yield Right("apply", "sql", where, "ALTER ANY USER", "users for identities", "ALTER ANY USER")
        yield Right("apply", "sql", where, "CONTROL", "granting what is granted", "CONTROL")


def _place(scope_id: str) -> str:
    """Where a role is assigned: an ARM scope, or the address of a container whose account's id is not known."""
    return scope_id.replace("/blobServices/default/containers/", "/") if scope_id.startswith("https://") else scope_id


# --- whether the caller has them --------------------------------------------------------------------------


def has(right: Right, planes: Mapping[Plane, PlaneClient]) -> tuple[Has, str]:
    """Whether the caller has a right, as far as it can be asked, and why that is not known."""
    try:
        return _ASK[right.plane](right, planes[right.plane])
    except MALFORMED as error:
        return "unknown", f"the answer has not the documented form: {error}"[:200]


def _kusto(right: Right, plane: PlaneClient) -> tuple[Has, str]:
    """By the caller's own roles; what it has through groups is shown too, where the service resolves them."""
    reads = [Read("kusto", "", ".show principal roles")]
    if right.where != "cluster":
        from kxrecon.kql import identifier

        reads.append(Read("kusto", right.where, f".show database {identifier(right.where)} principal roles"))
    unsure, shown = "no role of yours is shown", 0
    for read in reads:
        answer = plane.read(read)
        if isinstance(answer, Failure):
            return "unknown", answer.message
        roles = [str(row["Role"]) for row in answer.records()] if isinstance(answer, Table) else []
        shown += len(roles)
        if any(_gives(role, right.role) for role in roles):
            return "yes", ""
    return ("no", "") if shown else ("unknown", unsure)


def _gives(role: str, wanted: str) -> bool:
    if role.startswith("All"):
        return role == "AllDatabasesAdmin" or role in _WIDER[wanted]
    return not wanted.startswith("All") and role.rpartition(" ")[2] in _WIDER[wanted]


def _arm(right: Right, plane: PlaneClient) -> tuple[Has, str]:
    """By ARM's own answer: actions without notActions, of any of the caller's assignments there."""
    if right.where.startswith("https://"):
        return "unknown", "no storage account with this address is shown to you"
    answer = plane.read(Read("arm", "", "permissions.list", (("scope", right.where),)))
    if isinstance(answer, Failure):
        return "unknown", answer.message
    rows = answer if isinstance(answer, list) else []
    return ("yes" if any(_allows(row, right.test) for row in rows) else "no"), ""


def _allows(row: Mapping[str, Any], action: str) -> bool:
    def matches(patterns: Any) -> bool:
        return any(fnmatchcase(action.lower(), str(one).lower()) for one in patterns or ())

    return matches(row.get("actions")) and not matches(row.get("notActions"))


def _adls(right: Right, plane: PlaneClient) -> tuple[Has, str]:
    """Reading a list shows that lists can be read; the right to write them shows only when one is written."""
    host, _, filesystem = right.where.partition("/")
    answer = plane.read(Read("adls", host, "acl.get", (("filesystem", filesystem), ("path", "/"))))
    if right.verb == "apply":
        return "unknown", "shows only when a list is written"
    if isinstance(answer, Failure):
        return ("no" if answer.reason == "denied" else "unknown"), answer.message
    return "yes", ""


def _sql_right(right: Right, plane: PlaneClient) -> tuple[Has, str]:
    text = f"SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', '{right.test}') AS has"
    answer = plane.read(Read("sql", right.where, text))
    if isinstance(answer, Failure):
        return ("no" if answer.reason == "denied" else "unknown"), answer.message
    rows = answer.rows if isinstance(answer, Table) else ()
    return ("yes" if rows and rows[0][0] else "no"), ""


_Ask = Callable[[Right, PlaneClient], tuple[Has, str]]
_ASK: Mapping[Plane, _Ask] = {"kusto": _kusto, "arm": _arm, "adls": _adls, "sql": _sql_right}
