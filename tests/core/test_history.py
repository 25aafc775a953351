"""Runs from files, waits from runs: what is late, what is merely quiet, and what nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kxrecon.history import GRACE, Failed, Files, History, runs, slices, waits

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=1)
TEN = 600.0


def ago(minutes):
    return NOW - timedelta(minutes=minutes)


def past(good=(), failed=(), last_good=None):
    files = tuple(Files(ago(minutes), 1, 10) for minutes in good)
    return History(SINCE, NOW, files, tuple(Failed(ago(minutes), "Failure", "x", last_good) for minutes in failed))


def told(history, last_good=None, *, alarming=False):
    minutes = timedelta(minutes=1)
    found = waits(history, TEN, last_good, alarming=alarming)
    return [((NOW - one.due) / minutes, (NOW - one.until) / minutes, one.late) for one in found]


def test_files_that_were_written_together_are_one_run():
    found = runs([(ago(20), 5), (ago(19), 7), (ago(10), 1)], TEN)
    assert found == (Files(ago(20), 2, 12), Files(ago(10), 1, 1))
    assert len(runs([(ago(20), 5), (ago(14.9), 7)], TEN)) == 2, "more than half an interval later is another run"


def test_a_time_without_files_is_quiet_unless_a_failure_says_more():
    assert told(past(good=(20, 10, 1))) == []
    assert told(past(good=(90, 30, 20, 10, 1))) == [(80, 30, False)]
    assert told(past(good=(90, 30, 20, 10, 1), failed=(60, 50))) == [(80, 30, True)]


def test_a_failure_tells_when_the_last_good_run_was():
    history = past(good=(90, 30, 20, 10, 1), failed=(40,), last_good=ago(50))
    assert told(history) == [(80, 50, False)], "from the good run that left no files the wait was short"
    history = past(good=(90, 10, 1), failed=(40,), last_good=ago(50))
    assert told(history) == [(80, 50, False), (40, 10, True)]


def test_what_lasts_until_now_is_late_if_the_export_is_not_well():
    assert told(past(good=(60,)), alarming=True) == [(50, 0, True)]
    assert told(past(good=(60,))) == [(50, 0, False)]
    assert told(past(), ago(60), alarming=True) == [(50, 0, True)]
    assert told(past()) == []


def test_without_a_good_run_it_is_late_since_the_first_failure_or_since_it_was_enabled():
    """It may not have been there before."""
    assert told(past(failed=(30, 20, 10))) == [(30, 0, True)]
    assert told(past(failed=(9,))) == []
    assert told(past(), ago(60), alarming=True) == [(50, 0, True)], "never ran, enabled an hour ago"


def test_a_wait_as_long_as_an_interval_and_the_grace_is_none():
    good = NOW - timedelta(minutes=20) - GRACE
    assert waits(History(SINCE, NOW), TEN, good, alarming=True) == ()
    assert len(waits(History(SINCE, NOW), TEN, good - timedelta(seconds=1), alarming=True)) == 1


@given(st.lists(st.integers(0, 1_440), max_size=40), st.lists(st.integers(0, 1_440), max_size=40), st.integers(1, 100))
def test_slices_hold_everything_once(good, failed, count):
    history = past(good=sorted(good, reverse=True), failed=sorted(failed, reverse=True))
    found = slices(history, (), count)
    assert len(found) == count
    assert sum(one.runs for one in found) == len(good) == sum(one.files for one in found)
    assert sum(one.failures for one in found) == len(failed)
    assert sum(one.records for one in found) == 10 * len(good)


@given(st.lists(st.integers(0, 1_440), min_size=1, max_size=40), st.lists(st.integers(0, 1_440), max_size=40))
def test_waits_follow_one_another_and_no_good_run_lies_in_one(good, failed):
    history = past(good=sorted(good, reverse=True), failed=sorted(failed, reverse=True))
    found = waits(history, TEN, None, alarming=False)
    assert all(one.due < one.until for one in found)
    assert all(one.until <= other.due for one, other in zip(found, found[1:], strict=False))
    assert not any(wait.due < run.when < wait.until for wait in found for run in history.runs)
