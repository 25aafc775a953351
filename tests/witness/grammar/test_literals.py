"""What kql writes, the grammar reads: every literal, over every text."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon import kql
from kxrecon.kinds.kusto._layout import canonical_path
from kxrecon.model import Secret
from tests.witness.grammar.asked import TITLE
from tests.witness.grammar.names import names, texts
from tests.witness.judge import CLR, judge
from tests.witness.tally import tally

pytestmark = CLR
calm = settings(deadline=None, derandomize=True, max_examples=60, database=None)


def read_string(literal: str) -> str:
    verdict = judge(f".alter table ['T'] docstring {literal}")
    assert verdict.accepted, (literal, verdict.syntax)
    assert [role for role, _ in verdict.tokens] == ["word", "word", "word", "name", "word", "string"]
    tally(TITLE).count("literals read back as they were meant")
    return verdict.of("string")[0]


@calm
@given(texts)
def test_string(text):
    assert read_string(kql.string(text)) == text


@calm
@given(texts)
def test_multiline(text):
    assert read_string(kql.multiline(text)) == text


@calm
@given(texts)
def test_verbatim(text):
    try:
        literal = kql.verbatim(text)
    except kql.LineBreak:
        assert any(char in text for char in "\n\r\x85\u2028\u2029")
        return
    assert read_string(literal) == text


@calm
@given(texts, texts)
def test_hidden_with_a_bound_secret(before, secret):
    try:
        parts = kql.hidden((before, Secret("s"), "'end"))
        bound = "".join(part if isinstance(part, str) else kql.escape_verbatim(secret) for part in parts)
    except kql.LineBreak:
        return
    assert read_string(bound) == f"{before}{secret}'end"


@calm
@given(st.dictionaries(names, st.one_of(texts, st.integers(), st.booleans(), st.lists(texts, max_size=3)), max_size=3))
def test_json(value):
    literal = kql.json_literal(value)
    assert json.loads(read_string(literal)) == value


@calm
@given(names)
def test_identifier(name):
    verdict = judge(f".show table {kql.identifier(name)} cslschema")
    assert verdict.accepted, (name, verdict.syntax)
    assert verdict.of("name") == [name]


@calm
@given(st.integers(-(10**18), 10**18))
def test_timespan(ticks):
    verdict = judge(
        f".create-or-alter continuous-export E to table T with (intervalBetweenRuns={kql.timespan(ticks)}) <| T"
    )
    assert not verdict.syntax
    assert verdict.of("timespan") == [ticks]
    assert kql.parse_timespan(kql.timespan(ticks)) == ticks == kql.parse_timespan(kql.show_timespan(ticks))


@calm
@given(st.lists(st.tuples(names, st.sampled_from(kql.TYPES)), min_size=1, max_size=5, unique_by=lambda pair: pair[0]))
def test_columns(pairs):
    rendered = kql.column_list(pairs)
    verdict = judge(f".create-merge table ['T'] ({rendered})")
    assert verdict.accepted, verdict.syntax
    assert verdict.of("name") == ["T", *(name for name, _ in pairs)]
    assert kql.columns(rendered) == tuple(pairs)


@calm
@given(texts, names)
def test_path_format(text, name):
    written = f"{kql.string(text)} {kql.identifier(name)} datetime_pattern({kql.string(text)}, {kql.identifier(name)})"
    spelled = canonical_path(written)
    assert spelled is not None and canonical_path(spelled) == spelled


@calm
@given(texts, texts)
def test_database_literals_are_what_the_grammar_sees(one, other):
    query = f"database({kql.string(one)}).T | join (database({kql.string(other)}).U) on A // database('no')\n| where x == \"database('no')\""
    assert kql.database_literals(query) == {one, other}
    strings = [value for role, value in judge(f".show tables | where {query}").tokens if role == "string"]
    assert set(strings) >= {one, other}
