"""Each mistake of the table is made in a copy of the checkout, and the test that docs/testing.md names has to fail.

``make chaos`` makes them all; otherwise it is only held that the tables fit each other and the code.
"""

from __future__ import annotations

import os
from functools import cache

import pytest

from tests.mutations.copied import ROOT, Copy
from tests.mutations.page import PAGE, told
from tests.mutations.table import DRAWN, PACKAGE, drawn, every, listed

FULL = bool(os.environ.get("KXRECON_CHAOS"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy.made(tmp_path_factory.mktemp("mutations"))


@cache
def _passes(copy, tests):
    assert copy.failing(*tests) == ""
    return True


def asked_of(mutation):
    """The test that the page names, or all that are asked about the place."""
    named = told().get((mutation.file, mutation.what))
    return (named,) if named else mutation.tests


@pytest.mark.parametrize("mutation", every(), ids=str)
def test_the_table_fits_the_code(mutation):
    assert (PACKAGE / mutation.file).read_text("utf-8").count(mutation.old) == 1
    assert mutation.old != mutation.new
    assert all((ROOT / "tests" / path).exists() for path in mutation.tests)


def test_the_page_lists_each_mistake_with_a_test_that_is_there():
    assert list(told()) == [(one.file, one.what) for one in listed()]
    for one in listed():
        file, _, name = told()[one.file, one.what].partition("::")
        assert any(file.startswith(path) for path in one.tests), (one.what, file)
        assert f"def {name}(" in (ROOT / "tests" / file).read_text("utf-8"), (one.what, name)


def test_as_many_are_drawn_as_the_page_says():
    assert len(list(drawn())) == DRAWN
    assert f"{DRAWN} more are drawn" in PAGE.read_text("utf-8")


@pytest.mark.skipif(not FULL, reason="make chaos")
@pytest.mark.parametrize("mutation", every() if FULL else [None], ids=str)
def test_a_mistake_is_caught(copy, mutation):
    assert _passes(copy, asked_of(mutation))
    with copy.spoiled(mutation):
        assert copy.failing(*asked_of(mutation)), f"python -m tests.mutations '{mutation.what}' finds a test that is"
