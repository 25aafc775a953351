"""Rows exported in total are the rows ingested, whatever happened to the export on the way."""

from __future__ import annotations

import shutil

import pytest

from tests.chaos import FULL
from tests.chaos.estate import BEFORE
from tests.chaos.rows import Days
from tests.ground import Simulated, ground, spec_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
RUNS = 60 if FULL else 1


@pytest.mark.parametrize("cursor_on_alter", ["kept", "reset"])
def test_no_row_is_lost_and_none_doubled_over_random_days(tmp_path, cursor_on_alter):
    import json

    spec = spec_of(json.dumps(BEFORE), tmp_path)
    with ground(tmp_path, spec, time=Simulated()) as opened:
        bare = opened.snapshot()
        for seed in range(RUNS):
            opened.restore(bare)
            shutil.rmtree(opened.store.files, ignore_errors=True)
            days = Days(opened, seed, cursor_on_alter)
            days.live(12 if FULL else 8)
            days.finish()
