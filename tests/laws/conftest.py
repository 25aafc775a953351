"""One ground for all examples of a worker."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from kxrecon.inventory import inventory
from kxrecon.sandbox.inventory import stock
from tests.ground import ground, pinned, spec_of

from .estates import HEAD


def law(examples: int, *arguments):
    """A test of a law: this many examples, the same ones every time."""
    chosen = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if os.environ.get("KXRECON_SHRINK") else ())),
        report_multiple_bugs=False,
    )
    return lambda test: chosen(given(*arguments)(test))


class Country:
    """A ground that becomes another estate's bare world in no time."""

    def __init__(self, opened, folder, empty):
        self.ground, self._folder, self._empty = opened, folder, empty

    def spec(self, document):
        """A loaded spec of a document."""
        return spec_of(json.dumps(document, ensure_ascii=False), self._folder)

    def bare(self, *documents):
        """The bare world of these specs; gives the loaded specs."""
        self.ground.restore(self._empty)
        specs = [self.spec(document) for document in documents]
        for spec in specs:
            stock(self.ground.ends.world, pinned(inventory(spec)))
        return specs


@pytest.fixture(scope="session")
def country(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laws")
    spec = spec_of(json.dumps({**HEAD, "databases": {}}), folder)
    with ground(folder, spec) as opened:
        yield Country(opened, folder, opened.snapshot())
