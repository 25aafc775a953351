"""How exports run: their state, what is late against its interval, and failures of those that are not well.

(".show continuous-exports", ".show continuous-export failures", ".show continuous-export exported-artifacts",
".show capacity": learn.microsoft.com.) Failures are asked only for failed and late exports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kxrecon.health import Capacity, Health, State, Status
from kxrecon.kql import identifier
from kxrecon.model import Entity, Failure, Gap, Read, Ref, Table
from kxrecon.model import State as Entities
from kxrecon.observe import WORKERS, Planes, list_databases, observe, require_cluster
from kxrecon.scope import Scope
from kxrecon.verify import reads

EXPORT = "continuous_export"
TICKS = 10_000_000  # in a second
# A run waits for its turn and takes its time: late is one that has missed a whole further interval.
GRACE = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """How much to ask: exports of no spec too, the files of the last ``days``, failures of the last ``days``."""

    everything: bool = False
    artifacts: bool = False
    days: int = 3


def status(
    scope: Scope,
    desired: Entities,
    planes: Planes,
    *,
    asked: Asked | None = None,
    workers: int = WORKERS,
) -> Status:
    """Ask a cluster about its exports: those of the spec, with ``everything`` all of them.

    PlaneError where it cannot be asked at all.
    """
    asked = asked or Asked()
    names = list(scope.databases)
    if asked.everything:
        names = list_databases(planes["kusto"])
    declared = frozenset(("databases", name, "continuousExports") for name in names)
    wide = replace(scope, databases=tuple(names), declared=scope.declared | declared)
    observation = observe(wide, planes, kinds=(EXPORT,), workers=workers)
    require_cluster(observation.answers)
    seen = observation.state
    now = _now(planes, names)
    wanted = {ref: one for ref, one in desired.entities.items() if ref.kind == EXPORT}
    refs = sorted({*wanted, *(ref for ref in seen.entities if asked.everything and ref.kind == EXPORT)})
    found = [_health(ref, seen, wanted.get(ref), now) for ref in refs]

    def told(pair: tuple[Ref, Health]) -> Health:
        return _told(pair[0], pair[1], planes, now - timedelta(days=asked.days), asked.artifacts)

    with ThreadPoolExecutor(workers, thread_name_prefix="status") as pool:
        exports = tuple(pool.map(told, zip(refs, found, strict=True)))
    return Status(scope.cluster_uri, now, exports, _capacity(planes, names), asked.days)


def _now(planes: Planes, databases: Iterable[str]) -> datetime:
    """The cluster's own clock; this machine's if it does not tell."""
    for name in databases:
        answer = planes["kusto"].read(Read("kusto", name, "print Now=now()"))
        found = instant(answer.rows[0][0]) if isinstance(answer, Table) and answer.rows else None
        if found is not None:
            return found
        break
    return datetime.now(UTC)


def instant(cell: Any) -> datetime | None:
    """A datetime as Kusto writes it, with seven digits behind the point; None for none."""
    try:
        found = datetime.fromisoformat(str(cell).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _health(ref: Ref, seen: Entities, wanted: Entity | None, now: datetime) -> Health:
    entity, reading = seen.entities.get(ref), seen.readings.get(ref)
    if entity is None or reading is None:
        gap = seen.gap(ref)
        absent = gap is None or gap.failure.reason == "absent"
        return Health(ref.label, "missing" if absent else "unknown", message=_why(gap))
    values = reading.values
    interval = (entity.fields.get("intervalBetweenRuns") or 0) / TICKS
    last = instant(values.get("lastRunTime"))
    late = max(0.0, (now - last).total_seconds() - interval) if last else 0.0
    health = Health(
        ref.label,
        "ok",
        enabled=not entity.fields.get("isDisabled"),
        interval=interval,
        last_run=last,
        result=str(values.get("lastRunResult") or ""),
        exported_to=instant(values.get("exportedTo")),
        lateness=late if late > interval + GRACE else 0.0,
        running=bool(values.get("isRunning")),
    )
    by_spec = wanted is not None and wanted.fields.get("isDisabled") is True
    return replace(health, state=_state(health, by_spec))


def _why(gap: Gap | None) -> str:
    return "" if gap is None else f"could not be read ({gap.failure.reason}: {gap.failure.message})"


def _state(health: Health, by_spec: bool) -> State:
    if not health.enabled:
        return "disabled-by-spec" if by_spec else "disabled"
    if "fail" in health.result.lower():
        return "failing"
    if health.running:
        return "running"
    if health.lateness:
        return "late"
    return "ok" if health.last_run else "new"


def _told(ref: Ref, health: Health, planes: Planes, since: datetime, artifacts: bool) -> Health:
    """The same with its failures, if it is not well, and its artifacts, if they are asked for."""
    if health.state in ("failing", "late", "disabled"):
        rows = list(_rows(planes, reads.failures(ref), since))
        kinds = Counter(str(row.get("FailureKind") or "Failure") for row in rows)
        newest = max(rows, key=lambda row: str(row.get("Timestamp")), default={})
        health = replace(health, failures=dict(kinds), message=str(newest.get("Details") or ""))
    if artifacts and health.state != "missing":
        text = f".show continuous-export {identifier(ref.name[1])} exported-artifacts"
        rows = list(_rows(planes, Read("kusto", ref.name[0], text), since))
        records = sum(int(row.get("NumRecords") or 0) for row in rows)
        health = replace(health, files=len(rows), records=records)
    return health


def _rows(planes: Planes, read: Read, since: datetime) -> Iterator[Mapping[str, Any]]:
    answer = planes["kusto"].read(read)
    for row in answer.records() if isinstance(answer, Table) else ():
        when = instant(row.get("Timestamp"))
        if when is None or when >= since:
            yield row


def _capacity(planes: Planes, databases: Sequence[str]) -> Capacity:
    answer = planes["kusto"].read(Read("kusto", next(iter(databases), ""), ".show capacity data-export"))
    if isinstance(answer, Failure):
        return Capacity(why=answer.message.partition(" [")[0].rstrip("."))
    row = next(iter(answer.records()), None) if isinstance(answer, Table) else None
    if row is None or row.get("Total") is None:
        return Capacity(why="the cluster does not tell")
    return Capacity(int(row["Total"]), int(row.get("Consumed") or 0))
