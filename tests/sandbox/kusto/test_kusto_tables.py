"""Tables and functions: "learn.microsoft.com, Tables management" and "Stored functions management"."""

from __future__ import annotations

import json

import pytest


def columns(kusto, name="T"):
    (row,) = kusto.run(f".show table {name} cslschema")
    return row["Schema"]


def test_creating_what_exists_changes_nothing(kusto):
    """ "If the table already exists, the command returns success", whatever the schema."""
    kusto.run(".create table T (a:string)")
    kusto.run(".create table T (b:long)")
    assert columns(kusto) == "a:string"


def test_merging_adds_at_the_end_and_never_removes(kusto):
    kusto.run(".create-merge table T (a:string, b:long)")
    kusto.run(".create-merge table T (c:int32, a:string)")
    assert columns(kusto) == "a:string, b:long, c:int"
    error = kusto.refused(".create-merge table T (a:long)")
    assert (error["status"], "a" in error["@message"]) == (400, True)


def test_altering_drops_columns_and_texts(kusto):
    """ ".alter table … can overwrite docstring and folder": what is not given is gone."""
    kusto.run('.create table T (a:string, b:long) with (docstring="d", folder="f")')
    kusto.run(".ingest inline into table T <| x,1")
    kusto.run(".alter table T (b:long)")
    (row,) = kusto.run(".show tables")
    assert (columns(kusto), row["Folder"], row["DocString"]) == ("b:long", "", "")
    status, frames = kusto.query("T")
    assert (status, frames[2]["Rows"]) == (200, [[1]])


def test_many_at_once(kusto):
    rows = kusto.run('.create tables A (x:string), B (y:long) with (folder="f")')
    assert [(row["TableName"], row["Folder"]) for row in rows] == [("A", "f"), ("B", "f")]
    assert kusto.refused(".create-merge tables A (z:int), B (y:string)")["status"] == 400
    assert columns(kusto, "A") == "x:string"
    assert kusto.run(".drop tables (A, B, C) ifexists") == []


def test_a_missing_table(kusto):
    for command in (
        ".show table T cslschema",
        ".alter table T (a:string)",
        ".drop table T",
        ".show table T policy retention",
    ):
        error = kusto.refused(command)
        assert (error["code"], error["@permanent"]) == ("BadRequest_TableNotExist", True)
    kusto.run(".drop table T ifexists")


def test_column_docstrings(kusto):
    kusto.run(".create table T (a:string, b:long)")
    kusto.run('.alter table T column-docstrings (a:"A", b:"B")')
    kusto.run('.alter-merge table T column-docstrings (a:"AA")')
    (row,) = kusto.run(".show table T schema as json")
    assert [one.get("DocString") for one in json.loads(row["Schema"])["OrderedColumns"]] == ["AA", "B"]
    kusto.run('.alter table T column-docstrings (b:"B")')
    (row,) = kusto.run(".show table T schema as json")
    assert [one.get("DocString") for one in json.loads(row["Schema"])["OrderedColumns"]] == [None, "B"]


def test_renaming_swaps(kusto):
    kusto.run(".create tables A (x:string), B (y:long)")
    kusto.run(".ingest inline into table A <| hello")
    kusto.run(".rename tables A=B, B=A")
    assert (columns(kusto, "A"), columns(kusto, "B")) == ("y:long", "x:string")
    assert kusto.query("B | count")[1][2]["Rows"] == [[1]]


def test_names(kusto):
    kusto.run(".create table ['a b.c-d'] (['x y']:string)")
    assert [row["TableName"] for row in kusto.run(".show tables")] == ["a b.c-d"]
    assert kusto.refused(".create table ['a;b'] (x:string)")["code"] == "BadRequest_EntityNameIsNotValid"
    assert kusto.refused(f".create table ['{'x' * 1025}'] (x:string)")["code"] == "BadRequest_EntityNameIsNotValid"


def test_case_matters_for_entities_but_not_for_databases(kusto):
    kusto.run(".create table T (a:string)", database="telemetry")
    assert kusto.refused(".show table t cslschema")["status"] == 400
    assert [row["TableName"] for row in kusto.run(".show tables", database="TELEMETRY")] == ["T"]


def test_versions_rise(kusto):
    """The version rises with every change, ingestion included."""

    def version():
        return next(row["Version"] for row in kusto.run(".show databases") if row["DatabaseName"] == "Telemetry")

    versions = [version()]
    for command in (".create table T (a:string)", ".ingest inline into table T <| x", ".alter table T folder 'f'"):
        kusto.run(command)
        versions.append(version())
    numbers = [tuple(map(int, one[1:].split("."))) for one in versions]
    assert numbers == sorted(set(numbers))


def test_functions_are_read_back_with_changed_white_space(kusto):
    kusto.run(
        '.create-or-alter function with (docstring="d", folder="f") F(myLimit:int64, x:string="a")\n{Events | take myLimit}'
    )
    (row,) = kusto.run(".show function F")
    assert row == {
        "Name": "F",
        "Parameters": '(myLimit:long, x:string="a")',
        "Body": "{ Events | take myLimit }",
        "Folder": "f",
        "DocString": "d",
    }


def test_functions_exist_or_not(kusto):
    kusto.run(".create function F() { T }")
    error = kusto.refused(".create function F() { U }")
    assert error["@message"] == "Entity 'F' of kind 'ExpressionFunction' already exists."
    kusto.run(".create function ifnotexists F() { U }")
    assert kusto.run(".show function F")[0]["Body"] == "{ T }"
    missing = kusto.refused(".show function G")
    assert missing["@message"] == "Entity ID 'G' of kind 'ExpressionFunction' was not found."
    assert kusto.refused(".alter function G() { T }")["code"] == "BadRequest_EntityNotFound"
    assert kusto.run(".drop functions (F, G) ifexists") == []


@pytest.mark.parametrize(
    "body", ["{ T | }", "{ T | tak 5 }", "{ T | where a == }", "{ (T | take 5 }", "{ T | extend y = a b }", "{ }"]
)
def test_a_function_that_cannot_be_parsed(kusto, body):
    assert kusto.refused(f".create function F() {body}")["code"] == "BadRequest_SyntaxError"


def test_view_is_write_only_but_in_no_list(kusto):
    kusto.run(".create function with (view=true, skipvalidation='true') F() { T }")
    assert "view" not in kusto.run(".show functions")[0]
