"""A fresh cluster for each test."""

from __future__ import annotations

import pytest

from tests.probe.world import WORLD


@pytest.fixture
def cluster(kxrecon_sandbox):
    kxrecon_sandbox.stock(WORLD)
    return kxrecon_sandbox
