"""Continuous exports: the query that Kusto runs again and again, writing new records to an external table.

Its running state is a reading with ``lastRunTime``, ``startCursor``, ``lastRunResult``, ``exportedTo`` and
``isRunning``. Source: learn.microsoft.com, Continuous data export; Create or alter continuous export.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from kxrecon import kql, kql_sources
from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.kusto import _export_spec, _journal, _reads
from kxrecon.kinds.kusto._cells import (
    bool_cell,
    cells,
    json_cell,
    json_key,
    list_cell,
    needed_cell,
    shown_text,
    ticks_cell,
)
from kxrecon.kinds.kusto._draft import Draft, one_of
from kxrecon.kinds.kusto._export_command import UNLISTED, step
from kxrecon.kinds.kusto._script import export_identities
from kxrecon.model import (
    HIDDEN,
    Answers,
    Change,
    Entity,
    Failure,
    Gap,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    State,
    Step,
    Table,
    Value,
)
from kxrecon.scope import SYSTEM, Scope

KIND = "continuous_export"
PLANE: Plane = "kusto"
SECTION = ("databases", "*", "continuousExports", "*")

WRITE_ONLY = True  # its identity in some clusters, hidden literals of its query
REFORMATTED = ("query",)

DEFAULT_SIZE = 100 * 2**20
MOST_ARTIFACTS = 25  # exports of a database whose newest file is read while their target takes another one's place
MOST_FAILURES = 25  # disabled exports of a database whose failures are read; of the others the cause stays unknown
_IDENTITY_KEYS = ("managedidentity", "managedidentityobjectid", "managedidentityid")
_MANAGED_KEYS = frozenset(
    {
        *("sizelimit", "distributed", "distribution", "distributionkind", "parquetrowgroupsize", "isdisabled"),
        *("intervalbetweenruns", "forcedlatency", *_IDENTITY_KEYS),
    }
)
_WORD = re.compile(r"\[\s*'([^'\\]+)'\s*\]|\[\s*\"([^\"\\]+)\"\s*\]|([^\W\d]\w*)")
_LAST_NAME = re.compile(r"\[\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^'\"\]]*))\s*\]\s*\Z")


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """The export of one entry of ``continuousExports``."""
    database, export = name
    draft = Draft(Ref(KIND, (database, export)), ("databases", database, "continuousExports", export))
    _export_spec.read(draft, doc or {}, scope)
    return draft.result()


def describe(entity: Entity) -> Any:
    """The entry of ``continuousExports``."""
    return _export_spec.write(entity)


def shown(database: str, known: Answers) -> Iterable[Read]:
    """What shows the exports of a database; the csl script too, once it is known that an export's identity is shown
    nowhere else."""
    asked = _reads.continuous_exports(database)
    yield asked
    answer = known.get(asked)
    if isinstance(answer, Table) and answer.rows and not _shows_identity(answer):
        yield _reads.csl_script(database)


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """Exports, why some of them stand still, and during a rotation whether they use what is new."""
    for database in _databases(scope):
        yield from shown(database, known)
        answer = known.get(_reads.continuous_exports(database))
        if isinstance(answer, Table):
            stopped = _stopped(answer)
            yield from (_reads.export_failures(database, name) for name in stopped[:MOST_FAILURES])
            if stopped or _rotating("identity", database, scope):
                yield _journal.journal(database)
        yield from (_reads.newest_artifact(*ref.name) for ref in _rotating("target", database, scope))


def _rotating(what: str | None, database: str, scope: Scope) -> list[Ref]:
    """The exports of a database of which it is asked whether they have shown that a rotation's new one (identity,
    target; any if none is named) works."""
    rotations = (one for one in scope.rotations if what in (None, one.what))
    refs = (ref for one in rotations for ref in one.exports if ref.name[0] == database)
    return sorted(set(refs))[:MOST_ARTIFACTS]


def _stopped(answer: Table) -> list[str]:
    """Names of the disabled exports: only of these it is asked why."""
    return [name for name, disabled in map(cells(answer, "Name", "IsDisabled"), answer.rows) if bool_cell(disabled)]


def _databases(scope: Scope) -> Iterator[str]:
    return (name for name in scope.databases if ("databases", name, "continuousExports") in scope.declared)


def _shows_identity(answer: Table) -> bool:
    """True if any export's properties name an identity: then those that name none have none."""
    column = answer.index("ExportProperties")
    if column is None:
        return False
    return any("managedidentity" in json_key(row[column] or "").lower() for row in answer.rows)


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """Exports and their running state, of every database that was asked."""
    for database in _databases(scope):
        answer = answers.get(_reads.continuous_exports(database))
        if isinstance(answer, Failure):
            yield Gap(KIND, (database,), answer)
        elif isinstance(answer, Table):
            script = None if _shows_identity(answer) else export_identities(answers.get(_reads.csl_script(database)))
            seen = list(_observed(database, answer, script, scope))
            asked_more = _stopped(answer) or _rotating(None, database, scope)
            yield from _with_causes(database, seen, answers, scope) if asked_more else seen


def _with_causes(
    database: str, seen: Sequence[Entity | Reading], answers: Answers, scope: Scope
) -> Iterator[Entity | Reading]:
    """The same, where more was asked of exports, with what the journal, their failures and their files tell."""
    journal = answers.get(_journal.journal(database))
    readings = [one for one in seen if isinstance(one, Reading)]
    told = _journal.told(readings, journal) if isinstance(journal, Table) else {}
    rotated = _rotated(journal, database, answers, scope)
    for found in seen:
        if isinstance(found, Entity):
            yield found
            continue
        more = {**told.get(found.ref.name[1], {}), **rotated.get(found.ref.name[1], {})}
        full = replace(found, values={**found.values, **more})
        failures = answers.get(_reads.export_failures(*found.ref.name))
        yield _with_failures(full, failures) if isinstance(failures, Table) else full


def _rotated(journal: Any, database: str, answers: Answers, scope: Scope) -> Mapping[str, Mapping[str, Value]]:
    """By export what shows that it uses what a rotation puts in place: since when it runs as whom, its newest file."""
    found: dict[str, dict[str, Value]] = {}
    if isinstance(journal, Table) and _rotating("identity", database, scope):
        for name, (identity, since) in _journal.defined(journal).items():
            found[name] = {"definedAs": _symbol(identity, scope), "definedAt": since}
    for ref in _rotating("target", database, scope):
        answer = answers.get(_reads.newest_artifact(*ref.name))
        if isinstance(answer, Table) and answer.rows:
            (path,) = cells(answer, "Path?")(answer.rows[0])
            found.setdefault(ref.name[1], {})["newestArtifact"] = path
    return found


def _with_failures(reading: Reading, failures: Table) -> Reading:
    """The running state of a disabled export with the first and last of its failures (Kusto keeps two weeks)."""
    take = cells(failures, "Timestamp?", "LastSuccessRun?", "Details?", "FailureKind?")
    ordered = sorted((row for row in map(take, failures.rows) if row[0]), key=lambda row: str(row[0]))
    if not ordered:
        return reading
    last, success, details, _ = ordered[-1]
    told = {"firstFailure": ordered[0][0], "lastFailure": last, "lastSuccess": success, "failureDetails": details}
    return Reading(reading.ref, {**reading.values, **told})


def _observed(
    database: str, answer: Table, script: Mapping[str, str | None] | None, scope: Scope
) -> Iterator[Entity | Reading]:
    definition = cells(
        answer,
        *("Name", "ExternalTableName", "Query", "ForcedLatency", "IntervalBetweenRuns"),
        *("CursorScopedTables", "ExportProperties", "IsDisabled"),
    )
    state = cells(answer, "LastRunTime?", "StartCursor", "LastRunResult?", "ExportedTo", "IsRunning?")
    shows = _shows_identity(answer)
    for row in answer.rows:
        name, to, query, latency, interval, tables, properties, disabled = definition(row)
        known, identity = _properties(json_key(properties or ""))
        if shows or identity is not None:
            symbol: Value = _symbol(identity, scope)
        else:
            symbol = _symbol(script[name], scope) if script is not None and name in script else HIDDEN
        ref = Ref(KIND, (database, needed_cell(name)))
        fields = {
            "to": needed_cell(to),
            "query": shown_text(kql.normalise_query(needed_cell(query))),
            "over": _tables(json_key(tables or ""), database),
            "intervalBetweenRuns": ticks_cell(interval),
            "forcedLatency": ticks_cell(latency),
            **known,
            "managedIdentity": symbol,
            "isDisabled": bool_cell(disabled),
        }
        yield Entity(ref, fields)
        last, cursor, result, exported, running = state(row)
        values = {"lastRunTime": last, "startCursor": cursor, "lastRunResult": result, "exportedTo": exported}
        yield Reading(ref, {**values, "isRunning": bool_cell(running)})


@lru_cache(maxsize=4096)
def _properties(text: str) -> tuple[Mapping[str, Value], str | None]:
    """Fields of ``ExportProperties`` JSON, absent ones with the service's default, and the identity if shown."""
    found: Mapping[str, Any] = json_cell(text) or {}
    lowered = {key.lower(): value for key, value in found.items()}
    distribution = one_of(str(lowered.get("distribution") or ""), _export_spec.DISTRIBUTIONS)
    distributed = bool_cell(lowered.get("distributed", True)) and distribution != "single"
    fields = {
        "sizeLimit": int(lowered.get("sizelimit") or DEFAULT_SIZE),
        "distributed": distributed,
        "distribution": (distribution or "per_node") if distributed else "single",
        "distributionKind": str(lowered.get("distributionkind") or "default").lower(),
        "parquetRowGroupSize": int(lowered.get("parquetrowgroupsize") or 100_000),
        "unknownProperties": {
            key: value for key, value in found.items() if key.lower() not in _MANAGED_KEYS and value is not None
        },
    }
    identity = next((str(lowered[key]) for key in _IDENTITY_KEYS if lowered.get(key)), None)
    return fields, identity


def _symbol(identity: str | None, scope: Scope) -> Value:
    if not identity:
        return None
    return SYSTEM if identity.lower() == SYSTEM else scope.directory.identity(identity)


@lru_cache(maxsize=4096)
def _tables(text: str, database: str) -> tuple[str, ...] | None:
    """Names from ``CursorScopedTables``, JSON such as ``["['DB'].['T']"]``; None for an empty list."""
    found = list_cell(text)
    return tuple(sorted({_last_name(needed_cell(one)) for one in found})) if found else None


def _last_name(qualified: str) -> str:
    """``T`` of ``['DB'].['T']``, ``[DB].[T]``, ``DB.T`` or ``T``."""
    found = _LAST_NAME.search(qualified)
    if found:
        quoted = found[1] if found[1] is not None else found[2]
        return kql.unquote(f"'{quoted}'") if quoted is not None else str(found[3])
    return qualified.rpartition(".")[2]


def needs(entity: Entity) -> Iterable[Need]:
    """Its target, its identity with policy and roles, its tables, and the functions that its query may call."""
    database, fields = entity.ref.name[0], entity.fields
    yield Need(Ref("external_table", (database, str(fields.get("to")))), "to")
    for name in fields.get("over") or ():
        yield Need(Ref("table", (database, name)), "over")
    symbol = fields.get("managedIdentity")
    if isinstance(symbol, str):
        yield Need(Ref("cluster_identity", (symbol,)), "managedIdentity")
        for usage in ("AutomatedFlows", "All"):
            yield Need(Ref("managed_identity_policy", ("database", database, symbol, usage)))
            yield Need(Ref("managed_identity_policy", ("cluster", symbol, usage)))
    query = str(fields.get("query") or "")
    elsewhere = (entity.attributes.get("reads") or ()) or kql.database_literals(query)
    for name in sorted({database, *elsewhere}):
        yield from _needs_in(name, symbol, query)


def _needs_in(database: str, symbol: Value, query: str) -> Iterator[Need]:
    """What a query needs in one database: a role for who runs it, and every table and function it may name."""
    if isinstance(symbol, str):
        for role in ("viewers", "users", "admins", "unrestrictedviewers"):
            yield Need(Ref("database_role", (database, role, symbol)))
    for name in sorted({one or two or three for one, two, three in _WORD.findall(query)}):
        yield Need(Ref("function", (database, name)))
        yield Need(Ref("table", (database, name)))


def group(change: Change) -> Hashable:
    """Each export on its own."""
    return change.ref


def adopt(desired: Entity, observed: Entity) -> Entity:
    """``distributed: true`` alone means one of the distributed ways: an observed ``single`` is not kept. Nor is an
    observed list of fact tables where the default, all tables of the query, has to name others from now on."""
    fields, seen = desired.fields, observed.fields
    more: dict[str, Value] = {}
    if fields.get("distributed") is True and "distribution" not in fields and seen.get("distribution") == "single":
        more["distribution"] = "per_node"
    kept: tuple[str, ...] = ()
    if fields.get("over") is None and seen.get("over") and isinstance(fields.get("query"), str):
        over, kept = _over(fields, seen)
        more |= over
    if not more and not kept:
        return desired
    attributes = {**desired.attributes, UNLISTED: kept} if kept else desired.attributes
    return Entity(desired.ref, {**fields, **more}, attributes, desired.path, desired.reasons, desired.owner)


def _over(fields: Mapping[str, Value], seen: Mapping[str, Value]) -> tuple[dict[str, Value], tuple[str, ...]]:
    """What becomes of an observed ``over`` that the spec leaves out: nothing, as long as the query reads no further
    table. Where it reads one, the default is meant if ``over`` names all that it read so far; else somebody has told
    facts from dimensions, and the second part is what nobody told yet."""
    before = str(seen.get("query") or "")
    if fields["query"] == before:
        return ({"over": seen["over"]} if "over" in fields else {}), ()
    listed = frozenset(seen["over"])
    fresh = kql_sources.tables(fields["query"]) - kql_sources.tables(before) - listed
    if fresh and kql_sources.tables(before) <= listed:
        return {"over": None}, ()
    return {}, tuple(sorted(fresh))


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else can stand in for an export."""
    return None


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """One command for each change: the complete definition, or only the switch if only that differs."""
    return tuple(step(change, world.scope) for change in changes)
