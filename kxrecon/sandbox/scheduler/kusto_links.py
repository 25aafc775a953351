"""The links on the cluster itself: state, identity, policy, roles, external table, query, fact tables.

("learn.microsoft.com, Use a managed identity to run a continuous export job" and "Continuous data export".)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kxrecon.sandbox.kusto.errors import KustoError, NotImitated
from kxrecon.sandbox.kusto.values import canonical
from kxrecon.sandbox.scheduler import evaluation
from kxrecon.sandbox.scheduler.documents import Identity, is_enabled, policy
from kxrecon.sandbox.scheduler.verdicts import Broken, Subject, Unreached

READERS = {"admins", "users", "viewers"}
CLUSTER_READERS = {"AllDatabasesAdmin", "AllDatabasesViewer"}
ARM_READERS = {"Admin", "User", "Viewer"}
NEEDS_IDENTITY = (
    "Error: continuous export to external tables with impersonation requires setting the 'managedIdentity' "
    "property in the continuous export configuration."
)


def cluster(subject: Subject) -> str:
    """The cluster exists and runs; a stopped one is no permanent reason."""
    if not subject.cluster:
        raise Broken(f"The cluster '{subject.uri}' does not exist.")
    state = subject.cluster.get("state", "Running")
    if state != "Running":
        raise Broken(f"The cluster '{subject.uri}' is not running (state: {state}).", permanent=False)
    return "the cluster runs"


def needed_usages(subject: Subject) -> Iterator[tuple[Identity, str]]:
    """Each identity that takes part and the usage that the managed_identity policy must allow it."""
    if subject.identity is not None:
        yield subject.identity, "AutomatedFlows"
    if subject.external is not None:
        for connection in subject.connections():
            if connection["auth"] == "managed_identity":
                found = subject.connection_identity(connection)
                if found is not None:
                    yield found, "ExternalTable"


def assigned(subject: Subject) -> str:
    """Every identity that takes part is assigned to the cluster."""
    for one, _ in needed_usages(subject):
        if not one.assigned:
            raise Broken(f"Managed identity '{one.name}' is not assigned to the cluster '{subject.uri}'.")
    return "the identities are assigned to the cluster"


def allowed(subject: Subject) -> str:
    """The managed_identity policy, at cluster or database level, allows each use."""
    for one, usage in needed_usages(subject):
        if not one.principal:
            raise Unreached(f"the identity '{one.name}' is unknown")
        if not {usage, "All"} & usages(subject, one):
            raise Broken(
                f"Managed identity '{one.name}' is not allowed for usage '{usage}': the managed_identity policy of "
                f"cluster and database '{subject.database}' does not list it."
            )
    return "the managed_identity policy allows the uses"


def usages(subject: Subject, one: Identity) -> set[str]:
    """The usages that an identity has, of cluster and database together."""
    levels = (("cluster",), ("database", subject.database))
    found: set[str] = set()
    for level in levels:
        for entry in policy(subject.world.store, subject.uri, *level, "managed_identity") or ():
            if _means(subject, entry, one):
                found |= {usage.strip() for usage in str(entry.get("AllowedUsages", "")).split(",")}
    return found


def _means(subject: Subject, entry: Mapping[str, object], one: Identity) -> bool:
    written = str(entry.get("ObjectId", "")).lower()
    system = str((subject.cluster.get("identity") or {}).get("system") or "").lower()
    return one.principal == (system if written == "system" else written)


def role(subject: Subject) -> str:
    """The identity may read every database that the query reads."""
    if subject.reads.missing:
        raise Broken(f"Database '{min(subject.reads.missing)}' could not be found.")
    one = subject.identity
    if one is None:
        return "the export runs without an identity"
    if not one.principal:
        raise Unreached(f"the identity '{one.name}' is unknown")
    for database in sorted(subject.reads.databases):
        if not can_read(subject, one, database):
            raise Broken(
                f"Principal 'aadapp={one.client or one.principal};{subject.world.tenant}' is not authorized to perform "
                f"operation 'ContinuousExport' on '[{database}]': it is not a viewer of the database."
            )
    return f"the identity reads {', '.join(sorted(subject.reads.databases))}"


def can_read(subject: Subject, one: Identity, database: str) -> bool:
    """Whether a role lets the identity read a database: its own, a group's, or one on the whole cluster."""
    store = subject.world.store
    holders = {one.principal, one.client} | subject.world.groups_of(one.principal)
    holders.discard("")

    def held(document: Mapping[str, object], *fields: str) -> bool:
        return bool(holders & {str(document.get(field, "")).lower() for field in fields})

    direct = store.all("role", subject.uri, "database", database)
    if any(key[3] in READERS and held(document, "objectId") for key, document in direct):
        return True
    on_cluster = [document for _, document in store.all("cluster_principal", subject.uri)]
    if any(row["role"] in CLUSTER_READERS and held(row, "aadObjectId", "principalId") for row in on_cluster):
        return True
    by_arm = [document for _, document in store.all("database_principal", subject.uri, database)]
    return any(row["role"] in ARM_READERS and held(row, "aadObjectId", "principalId") for row in by_arm)


def external_table(subject: Subject) -> str:
    """The external table exists and its format is one that is exported to."""
    name = subject.job.document["externalTable"]
    if subject.external is None:
        raise Broken(f"External table '{name}' was not found in database '{subject.database}'.")
    if subject.external["kind"] not in ("storage", "sql"):
        raise Broken(str(NotImitated(f"export to external tables of kind={subject.external['kind']}")), permanent=False)
    form = str(subject.external.get("dataFormat") or "").lower()
    if subject.external["kind"] == "storage" and form not in ("csv", "tsv", "json", "parquet"):
        raise Broken(f"Data format '{form}' of external table '{name}' is not supported by continuous export.")
    return f"external table '{name}' exists"


def schema(subject: Subject) -> str:
    """The query's result and the external table have the same columns: names, types and order."""
    wanted = [(str(name), canonical(str(kind))) for name, kind in subject.target()["columns"]]
    if subject.reads.clusters:
        raise Broken("Cross-cluster queries are not supported in continuous export.")
    try:
        found = evaluation.columns(subject)
    except NotImitated as error:
        raise Broken(error.text, permanent=False) from error
    except KustoError as error:
        raise Broken(error.text) from error
    if found != wanted:
        raise Broken(
            "The query schema does not match the external table schema. "
            f"Query schema: ({_csl(found)}), external table schema: ({_csl(wanted)})."
        )
    return f"the query gives ({_csl(wanted)})"


def _csl(columns: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name}:{kind}" for name, kind in columns)


def facts(subject: Subject) -> str:
    """Fact tables are there, local, have ingestion times; no table has restricted view access."""
    listed = subject.facts
    if not listed:
        raise Broken("Continuous export must have at least one fact table.")
    for database, table in sorted(listed):
        if database != subject.database:
            raise Broken(f"Fact table '{table}' must reside in the export's database: cross-database is not supported.")
        if subject.world.store.get("table", subject.uri, database, table) is None:
            raise Broken(f"Entity ID '{table}' of kind 'Table' was not found.")
        if not is_enabled(subject.world.store, subject.uri, database, table, "ingestiontime", default=True):
            raise Broken(f"Table '{table}' does not have the IngestionTime policy enabled, cursors are not available.")
    for database, table in sorted(subject.reads.tables | listed):
        if is_enabled(subject.world.store, subject.uri, database, table, "restricted_view_access"):
            raise Broken(f"Table '{table}' has restricted view access: continuous export is not supported.")
    return f"fact tables: {', '.join(sorted(table for _, table in listed))}"


def authentication(subject: Subject) -> str:
    """The way in which the external table authenticates fits the export (§ "Limitations" of both pages)."""
    forms = {str(one["auth"]) for one in subject.connections()}
    if "impersonate" in forms and subject.job.identity is None:
        raise Broken(NEEDS_IDENTITY)
    if subject.job.identity is None and subject.reads.databases != {subject.database}:
        raise Broken("Continuous export with cross-database queries requires setting the 'managedIdentity' property.")
    secured = sorted(
        table
        for database, table in subject.reads.tables
        if is_enabled(subject.world.store, subject.uri, database, table, "row_level_security")
    )
    if secured and (subject.job.identity is None or forms != {"impersonate"}):
        raise Broken(
            f"Table '{secured[0]}' has an enabled Row Level Security policy: continuous export requires the "
            "'managedIdentity' property and an external table with impersonation authentication."
        )
    return f"the external table authenticates by {', '.join(sorted(forms))}"
