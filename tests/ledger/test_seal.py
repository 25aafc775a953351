"""Hashes: without a key none of anything secret, with one nothing that could be guessed or compared from outside."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon.errors import UsageError
from kxrecon.ledger.seal import PLAIN, SHORTEST, Seal, holds_secret
from kxrecon.model import Ref, Secret

REF, OTHER = Ref("external_table", ("D", "T")), Ref("external_table", ("D", "U"))
KEY = "k" * SHORTEST
SECRETS = {"a": "one", "b": "one", "c": "two"}
calm = settings(deadline=None, derandomize=True, max_examples=200, database=None)
secrets = st.sampled_from(
    [Secret("a"), ("x", Secret("a")), ({"secret": Secret("a")},), {"auth": {"secret": Secret("a")}}]
)
hiding = st.sampled_from(["T | where x == h'a'", 'h"a"', "h@'a'", "print h```a```", "H'a'", 'x=h@"a"', "(h~~~a~~~)"])


@calm
@given(secrets | hiding)
def test_without_a_key_what_holds_a_secret_has_no_hash(value):
    seal = Seal("c", "", SECRETS)
    assert holds_secret(value) and seal.written(REF, "f", value) is None
    assert Seal("c", KEY, SECRETS).written(REF, "f", value)


@calm
@given(st.sampled_from(["T | where x == 'a'", "hash('x')", "with h", "this is 'it'", "h", "", "path 'x'"]))
def test_what_only_looks_like_it_has_one(value):
    assert not holds_secret(value) and Seal("c").written(REF, "f", value)


def test_equal_secrets_in_two_places_do_not_look_equal():
    seal = Seal("c", KEY, SECRETS)
    here = seal.written(REF, "f", Secret("a"))
    assert here == seal.written(REF, "f", Secret("b")), "what counts is the value, not the variable"
    others = {
        seal.written(REF, "f", Secret("c")),
        seal.written(OTHER, "f", Secret("a")),
        seal.written(REF, "g", Secret("a")),
        seal.written(REF, "f", "one"),
        seal.shown(REF, "f", "one"),
        Seal("another cluster", KEY, SECRETS).written(REF, "f", Secret("a")),
        Seal("c", KEY + "x", SECRETS).written(REF, "f", Secret("a")),
    }
    assert here not in others and len(others) == 7


def test_a_secret_without_a_value_has_no_hash():
    assert Seal("c", KEY, {}).written(REF, "f", Secret("a")) is None


def test_a_text_without_its_hidden_literals_is_told_apart_by_the_rest_of_it():
    seal = Seal("c")
    one = seal.blank(REF, "query", "T | where x == h'secret'")
    assert one == seal.blank(REF, "query", "T | where x == h'other and longer'")
    assert one != seal.blank(REF, "query", "T | where y == h'secret'")
    assert seal.blank(REF, "query", "T") is None and Seal("c", KEY).blank(REF, "query", "h'x'") is None


def test_a_seal_reads_its_own_entries_and_plain_ones():
    seal = Seal("c", KEY)
    assert seal.behind(seal.name) is seal and seal.behind(Seal("d", KEY).name) is seal
    plain = seal.behind(PLAIN)
    assert plain is not None and not plain.keyed
    assert seal.behind(Seal("c", KEY + "x").name) is None and Seal("c").behind(seal.name) is None
    assert KEY not in repr(seal) and seal.name not in (KEY, PLAIN)


def test_a_key_that_could_be_tried_out_is_refused():
    with pytest.raises(UsageError, match="at least 16"):
        Seal("c", "k" * (SHORTEST - 1))


def test_without_a_key_what_is_shown_counts_but_for_hidden_literals_that_are_shown_in_clear():
    """A service that does not hide them; what they hold could be guessed from a plain hash."""
    told = [f"T | where A == {literal} and B == {literal}" for literal in ("h'one'", "h'other and longer'")]
    plain, keyed = Seal("c"), Seal("c", KEY)
    assert len({plain.shown(REF, "body", (text, {"x": text})) for text in told}) == 1
    assert len({keyed.shown(REF, "body", (text, {"x": text})) for text in told}) == 2
    assert plain.shown(REF, "body", told[0]) != plain.shown(REF, "body", told[0] + " | take 1")
