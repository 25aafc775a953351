"""An export that stands still is told, with as much of the cause as can be proved and not a word more."""

from __future__ import annotations

import pytest

from kxrecon.model import Entity, Reading, Ref, State
from kxrecon.stopped import findings

REF = Ref("continuous_export", ("D", "E"))


def told(spec=None, disabled=True, paused=(), **values):
    desired = State({REF: Entity(REF, spec or {})})
    observed = State({REF: Entity(REF, {"isDisabled": disabled})}, {REF: Reading(REF, values)})
    return list(findings(desired, observed, frozenset(paused)))


@pytest.mark.parametrize("spec", [{}, {"isDisabled": False}])
def test_a_disabled_export_is_told_unless_the_spec_wants_it(spec):
    assert [one.kind for one in told(spec)] == ["stopped"]
    assert told({"isDisabled": True}) == []
    assert told(spec, disabled=False) == []


def test_a_week_of_failures_proves_that_the_service_gave_up():
    week = {"lastSuccess": "2026-11-12T07:00:00Z", "lastFailure": "2026-11-19T07:00:00Z"}
    (one,) = told(**week, firstFailure="2026-11-12T08:00:00Z", failureDetails="storage is gone")
    assert "Kusto gave it up after failures from 2026-11-12 to 2026-11-19: storage is gone" in one.message


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"lastFailure": "2026-11-19T07:00:00Z", "lastSuccess": "2026-11-18T07:00:00Z"},
        {"lastFailure": "garbage", "lastSuccess": "2026-11-01T07:00:00Z"},
    ],
)
def test_less_than_that_proves_nothing(values):
    (one,) = told(**values)
    assert "cause unknown" in one.message and "gave it up" not in one.message


def test_what_we_stopped_ourselves_is_no_riddle():
    (one,) = told(paused=[REF])
    assert one.kind == "note" and "enabled again" in one.message
