"""Killed at every boundary: the next plan and apply end where an undisturbed run ends."""

from __future__ import annotations

import pytest

from tests.chaos import FULL, sample
from tests.chaos.crash import MODES, crashing
from tests.chaos.estate import cursors, nothing_lost_nothing_twice, running, specs
from tests.ground import Simulated, example, ground, same

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
