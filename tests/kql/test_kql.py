from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon import kql
from kxrecon.kql_text import tokens
from kxrecon.model import Ref, Secret, Unknown

calm = settings(deadline=None, derandomize=True, database=None)
LATE = Unknown(Ref("cluster_identity", ("exporter",)), "principalId")


@pytest.mark.parametrize(
    ("written", "ticks"),
    [
        ("1h", kql.HOUR),
        ("10m", 10 * kql.MINUTE),
        ("1.5d", 36 * kql.HOUR),
        ("2d", 2 * kql.DAY),
        ("100ms", kql.SECOND // 10),
        ("10microsecond", 100),
        ("1tick", 1),
        ("15 seconds", 15 * kql.SECOND),
        ("timespan(15 seconds)", 15 * kql.SECOND),
        ("timespan(2)", 2 * kql.DAY),
        ("time(1h)", kql.HOUR),
        ("Time( 01:00:00 )", kql.HOUR),
        ("01:00:00", kql.HOUR),
        ("10.00:00:00", 10 * kql.DAY),
        ("00:00:00.5", kql.SECOND // 2),
        ("1.02:03:04.0000005", kql.DAY + 2 * kql.HOUR + 3 * kql.MINUTE + 4 * kql.SECOND + 5),
        ("365000.00:00:00", 365_000 * kql.DAY),
        ("-00:01:00", -kql.MINUTE),
        (" 5m ", 5 * kql.MINUTE),
        (36_000_000_000, kql.HOUR),
    ],
)
def test_timespans(written, ticks):
    assert kql.parse_timespan(written) == ticks


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "1 week",
        "1h30m",
        "24:00:00",
        "00:60:00",
        "1:2:3:4",
        True,
        None,
        1.5,
        "null",
        "timespan(null)",
        "time(",
        "1e3s",
        "١h",
    ],
)
def test_what_is_no_timespan(written):
    assert kql.parse_timespan(written) is None


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("int32", "int"),
        ("Double", "real"),
        ("date", "datetime"),
        ("System.Data.SqlTypes.SqlDecimal", "decimal"),
        ("time", "timespan"),
        ("uniqueid", "guid"),
        ("strng", None),
    ],
)
def test_types(written, canonical):
    assert kql.canonical_type(written) == canonical


def test_columns_as_text_and_as_mapping():
    assert kql.columns("A:datetime, ['b c']:string,C d : int32 ,[\"e'f\"]:long") == (
        ("A", "datetime"),
        ("b c", "string"),
        ("C d", "int"),
        ("e'f", "long"),
    )
    assert kql.columns({"A": "date", "B": "real"}) == (("A", "datetime"), ("B", "real"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a column"),
        ("A", "not a column"),
        ("A:strng", "did you mean 'string'"),
        ("A:int,", "no column after it"),
        ("A:int,,B:int", "not a column"),
        ("A:int B:int", "not a column"),
        ("A:int, A:long", "there twice"),
    ],
)
def test_wrong_columns(text, message):
    with pytest.raises(ValueError, match=message):
        kql.columns(text)


def test_leaves_stand_in_verbatim_literals():
    assert kql.hidden(("https://it's;", Secret("key"))) == ("h@'https://it''s;", Secret("key"), "'")
    assert kql.json_quoted([{"ObjectId": LATE, "AllowedUsages": "A's"}, 1, [], {}]) == (
        '@\'[{"ObjectId":"',
        LATE,
        '","AllowedUsages":"A\'\'s"},1,[],{}]\'',
    )
    assert kql.command("a", ("b", LATE, "c"), "d", "") == ("ab", LATE, "cd")


def test_a_line_break_in_a_verbatim_literal_is_refused_without_repeating_it():
    with pytest.raises(kql.LineBreak) as caught:
        kql.verbatim("hunter2\n")
    assert "hunter2" not in str(caught.value)


def test_json_takes_a_fence_unless_the_text_has_one():
    assert kql.json_literal({"a": 1}) == '```{"a":1}```'
    assert kql.json_literal({"a": "```'"}) == "@'{\"a\":\"```''\"}'"


def test_queries_are_compared_without_their_outer_space():
    assert kql.normalise_query("\r\n\n T  \r\n| where A \t\r\n\r\n") == "T\n| where A"
    assert kql.normalise_query("T | where A == ```x  \ny```") == "T | where A == ```x  \ny```"


@pytest.mark.parametrize(
    ("query", "names", "opaque"),
    [
        ("T", set(), False),
        ("database(\"a\").T | join (database('b').U) on X", {"a", "b"}, False),
        ("T // database('a')\n| where X == \"database('b')\"", set(), False),
        ("T | where X == ```database('a')```", set(), False),
        ("database ( @'a''b' ) . T", {"a'b"}, False),
        ("let d = 'x'; database(d).T", set(), True),
        ("database(strcat('a', 'b')).T", set(), True),
        ("cluster('c').database('d').T", set(), True),
        ("union database('a').T*, mydatabase('b')", {"a"}, False),
        ('database("a" "b").T', {"ab"}, False),
        ("database('a", set(), True),
    ],
)
def test_databases_that_a_query_names(query, names, opaque):
    assert kql.database_literals(query) == names
    assert kql.opaque_databases(query) is opaque


@calm
@given(st.text(st.sampled_from("'\"\\@h`~/|<\n\r databse().T0é"), max_size=60))
def test_the_lexer_loses_nothing(text):
    assert "".join(token.text for token in tokens(text)) == text
    kql.database_literals("database" + text)
