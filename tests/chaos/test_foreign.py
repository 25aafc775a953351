"""Two specs and three others on one cluster: whatever the specs say and however often they are applied, nothing of
somebody else's is ever changed or removed.
"""

from __future__ import annotations

import random

import pytest

from kxrecon.sandbox.forecast import Forecast
from tests.chaos import FULL
from tests.chaos.foreign import Others, Team, elements, kept, listed
from tests.chaos.test_weather import storm
from tests.estates.raw import inventory
from tests.ground import Simulated, ground

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
HISTORIES = 500 if FULL else 4
STEPS = 12
MARKS = ("kxrecon/ours", "kxrecon/mine")


def marked(found, mark):
    return {one for one in found if one.kind in ("role", "role_assignment") and mark in one.content}


def stated(found, team):
    """What carries a team's name: its exports, tables and functions."""
    return {one for one in found if one.key[-1].startswith(team) and one.kind not in ("acl", "usage", "role")}


def live(opened, seed):
    """One history. Gives how many applies it had, and how much of it was somebody else's in the end."""
    order = random.Random(seed)
    others, teams = Others(opened, order), [Team("ours", order), Team("mine", order)]
    theirs, applies = set(), 0
    for _ in range(STEPS):
        before = elements(opened.store)
        if order.random() < 0.45:
            others.act()
            after = elements(opened.store)
            theirs = (theirs - (before - after)) | (after - before)
            continue
        team = order.choice(teams)
        (neighbour,) = (one for one in teams if one is not team)
        team.change()
        spec = team.spec(opened)
        opened.forecast = storm(seed) if order.random() < 0.2 else Forecast()
        opened.apply(spec)
        opened.forecast = Forecast()
        applies += 1
        after = elements(opened.store)
        protected = theirs | marked(before, f"kxrecon/{neighbour.name}") | stated(before, neighbour.name)
        lost = frozenset(one for one in protected if one in before and not kept(one, after))
        assert not lost, f"seed {seed}: {team.name} took or changed\n{listed(lost)}"
        theirs = {one for one in theirs if one in after or kept(one, after)}
        opened.tick(minutes=10)
    return applies, len(theirs)


def test_nothing_foreign_is_ever_changed_or_removed(tmp_path, record_property):
    from kxrecon.spec import load

    (tmp_path / "bare.yaml").write_text(
        'version: 1\ncluster: { uri: "https://telemetry.westeurope.kusto.windows.net" }\n'
    )
    with ground(tmp_path, load([str(tmp_path / "bare.yaml")], environ={}), inventory(), time=Simulated()) as opened:
        bare, told = opened.snapshot(), []
        for seed in range(HISTORIES):
            opened.restore(bare)
            told.append(live(opened, seed))
    applies, theirs = (sum(one[at] for one in told) for at in (0, 1))
    record_property("histories", HISTORIES)
    record_property("applies", applies)
    print(f"{HISTORIES} histories, {applies} applies beside {theirs} elements of others: none changed, none removed")
    assert applies > 3 * HISTORIES and theirs > 10 * HISTORIES
