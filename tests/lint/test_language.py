"""Microsoft's language service: what it adds, what it is not asked, and that no text ends kxrecon."""

from __future__ import annotations

import pytest

from kxrecon.commands.lint import findings
from kxrecon.lint import service
from kxrecon.lint.service import Service
from kxrecon.lint.world import World
from kxrecon.model import Entity, Ref, State
from tests.lint.case import Case
from tests.witness.judge import CLR

pytestmark = CLR
JOIN = "Events | join kind=inner (database('Reference').Levels) on Level | project Timestamp, Level"


def deep(tmp_path, **data):
    case = Case(data)
    return case.checked(case.spec(tmp_path), deep=True)


def test_it_knows_what_a_join_gives(tmp_path):
    assert deep(tmp_path, export={"query": JOIN}).findings == ()
    found = deep(
        tmp_path,
        export={"query": JOIN.replace('Level"', "Rank").replace("project Timestamp, Level", "project Timestamp, Rank")},
    )
    assert [(one.code, one.message.partition(" in ")[0]) for one in found.findings] == [
        ("KX101", "column 2 is Rank:int")
    ]


def test_it_judges_alone_where_the_text_would_guess(tmp_path):
    """A scalar called like a missing column, and a table made on the way: certain to who knows the language."""
    query = "let Fresh = datatable(Timestamp:datetime, Level:string)[]; union Fresh, Events"
    assert deep(tmp_path, export={"query": query}, cluster={}).findings == ()


def test_one_mistake_is_told_once(tmp_path):
    found = deep(tmp_path, export={"query": "Events | extend x = tolong(((("}).findings
    places = [one.offset for one in found if one.code == "KX130"]
    assert 1 <= len(places) == len(set(places)) <= 5


@pytest.mark.parametrize(
    "query",
    ["print x = " + "(" * 4000 + "1" + ")" * 4000, "T" + " | where a == 1" * 5000, "Events | where Level == '\ud800'"],
    ids=["brackets", "pipes", "half a character"],
)
def test_what_it_cannot_judge_is_said_and_the_text_is_judged_all_the_same(tmp_path, query):
    case = Case({})
    spec = case.spec(tmp_path)
    ref = Ref("continuous_export", ("Telemetry", "Job"))
    entity = spec.desired.entities[ref]
    hostile = Entity(ref, {**entity.fields, "query": query}, path=entity.path)
    found = service_over(State({**spec.desired.entities, ref: hostile}))
    assert len(found.unchecked) == 1 and found.unchecked[0].startswith("Telemetry/Job: the language service gave up")


def service_over(desired):
    from kxrecon.lint import language

    return language.judge(World(desired))


def test_an_analyzer_that_raises_is_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "_columns", lambda result: 1 / 0)
    checked = deep(tmp_path)
    assert checked.unchecked == ("Telemetry/Job: the language service gave up: ZeroDivisionError",)


def test_without_the_extra_it_is_said_what_was_not_checked(monkeypatch, tmp_path):
    monkeypatch.setattr(service, "find_spec", lambda name: None)
    service.available.cache_clear()
    try:
        found = findings(Case({"export": {"query": "Events | where Level == "}}).spec(tmp_path))
        assert found.findings == ()
        assert found.unchecked == ("without the extra kxrecon[kql] the queries themselves were not checked",)
    finally:
        service.available.cache_clear()


@pytest.mark.parametrize(
    ("query", "reads", "is_open"),
    [
        ("Events", set(), False),
        ("database('Reference').Levels", {"Reference"}, False),
        ("let d = 'Reference'; database(d).Levels", {"Reference"}, False),
        ("Named('Reference')", {"Reference"}, False),
        ("Named", {"Other"}, False),
        ("let f = (d:string) { database(d).Levels }; f('A') | union (f('B'))", {"A", "B"}, False),
        ("database(strcat('Ref', tostring(now()))).Levels", set(), True),
        ("union database('*').Levels", set(), True),
        ("cluster('x').database('y').T", {"y"}, True),
        ("Unseen()", set(), True),
    ],
)
def test_the_databases_that_a_query_reads(query, reads, is_open):
    named = Ref("function", ("Telemetry", "Named"))
    events = Ref("table", ("Telemetry", "Events"))
    entities = {
        named: Entity(named, {"parameters": "(d:string='Other')", "body": "database(d).Levels"}),
        events: Entity(events, {"columns": (("Level", "string"),)}),
    }
    code = Service(World(State(entities))).query(query, "Telemetry")
    assert (set(code.reads), code.open) == (reads, is_open)
