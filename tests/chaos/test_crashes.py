"""Killed at every boundary: the next plan and apply end where an undisturbed run ends."""

from __future__ import annotations

import pytest

from tests.chaos import FULL, sample
from tests.chaos.crash import MODES, crashing, recording
from tests.chaos.estate import cursors, nothing_ahead, nothing_lost_nothing_twice, running, specs
from tests.chaos.test_weather import storm, weathered
from tests.dumps import same
from tests.ground import Forecast, Simulated, example, ground

# Who is killed closes nothing.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def boundaries(crasher) -> list[tuple[str, int]]:
    """Every instant of an undisturbed run at which it may die."""
    return [
        (mode, at) for mode in MODES for at in range(1, (crasher.requests if mode in MODES[:3] else crasher.lines) + 1)
    ]


def recovered(opened, spec, goal) -> None:
    plan = opened.plan(spec)
    outcomes = opened.apply(spec, plan)
    failed = [one for one in outcomes if one.result != "done"]
    assert not failed, failed
    assert not opened.plan(spec).actions
    same(opened.dump(), goal)


@pytest.mark.parametrize("name", ["seed.yaml", *(["prod.yaml"] if FULL else [])])
def test_a_first_apply_that_dies_anywhere_is_finished_by_the_next(tmp_path, name):
    spec = example(name)
    with ground(tmp_path, spec, time=Simulated()) as opened:
        bare = opened.snapshot()
        with crashing(opened) as whole:
            assert all(one.result == "done" for one in opened.apply(spec, workers=1))
        goal = opened.dump()
        for mode, at in sample(boundaries(whole), 14):
            opened.restore(bare)
            with crashing(opened, mode, at):
                opened.apply(spec, workers=1)
            try:
                recovered(opened, spec, goal)
            except AssertionError as error:
                raise AssertionError(f"died {mode} {at}: {error}") from error


def test_a_change_under_running_exports_that_dies_anywhere_loses_and_doubles_nothing(tmp_path):
    before, after = specs(tmp_path)
    with ground(tmp_path, before, time=Simulated()) as opened:
        running(opened, before)
        start, places = opened.snapshot(), cursors(opened)
        with crashing(opened) as whole:
            assert all(one.result == "done" for one in opened.apply(after, workers=1))
        goal = opened.dump()
        nothing_lost_nothing_twice(opened, places)
        for mode, at in sample(boundaries(whole), 14):
            opened.restore(start)
            with crashing(opened, mode, at):
                opened.apply(after, workers=1)
            try:
                recovered(opened, after, goal)
                nothing_lost_nothing_twice(opened, places)
            except AssertionError as error:
                raise AssertionError(f"died {mode} {at}: {error}") from error


SLICES = 4 if FULL else 1
STORMS = (None, 1, 2, 3) if FULL else (1,)
"""Seeds of the weather over the run that dies and over its recovery; None: a calm day."""


def weather(seed: int | None) -> Forecast:
    return Forecast() if seed is None else storm(seed)


def every_instant(opened, spec, goal, seed: int | None, part: int, check) -> None:
    """Record a run in its weather, then recover from the instants of one slice in the same weather."""
    opened.forecast = weather(seed)
    with recording(opened) as run:
        for _ in range(5):
            if any(one.result != "done" for one in opened.apply(spec, workers=1)):
                continue
            break
    opened.forecast = Forecast()
    instants = sample(run.instants[part::SLICES], 6)
    print(
        f"storm {seed} of {spec.files}: {run.boundaries} boundaries, {len(run.instants)} instants, {len(instants)} tried here"
    )
    for instant in instants:
        instant.restore(opened)
        places = cursors(opened)
        try:
            weathered(opened, spec, weather(seed))
            opened.forecast = Forecast()
            same(opened.dump(), goal)
            check(places)
        except AssertionError as error:
            raise AssertionError(f"storm {seed}, died {instant.what}: {error}") from error


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("seed", STORMS)
@pytest.mark.parametrize("name", ["seed.yaml", "prod.yaml"] if FULL else ["seed.yaml"])
def test_a_first_apply_that_dies_at_any_instant_of_a_storm_is_finished_by_the_next(tmp_path, name, seed, part):
    spec = example(name)
    with ground(tmp_path, spec, time=Simulated()) as opened:
        bare = opened.snapshot()
        opened.converge(spec)
        goal = opened.dump()
        opened.restore(bare)
        every_instant(opened, spec, goal, seed, part, lambda places: nothing_ahead(opened, places))


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("seed", STORMS)
def test_a_change_that_dies_at_any_instant_of_a_storm_loses_and_doubles_nothing(tmp_path, seed, part):
    before, after = specs(tmp_path)
    with ground(tmp_path, before, time=Simulated()) as opened:
        running(opened, before)
        start = opened.snapshot()
        opened.converge(after)
        goal = opened.dump()
        opened.restore(start)
        every_instant(opened, after, goal, seed, part, lambda places: nothing_lost_nothing_twice(opened, places))
