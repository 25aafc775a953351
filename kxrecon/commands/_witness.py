"""The plan that was applied last, kept beside the one saved last: what ``drift`` tells by, where there is no ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kxrecon.commands._files import APPLIED, JOURNAL
from kxrecon.errors import KxreconError, PlanError

if TYPE_CHECKING:
    from kxrecon.model import Finding
    from kxrecon.plan import Plan


def _place(plan: Plan) -> Path:
    """One file for each spec on its cluster and wire."""
    key = "\n".join((plan.wire, plan.cluster_uri, plan.spec_name))
    return APPLIED / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def remember(plan: Plan) -> None:
    """Keep a plan after which the cluster was what the spec says. A full disk costs the witness, not the apply."""
    from kxrecon import planfile

    with suppress(OSError, KxreconError):
        planfile.save(plan, _place(plan))


def forget(plan: Plan) -> None:
    """From the first write on, what was applied before is no witness any more."""
    _place(plan).unlink(missing_ok=True)


def same(plan: Plan, found: Plan) -> bool:
    """Whether two plans are of one spec on one cluster."""
    return (plan.wire, plan.cluster_uri, plan.spec_name) == (found.wire, found.cluster_uri, found.spec_name)


def told(found: Plan, saved: Plan | None) -> Sequence[Finding]:
    """Drift or pending by the plan applied last, and by one that was ``saved`` since."""
    from kxrecon import planfile
    from kxrecon.origin import by_plans

    try:
        applied: Plan | None = planfile.load(_place(found))
    except PlanError:
        applied = None
    before = applied if applied is not None and same(applied, found) else None
    return list(by_plans(found, before, saved if saved is not None and _still_stands(saved) else None))


def _still_stands(plan: Plan) -> bool:
    """Whether no apply of ours began on its cluster since a plan was made: what differs then may be our own work."""
    from kxrecon.journal import last_begun

    began = last_begun(JOURNAL, plan.cluster_uri, plan.wire)
    if began is None:
        return True
    when, digest = began
    return digest != plan.digest and datetime.fromisoformat(plan.created) >= when.replace(microsecond=0)
