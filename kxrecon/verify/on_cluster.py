"""The links on the cluster: it runs, has the identity, lets it be used, and lets it read.

("learn.microsoft.com, Use a managed identity to run a continuous export job"; "Managed identities policy";
"Kusto role-based access control".)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kxrecon.kinds import kind
from kxrecon.kinds.kusto import database_role, managed_identity_policy
from kxrecon.model import Entity, Failure, Hidden, Ref
from kxrecon.principals import is_guid
from kxrecon.scope import SYSTEM
from kxrecon.verdicts import Fix, Link, broken, holds, unknown
from kxrecon.verify import fixes
from kxrecon.verify.known import Known, Subject

READERS = ("viewers", "users", "admins")
CLUSTER_READERS = ("AllDatabasesViewer", "AllDatabasesAdmin")


def cluster(subject: Subject) -> Link:
    """The cluster is there and runs."""
    known = subject.known
    answer = known.cluster
    answers = known.known_databases is not None
    if isinstance(answer, Failure):
        if answer.reason == "absent":
            text = f"the cluster {known.scope.cluster_id} does not exist: {answer.message}"
            return broken(text, Fix("person", "create the cluster, or correct cluster.resourceId in the spec"))
        return holds("it answers") if answers else unknown(f"its state could not be read ({fixes.words(answer)})")
    if answer is None:
        return holds("it answers") if answers else unknown("it did not answer, and no resource id was given")
    state = str((answer.get("properties") or {}).get("state") or "Running")
    if state != "Running":
        start = fixes.command("az", "kusto", "cluster", "start", "--ids", known.scope.cluster_id)
        return broken(f"the cluster's state is {state}", Fix("shell", start))
    return holds("the cluster runs")


def uses(subject: Subject) -> list[tuple[str, str]]:
    """(identity, usage) of each identity that takes part and is told."""
    found = [(subject.identity, "AutomatedFlows")]
    for connection in subject.connections:
        if connection.get("auth") == "managedIdentity":
            found.append((connection.get("identity"), "ExternalTable"))
    return [(symbol, usage) for symbol, usage in dict.fromkeys(found) if isinstance(symbol, str)]


def assigned(subject: Subject) -> Link:
    """Every identity that takes part is assigned to the cluster."""
    if isinstance(subject.identity, Hidden):
        return unknown("the service does not show which identity the export runs as: state it in a spec")
    known = subject.known
    symbols = list(dict.fromkeys(symbol for symbol, _ in uses(subject)))
    for symbol in symbols:
        ref = Ref("cluster_identity", (symbol,))
        if ref in known.observed.entities:
            continue
        if not known.scope.cluster_id:
            return unknown("without --resource-id nobody can tell which identities the cluster has")
        if hidden := known.hidden(ref):
            return unknown(f"the identities of the cluster {hidden}")
        return broken(f"'{symbol}' is not assigned to the cluster", *_attachment(symbol, subject))
    return holds(f"assigned: {', '.join(symbols)}" if symbols else "the export runs without an identity")


def _attachment(symbol: str, subject: Subject) -> Iterator[Fix]:
    known = subject.known
    if symbol != SYSTEM and not known.scope.identities.get(symbol):
        if subject.export.ref in known.changes:
            yield from fixes.definition(known)
        yield Fix("person", f"attach the identity {symbol} to the cluster, or give the export one that is attached")
        return
    resource_id = known.scope.identities.get(symbol, "")
    yield from fixes.creation(Entity(Ref("cluster_identity", (symbol,)), {"resourceId": resource_id.lower()}), known)


def allowed(subject: Subject) -> Link:
    """The managed_identity policy, of cluster and database together, allows each use."""
    evidence: list[str] = []
    for symbol, usage in uses(subject):
        entity = managed_identity_policy.usage("database", subject.database, symbol, usage, ())
        found = _usage(entity, subject.known)
        if found.verdict != "holds":
            return found
        evidence.append(found.evidence)
    return holds("; ".join(evidence) or "no identity has to be allowed")


def _usage(entity: Entity, known: Known) -> Link:
    _, database, symbol, usage = entity.ref.name
    evidence = kind(entity.ref.kind).covers(entity, known.observed)
    if evidence or entity.ref in known.observed.entities:
        return holds(evidence or f"the database's policy allows {usage} to {symbol}")
    cluster_wide = Ref(entity.ref.kind, ("cluster", symbol, usage))
    hidden = known.hidden(entity.ref) or known.hidden(cluster_wide)
    if hidden:
        return unknown(f"the managed_identity policy {hidden}")
    if not _has_id(symbol, known):
        return unknown(known.without_id(symbol))
    text = f"neither the cluster's managed_identity policy nor that of '{database}' allows {usage} to '{symbol}'"
    return broken(text, *fixes.single(entity, known), *_from_spec(entity.ref, cluster_wide, known))


def _from_spec(ref: Ref, cluster_wide: Ref, known: Known) -> tuple[Fix, ...]:
    return fixes.definition(known) if {ref, cluster_wide} & known.desired.entities.keys() else ()


def _has_id(symbol: str, known: Known) -> bool:
    return is_guid(symbol) or isinstance(known.scope.identity(symbol, "principalId"), str)


def role(subject: Subject) -> Link:
    """The identity may read every database that the query reads."""
    known, symbol = subject.known, subject.identity
    missing = sorted(one for one in subject.reads if one.lower() not in (known.known_databases or {one.lower()}))
    if missing:
        text = f"the query reads database '{missing[0]}', which is not there or not shown to this caller"
        mend = fixes.definition(known) if subject.export.ref in known.changes else ()
        return broken(text, *mend, Fix("person", f"create database '{missing[0]}', or correct the query"))
    if symbol is None:
        return holds("the export runs without an identity")
    if not isinstance(symbol, str):
        return unknown("the service does not show which identity the export runs as")
    if not _has_id(symbol, known):
        return unknown(known.without_id(symbol))
    evidence: list[str] = []
    for database in sorted(subject.reads):
        found = _reader(database, symbol, subject)
        if found.verdict != "holds":
            return found
        evidence.append(found.evidence)
    if subject.open_reads:
        return unknown(f"{'; '.join(evidence)}; but not known: {'; '.join(subject.open_reads)} (name them in reads:)")
    return holds("; ".join(evidence))


def _reader(database: str, symbol: str, subject: Subject) -> Link:
    known = subject.known
    entity = database_role.grant(database, "viewers", symbol, ())
    names = _aliases(symbol, known)
    seen = known.observed.entities
    for name in names:
        for role in READERS:
            if Ref("database_role", (database, role, name)) in seen:
                return holds(f"{name} is among the {role} of {database}")
        for role in CLUSTER_READERS:
            if Ref("cluster_role", (role, name)) in seen:
                return holds(f"{name} is {role} of the cluster")
    if hidden := known.hidden(entity.ref):
        return unknown(f"the principals of '{database}' {hidden}")
    denied = subject.failed_with("not authorized to perform operation")
    groups = [ref.name[2] for ref in seen if _is_group_reader(ref, database)]
    if groups and not denied:
        return unknown(f"it may be a member of {', '.join(sorted(groups))}, whose members are not read")
    wide = known.hidden(Ref("cluster_role", ("AllDatabasesViewer", symbol)))
    if wide and not denied:
        return unknown(f"it has no role on '{database}', and the roles of the cluster {wide}")
    text = f"'{symbol}' may not read database '{database}': it has none of the roles {', '.join(READERS)}"
    return broken(text, *fixes.creation(entity, known))


def _aliases(symbol: str, known: Known) -> list[str]:
    """The names under which an identity holds roles: its own, its object id's, those of groups known to have it."""
    reading = known.observed.readings.get(Ref("role_assignment", (symbol,)))
    groups: Mapping[str, object] | tuple[str, ...] = reading.values["groups"] if reading else ()
    ids = {symbol} if is_guid(symbol) else set(known.scope.directory.attributes.get(symbol, {}).values())
    return [symbol, *(f"aadapp={one}" for one in sorted(ids)), *groups]


def _is_group_reader(ref: Ref, database: str) -> bool:
    return (
        ref.kind == "database_role"
        and ref.name[:2] in {(database, role) for role in READERS}
        and _is_group(ref.name[2])
    )


def _is_group(symbol: str) -> bool:
    return symbol.startswith("aadgroup=")
