"""``getschema`` tells Kusto's types or nothing, and a query's own functions are understood where they are plain."""

from __future__ import annotations

import pytest

from kxrecon.lint.service import Service, available
from kxrecon.lint.world import World
from kxrecon.model import Entity, Ref, State
from tests.witness.judge import CLR

COLUMNS = (
    *(("Timestamp", "datetime"), ("Level", "string"), ("D", "dynamic"), ("G", "guid"), ("N", "decimal"), ("B", "bool")),
    *(("R", "real"), ("I", "int"), ("L", "long"), ("S", "timespan")),
)
EXPRESSIONS = """
Level; D; D.a; D[0]; dynamic(null); dynamic([1]); parse_json(Level); tostring(D.a); bag_pack('a', 1); split(Level, ',')
I + I; I + L; I * 2; L / 2; R + I; N + 1; N * R; N / N; Timestamp - Timestamp; Timestamp + 1d; S * 2; -I; I - I
1; 1.5; 1d; int(1); long(1); true; 'a'; toint(L); tolong(I); todouble(L); todatetime(Level); tobool(Level); toguid(Level)
bin(Timestamp, 1h); bin(L, 5); bin(I, 5); startofday(Timestamp); now(); ago(1h); datetime_diff('day', Timestamp, Timestamp)
hourofday(Timestamp); getyear(Timestamp); monthofyear(Timestamp); dayofweek(Timestamp); format_datetime(Timestamp, 'yyyy')
iff(B, 1, 2); iff(B, I, L); iff(B, 'a', R); case(B, 1, 2); coalesce(I, L); coalesce(N, R); max_of(I, L); max_of(N, R)
round(R, 2); round(I); floor(R, 1); ceiling(I); abs(I); abs(R); pow(2, 3); strlen(Level); countof(Level, 'a')
strcat(Level, I); toupper(Level); substring(Level, 1); extract('a', 0, Level); indexof(Level, 'a'); isempty(Level)
Level == 'a'; array_length(D); array_index_of(D, 1); gettype(Level); replace_string(Level, 'a', 'b'); trim(' ', Level)
""".replace("\n", ";").split(";")
QUERIES = [
    *(f"Events | project X = {text.strip()}" for text in EXPRESSIONS if text.strip()),
    "Events | summarize X = count() by Level",
    "Events | summarize X = avg(N), Y = avg(R), Z = max(Timestamp) by Level",
    "Events | summarize X = make_list(Level)",
    "Events | join kind=inner (Events | project Level, J = I) on Level",
    "Events | extend Y = R * 2 | project Y, Timestamp",
    "Events | project-away D | project-rename T = Timestamp",
    "let Few = Events | where I > 1; Few | project Level, I",
    "let Empty = datatable(a:dynamic, b:decimal, c:int)[]; Empty",
    "let F = () { Events | project I, Level }; F() | where I > 1",
    "let F = () { Events | project Y = I + I }; F",
]


@pytest.fixture
def stored(kusto):
    kusto.run(f".create table Events ({', '.join(f'{name}:{kind}' for name, kind in COLUMNS)})")
    return kusto


@pytest.fixture(scope="module")
def microsoft():
    assert available() == ""
    ref = Ref("table", ("Telemetry", "Events"))
    return Service(World(State({ref: Entity(ref, {"columns": COLUMNS})})))


@CLR
@pytest.mark.parametrize("query", QUERIES)
def test_every_type_is_microsoft_s_or_none_is_told(stored, microsoft, query):
    status, body = stored.query(f"{query}\n| getschema")
    if status == 400:
        assert body["error"]["code"] == "NotImitated", body
        return
    found = tuple((row[0], row[3]) for row in body[2]["Rows"])
    assert found == microsoft.query(query, "Telemetry").columns
    assert [row[1] for row in body[2]["Rows"]] == list(range(len(found)))


@CLR
def test_most_of_these_are_told(stored):
    told = [query for query in QUERIES if stored.query(f"{query} | getschema")[0] == 200]
    assert len(told) > len(QUERIES) / 2
    assert {query for query in QUERIES if "let " in query and "I + I" not in query} <= set(told)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("Nowhere | getschema", "General_BadRequest"),
        ("Events | where Nope == 1 | getschema", "General_BadRequest"),
        ("Events | where | getschema", "BadRequest_SyntaxError"),
        ("let F = (x:long) { Events | take x }; F(3) | getschema", "NotImitated"),
        ("let F = () { let x = 1; Events | where I > x }; F() | getschema", "NotImitated"),
        ("Events | evaluate autocluster() | getschema", "NotImitated"),
    ],
)
def test_what_is_wrong_is_refused_and_what_is_unknown_is_said(stored, query, code):
    status, body = stored.query(query)
    assert (status, body["error"]["code"]) == (400, code)


def test_a_query_s_own_functions_run(stored):
    stored.run(".ingest inline into table Events <| 2024-01-01,Info,,,,true,1.5,2,3,1d")
    for query in (
        "let F = () { Events | project Level }; F()",
        "let F = view () { Events | project Level }; F | where Level != ''",
        "let ['F'] = () { Events };\nlet G = () { ['F']() | project Level }; G()",
        "let N = () { 'Info' }; Events | where Level == N() | project Level",
        "let F = (x:long) { x + 1 }; Events | where L < F(3) | project Level",
    ):
        status, body = stored.query(query)
        assert (status, body[2]["Rows"] if status == 200 else body) == (200, [["Info"]]), query


def test_a_name_that_the_query_binds_wins(stored):
    """Over a stored table, and over a stored function ("let statement")."""
    stored.run(".create function Few() { Events | project Level }")
    for query in (
        "let Events = datatable(a:long)[]; Events",
        "let ['Few'] = () { datatable(a:long)[] | take 1 }; Few()",
        "let T = datatable(a:long)[]; let Few = () { T | take 1 }; Few",
    ):
        status, body = stored.query(f"{query} | getschema")
        assert status == 200, body
        assert [(row[0], row[3]) for row in body[2]["Rows"]] == [("a", "long")], query
