"""After an apply the cluster is looked at again, and patience is kept for the services that need it."""

from __future__ import annotations

from kxrecon.model import Action, Ref
from kxrecon.plan import Plan
from kxrecon.readback import LONGEST, Patience, settled


def left(*kinds: str) -> Plan:
    actions = tuple(Action(kind, (Ref(kind, ("a",)),), "apply", "create", ()) for kind in kinds)
    return Plan("t", "c", "s", (), "d", "now", actions)


def look(*plans: Plan):
    slept: list[float] = []
    seen = iter(plans)
    last = plans[-1]
    found = settled(lambda: next(seen, last), Patience(sleep=slept.append))
    return found, slept


def test_what_arm_shows_late_is_waited_for():
    found, slept = look(left("role_assignment"), left("role_assignment"), left())
    assert found.actions == () and slept == [2.0, 4.0]


def test_patience_has_an_end_and_the_pauses_grow():
    found, slept = look(left("role_assignment"))
    assert len(found.actions) == 1
    assert sum(slept) == LONGEST
    assert slept[:-1] == sorted(slept[:-1])


def test_nothing_else_is_waited_for():
    assert look(left("role_assignment", "database_role"))[1] == []
    assert look(left())[1] == []
