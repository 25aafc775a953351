"""A sample of the mutated specs; all 100 000 of them: ``python -m tests.chaos.fuzz_specs``."""

from __future__ import annotations

import os

import pytest

from tests.chaos import FULL
from tests.chaos.fuzz import bounded
from tests.chaos.fuzz_specs import batch, main, mutant


def test_mutated_specs_are_specs_or_refused_with_reasons():
    counts, accidents, _ = batch(range(250))
    assert not accidents, accidents
    assert counts["refused"] > 150 and counts["spec"] > 5


def test_a_mutants_number_is_all_that_it_takes_to_make_it_again():
    assert [mutant(number) for number in range(60)] == [mutant(number) for number in range(60)]


def test_accidents_and_hangs_are_told_apart_from_verdicts():
    def broken() -> str:
        raise KeyError("defect")

    def forever() -> str:
        while True:
            try:
                [None for _ in iter(int, 1)]
            except Exception:  # what a careless program would do
                continue

    assert bounded(lambda: "spec") == "spec"
    assert bounded(broken).startswith("accident") and "KeyError" in bounded(broken)
    assert bounded(forever, seconds=0.05).startswith("hang")


@pytest.mark.skipif(not FULL, reason="the long form: make chaos")
def test_a_hundred_thousand_mutated_specs():
    assert main(["--count", os.environ.get("KXRECON_MUTANTS", "100000")]) == 0
