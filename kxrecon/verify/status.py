"""How exports run: their state, what is late against its interval, and failures of those that are not well.

(".show continuous-exports", ".show continuous-export failures", ".show continuous-export exported-artifacts",
".show capacity": learn.microsoft.com.) Failures are asked only for exports that are not well, files only if they
are asked for, and a history of at most HISTORIES exports: each is two more reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from kxrecon.health import ALARMS, STOPPED, Capacity, Health, State, Status
from kxrecon.history import History
from kxrecon.model import Entity, Failure, Gap, Read, Ref, Table, Value
from kxrecon.model import State as Entities
from kxrecon.observe import WORKERS, Planes, list_databases, observe, require_cluster
from kxrecon.report.status import moment, span
from kxrecon.scope import Scope
from kxrecon.stopped import given_up, why
from kxrecon.verify import first_run
from kxrecon.verify.first_run import instant
from kxrecon.verify.past import count, past

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
        return not self.only or self.names(ref)

    def names(self, ref: Ref) -> bool:
        """Whether an export is named."""
        return bool(self.only & {ref.label, ref.name[-1]})


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
    others = (ref for ref in seen.entities if ref.kind == EXPORT and (asked.everything or asked.names(ref)))
    refs = sorted({*wanted, *others})
    began = _began([ref for ref in refs if _never_ran(ref, seen)], seen, planes, now, workers)
    found = [(ref, _health(ref, seen, wanted.get(ref), now, began.get(ref))) for ref in refs]
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
    hidden = _hidden(seen, refs) if asked.everything else []
    return Status(scope.cluster_uri, now, (*exports, *hidden), _capacity(planes, names), asked.days)


def _hidden(seen: Entities, refs: Iterable[Ref]) -> list[Health]:
    """One entry for each database whose exports could not be listed: nobody knows what is in there."""
    told = {ref.name[0] for ref in refs}
    gaps = {gap.prefix[0]: gap for gap in seen.gaps if gap.kind == EXPORT and gap.failure.reason != "absent"}
    return [Health(f"{name}/*", "unknown", message=_why(gap)) for name, gap in gaps.items() if name not in told]


def _never_ran(ref: Ref, seen: Entities) -> bool:
    """Whether an export is there, enabled, and has no run to be judged by."""
    entity, reading = seen.entities.get(ref), seen.readings.get(ref)
    if entity is None or reading is None or entity.fields.get("isDisabled"):
        return False
    return instant(reading.values.get("lastRunTime")) is None


def _began(
    refs: Sequence[Ref], seen: Entities, planes: Planes, now: datetime, workers: int
) -> dict[Ref, datetime | None]:
    """Since when each export could have run; one read for each database."""
    databases = sorted({ref.name[0] for ref in refs})
    with ThreadPoolExecutor(workers, thread_name_prefix="status") as pool:
        told = dict(zip(databases, pool.map(planes["kusto"].read, map(first_run.journal, databases)), strict=True))
    return {ref: first_run.since(seen.readings[ref], told[ref.name[0]], now) for ref in refs}


def _now(planes: Planes, databases: Iterable[str]) -> datetime:
    """The cluster's own clock; this machine's if it does not tell."""
    for name in databases:
        answer = planes["kusto"].read(first_run.now(name))
        found = instant(answer.rows[0][0]) if isinstance(answer, Table) and answer.rows and answer.rows[0] else None
        if found is not None:
            return found
        break
    return datetime.now(UTC)


def _health(ref: Ref, seen: Entities, wanted: Entity | None, now: datetime, began: datetime | None) -> Health:
    entity, reading = seen.entities.get(ref), seen.readings.get(ref)
    if entity is None or reading is None:
        gap = seen.gap(ref)
        absent = gap is None or gap.failure.reason == "absent"
        return Health(ref.label, "missing" if absent else "unknown", message=_why(gap))
    values = reading.values
    interval = (entity.fields.get("intervalBetweenRuns") or 0) / TICKS
    last = instant(values.get("lastRunTime"))
    waited = last or began
    health = Health(
        ref.label,
        "ok",
        enabled=not entity.fields.get("isDisabled"),
        interval=interval,
        last_run=last,
        since=began,
        result=str(values.get("lastRunResult") or ""),
        exported_to=instant(values.get("exportedTo")),
        lateness=first_run.overdue(waited, interval, now) if waited else 0.0,
        running=bool(values.get("isRunning")),
    )
    by_spec = wanted is not None and wanted.fields.get("isDisabled") is True
    state = _state(health, by_spec, bool(given_up(values)))
    return replace(health, state=state, why=_proved(replace(health, state=state), values, now))


def _proved(health: Health, values: Mapping[str, Value], now: datetime) -> str:
    """What a state comes from, where no failure says it."""
    if health.state in STOPPED:
        return why(values)
    if health.last_run or health.state not in ("late", "new"):
        return ""
    if health.since is None:
        odd = span(first_run.odd_after(health.interval))
        return f"it never ran, and since when it is enabled is not known: more than {odd} would be odd"
    ago = span((now - health.since).total_seconds())
    return f"it never ran, although it is enabled since {moment(health.since)} ({ago})" if health.lateness else ""


def _why(gap: Gap | None) -> str:
    return "" if gap is None else f"could not be read ({gap.failure.reason}: {gap.failure.message})"


def _state(health: Health, by_spec: bool, by_service: bool) -> State:
    if not health.enabled:
        return "disabled-by-spec" if by_spec else "auto-disabled" if by_service else "disabled"
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
    ill = health.state in ("failing", "late", *STOPPED)
    failures = asked.history or ill
    empty = History(now - timedelta(days=asked.days), now)
    found, why = past(ref, planes["kusto"], empty, health.interval, files=files, failures=failures)
    if ill:
        kinds = Counter(one.kind for one in found.failures)
        said = found.failures[-1].details if found.failures else ""
        health = replace(health, failures=dict(kinds), message="" if said in health.why else said)
    if files and not why:
        counted = sum(one.files for one in found.runs), sum(one.records for one in found.runs)
        health = replace(health, files=counted[0], records=counted[1], size=found.size)
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
