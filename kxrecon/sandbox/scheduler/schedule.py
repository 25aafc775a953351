"""One tick of the service: every export that is due runs once, the one that waited longest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.scheduler.documents import Job, jobs, moment
from kxrecon.sandbox.scheduler.run import Run, run
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World

NEVER = datetime.min.replace(tzinfo=UTC)


def tick(store: Store, clock: Clock, folder: Path, *, cluster_uri: str | None = None, force: bool = False) -> list[Run]:
    """Run what is due; ``folder`` plays the containers. ``force``: run every enabled export, due or not.

    "learn.microsoft.com, Continuous data export": jobs are scheduled by last run time, ascending. Raises
    what the machine raises (a full disk is a failed run, a broken store is not); the cursor then stands.
    """
    now = clock.now()
    waiting = [one for one in jobs(store, cluster_uri) if not one.document.get("isDisabled")]
    chosen = [one for one in waiting if force or due(one, now)]
    chosen.sort(key=lambda one: moment(one.document.get("lastRunTime")) or NEVER)
    return [run(World(store, clock), one, folder) for one in chosen]


def next_due(store: Store) -> datetime | None:
    """When the next of the enabled exports is due; None if there is none."""
    waiting = [one for one in jobs(store, None) if not one.document.get("isDisabled")]
    begun = [(one, moment(one.document.get("lastRunTime") or one.document.get("created"))) for one in waiting]
    return min((when + _span(one) for one, when in begun if when is not None), default=None)


def _span(job: Job) -> timedelta:
    return timedelta(microseconds=job.interval // 10)


def due(job: Job, now: datetime) -> bool:
    """Whether the interval has passed since the last run, or since the export was created."""
    last = moment(job.document.get("lastRunTime") or job.document.get("created"))
    return last is None or last + _span(job) <= now
