"""Requests as a whole: envelopes, roles of the caller, the query endpoint, garbage ("learn.microsoft.com, Kusto REST API")."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kxrecon.sandbox.kusto import parse
from tests.sandbox.kusto.conftest import EXPORTER, URI


def as_(kusto, *roles, database_role=None):
    """Ask as the exporter, with these cluster roles and perhaps a role on the database."""
    if database_role:
        kusto.run(f".add database Telemetry {database_role} ('aadapp={EXPORTER}')")
    kusto.caller = {"objectId": EXPORTER, "type": "ServicePrincipal", "roles": list(roles)}
    return kusto


def test_the_error_envelope(kusto):
    """Code, type, specific and general message, permanence, context; the text with its secrets hidden."""
    error = kusto.refused(".foo h'secret'")
    assert (error["status"], error["code"], error["@permanent"]) == (400, "BadRequest_SyntaxError", True)
    assert error["message"] == "Request is invalid and cannot be executed."
    assert error["@type"] == "Kusto.Data.Exceptions.SyntaxException"
    assert error["@message"].startswith("Syntax error: ")
    assert error["@database"] == "Telemetry"
    assert "secret" not in json.dumps(error)
    assert {"timestamp", "clientRequestId", "activityId"} <= set(error["@context"])


@pytest.mark.parametrize(
    ("setting", "status", "code"), [("400", 400, "BadRequest_DatabaseNotExist"), ("404", 404, "NotFound")]
)
def test_missing_database(kusto, setting, status, code):
    """400 in the docs, 404 on the emulator."""
    kusto.switch(missing_database=setting)
    error = kusto.refused(".show tables", database="Nowhere")
    assert (error["status"], error["code"]) == (status, code)
    assert "Nowhere" in error["@message"]


def test_a_stopped_cluster(kusto):
    """412 ClusterSuspendedException."""
    kusto.store.put("cluster", (URI,), {"state": "Stopped"})
    assert kusto.refused(".show tables")["status"] == 412


READS = (
    ".show continuous-exports",
    ".show external tables",
    ".show tables",
    ".show functions",
    ".show database Telemetry schema as json",
    ".show table * policy retention",
    ".show database Telemetry policy managed_identity",
)


@pytest.mark.parametrize("role", ["viewers", "monitors", "users", "admins"])
@pytest.mark.parametrize("command", READS)
def test_reading_roles(ready, role, command):
    as_(ready, database_role=role).run(command)


@pytest.mark.parametrize("command", READS)
def test_no_role_no_read(ready, command):
    error = as_(ready).refused(command)
    assert (error["status"], error["code"]) == (403, "Forbidden")
    assert "is not authorized to perform operation" in error["@message"]


@pytest.mark.parametrize(
    ("command", "least"),
    [
        (".create table N (a:string)", "users"),
        (".create function N() { Events }", "users"),
        (".create external table N (a:string) kind=storage dataformat=csv ('https://a.blob.core.windows.net/c;k')", "users"),
        (".create-or-alter continuous-export E over (Events) to table Archive with (managedIdentity='system') <| Events", "admins"),
        (".add database Telemetry viewers ('aaduser=a@x.com')", "admins"),
        (".show database Telemetry principals", "monitors"),
        (".execute database script <|\n.create table N (a:string)", "admins"),
        (".ingest inline into table Events <| x", "ingestors"),
    ],
)  # fmt: skip
def test_least_roles_of_writes(ready, command, least):
    """Each command's documented least role; a viewer is refused everywhere."""
    as_(ready, database_role="viewers")
    assert ready.refused(command)["status"] == 403
    ready.caller = None
    as_(ready, database_role=least).run(command)


@pytest.mark.parametrize(
    "command",
    [
        '.alter-merge database Telemetry policy managed_identity ```[{"ObjectId":"system","AllowedUsages":"All"}]```',
        ".alter cluster policy callout ```[]```",
        ".create external table N (a:string) kind=storage dataformat=csv ('https://a.blob.core.windows.net/c;managed_identity=system')",
    ],
)
def test_what_needs_all_databases_admin(ready, command):
    """The managed_identity policy, cluster policies, and storage connections by managed identity."""
    assert as_(ready, database_role="admins").refused(command)["status"] == 403
    as_(ready, "AllDatabasesAdmin").run(command)


def test_failures_and_artifacts_need_monitor(ready):
    ready.export()
    as_(ready, database_role="viewers")
    assert ready.refused(".show continuous-export E failures")["status"] == 403
    ready.caller = None
    as_(ready, database_role="monitors").run(".show continuous-export E failures")


def test_a_creator_becomes_admin_of_the_entity(ready):
    """ "…create tables … and become their admin": an extra principal on what a mere user makes."""
    as_(ready, database_role="users")
    ready.run(".create table Mine (a:string)")
    ready.run(".alter table Mine folder 'f'")
    assert ready.refused(".alter table Events folder 'f'")["status"] == 403
    ready.caller = None
    assert len(ready.run(".show table Mine principals")) == 1
    assert ready.run(".show table Events principals") == []


def test_roles_through_groups_and_arm(ready):
    ready.store.put("principal", ("9" * 8,), {"type": "Group", "displayName": "G", "members": [EXPORTER]})
    ready.run(".add database Telemetry viewers ('aadgroup=99999999')")
    as_(ready).run(".show tables")
    assert ready.refused(".show tables", database="Reference")["status"] == 403
    ready.store.put("cluster_principal", (URI, "a"), {"role": "AllDatabasesMonitor", "principalId": EXPORTER})
    ready.run(".show tables", database="Reference")


@pytest.mark.parametrize(
    "text",
    [
        ".foo h'topsecret'",
        ".foo h'topsecret",
        '.foo h@"topsecret',
        ".foo h```topsecret",
        ".create function F() { h'topsecret }",
    ],
)
def test_refusals_show_no_secret(kusto, text):
    assert "topsecret" not in json.dumps(kusto.refused(text))


# ---- the query endpoint
def rows(answer):
    status, body = answer
    assert status == 200, body
    return body[2]["Rows"]


@pytest.fixture
def filled(ready):
    ready.run('.ingest inline into table Events <|\n2024-01-01,Info,one\n2024-01-02,Warn,"two, too"\n')
    return ready


def test_queries_are_evaluated(filled):
    assert rows(filled.query('Events | where Level == "Warn" | project Message')) == [["two, too"]]
    assert rows(filled.query("Events | count")) == [[2]]
    assert rows(filled.query("Events | take 1 | project Timestamp")) == [["2024-01-01T00:00:00.0000000Z"]]


def test_getschema(filled):
    found = [(row[0], row[3]) for row in rows(filled.query("Events | getschema"))]
    assert found == [("Timestamp", "datetime"), ("Level", "string"), ("Message", "string")]


def test_stored_functions_and_other_databases(filled):
    filled.run(".create function Warnings(level:string) { Events | where Level == level }")
    assert rows(filled.query('Warnings("Warn") | count')) == [[1]]
    filled.run(".create table Codes (Level:string, Code:int)", database="Reference")
    filled.run(".ingest inline into table Codes <| Warn,7", database="Reference")
    query = 'Events | join kind=inner (database("Reference").Codes) on Level | project Message, Code'
    assert rows(filled.query(query)) == [["two, too", 7]]


def test_what_is_not_imitated_says_so(filled):
    status, body = filled.query("Events | evaluate autocluster()")
    assert status == 400
    assert "not imitated" in body["error"]["@message"]


def test_unknown_names_are_semantic_errors(filled):
    status, body = filled.query("Nowhere | count")
    assert (status, body["error"]["code"]) == (400, "General_BadRequest")
    assert body["error"]["innererror"]["code"] == "SEM0100"


def test_queries_cannot_read_the_machine(filled):
    status, _ = filled.query("externaldata(x:string)['/etc/passwd']")
    assert status == 400


def test_only_show_commands_on_the_query_endpoint(filled):
    status, frames = filled.query(".show tables")
    assert (status, frames[2]["Rows"][0][0]) == (200, "Events")
    status, body = filled.query(".drop table Events")
    assert status == 400
    assert "cannot be served from the query endpoint" in body["error"]["@message"]


def test_v1_shape_of_a_piped_command(filled):
    """AdminThenQuery: result, properties, status, and the table of contents last."""
    _, body = filled.send(".show tables | project TableName | take 1")
    assert [table["TableName"] for table in body["Tables"]] == ["Table_0", "Table_1", "Table_2", "Table_3"]
    assert body["Tables"][0]["Rows"] == [["Events"]]
    assert [row[1] for row in body["Tables"][-1]["Rows"]] == ["QueryResult", "QueryProperties", "QueryStatus"]


@pytest.mark.parametrize(
    ("pipe", "count"),
    [('where TableName startswith "E"', 1), ("count", 1), ("where TableName != 'Events'", 0), ("where DatabaseName contains 'Tele' and Folder == ''", 1)],
)  # fmt: skip
def test_pipes(filled, pipe, count):
    assert len(filled.run(f".show tables | {pipe}")) == count


@pytest.mark.parametrize("wire", ["boolean", "number"])
def test_booleans_on_the_wire(kusto, wire):
    """Unconfirmed: JSON booleans, or 0 and 1 (the v1 type is SByte)."""
    kusto.switch(bool_wire=wire)
    _, body = kusto.send(".show databases")
    assert body["Tables"][0]["Columns"][3] == {"ColumnName": "IsCurrent", "DataType": "SByte", "ColumnType": "bool"}
    assert repr(body["Tables"][0]["Rows"][1][3]) == ("True" if wire == "boolean" else "1")


def test_the_default_database(kusto):
    """Cluster-level commands need none; NetDefaultDB means the only one there is."""
    kusto.run(".show cluster policy managed_identity", database="")
    kusto.run(".show databases", database="NetDefaultDB")
    assert kusto.refused(".show tables", database="NetDefaultDB")["status"] == 400
    kusto.store.delete("database", URI, "Reference")
    kusto.run(".show tables", database="NetDefaultDB")


def test_auth_metadata(kusto):
    assert "KustoServiceResourceId" in kusto.service.auth_metadata()["AzureAD"]


def test_a_failed_write_leaves_nothing(ready):
    before = [ready.store.all(kind) for kind in ("role", "journal", "database")]
    ready.refused(".set database Telemetry viewers ('aaduser=a@x.com', 'broken')")
    assert [ready.store.all(kind) for kind in ("role", "journal", "database")] == before


# ---- garbage
ALPHABET = string.printable + "üλ\x00\U0001f600"
WORDS = [
    ".show",
    ".create",
    ".alter",
    "table",
    "external",
    "continuous-export",
    "policy",
    "(",
    ")",
    "<|",
    "|",
    "'",
    '"',
    "```",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ";",
    "T",
    "with",
    "h@'",
    "//",
    "dynamic(",
    "1h",
    "\\",
    "datetime(",
    "-1",
    "retention",
]


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.text(ALPHABET), st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(st.sampled_from(WORDS)).map("".join)
    )
)
def test_garbage_is_refused_in_the_envelope(kusto, text):
    for status, body in (kusto.send(text), kusto.query(text)):
        assert status in (200, 400, 403), body
        json.dumps(body)


@pytest.mark.parametrize("value", [None, 5, [], {}, ""])
def test_text_that_is_none(kusto, value):
    assert kusto.service.handle_management("Telemetry", value, {}, None)[0] == 400


@pytest.mark.parametrize("properties", [None, "", "{", "[]", '{"ClientRequestId": "x"}', {"ClientRequestId": "x"}, 5])
def test_properties_of_any_shape(kusto, properties):
    assert kusto.service.handle_management("Telemetry", ".show tables", properties, None)[0] == 200


def test_deep_nesting(kusto):
    for text in (
        ".show tables | where " + "(" * 5000,
        "(" * 5000 + "T" + ")" * 5000,
        ".create function F() " + "{" * 5000 + "}" * 5000,
    ):
        assert kusto.send(text)[0] in (200, 400)
        assert kusto.query(text)[0] == 400


# ---- words and literals
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'a'", "a"),
        ('"it\'s"', "it's"),
        (r"'a\'b\\c\nd\u0041'", "a'b\\c\ndA"),
        ("@'c:\\x''y'", "c:\\x'y"),
        ("```a'b\nc```", "a'b\nc"),
        ("~~~a`b~~~", "a`b"),
        ("h'x'", "x"),
        ('H@"x""y"', 'x"y'),
    ],
)
def test_string_literals(written, value):
    """ "learn.microsoft.com, The string data type"."""
    command = parse.parse(f".alter table T docstring {written}")
    assert command.arguments["text"].value == value


@pytest.mark.parametrize(
    ("written", "name"),
    [("T", "T"), ("['a b']", "a b"), ('["a\'b"]', "a'b"), ("['it''s']", None), (r"['it\'s']", "it's"), ("[ 'x' ]", "x"), ("table", "table"), ("_1", "_1")],
)  # fmt: skip
def test_names_in_commands(written, name):
    if name is None:
        with pytest.raises(parse.SyntaxProblem):
            parse.parse(f".show table {written} details")
    else:
        assert parse.parse(f".show table {written} details").arguments["table"] == name


@pytest.mark.parametrize(
    ("written", "ticks"),
    [("1h", 36_000_000_000), ("1.5h", 54_000_000_000), ("time(01:00:00)", 36_000_000_000), ("timespan(2)", 1_728_000_000_000), ("10s", 100_000_000), ("1tick", 1), ("time(1.02:03:04.5)", 937_845_000_000)],
)  # fmt: skip
def test_timespans(written, ticks):
    """ "learn.microsoft.com, The timespan data type"."""
    command = parse.parse(f".create-or-alter continuous-export E to table T with (intervalBetweenRuns={written}) <| T")
    assert command.arguments["properties"]["intervalBetweenRuns"].value == ticks


@pytest.mark.parametrize("value", ["01:00:00", "system", "1w", "time(99:00:00)", ""])
def test_property_values_must_be_literals(value):
    """As Microsoft's grammar has it: a bare `01:00:00` and a bare word are refused."""
    with pytest.raises(parse.SyntaxProblem):
        parse.parse(f".create-or-alter continuous-export E to table T with (intervalBetweenRuns={value}) <| T")


@pytest.mark.parametrize("option", ["request_readonly", "request_readonly_hardline"])
def test_a_request_that_says_it_only_reads_writes_nothing(kusto, option):
    only = {"Options": {option: True}}
    status, body = kusto.service.handle_management("Telemetry", "// x\n.create table T (a:string)", only, None)
    assert (status, body["error"]["@permanent"]) == (400, True) and "only reads" in body["error"]["@message"]
    for text in (".show tables", "print 1"):
        handle = kusto.service.handle_management if text[0] == "." else kusto.service.handle_query
        assert handle("Telemetry", text, only, None)[0] == 200
    assert kusto.run(".show tables") == []
