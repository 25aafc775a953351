"""A small estate, applied once; each test begins from it, or from its bare world."""

from __future__ import annotations

import json

import pytest

from tests.e2e.test_peers import SMALL, Peer
from tests.facts.switched import turn
from tests.ground import Simulated, ground, spec_of


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts")
    with ground(folder, spec_of(json.dumps(SMALL), folder), time=Simulated()) as found:
        yield Peer(found, folder)


@pytest.fixture
def peer(opened):
    opened.ground.restore(opened.applied)
    return opened


@pytest.fixture
def switched(request, peer):
    """The value of the switch that the test is run under; the estate's sandbox has it."""
    name, value = request.param
    turn(peer.ground.store, name, value)
    turn_bare = [one for one in peer.bare if one[0] != "meta" or "switches" not in one[1]]
    peer.under = lambda: (peer.ground.restore(turn_bare), turn(peer.ground.store, name, value))
    return value
