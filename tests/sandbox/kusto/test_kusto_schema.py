"""Whole databases: schema as JSON and script, entities, scripts, journal ("learn.microsoft.com, Schema show commands")."""

from __future__ import annotations

import json

import pytest


def database(kusto, command=".show database Telemetry schema as json"):
    (row,) = kusto.run(command)
    return json.loads(row["DatabaseSchema"])["Databases"]["Telemetry"]


def test_schema_as_json(ready):
    ready.run('.create function with (folder="f") F(a:long, T:(x:string)) { Events | take a }')
    found = database(ready)
    assert list(found["Tables"]) == ["Events"]
    assert found["Tables"]["Events"]["OrderedColumns"][0] == {
        "Name": "Timestamp",
        "Type": "System.DateTime",
        "CslType": "datetime",
    }
    assert [one["CslType"] for one in found["ExternalTables"]["Archive"]["OrderedColumns"]] == [
        "datetime",
        "string",
        "string",
    ]
    function = found["Functions"]["F"]
    assert (function["Body"], function["Folder"]) == ("{ Events | take a }", "f")
    assert function["InputParameters"][0] == {"Name": "a", "Type": "System.Int64", "CslType": "long"}
    assert function["InputParameters"][1]["Columns"][0]["CslType"] == "string"


def test_only_what_is_asked_for(ready):
    found = database(ready, ".show database Telemetry schema as json with (Tables=true, Functions=true)")
    assert (list(found["Tables"]), found["ExternalTables"]) == (["Events"], {})


def test_if_later_than(ready):
    """Empty when the version is not later."""
    version = next(row["Version"] for row in ready.run(".show databases") if row["DatabaseName"] == "Telemetry")
    assert ready.run(f'.show database Telemetry schema if_later_than "{version}" as json') == []
    assert len(ready.run('.show database Telemetry schema if_later_than "v1.0" as json')) == 1


def test_several_databases_in_one_answer(ready):
    (row,) = ready.run(".show databases (Telemetry, Reference) schema as json")
    assert list(json.loads(row["DatabaseSchema"])["Databases"]) == ["Telemetry", "Reference"]


def test_the_script_can_be_run_again(ready):
    """What `.show database schema as csl script` prints are commands."""
    ready.run('.create-or-alter function with (docstring="it\'s") F(a:long=5) { Events | where Level == "x" }')
    ready.run(".alter-merge table Events policy retention softdelete = 7d")
    ready.run(".add database Telemetry viewers ('aaduser=a@x.com') 'n'")
    ready.export(
        "managedIdentity='system', intervalBetweenRuns=5m, forcedLatency=1m, distributed=false, isDisabled=true"
    )
    ready.switch(impersonate_shown="visible")
    lines = [row["DatabaseSchemaScript"] for row in ready.run(".show database Telemetry schema as csl script")]
    reads = (".show continuous-exports", ".show external tables", ".show functions", ".show table * policy retention")
    before = [ready.run(read) for read in reads]
    for line in lines:
        ready.run(line)
    assert [ready.run(read) for read in reads] == before


@pytest.mark.parametrize("listed", [True, False])
def test_whether_the_script_lists_exports(ready, listed):
    """Unconfirmed: documented contents name neither external tables nor exports."""
    ready.switch(csl_script_lists_exports=listed)
    ready.export()
    script = "\n".join(row["DatabaseSchemaScript"] for row in ready.run(".show database schema as csl script"))
    assert ("continuous-export" in script) is listed


def test_secrets_may_be_asked_for_by_admins_only(ready):
    """ "ShowObfuscatedStrings=true requires admin … otherwise the command fails"."""
    ready.run(".add database Telemetry viewers ('aadapp=bbbbbbbb-0000-4000-8000-000000000002')")
    ready.caller = {"objectId": "bbbbbbbb-0000-4000-8000-000000000002", "type": "ServicePrincipal", "roles": []}
    ready.run(".show database Telemetry schema as csl script")
    error = ready.refused(".show database Telemetry schema as csl script with (ShowObfuscatedStrings=true)")
    assert error["status"] == 403


def test_flat_schema(ready):
    rows = ready.run(".show database Telemetry schema")
    assert [row["ColumnName"] for row in rows] == ["", "", "Timestamp", "Level", "Message"]


def test_entities(ready):
    ready.run(".create function F(a:long) { Events }")
    rows = ready.run('.show databases entities | where DatabaseName == "Telemetry" | project EntityType, EntityName')
    assert [tuple(row.values()) for row in rows] == [
        ("Table", "Events"),
        ("ExternalTable", "Archive"),
        ("Function", "F"),
    ]


def test_journal(ready):
    """Metadata changes with their command and principal; secrets are obfuscated."""
    ready.run(
        ".create external table Z (a:string) kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;s3cret')"
    )
    entry = ready.run(".show database Telemetry journal")[-1]
    assert (entry["Event"], entry["EntityName"]) == ("CREATE-EXTERNAL-TABLE", "Z")
    assert "s3cret" not in json.dumps(entry)
    assert entry["EntityVersion"] > entry["OriginalEntityVersion"]


SCRIPT = ".create table A (x:string)\n\n// a comment\n.alter table Missing folder 'f'\n.create table B (x:string)"


@pytest.mark.parametrize(
    ("properties", "results"),
    [("", ["Completed", "Failed", "Skipped"]), ("with (ContinueOnErrors=true)", ["Completed", "Failed", "Completed"])],
)
def test_scripts_succeed_whatever_their_commands_do(kusto, properties, results):
    """ "Stops at the first error, but the request succeeds"; not transactional."""
    rows = kusto.run(f".execute database script {properties} <|\n{SCRIPT}")
    assert [row["Result"] for row in rows] == results
    assert "Missing" in rows[1]["Reason"]
    assert rows[0]["CommandType"] == "TableCreate"
    assert "A" in [row["TableName"] for row in kusto.run(".show tables")]


def test_scripts_may_throw(kusto):
    error = kusto.refused(f".execute database script with (ThrowOnErrors=true) <|\n{SCRIPT}")
    assert error["code"] == "BadRequest_TableNotExist"
    assert [row["TableName"] for row in kusto.run(".show tables")] == ["A"]
    both = ".execute database script with (ThrowOnErrors=true, ContinueOnErrors=true) <|\n.create table C (x:string)"
    assert "exclude" in kusto.refused(both)["@message"]


def test_scripts_do_not_run_shows(kusto):
    (row,) = kusto.run(".execute database script <|\n.show tables")
    assert row["Result"] == "Skipped"


def test_a_script_keeps_multi_line_commands_together(kusto):
    kusto.table()
    rows = kusto.run(
        ".execute database script <|\n.create-or-alter function F() {\n    Events\n    | take 5\n}\n.create table B (x:string)"
    )
    assert [row["Result"] for row in rows] == ["Completed", "Completed"]


def test_databases(kusto):
    rows = kusto.run(".show databases")
    assert [(row["DatabaseName"], row["IsCurrent"]) for row in rows] == [("Reference", False), ("Telemetry", True)]
    kusto.run(".alter database Telemetry prettyname 'Pretty'")
    (row,) = kusto.run(".show database identity")
    assert (row["DatabaseName"], row["PrettyName"], row["DatabaseAccessMode"]) == ("Telemetry", "Pretty", "ReadWrite")
    (row,) = kusto.run(".show database details")
    assert json.loads(row["RetentionPolicy"])["Recoverability"] == "Enabled"


@pytest.mark.parametrize("written", ["'string'", "5", "1d", "1.5", "00000000-0000-0000-0000-000000000000"])
def test_a_literal_is_no_type(kusto, written):
    assert kusto.refused(f".create table T (A:{written})")["code"] == "BadRequest_SyntaxError"


@pytest.mark.parametrize("word", ["string", "long", "guid", "timespan", "real"])
def test_the_name_of_a_type_is_no_literal_but_may_be_a_name(kusto, word):
    kusto.table()
    assert kusto.refused(f".alter table Events docstring {word}")["code"] == "BadRequest_SyntaxError"
    kusto.run(f".create table {word} ({word}:{word})")
    assert [row["TableName"] for row in kusto.run(".show tables")] == sorted(["Events", word])
