"""``--server-check``: what is asked, what is made of the answers, and that nothing can be written by it."""

from __future__ import annotations

import json

import pytest

from kxrecon import cli
from kxrecon.errors import PlaneError
from kxrecon.lint.ahead import ahead
from kxrecon.lint.server import Server
from kxrecon.lint.service import Service
from kxrecon.lint.world import World
from kxrecon.model import Action, Failure, Ref, Secret, State, Table
from kxrecon.planes.failures import to_failure
from kxrecon.scope import Scope
from tests.lint.case import Case
from tests.lint.served import SCHEMA, Client, made
from tests.witness.judge import CLR

JOB = Ref("continuous_export", ("Telemetry", "Job"))


# ---- what is asked
def text_of(tmp_path, **data):
    """The text for the case's export, and what it leaves open."""
    case = Case(data)
    spec = case.spec(tmp_path)
    gone = frozenset(Ref(kind, tuple(name)) for kind, *name in data.get("gone", ()))
    world = World(spec.desired, case.observed(spec), gone)
    export = next(one for one in world.exports() if one.entity.ref == JOB)
    found = ahead(export)
    return found.text, found.doubts


def test_a_query_over_what_is_there_is_asked_as_it_is(tmp_path):
    query = "Events | where Level != '' ; // the end"
    assert text_of(tmp_path, cluster={}, export={"query": query}) == ("Events | where Level != ''\n| getschema", ())


def world_without(tmp_path, absent, **data):
    case = Case({**data, "cluster": data.get("cluster", {})})
    spec = case.spec(tmp_path)
    seen = case.observed(spec)
    kept = {ref: entity for ref, entity in seen.entities.items() if ref.name not in absent}
    return World(spec.desired, State(kept, seen.readings, seen.gaps))


def asked(world):
    found = ahead(next(one for one in world.exports() if one.entity.ref == JOB))
    return found.text, found.doubts


def test_a_table_that_the_plan_makes_is_put_in_front(tmp_path):
    world = world_without(tmp_path, {("Telemetry", "Events")})
    text, doubts = asked(world)
    assert text == "let ['Events'] = datatable(['Timestamp']:datetime, ['Level']:string)[];\nEvents\n| getschema"
    assert doubts == ()


def test_functions_stand_behind_what_they_read(tmp_path):
    functions = {
        "Cleaned": {"body": "{ Trimmed() | where Level != '' }"},
        "Trimmed": {"parameters": "(n:long=5)", "body": "Events | where strlen(Level) < n"},
    }
    data = {"spec": {"databases": {"Telemetry": {"functions": functions}}}, "export": {"query": "Cleaned"}}
    text, doubts = asked(world_without(tmp_path, {("Telemetry", "Events"), ("Telemetry", "Trimmed")}, **data))
    assert doubts == ()
    assert [line.split(" =")[0] for line in text.splitlines() if line.startswith("let")] == [
        "let ['Events']",
        "let ['Trimmed']",
        "let ['Cleaned']",  # it is there as it shall be, and reads what is not
    ]


@CLR
def test_microsoft_understands_what_is_put_in_front(tmp_path):
    functions = {"Cleaned": {"parameters": "(T:(Level:string), least:string)", "body": "T | where Level != least"}}
    data = {
        "spec": {"databases": {"Telemetry": {"functions": functions}}},
        "export": {
            "query": "set notruncation;\nlet x = 'a';\nEvents | union (Levels | invoke Cleaned(x)) | project Timestamp, Level;"
        },
    }
    absent = {("Telemetry", "Events"), ("Telemetry", "Cleaned"), ("Telemetry", "Levels")}
    world = world_without(tmp_path, absent, **data)
    text, doubts = asked(world)
    code = Service(World(State())).query(text, "Telemetry")  # on a bare cluster
    assert (code.diagnostics, doubts) == ((), ())
    assert [name for name, _ in code.columns] == ["ColumnName", "ColumnOrdinal", "DataType", "ColumnType"]


@pytest.mark.parametrize(
    ("absent", "query", "doubts"),
    [
        (
            {("Reference", "Levels")},
            "Events | join kind=leftsemi (database('Reference').Levels) on Level",
            ("Reference/Levels",),
        ),
        ({("Telemetry", "Events")}, "database('Telemetry').Events", ("Events",)),
        ({("Telemetry", "Levels")}, "Events | where Level != 'Levels'", ("Levels",)),
    ],
    ids=["another database's", "by its full name", "a word that may mean it"],
)
def test_what_cannot_be_put_in_front_is_a_doubt(tmp_path, absent, query, doubts):
    assert asked(world_without(tmp_path, absent, export={"query": query}))[1] == doubts


def test_functions_in_a_circle_are_doubts(tmp_path):
    functions = {"Cleaned": {"body": "{ Other() }"}, "Other": {"body": "{ Cleaned() }"}}
    data = {"spec": {"databases": {"Telemetry": {"functions": functions}}}, "export": {"query": "Cleaned"}}
    absent = {("Telemetry", "Cleaned"), ("Telemetry", "Other")}
    assert asked(world_without(tmp_path, absent, **data)) == ("Cleaned\n| getschema", ("Cleaned", "Other"))


# ---- what is made of the answers
def refusal(code, status=400, text="no"):
    return to_failure(PlaneError(text, code=code, status=status))


def served(tmp_path, client, *actions, secrets=None, **data):
    case = Case({"cluster": {}, **data})
    spec = case.spec(tmp_path)
    server = Server(client, Scope(identities={"exporter": "/x/exporter"}), actions, secrets or {})
    return case.checked(spec, deep=False, ask=server.judge)


STORAGE = {
    "kind": "storage",
    "columns": (("Timestamp", "datetime"), ("Level", "string")),
    "connections": (
        {"uri": "https://lake.blob.core.windows.net/a", "auth": "impersonate", "identity": None, "secret": None},
    ),
    "dataFormat": "csv",
}


def test_a_good_answer_is_told_and_no_finding(tmp_path):
    found = served(tmp_path, client := Client(), made(STORAGE))
    assert (found.findings, found.unchecked) == ((), ())
    assert found.told == ("the server accepts 1 of 1 query and 1 of 1 definition",)
    dry = [one.text for one in client.asked if "dryRun=true" in one.text]
    assert len(dry) == 1 and len(client.asked) == 4


def test_columns_are_compared_in_the_order_that_it_says(tmp_path):
    rows = [["Level", 0, "System.String", "string"], ["Timestamp", 1, "System.DateTime", "datetime"]]
    (one,) = served(tmp_path, Client(Table(SCHEMA, rows))).findings
    assert (one.code, one.severity) == ("KX101", "error") and "column 1 is Level:string" in one.message
    assert one.message.endswith("(says the server)")


def test_it_knows_better_than_the_text(tmp_path):
    """The text derives another type; the server's word is the last."""
    assert (
        served(tmp_path, Client(), export={"query": "Events | project Timestamp, Level = tolong(Level)"}).findings == ()
    )


@pytest.mark.parametrize(
    "code", ["General_BadRequest", "BadRequest_SyntaxError", "BadRequest_EntityNotFound", "SEM0100"]
)
def test_a_refused_query_is_a_finding(tmp_path, code):
    (one,) = served(tmp_path, Client(refusal(code, text="Semantic error: SEM0100"))).findings
    assert (one.code, one.entity) == ("KX140", "Telemetry/Job") and "SEM0100" in one.message


@pytest.mark.parametrize(
    "failure",
    [
        refusal("Forbidden", 403, "not authorized"),
        refusal("TooManyRequests", 429, "throttled"),
        refusal("NotImitated", 400, "not imitated by the sandbox: x"),
        Failure("unreachable", "no route"),
        Table(("Other",), [[1]]),
    ],
    ids=["denied", "throttled", "not imitated", "unreachable", "unreadable"],
)
def test_who_cannot_judge_is_quoted_and_no_finding(tmp_path, failure):
    found = served(tmp_path, Client(failure, dry=failure if isinstance(failure, Failure) else None), made(STORAGE))
    assert found.findings == ()
    assert any(one.startswith("Telemetry/Job: the server did not judge the query: ") for one in found.unchecked)
    assert found.told[0].startswith("the server accepts 0 of 1 query")


def test_a_refusal_that_this_plan_may_explain_is_no_finding(tmp_path):
    data = {"export": {"query": "Events | join kind=leftsemi (database('Reference').Levels) on Level"}}
    world = world_without(tmp_path, {("Reference", "Levels")}, **data)
    found = Server(Client(refusal("General_BadRequest")), Scope(), (), {}).judge(world)
    assert found.findings == () and "perhaps because this plan changes Reference/Levels" in found.unchecked[0]
    rows = Table(SCHEMA, [["Other", 0, "System.String", "string"]])
    found = Server(Client(rows), Scope(), (), {}).judge(world)
    assert found.findings == () and "does not see yet how this plan changes Reference/Levels" in found.unchecked[0]


def test_a_refused_definition_is_a_finding(tmp_path):
    (one,) = served(tmp_path, Client(dry=refusal("BadRequest", text="no such property")), made(STORAGE)).findings
    assert (one.code, one.entity) == ("KX141", "Telemetry/Archive") and "no such property" in one.message


def test_a_definition_that_waits_for_this_plan_is_not_judged(tmp_path):
    policy = Ref("managed_identity_policy", ("database", "Telemetry", "system", "ExternalTable"))
    first = Action("p", (policy,), "apply", "create", ())
    found = served(tmp_path, Client(dry=refusal("General_BadRequest")), first, made(STORAGE, after=("p",)))
    assert found.findings == () and f"perhaps because this plan makes {policy.label} first" in found.unchecked[0]


def test_a_dry_run_that_wrote_is_an_error(tmp_path):
    (one,) = served(tmp_path, Client(shown=[[], [["Archive", ""]]]), made(STORAGE)).findings
    assert (one.code, one.severity) == ("KX142", "error")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({**STORAGE, "kind": "sql"}, "dryRun is documented for storage tables only"),
        (
            {
                **STORAGE,
                "connections": (
                    {
                        "uri": "https://l.blob.core.windows.net/a",
                        "auth": "managedIdentity",
                        "identity": "exporter",
                        "secret": None,
                    },
                ),
            },
            "is known after apply",
        ),
        (
            {
                **STORAGE,
                "connections": (
                    {
                        "uri": "https://l.blob.core.windows.net/a",
                        "auth": "key",
                        "identity": None,
                        "secret": Secret("key"),
                    },
                ),
            },
            "the secret variable 'key' has no value",
        ),
    ],
    ids=["SQL", "an identity to come", "a secret without a value"],
)
def test_a_definition_that_cannot_be_tried_says_why(tmp_path, fields, why):
    found = served(tmp_path, client := Client(), made(fields))
    assert found.findings == () and why in found.unchecked[0]
    assert not any("dryRun" in one.text for one in client.asked)


def test_commands_are_not_asked(tmp_path):
    found = served(tmp_path, client := Client(), export={"query": ".show tables"})
    assert client.asked == [] and "KX109" in {one.code for one in found.findings}


# ---- as people use it, on the sandbox
@pytest.fixture
def run(tmp_path, call, monkeypatch):
    monkeypatch.setenv("KXRECON_VAR_password", "correct horse")
    monkeypatch.chdir(tmp_path)

    def run(verb, data, *argv):
        Case(data).spec(tmp_path)
        code, out, err = call(verb, "spec.yaml", "--sandbox", *argv)
        return code, out + err

    return run


def test_on_a_bare_cluster_everything_is_judged_as_it_will_be(run):
    code, out = run("plan", {"export": {"query": "Cleaned"}}, "--server-check")
    assert code == 0 and "the server accepts 1 of 1 query and 1 of 2 definitions" in out
    assert "Telemetry/Rows: its definition was not tried: dryRun is documented for storage tables only" in out
    code, out = run("plan", {"export": {"query": "Cleaned | project Level"}}, "--server-check")
    assert "KX101 column 1 is Level:string in the query's result" in out and "(says the server)" in out


def test_lint_asks_the_server_too(run):
    code, out = run("lint", {"export": {"query": "Events | where Nope == 1"}}, "--server-check")
    assert code == 1 and "error KX140: Telemetry/Job: the server refuses the query: Semantic error" in out
    code, out = run("lint", {}, "--server-check", "--json")
    document = json.loads(out)
    assert code == 0 and document["findings"] == [] and "accepts 1 of 1 query" in document["told"][0]


def test_lint_connected_reads_and_asks_nothing_else(run):
    data = {"export": {"query": "union Events, Nowhere"}}
    code, out = run("lint", data, "--connected")
    assert code == 1 and "error KX102" in out and "KX140" not in out and "the server" not in out
    assert run("lint", data)[0] == 1  # a sandbox that nobody asks: refused
    assert "lint is offline" in run("lint", data)[1]


def test_a_refused_definition_on_the_sandbox(run):
    """A name that a table of another tool has: the dry run tells before anything is applied."""
    assert run("plan", {})[0] == 0
    database = ("sandbox", "kql", "--database", "Telemetry")
    assert cli.main([*database, ".create table Archive (a:int)"]) == 0
    code, out = run("lint", {}, "--server-check")
    assert code == 1 and "error KX141: Telemetry/Archive: the server refuses the external table" in out
    assert "already exists" in out
