"""One export asked for (``.export to table``) and what is remembered of operations that go on by themselves.

Sources: "learn.microsoft.com, Export data to an external table", ".show operations" (by id of the last six
hours, else of two weeks) and ".show operation details" (once it completed; as the command answers without async).
Operations are kept as ``kusto_operation`` (uri, id): ``id, operation, started, ends`` (ISO), ``state, status``
(what it ends as), ``database, principal, activity, details``.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from kxrecon.sandbox.kusto import permissions, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns
from kxrecon.sandbox.kusto.errors import BadRequest, KustoError, NotImitated
from kxrecon.sandbox.kusto.lexer import mask
from kxrecon.sandbox.kusto.query_syntax import check
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.store import Document

EXPORTED = columns("ExternalTableName:string, Path:string, NumRecords:long")
STARTED = columns("OperationId:guid")
OPERATIONS = columns(
    "OperationId:guid, Operation:string, NodeId:string, StartedOn:datetime, LastUpdatedOn:datetime, Duration:timespan,"
    "State:string, Status:string, RootActivityId:guid, ShouldRetry:bool, Database:string, Principal:string,"
    "User:string, AdminEpochStartTime:datetime, VirtualCluster:string"
)
EPOCH = "2024-01-01T00:00:00.0000000Z"
BY_ID, LISTED = timedelta(hours=6), timedelta(days=14)
PROPERTIES = {
    "sizelimit": "sizeLimit",
    "distributed": "distributed",
    "distribution": "distribution",
    "distributionkind": "distributionKind",
    "concurrency": "concurrency",
    "spread": "spread",
    "parquetrowgroupsize": "parquetRowGroupSize",
}
SIZES = (100_000_000, 1 << 30)


def export(session: Session, given: dict[str, Any]) -> Answer:
    """``.export [async] to table E <| query``: by whoever asks, who needs admin rights on the external table."""
    session.get("external_table", given["to"])
    permissions.require_entity(session, "external_table", given["to"], "ExportToTable")
    check(str(given["query"]))
    properties = _properties(given.get("properties", {}))
    identity = str(uuid.uuid4())
    state, status, rows = "Completed", "", []
    try:
        rows = _written(session, identity, {"to": given["to"], "query": str(given["query"]), "properties": properties})
    except KustoError as problem:
        if "async" not in given:
            raise
        state, status = "Failed", mask(problem.text)
    ends = session.now + timedelta(seconds=session.switches.export_seconds if "async" in given else 0)
    operation = {
        "id": identity,
        "operation": "TableExport",
        "started": values.iso(session.now),
        "ends": values.iso(ends),
        "state": state,
        "status": status,
        "database": session.database_name,
        "principal": session.caller.fqn,
        "activity": session.activity,
        "details": rows,
    }
    session.store.put("kusto_operation", (session.uri, identity), operation)
    return answer(STARTED, [[identity]]) if "async" in given else answer(EXPORTED, rows)


def _written(session: Session, identity: str, asked: Document) -> list[list[Any]]:
    if session.exporter is None:
        raise NotImitated("'.export' without a local folder for its files")
    written = session.exporter(session, {**asked, "operation": identity})
    return [[asked["to"], one["path"], one["records"]] for one in written]


def _properties(given: dict[str, Any]) -> Document:
    found = {}
    for name, literal in given.items():
        plain = PROPERTIES.get(name.lower())
        if plain is None:
            raise BadRequest(f"Property '{name}' is not supported by export to an external table")
        found[plain] = literal.value
    for name in ("sizeLimit", "parquetRowGroupSize"):
        if name in found and not str(found[name]).isdecimal():
            raise BadRequest(f"'{found[name]}' is not a value of property '{name}'")
    if "sizeLimit" in found and not SIZES[0] <= int(found["sizeLimit"]) <= SIZES[1]:
        raise BadRequest("sizeLimit must be between 100 MB and 1 GB")
    return found


def show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show operations [id…]``."""
    wanted = {str(identity).lower() for identity in given.get("operations", [])}
    oldest = session.now - (BY_ID if wanted else LISTED)
    rows = []
    for key, document in session.store.all("kusto_operation", session.uri):
        if (not wanted or key[1] in wanted) and values.when(document["started"]) >= oldest:
            rows.append(_row(session, document))
    return answer(OPERATIONS, rows)


def _row(session: Session, document: Document) -> list[Any]:
    state, updated = _state(session, document), min(session.now, values.when(document["ends"]))
    took = updated - values.when(document["started"])
    ticks = (took.days * 86_400 + took.seconds) * values.SECOND + took.microseconds * 10
    status = "" if state == "InProgress" else document["status"]
    ran = [document["id"], document["operation"], "", document["started"], values.iso(updated), values.clock(ticks)]
    return [
        *ran,
        *(state, status, document["activity"], False, document["database"], document["principal"], "", EPOCH, ""),
    ]


def under_way(session: Session) -> int:
    """How many operations of the cluster have not ended."""
    found = session.store.all("kusto_operation", session.uri)
    return sum(1 for _, document in found if _state(session, document) == "InProgress")


def _state(session: Session, document: Document) -> str:
    return str(document["state"]) if values.when(document["ends"]) <= session.now else "InProgress"


def details(session: Session, given: dict[str, Any]) -> Answer:
    """``.show operation <id> details``: what a completed operation answered."""
    found = session.store.get("kusto_operation", session.uri, str(given["operation"]).lower())
    if found is None:
        raise BadRequest(f"Operation '{given['operation']}' was not found")
    state = _state(session, found)
    if state != "Completed":
        raise BadRequest(f"Operation '{given['operation']}' has no details: it did not complete (state: {state})")
    return answer(EXPORTED, found["details"])


COMMANDS = {"export_once": export, "operations_show": show, "operation_details": details}
