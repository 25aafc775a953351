"""Hazards are lifted one by one, by name and until a day; thresholds by --force, and each by nothing else."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from kxrecon.allowances import findings
from kxrecon.dangers import HAZARDS
from kxrecon.errors import UsageError
from kxrecon.hazards import Thresholds, idle, parse_allow, refused, thresholds, too_much
from kxrecon.model import Action, Allow, Change, Entity, Failure, FieldChange, Gap, Hazard, Ref, State
from kxrecon.plan import Plan
from kxrecon.spec.schema import main_schema
from kxrecon.touched import managed

TODAY = date(2026, 11, 24)


def of(*actions: Action, managed: int = 0, allow=()) -> Plan:
    return Plan("t", "c", "s", (), "d", "now", actions, allow=tuple(allow), managed=managed)


def risky(hazard: str, name: str = "E") -> Action:
    ref = Ref("continuous_export", ("D", name))
    return Action(name, (ref,), "apply", "update", (), hazards=(Hazard(hazard, ref, "why"),))


CHANGED = (FieldChange("query", "a", "b"),)


def update(number: int, *, reasons=(), fields=CHANGED) -> Action:
    ref = Ref("function", ("D", f"F{number}"))
    entity = Entity(ref, {}, reasons=reasons)
    return Action(f"F{number}", (ref,), "apply", "update", (), changes=(Change(ref, "update", entity, entity, fields),))


@pytest.mark.parametrize(
    ("allow", "count"),
    [
        (Allow("restarts-export"), 0),
        (Allow("restarts-export", "D/E"), 0),
        (Allow("restarts-export", "D/E", "2026-11-24"), 0),
        (Allow("restarts-export", "D/E", "2026-11-23"), 1),
        (Allow("restarts-export", "D/Other"), 1),
        (Allow("drops-data", "D/E"), 1),
    ],
)
def test_a_hazard_needs_its_own_permission_and_one_that_has_not_run_out(allow, count):
    assert len(refused(of(risky("restarts-export"), allow=[allow]), (), TODAY)) == count


def test_a_permission_that_has_run_out_is_named():
    (one,) = refused(of(risky("drops-data"), allow=[Allow("drops-data", None, "2026-01-01")]), (), TODAY)
    assert "ended on 2026-01-01" in one.message and one.remedy == "--allow drops-data:D/E"


@pytest.mark.parametrize("hazard", ["loses-cursor", "repoints-export"])
def test_what_may_lose_an_exports_place_is_never_allowed_for_all_at_once(hazard):
    plan = of(risky(hazard))
    assert len(refused(plan, [Allow(hazard)], TODAY)) == 1
    with pytest.raises(UsageError, match=f"say --allow {hazard}:ENTITY"):
        parse_allow(hazard)
    assert refused(plan, [parse_allow(f"{hazard}:D/E")], TODAY) == []


@pytest.mark.parametrize("words", ["bogus:zzz", "", ":D/E", "locks-out:D/E", "restart-export:D/E"])
def test_a_permission_for_what_is_no_hazard_is_refused(words):
    with pytest.raises(UsageError, match="there is no hazard"):
        parse_allow(words)
    with pytest.raises(UsageError, match="did you mean 'restarts-export'"):
        parse_allow("restart-export:D/E")


def test_words_of_the_command_line_that_allow_nothing_are_told_with_the_nearest_that_would():
    plan = of(risky("drops-data", "Events"))
    assert idle(plan, [Allow("drops-data"), Allow("drops-data", "D/Events")]) == []
    (told,) = idle(plan, [parse_allow("drops-data:D/Event")])
    assert (
        told
        == "--allow drops-data:D/Event allows nothing: this plan has no such hazard; did you mean --allow drops-data:D/Events?"
    )
    (told,) = idle(plan, [Allow("rewords-note")])
    assert told.endswith("no such hazard")


def test_every_hazard_that_an_action_may_have_can_be_allowed_and_is_on_the_page():
    root = Path(__file__).parents[2]
    sources = "".join(one.read_text() for one in (root / "kxrecon").rglob("*.py"))
    made = set(re.findall(r'Hazard\(\s*"([a-z-]+)"', sources)) - {"locks-out"}
    page = (root / "docs/safety.md").read_text()
    assert made == set(HAZARDS) == set(main_schema()["$defs"]["allow"]["properties"]["hazard"]["enum"])
    assert all(f"| `{one}` |" in page for one in HAZARDS)


def test_a_permission_about_nothing_is_a_note_of_the_plan_unless_something_could_not_be_read():
    here = state(function(1))
    slip = [Allow("drops-data", "D/F2"), Allow("drops-data", "D/F1"), Allow("drops-data")]
    (note,) = findings(slip, here, state())
    assert note.message == "allow: drops-data for D/F2 is about nothing that is there" and "'D/F1'" in note.remedy
    gap = Gap("table", ("D",), Failure("denied", "no"))
    assert not list(findings(slip, here, State(gaps=(gap,))))


def test_thirty_percent_of_ten_is_the_most():
    assert not too_much(of(*map(update, range(3)), managed=10))
    (one,) = too_much(of(*map(update, range(4)), managed=10))
    assert "4 of 10 existing entities (40 %)" in one.message and "--force" in one.remedy
    assert not too_much(of(*map(update, range(9)), managed=9))


def test_derived_grants_and_exports_that_only_stand_still_do_not_count():
    derived = [update(number, reasons=("needed by D/E",)) for number in range(9)]
    pauses = [update(number, fields=()) for number in range(9)]
    assert not too_much(of(*derived, *pauses, managed=10))


def state(*entities: Entity) -> State:
    return State({one.ref: one for one in entities})


def function(number: int, *reasons: str) -> Entity:
    return Entity(Ref("function", ("D", f"F{number}")), {}, reasons=reasons)


def test_neither_derived_grants_nor_what_others_have_make_a_change_look_small():
    own = [function(number) for number in range(10)]
    grants = [function(number, "needed by D/E") for number in range(10, 90)]
    others = [function(number) for number in range(90, 190)]
    stated, observed = state(*own, *grants, function(200)), state(*own, *grants, *others)
    actions = [update(number) for number in range(4)]
    assert managed(stated, observed, actions) == 10
    (one,) = too_much(of(*actions, managed=managed(stated, observed, actions)))
    assert "4 of 10 existing entities (40 %)" in one.message


def test_what_the_spec_takes_away_is_of_the_estate_too():
    gone = Change(Ref("function", ("D", "F9")), "delete", function(9), None)
    actions = [Action("x", (gone.ref,), "apply", "delete", (), changes=(gone,))]
    assert managed(state(function(1)), state(function(1), function(9)), actions) == 2


def test_the_spec_says_how_much_is_too_much():
    assert thresholds({}) == Thresholds(30, 10)
    strict = thresholds({"thresholds": {"percent": 0, "entities": 1}})
    assert len(too_much(of(update(1), managed=100), strict)) == 1
    assert thresholds({"thresholds": {"percent": 100}}) == Thresholds(100, 10)
    assert not too_much(of(*map(update, range(20)), managed=20), thresholds({"thresholds": {"percent": 100}}))
