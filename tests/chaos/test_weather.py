"""Seeded storms over everything that is sent: nothing lost, nothing twice, no wrong verdict."""

from __future__ import annotations

import random

import pytest

from kxrecon.sandbox.forecast import Event, Forecast, Rule
from tests.chaos import FULL
from tests.chaos.estate import cursors, nothing_lost_nothing_twice, running, specs
from tests.dumps import same
from tests.ground import Simulated, example, ground

STORMS = 1000 if FULL else 8
ANYWHERE = (
    Event("throttled"),
    Event("throttled", retry_after=7),
    Event("unavailable"),
    Event("gateway-timeout"),
    Event("gateway-timeout-after"),
    Event("cut-before"),
    Event("cut-after"),
    Event("later", seconds=30),
)
SOMEWHERE = (
    (Event("conflict"), "Clusters_Update", 0.5),
    (Event("maintenance"), "Clusters_Update", 0.5),
    (Event("principal-not-found"), "RoleAssignments_Create", 0.5),
    (Event("delayed-grant", seconds=120), "RoleAssignments_Create", 0.5),
    (Event("other-case"), "*_Get", 0.5),
    (Event("other-case"), "RoleAssignments_List*", 0.5),
    (Event("operation-failed"), "Clusters_Update", 0.2),
    (Event("operation-canceled"), "Clusters_Update", 0.2),
    (Event("expired-token"), "*_Get", 0.2),
    (Event("rate-limited"), ".*", 0.5),
    (Event("rate-limited"), "select", 0.5),
    (Event("failed-over"), "connect", 0.5),
    (Event("deadlock"), "grant*", 0.5),
    (Event("lock-timeout"), "create user", 0.5),
)
"""What a service does on a bad day, to which of its operations, and its greatest chance. What ends an action is
rarer: an apply does not repeat it, the next one does."""


def storm(seed: int) -> Forecast:
    """Some kinds of trouble, each with its own chance."""
    order = random.Random(seed)
    everywhere = [Rule(event, "*", chance=order.uniform(0.01, 0.12)) for event in order.sample(ANYWHERE, 4)]
    here = [
        Rule(event, operation, chance=order.uniform(0.1, most)) for event, operation, most in order.sample(SOMEWHERE, 5)
    ]
    return Forecast((*here, *everywhere), seed)


def checked_plan(opened, spec, *, expect_empty: bool):
    """A plan in the storm: what it could not read it says, and of the rest it says nothing wrong."""
    plan = opened.plan(spec)
    unknown = [one for one in plan.findings if one.kind == "unknown"]
    if expect_empty:
        assert not plan.actions, [one.id for one in plan.actions]
    else:
        assert plan.actions or unknown, "said that nothing is to do"
    return plan


def weathered(opened, spec, forecast) -> int:
    """Apply until it says converged; the number of applies. At most five may be needed."""
    opened.forecast = forecast
    for number in range(1, 6):
        plan = opened.plan(spec)
        outcomes = opened.apply(spec, plan) if plan.actions else ()
        done = {one.action for one in outcomes if one.result == "done"}
        left = opened.plan(spec)
        blind = [one for one in left.findings if one.kind == "unknown"]
        again = {one.id for one in left.actions} & done
        assert not again, f"said done, and were not: {again}"
        if not left.actions and not blind and not left.blocked:
            return number
    raise AssertionError("five applies were not enough")


@pytest.mark.parametrize("first", range(0, STORMS, 10 if FULL else 4))
def test_storms_over_a_first_apply(tmp_path, first):
    spec = example("seed.yaml")
    with ground(tmp_path, spec, time=Simulated()) as opened:
        bare = opened.snapshot()
        assert not opened.converge(spec).actions
        goal = opened.dump()
        for seed in range(first, first + (10 if FULL else 4)):
            opened.restore(bare)
            opened.forecast = storm(seed)
            checked_plan(opened, spec, expect_empty=False)
            weathered(opened, spec, storm(seed))
            checked_plan(opened, spec, expect_empty=True)
            opened.forecast = Forecast()
            same(opened.dump(), goal)
            opened.tick(minutes=5)
            runs = opened.tick(force=True)
            assert all(run.succeeded for run in runs), runs


@pytest.mark.parametrize("first", range(0, STORMS, 10 if FULL else 4))
def test_storms_over_a_change_under_running_exports(tmp_path, first):
    before, after = specs(tmp_path)
    with ground(tmp_path, before, time=Simulated()) as opened:
        running(opened, before)
        start, places = opened.snapshot(), cursors(opened)
        assert not opened.converge(after).actions
        goal = opened.dump()
        for seed in range(first, first + (10 if FULL else 4)):
            opened.restore(start)
            weathered(opened, after, storm(seed))
            opened.forecast = Forecast()
            same(opened.dump(), goal)
            nothing_lost_nothing_twice(opened, places)
