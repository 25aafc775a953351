"""How exports run: their state, what is late against its interval, and failures of those that are not well.

(".show continuous-exports", ".show continuous-export failures", ".show continuous-export exported-artifacts",
".show capacity": learn.microsoft.com.) Failures are asked only for exports that are not well, files only if they
are asked for, and a history of at most HISTORIES exports: each is two more reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from kxrecon.health import ALARMS, Capacity, Health, State, Status
from kxrecon.history import GRACE, History
from kxrecon.model import Entity, Failure, Gap, Read, Ref, Table
from kxrecon.model import State as Entities
from kxrecon.observe import WORKERS, Planes, list_databases, observe, require_cluster
from kxrecon.scope import Scope
from kxrecon.verify.past import count, instant, past

EXPORT = "continuous_export"
TICKS = 10_000_000  # in a second
HISTORIES = 500
NOT_ASKED = f"not asked: the history of {HISTORIES} exports at a time is, those that are not well first"


@dataclass(frozen=True, slots=True)
class Asked:
    """How much to ask: exports of no spec too; of the last ``days`` the files, or the whole history, of all exports
    or ``only`` of those named, by their label or their own name."""

    everything: bool = False
    artifacts: bool = False
    days: int = 3
    history: bool = False
    only: frozenset[str] = frozenset()

    def means(self, ref: Ref) -> bool:
        """Whether more than its state is asked of an export."""
        return not self.only or bool(self.only & {ref.label, ref.name[-1]})


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
    found = [(ref, _health(ref, seen, wanted.get(ref), now)) for ref in refs]
    meant = [pair for pair in found if asked.means(pair[0])]
    meant.sort(key=lambda pair: (pair[1].state not in ALARMS, pair[0]))
    chosen = {ref for ref, _ in meant[:HISTORIES]} if asked.history else set()

    def told(pair: tuple[Ref, Health]) -> Health:
        ref, health = pair
        if not asked.means(ref):
            return health
        health = replace(health, untold=NOT_ASKED) if asked.history and ref not in chosen else health
        return _told(ref, health, planes, now, replace(asked, history=ref in chosen))

    with ThreadPoolExecutor(workers, thread_name_prefix="status") as pool:
        exports = tuple(pool.map(told, found))
    return Status(scope.cluster_uri, now, exports, _capacity(planes, names), asked.days)


def _now(planes: Planes, databases: Iterable[str]) -> datetime:
    """The cluster's own clock; this machine's if it does not tell."""
    for name in databases:
        answer = planes["kusto"].read(Read("kusto", name, "print Now=now()"))
        found = instant(answer.rows[0][0]) if isinstance(answer, Table) and answer.rows and answer.rows[0] else None
        if found is not None:
            return found
        break
    return datetime.now(UTC)


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
        lateness=late if late > interval + GRACE.total_seconds() else 0.0,
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


def _told(ref: Ref, health: Health, planes: Planes, now: datetime, asked: Asked) -> Health:
    """The same with its failures, if it is not well, and its files and history, if they are asked for."""
    if health.state in ("missing", "unknown"):
        return health
    files = asked.artifacts or asked.history
    failures = asked.history or health.state in ("failing", "late", "disabled")
    empty = History(now - timedelta(days=asked.days), now)
    found, why = past(ref, planes["kusto"], empty, health.interval, files=files, failures=failures)
    if health.state in ("failing", "late", "disabled"):
        kinds = Counter(one.kind for one in found.failures)
        health = replace(health, failures=dict(kinds), message=found.failures[-1].details if found.failures else "")
    if files and not why:
        counted = sum(one.files for one in found.runs), sum(one.records for one in found.runs)
        health = replace(health, files=counted[0], records=counted[1])
    history = found if asked.history and not why else None
    return replace(health, history=history, untold=why or health.untold)


def _capacity(planes: Planes, databases: Sequence[str]) -> Capacity:
    answer = planes["kusto"].read(Read("kusto", next(iter(databases), ""), ".show capacity data-export"))
    if isinstance(answer, Failure):
        return Capacity(why=answer.message.partition(" [")[0].rstrip("."))
    row = next(iter(answer.records()), None) if isinstance(answer, Table) else None
    if row is None or row.get("Total") is None:
        return Capacity(why="the cluster does not tell")
    return Capacity(count(row["Total"]), count(row.get("Consumed")))
