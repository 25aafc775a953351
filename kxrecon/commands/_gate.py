"""What stands between a plan and the cluster: the right wire, the same spec, a fresh plan, allowed hazards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kxrecon.errors import PlanError
from kxrecon.model import Ref

if TYPE_CHECKING:
    from kxrecon.hazards import Refusal
    from kxrecon.model import Allow, State
    from kxrecon.plan import Plan
    from kxrecon.spec import Spec

MAX_AGE = timedelta(hours=24)


def check_age(plan: Plan, now: datetime) -> None:
    """Refuse a plan that is older than a day, or from the future; PlanError says what to do."""
    try:
        created = datetime.fromisoformat(plan.created)
        age = now - created
    except (TypeError, ValueError) as error:
        raise PlanError(f"the plan says it was made at {plan.created!r}: run plan again") from error
    if age > MAX_AGE:
        raise PlanError(f"the plan is from {plan.created}, older than {MAX_AGE.days * 24} hours: run plan again")
    if age < -timedelta(minutes=5):
        raise PlanError(f"the plan is from {plan.created}, which is still to come: check the clocks, run plan again")


def check_wire(plan: Plan, wire: str) -> None:
    """A plan for the sandbox is not for Azure, and the other way round."""
    if plan.wire == wire:
        return
    path = plan.wire.removeprefix("sandbox:")
    remedy = f"add --sandbox-file {path}" if path != plan.wire else "leave --sandbox out"
    raise PlanError(f"the plan was made for {plan.wire}, not for {wire}: {remedy}, or run plan again")


def check_cluster(spec: Spec) -> None:
    """A spec whose cluster.uri and cluster.resourceId name two clusters would read one and write to the other."""
    host = (urlsplit(spec.scope.cluster_uri).hostname or "").lower()
    named = spec.scope.cluster_id.rstrip("/").rpartition("/")[2].lower()
    if named and ".kusto." in host and host.partition(".")[0] != named:
        place = spec.place(("cluster", "resourceId"))
        at = f"{place}: " if place else ""
        raise PlanError(
            f"{at}cluster.uri is {spec.scope.cluster_uri}, but cluster.resourceId names the cluster '{named}': "
            "this spec mixes two environments, so nothing was read"
        )


def check_answer(spec: Spec, observed: State) -> None:
    """The same, as far as only the cluster itself can tell: two clusters of one name in two regions, or two clouds."""
    reading = observed.readings.get(Ref("cluster_identity", ("",)))
    shown = str(reading.values.get("uri") or "") if reading else ""
    hosts = [(urlsplit(one).hostname or "").lower() for one in (spec.scope.cluster_uri, shown)]
    if all(".kusto." in host for host in hosts) and hosts[0] != hosts[1]:
        place = spec.place(("cluster", "uri"))
        at = f"{place}: " if place else ""
        raise PlanError(
            f"{at}cluster.uri is {spec.scope.cluster_uri}, but the cluster of cluster.resourceId is at {shown}: "
            "this spec mixes two environments, so nothing is planned"
        )


def check_spec(plan: Plan, spec: Spec) -> None:
    """What was reviewed is what runs: the spec must still be the one that the plan was made from."""
    if plan.cluster_uri != spec.scope.cluster_uri:
        raise PlanError(
            f"the plan was made for {plan.cluster_uri}, but the spec now names {spec.scope.cluster_uri}: run plan again"
        )
    if plan.spec_digest != spec.digest:
        files = ", ".join(plan.spec_files)
        raise PlanError(f"the spec ({files}) or its variables changed since the plan was made: run plan again")


def check_hazards(plan: Plan, spec: Spec, allow: Sequence[Allow], *, force: bool) -> None:
    """Refuse a plan with hazards that nobody allowed, or one that changes too much at once; PlanError names all."""
    found = refusals(plan, spec, allow, force=force)
    if found:
        lines = (f"  {one.message} ({one.remedy})" for one in found)
        raise PlanError("this has not been allowed, so nothing was done:\n" + "\n".join(lines))


def refusals(plan: Plan, spec: Spec, allow: Sequence[Allow] = (), *, force: bool = False) -> tuple[Refusal, ...]:
    """What an apply of this plan would be refused for today."""
    from kxrecon.hazards import refused, thresholds, too_much

    found = tuple(refused(plan, (*spec.allow, *allow), datetime.now(UTC).date()))
    return found if force else (*found, *too_much(plan, thresholds(spec.document)))
