"""Continuous exports ("learn.microsoft.com, Continuous data export"): the job's definition and what is shown of it.

Running them is the scheduler's part; this module only keeps the cursor's place when a job is made or changed.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from kxrecon.sandbox.kusto import identities, permissions, policies, values
from kxrecon.sandbox.kusto.answers import Answer, answer, columns, pretty
from kxrecon.sandbox.kusto.errors import BadRequest, TableNotFound
from kxrecon.sandbox.kusto.lexer import GUID, mask, respaced
from kxrecon.sandbox.kusto.queries import Mentions, mentions
from kxrecon.sandbox.kusto.query_syntax import check
from kxrecon.sandbox.kusto.session import Session
from kxrecon.sandbox.kusto.values import MINUTE, Literal, clock
from kxrecon.sandbox.store import Document

SHOWN = columns(
    "Name:string, ExternalTableName:string, Query:string, ForcedLatency:timespan, IntervalBetweenRuns:timespan,"
    "CursorScopedTables:string, ExportProperties:string, LastRunTime:datetime, StartCursor:string, IsDisabled:bool,"
    "LastRunResult:string, ExportedTo:datetime, IsRunning:bool"
)
CREATED = columns(
    "Name:string, ExternalTableName:string, Query:string, ForcedLatency:timespan, IntervalBetweenRuns:timespan,"
    "CursorScopedTables:string, ExportProperties:string"
)
FAILURES = columns(
    "Timestamp:datetime, OperationId:string, Name:string, LastSuccessRun:datetime, FailureKind:string, Details:string"
)
ARTIFACTS = columns("Timestamp:datetime, ExternalTableName:string, Path:string, NumRecords:long")
KINDS = {
    "intervalBetweenRuns": "timespan",
    "forcedLatency": "timespan",
    "sizeLimit": "long",
    "distributed": "bool",
    "distribution": "string",
    "distributionKind": "string",
    "parquetRowGroupSize": "long",
    "isDisabled": "bool",
    "managedIdentity": "string",
    "useNativeParquetWriter": "bool",
    "writeNativeParquetV2": "bool",
    "parquetDatetimePrecision": "string",
    "concurrency": "long",
    "spread": "long",
    "reportDeltaLogResults": "bool",
}
PLAIN = {name.lower(): name for name in KINDS}
CHOICES = {"distribution": ("single", "per_node", "per_shard"), "distributionKind": ("default", "uniform")}
DEFAULT_INTERVAL = 60 * MINUTE  # no default is documented
SIZES = (100_000_000, 1 << 30)
EXPORTABLE = ("csv", "tsv", "json", "parquet")
IMPERSONATION = (
    "Error: continuous export to external tables with impersonation requires setting the 'managedIdentity' property"
    " in the continuous export configuration."
)


# ---- properties
def _properties(given: dict[str, Literal]) -> dict[str, Any]:
    found = {}
    for name, literal in given.items():
        plain = PLAIN.get(name.lower())
        if plain is None:
            raise BadRequest(f"Property '{name}' is not supported by continuous export")
        found[plain] = _value(plain, literal)
    interval, size = found.get("intervalBetweenRuns"), found.get("sizeLimit")
    if interval is not None and interval < MINUTE:
        raise BadRequest("intervalBetweenRuns must be at least one minute")
    if size is not None and not SIZES[0] <= size <= SIZES[1]:
        raise BadRequest("sizeLimit must be between 100 MB and 1 GB")
    return found


def _value(name: str, literal: Literal) -> Any:
    kind, value = KINDS[name], literal.value
    try:
        if kind == "timespan":
            return value if literal.kind == "timespan" else values.ticks(str(value))
        if kind == "long":
            return int(str(value))
        if kind == "bool":
            return {"true": True, "false": False}[str(value).lower()]
    except (ValueError, KeyError) as problem:
        raise BadRequest(f"'{value}' is not a value of property '{name}'") from problem
    if name in CHOICES and str(value).lower() not in CHOICES[name]:
        raise BadRequest(f"'{value}' is not a value of property '{name}'")
    return str(value)


# ---- create or alter
def create_or_alter(session: Session, given: dict[str, Any]) -> Answer:
    """Makes the job, or changes it; whether an altered job keeps its cursor is a switch."""
    permissions.require(session, permissions.ADMIN, "ContinuousExportCreateOrAlter")
    name = session.fresh("continuous_export", given["name"])
    before = session.find("continuous_export", name)
    query = mask(str(given["query"]).strip())
    check(query)
    seen = mentions(session, query)
    properties = _properties(given.get("properties", {}))
    if before and session.switches.omitted_properties == "kept":
        properties = {**before["properties"], "isDisabled": before["isDisabled"], **properties}
    tables = _fact_tables(session, given.get("over"), seen)
    _allowed(session, given["to"], tables, seen, properties)
    disabled = bool(properties.pop("isDisabled", False))
    document = {
        **_running(session, before),
        "name": name,
        "externalTable": given["to"],
        "query": query,
        "over": given.get("over"),
        "tables": [[session.database_name, table] for table in tables],
        "properties": properties,
        "isDisabled": disabled,
        "disabledBy": "user" if disabled else None,
    }
    event = "ALTER-CONTINUOUS-EXPORT" if before else "CREATE-CONTINUOUS-EXPORT"
    session.put("continuous_export", name, document, event)
    return answer(CREATED, [row(session, document)[:7]])


def _running(session: Session, before: Document | None) -> Document:
    """Where the job stands: what it was, or the start at this moment."""
    if before is not None and session.switches.cursor_on_alter == "kept":
        return before
    here = str(session.next_sequence())
    return {
        "created": values.iso(session.now),
        "startCursor": here,
        "cursor": here,
        "lastRunTime": None,
        "lastRunResult": None,
        "exportedTo": None,
        "lastSuccess": None,
        "failingSince": None,
        "isRunning": False,
    }


def _fact_tables(session: Session, over: list[str] | None, seen: Mentions) -> list[str]:
    tables = over if over is not None else sorted(seen.tables)
    if not tables:
        raise BadRequest("Continuous export needs at least one fact table in its database")
    for table in tables:
        if session.find("table", table) is None:
            raise TableNotFound(table)
        if (policies.read(session, "table", "ingestiontime", table) or {}).get("IsEnabled") is not True:
            raise BadRequest(f"Continuous export needs the IngestionTime policy on table '{table}'")
        if (policies.read(session, "table", "restricted_view_access", table) or {}).get("IsEnabled"):
            raise BadRequest(f"Continuous export cannot read table '{table}': restricted view access is enabled")
    return tables


def _allowed(session: Session, to: str, tables: list[str], seen: Mentions, properties: dict[str, Any]) -> None:
    """The documented restrictions, and what a managed identity must have."""
    target = session.find("external_table", to)
    if target is None:
        if session.switches.missing_target == "refused":
            session.get("external_table", to)
    elif target["kind"] == "storage" and target["dataFormat"] not in EXPORTABLE:
        raise BadRequest(f"Continuous export cannot write format '{target['dataFormat']}'")
    if any(database == "" for database, _ in seen.foreign):
        raise BadRequest("Continuous export cannot read from another cluster")
    identity = properties.get("managedIdentity")
    if identity is not None:
        _identity(session, identity)
        return
    if target is not None and _impersonates(target):
        raise BadRequest(IMPERSONATION)
    if seen.foreign:
        raise BadRequest("Continuous export that reads other databases requires the 'managedIdentity' property")
    for table in tables:
        if (policies.read(session, "table", "row_level_security", table) or {}).get("IsEnabled"):
            raise BadRequest(f"Table '{table}' has row level security: the 'managedIdentity' property is required")


def _impersonates(target: Document) -> bool:
    connections = target.get("connections") or [target["connection"]]
    return any(connection["auth"] == "impersonate" for connection in connections)


def _identity(session: Session, reference: str) -> None:
    if reference.lower() != "system" and not re.fullmatch(GUID, reference):
        raise BadRequest(f"'{reference}' is not a managed identity: give 'system' or an object id")
    if session.switches.export_identity_checked == "at-run":
        return
    who = identities.attached(session, reference)
    if who is None:
        raise BadRequest(f"Managed identity '{reference}' is not assigned to the cluster")
    if not identities.allowed(session, who, "AutomatedFlows"):
        raise BadRequest(
            f"Managed identity '{reference}' may not be used for AutomatedFlows: see the managed_identity policy"
        )


# ---- switching, dropping, moving
def _switch(disabled: bool) -> Any:
    """``.enable`` keeps state and cursor, and so does ``.disable``."""

    def run(session: Session, given: dict[str, Any]) -> Answer:
        permissions.require(session, permissions.ADMIN, "ContinuousExportToggle")
        found = session.get("continuous_export", given["name"])
        if found["isDisabled"] == disabled and session.switches.enable_when_enabled == "error":
            raise BadRequest(f"Continuous export '{given['name']}' is already {'disabled' if disabled else 'enabled'}")
        if found["isDisabled"] != disabled:
            since = found["failingSince"] if disabled else None
            changed = {"isDisabled": disabled, "disabledBy": "user" if disabled else None, "failingSince": since}
            found = session.put("continuous_export", given["name"], {**found, **changed}, "ALTER-CONTINUOUS-EXPORT")
        return answer(SHOWN, [row(session, found)])

    return run


def drop(session: Session, given: dict[str, Any]) -> Answer:
    """The answer lists the remaining jobs; cursor, failures and the list of artifacts are gone."""
    permissions.require(session, permissions.ADMIN, "ContinuousExportDrop")
    session.remove("continuous_export", given["name"], "DROP-CONTINUOUS-EXPORT")
    for kind in ("artifact", "failure"):
        for key, _ in session.store.all(kind, session.uri, session.database, given["name"]):
            session.store.delete(kind, *key)
    return answer(SHOWN, [row(session, document) for document in session.all("continuous_export")])


def set_cursor(session: Session, given: dict[str, Any]) -> Answer:
    """``.set continuous-export N cursor to "C"`` (grammar only; meaning assumed: go on after C)."""
    permissions.require(session, permissions.ADMIN, "ContinuousExportSetCursor")
    found = session.get("continuous_export", given["name"])
    if not re.fullmatch(r"\d{1,19}", given["text"].value):
        raise BadRequest(f"'{given['text'].value}' is not a database cursor")
    changed = {**found, "cursor": given["text"].value, "startCursor": given["text"].value}
    return answer(
        SHOWN, [row(session, session.put("continuous_export", given["name"], changed, "ALTER-CONTINUOUS-EXPORT"))]
    )  # noqa: E501


# ---- showing
def row(session: Session, document: Document) -> list[Any]:
    """A job as ``.show continuous-exports`` prints it."""
    given = document["properties"]
    latency = given.get("forcedLatency")
    scoped = [f"['{database}'].['{table}']" for database, table in document["tables"]]
    return [
        document["name"],
        document["externalTable"],
        document["query"] if session.switches.query_shown == "as-written" else respaced(document["query"]),
        None if latency is None else clock(latency),
        clock(given.get("intervalBetweenRuns", DEFAULT_INTERVAL)),
        pretty(scoped),
        pretty(_bag(session, given)),
        document["lastRunTime"],
        document["startCursor"],
        document["isDisabled"],
        document["lastRunResult"],
        document["exportedTo"],
        document["isRunning"],
    ]


def _bag(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """The properties without a column of their own, in PascalCase."""
    hidden = {"intervalBetweenRuns", "forcedLatency"}
    if session.switches.export_identity_shown != "properties":
        hidden.add("managedIdentity")
    return {name[0].upper() + name[1:]: value for name, value in given.items() if name not in hidden}


def _readable(session: Session) -> None:
    permissions.require(session, permissions.READ, "ContinuousExportsShow")


def show(session: Session, given: dict[str, Any]) -> Answer:
    """``.show continuous-exports``."""
    _readable(session)
    return answer(SHOWN, [row(session, document) for document in session.all("continuous_export")])


def show_one(session: Session, given: dict[str, Any]) -> Answer:
    """``.show continuous-export N``; a missing one is an error or no row, by switch."""
    _readable(session)
    found = session.find("continuous_export", given["name"])
    if found is None and session.switches.missing_export == "error":
        session.get("continuous_export", given["name"])
    return answer(SHOWN, [row(session, found)] if found else [])


def pending(session: Session, given: dict[str, Any]) -> Answer:
    """``.show cluster pending continuous-exports``: enabled jobs whose next run is due."""
    permissions.require_cluster(session, permissions.CLUSTER_WATCH, "PendingContinuousExportsShow")
    rows = []
    for key, _ in session.store.all("database", session.uri):
        scope = session.within(key[1])
        rows += [row(scope, document) for document in scope.all("continuous_export") if due(scope, document)]
    return answer(SHOWN, rows)


def due(session: Session, document: Document) -> bool:
    """Whether an enabled job's interval has passed since its last run (or its creation)."""
    last = values.when(document["lastRunTime"] or document["created"])
    interval = document["properties"].get("intervalBetweenRuns", DEFAULT_INTERVAL)
    return not document["isDisabled"] and last + timedelta(microseconds=interval / 10) <= session.now


def _history(session: Session, given: dict[str, Any], kind: str) -> list[Document]:
    """What is remembered of a job: the last 14 days, newest first."""
    permissions.require(session, permissions.WATCH, "ContinuousExportHistoryShow")
    if session.find("continuous_export", given["name"]) is None and session.switches.missing_export == "empty":
        return []
    session.get("continuous_export", given["name"])
    oldest = session.now - timedelta(days=14)
    found = [d for _, d in session.store.all(kind, session.uri, session.database, given["name"])]
    return [d for d in reversed(found) if values.when(d["timestamp"]) >= oldest]


def failures(session: Session, given: dict[str, Any]) -> Answer:
    """``.show continuous-export N failures``."""
    found = _history(session, given, "failure")
    return answer(
        FAILURES,
        [[d["timestamp"], d["operation"], given["name"], d.get("lastSuccess"), d["kind"], d["details"]] for d in found],
    )


def artifacts(session: Session, given: dict[str, Any]) -> Answer:
    """``.show continuous-export N exported-artifacts``."""
    found = _history(session, given, "artifact")
    target = str(session.get("continuous_export", given["name"])["externalTable"]) if found else ""
    return answer(ARTIFACTS, [[d["timestamp"], d.get("externalTable", target), d["path"], d["records"]] for d in found])


COMMANDS = {
    "export_set": create_or_alter,
    "export_enable": _switch(False),
    "export_disable": _switch(True),
    "export_drop": drop,
    "export_cursor": set_cursor,
    "exports_show": show,
    "export_show": show_one,
    "exports_pending": pending,
    "export_failures": failures,
    "export_artifacts": artifacts,
}
