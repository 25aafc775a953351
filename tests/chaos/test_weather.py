"""Seeded storms over everything that is sent: nothing lost, nothing twice, no wrong verdict."""

from __future__ import annotations

import random

import pytest

from kxrecon.sandbox.forecast import Event, Forecast, Rule
from tests.chaos import FULL
from tests.chaos.estate import cursors, nothing_lost_nothing_twice, running, specs
from tests.ground import Simulated, example, ground, same

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
AT_ARM = (
    (Event("conflict"), "Clusters_Update"),
    (Event("maintenance"), "Clusters_Update"),
    (Event("principal-not-found"), "RoleAssignments_Create"),
    (Event("delayed-grant", seconds=120), "RoleAssignments_Create"),
    (Event("other-case"), "*_Get"),
    (Event("other-case"), "RoleAssignments_List*"),
)


def storm(seed: int) -> Forecast:
    """Some kinds of trouble, each with its own chance."""
    order = random.Random(seed)
    everywhere = [Rule(event, "*", chance=order.uniform(0.01, 0.12)) for event in order.sample(ANYWHERE, 4)]
    arm = [Rule(event, operation, chance=order.uniform(0.1, 0.5)) for event, operation in order.sample(AT_ARM, 3)]
    return Forecast((*arm, *everywhere), seed)


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
