"""What nobody knows for sure about the services, under every setting: the seed converges and repairs itself."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from kxrecon.sandbox import switches
from tests.ground import example, ground
from tests.laws.test_laws import damage

TYPES = get_type_hints(switches.Switches)


APART = ("strict", "query_shown")


def settings():
    """Every value but the default of every switch. ``strict`` is about inventories and has its own tests; so has
    ``query_shown``, under which only a ledger tells what was written (tests/ledger)."""
    for field in fields(switches.Switches):
        kind = TYPES[field.name]
        values = get_args(kind) if get_origin(kind) is Literal else (False, True)
        yield from ((field.name, value) for value in values if value != field.default and field.name not in APART)


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    spec = example("seed.yaml")
    with ground(tmp_path_factory.mktemp("switches"), spec) as opened:
        yield opened, spec, opened.snapshot()


@pytest.mark.parametrize(("name", "value"), list(settings()))
def test_the_seed_converges_and_repairs_itself_under(seed, name, value):
    opened, spec, bare = seed
    opened.restore(bare)
    switches.save(opened.store, replace(switches.Switches(), **{name: value}))
    assert not opened.converge(spec).actions
    damage(opened, 4)
    assert not opened.converge(spec).actions
    runs = opened.tick(force=True)
    assert len(runs) == 5 and all(run.succeeded for run in runs), runs


def test_the_seed_converges_with_all_switches_turned(seed):
    opened, spec, bare = seed
    opened.restore(bare)
    switches.save(opened.store, replace(switches.Switches(), **dict(settings())))
    assert not opened.converge(spec).actions
    assert opened.plan(spec).actions == ()
