"""For any history of applies, rotations, deaths, races and other people's hands the verdict is right."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from kxrecon.ledger.rows import Damage, Row

from .world import Run, World

EXAMPLES = 3000 if os.environ.get("KXRECON_CHAOS") else 250
law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
VALUES = ("one", "two", "three")
values = st.sampled_from(VALUES)


def apply(world, _):
    world.apply()


def rotate(world, value):
    world.spec_secret = value


def edit(world, value):
    world.spec_folder = value


def by_hand(world, value):
    world.service.write(value, world.service.folder, "")


def by_hand_in_the_open(world, value):
    if world.service.secret is not None:
        world.service.folder = value


def gone(world, _):
    world.service.secret = None


def _begun(world, value):
    run = Run(world, f"dead {value} {len(world.keeper.rows)}", world.spec_secret)
    if run.plan.actions:
        run.begin()
        return run
    return None


def dies_before_sending(world, value):
    _begun(world, value)


def dies_after_sending(world, value):
    run = _begun(world, value)
    if run is not None:
        run.write()


def loses_the_answer(world, value):
    run = _begun(world, value)
    if run is not None:
        run.write(answered=False, arrives=value != "one")
        run.end()


def is_stopped(world, value):
    run = _begun(world, value)
    if run is not None:
        run.skip()
        run.end()


def cannot_put_it_down(world, value):
    """The ledger breaks after the write: its rows wait on this machine."""
    run = _begun(world, value)
    if run is not None:
        run.write()
        world.keeper.broken = True
        assert "until the next apply here" in run.end()
        world.keeper.broken = False


def race(world, value):
    """Two applies at once, one with a secret that was rotated away meanwhile."""
    one = Run(world, f"race one {len(world.keeper.rows)}", value)
    other = Run(world, f"race other {len(world.keeper.rows)}", world.spec_secret)
    runs = [run for run in (one, other) if run.plan.actions]
    for run in runs:
        run.begin()
    for run in runs if value != "two" else reversed(runs):
        run.write()
    for run in runs if value != "three" else reversed(runs):
        run.end()


STEPS = (apply, apply, apply, rotate, edit, by_hand, by_hand_in_the_open, gone, dies_before_sending, dies_after_sending)
STEPS += (loses_the_answer, is_stopped, cannot_put_it_down, race)
histories = st.lists(st.tuples(st.sampled_from(STEPS), values), min_size=1, max_size=9)


def check(world):
    """Equal is only said where it is true, and an apply mends and then knows everything."""
    verdict = world.verdict()
    if verdict == "equal":
        assert world.key and world.service.secret == world.spec_secret
    if world.service.secret is None:
        assert verdict == "missing"


def mended(world):
    """An apply leaves nothing that differs; one with --reassert leaves nothing in doubt."""
    world.apply()
    assert world.verdict() in ("equal", "unverifiable")
    world.apply(again=True)
    assert world.verdict() == "equal" and world.service.secret == world.spec_secret


@law
@given(histories)
@example([(apply, "one"), (race, "two")])
@example([(apply, "one"), (by_hand, "two"), (race, "one")])
@example([(dies_after_sending, "one"), (rotate, "two")])
def test_with_a_key_and_the_journal_the_verdict_is_right(tmp_path_factory, history):
    world = World(_folder(tmp_path_factory))
    for step, value in history:
        step(world, value)
        check(world)
    mended(world)
    assert not world.plan(world.book()).actions, "nothing differs for ever"


@law
@given(histories)
def test_without_a_key_a_secret_is_never_equal(tmp_path_factory, history):
    world = World(_folder(tmp_path_factory), key="")
    for step, value in history:
        step(world, value)
        assert world.verdict() != "equal"
    world.apply()
    assert world.verdict() == "unverifiable"


@law
@given(histories.map(lambda steps: [one for one in steps if one[0] is not by_hand]))
def test_without_the_journal_only_a_hand_that_leaves_no_trace_is_not_seen(tmp_path_factory, history):
    world = World(_folder(tmp_path_factory), admin=False)
    for step, value in history:
        step(world, value)
        check(world)
    mended(world)


@law
@given(histories.map(lambda steps: [one for one in steps if one[0] not in (by_hand, gone)]))
@example([(apply, "one"), (rotate, "two"), (dies_before_sending, "one")])
def test_after_any_death_the_next_apply_mends_without_being_asked(tmp_path_factory, history):
    """What was rotated and perhaps never sent is not forgotten."""
    world = World(_folder(tmp_path_factory), admin=False)
    for step, value in history:
        step(world, value)
    world.apply()
    assert world.verdict() == "equal" and world.service.secret == world.spec_secret


@law
@given(histories, st.integers(0, 30), st.integers(1, 4))
@example([(apply, "one"), (rotate, "two"), (apply, "one"), (rotate, "one")], 5, 2)
def test_a_line_that_is_lost_to_damage_is_never_taken_for_a_proof(tmp_path_factory, history, place, many):
    world = World(_folder(tmp_path_factory), admin=False)
    for step, value in history:
        if step is not by_hand:
            step(world, value)
    rows = world.keeper.rows
    rows[place : place + many] = [Damage(f"line {place + 1}")] * len(rows[place : place + many])
    check(world)


@law
@given(histories.map(lambda steps: [one for one in steps if one[0] in (apply, rotate, edit)]), values)
def test_a_rotation_is_seen_at_once_and_put_back_it_is_none(tmp_path_factory, history, value):
    world = World(_folder(tmp_path_factory))
    world.apply()
    for step, one in history:
        step(world, one)
    world.apply()
    before = world.spec_secret
    world.spec_secret = value
    assert world.verdict() == ("equal" if value == before else "changed")
    world.spec_secret = before
    assert world.verdict() == "equal"


_FOLDERS: list = []


def _folder(factory):
    if not _FOLDERS:
        _FOLDERS.append(factory.mktemp("worlds"))
    return _FOLDERS[0]


def test_an_apply_that_sent_nothing_leaves_everything_as_it_was(tmp_path):
    world = World(tmp_path)
    world.apply()
    world.spec_secret = "two"
    is_stopped(world, "")
    assert world.verdict() == "changed"
    world.spec_secret = "one"
    assert world.verdict() == "equal"


def test_a_plan_that_meets_nothing_to_do_adds_nothing(tmp_path):
    world = World(tmp_path)
    world.apply()
    rows = list(world.keeper.rows)
    world.apply()
    assert world.keeper.rows == rows


def test_what_could_not_be_put_down_is_put_down_by_the_next_apply(tmp_path):
    world = World(tmp_path)
    cannot_put_it_down(world, "one")
    assert world.unsent.path.exists() and world.verdict() == "equal", "this machine knows"
    world.apply()
    assert not world.unsent.path.exists()
    assert world.verdict() == "equal"
    assert [row.event for row in world.keeper.rows if isinstance(row, Row)][-2:] == ["wrote", "ended"]


@pytest.mark.parametrize("order", ["one", "two", "three"])
def test_what_two_applies_wrote_at_once_is_in_doubt(tmp_path, order):
    world = World(tmp_path, admin=False)
    world.spec_secret = "zero"
    world.apply()
    world.spec_secret = "new"
    race(world, order)
    assert world.verdict() == "changed"
    world.apply()
    assert world.verdict() == "equal" and world.service.secret == "new"
