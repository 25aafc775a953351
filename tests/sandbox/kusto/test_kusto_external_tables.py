"""External tables: "learn.microsoft.com, Create and alter Azure Storage / SQL external tables"."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.kusto.conftest import EXPORTER, LAKE

COLUMNS = "Timestamp:datetime, CustomerName:string"


def shown(kusto, name="X"):
    (row,) = kusto.run(f".show external table {name}")
    return row


def make(kusto, definition, name="X", verb="create"):
    return kusto.run(f".{verb} external table {name} ({COLUMNS}) {definition}")


def test_defaults_of_storage_properties(kusto):
    """The documented example of `.show external tables`."""
    make(kusto, "kind=storage dataformat=csv (h@'https://acct.blob.core.windows.net/c;k')")
    row = shown(kusto)
    assert row["TableType"] == "Blob"
    assert json.loads(row["Properties"]) == {
        "Format": "Csv",
        "Compressed": False,
        "CompressionType": None,
        "FileExtension": None,
        "IncludeHeaders": "None",
        "Encoding": None,
        "NamePrefix": None,
    }
    assert row["ConnectionStrings"] == ["https://acct.blob.core.windows.net/c;*******"]
    assert (row["Partitions"], row["PathFormat"]) == ([], "")


def test_partitions_are_structures_and_the_path_is_respaced(kusto):
    """The documented example: Function in PascalCase, no space after the comma of datetime_pattern."""
    make(
        kusto,
        "kind=storage partition by (CustomerId:long = hash(CustomerName, 10), Date:datetime = startofday(Timestamp))"
        ' pathformat=("customer_id=" CustomerId "/dt=" datetime_pattern("yyyyMMdd", Date)) dataformat=csv'
        " (h@'https://acct.blob.core.windows.net/c;k')",
    )
    row = shown(kusto)
    assert row["Partitions"] == [
        {"Mod": 10, "Name": "CustomerId", "ColumnName": "CustomerName", "Ordinal": 0},
        {"Function": "StartOfDay", "Name": "Date", "ColumnName": "Timestamp", "Ordinal": 1},
    ]
    assert row["PathFormat"] == '"customer_id=" CustomerId "/dt=" datetime_pattern("yyyyMMdd",Date)'


@pytest.mark.parametrize(
    "connection",
    [
        "https://acct.blob.core.windows.net/c;S3cr3tKey==",
        "https://acct.blob.core.windows.net/c?sv=1&sig=S3cr3tKey",
        "https://acct.dfs.core.windows.net/c/p;sharedkey=S3cr3tKey",
        "abfss://c@acct.dfs.core.windows.net/p;token=S3cr3tKey",
        "https://b.s3.eu-west-1.amazonaws.com/key;AwsCredentials=id,S3cr3tKey",
    ],
)
def test_secrets_are_masked_and_never_kept(kusto, connection):
    """ "Secrets are write-only": not in any answer, the journal or the store."""
    make(kusto, f"kind=storage dataformat=csv (h@'{connection}')")
    row = shown(kusto)
    assert row["ConnectionStrings"][0].endswith(";*******")
    everything = json.dumps([kusto.store.all(kind) for kind in ("external_table", "journal", "meta")])
    assert "S3cr3tKey" not in everything
    assert "S3cr3tKey" not in json.dumps(kusto.run(".show database Telemetry schema as csl script"))


@pytest.mark.parametrize("suffix", ["impersonate", f"managed_identity={EXPORTER}"])
@pytest.mark.parametrize("setting", ["masked", "visible"])
def test_impersonate_is_masked_or_not(kusto, suffix, setting):
    """Unconfirmed: whether what is no secret is masked too."""
    kusto.switch(impersonate_shown=setting)
    make(kusto, f"kind=storage dataformat=csv (h@'{LAKE};{suffix}')")
    assert shown(kusto)["ConnectionStrings"] == [f"{LAKE};{suffix if setting == 'visible' else '*******'}"]


def test_sql_properties(kusto):
    """The documented shape of a SQL external table's Properties; passwords masked."""
    make(
        kusto,
        "kind=sql table=MySqlTable (h@'Server=tcp:s.database.windows.net,1433;User Id=u;Password=pw;Initial Catalog=D;')"
        ' with (docstring = "Docs", folder = "F", createifnotexists = true, primarykey = \'Timestamp\', firetriggers=true)',
    )
    row = shown(kusto)
    assert (row["TableType"], row["Folder"], row["DocString"]) == ("Sql", "F", "Docs")
    assert json.loads(row["Properties"]) == {
        "TargetEntityKind": "sqltable",
        "TargetEntityName": "MySqlTable",
        "TargetEntityConnectionString": "Server=tcp:s.database.windows.net,1433;User Id=u;Password=*******;Initial Catalog=D;",
        "FireTriggers": True,
        "CreateIfNotExists": True,
        "PrimaryKey": "Timestamp",
    }


@pytest.mark.parametrize(
    ("definition", "part"),
    [
        ("kind=sql table=T (h@'Server=s;') with (createifnotexists=true)", "primarykey"),
        ("kind=sql (h@'Server=s;')", "name of its table"),
        ("kind=storage dataformat=csv (h@'adl://acct.azuredatalakestore.net/p;impersonate')", "Gen1 is retired"),
        ("kind=storage dataformat=csv (h@'nonsense')", "not a valid storage connection string"),
        ("kind=storage dataformat=csv (h@'https://acct.blob.core.windows.net/c;k') with (colour='red')", "colour"),
        ("kind=storage dataformat=csv (h@'https://acct.blob.core.windows.net/c;k') with (includeHeaders='Some')", "includeheaders"),
        ("kind=storage partition by (D:datetime = startofday(CustomerName)) dataformat=csv (h@'https://a.blob.core.windows.net/c;k')", "fitting type"),
        ('kind=storage partition by (D:datetime) pathformat=("x" E) dataformat=csv (h@\'https://a.blob.core.windows.net/c;k\')', "exactly once"),
        ('kind=storage partition by (A:string, B:string) pathformat=(A B) dataformat=csv (h@\'https://a.blob.core.windows.net/c;k\')', "separated"),
    ],
)  # fmt: skip
def test_mistakes_are_refused(kusto, definition, part):
    error = kusto.refused(f".create external table X ({COLUMNS}) {definition}")
    assert error["status"] == 400
    assert part in error["@message"]


def test_create_refuses_what_exists_and_alter_what_is_missing(kusto):
    definition = "kind=storage dataformat=csv (h@'https://acct.blob.core.windows.net/c;k')"
    assert kusto.refused(f".alter external table X ({COLUMNS}) {definition}")["code"] == "BadRequest_EntityNotFound"
    make(kusto, definition)
    error = kusto.refused(f".create external table X ({COLUMNS}) {definition}")
    assert error["@message"] == "Entity 'X' of kind 'ExternalTable' already exists."
    (row,) = make(kusto, definition, verb="create-or-alter")
    assert row["Schema"] == "Timestamp:datetime, CustomerName:string"


def test_the_schema_of_a_sql_table_is_fixed(kusto):
    """ "Altering the schema isn't supported for SQL external tables"."""
    make(kusto, "kind=sql table=T (h@'Server=s;')")
    error = kusto.refused(".alter external table X (a:string) kind=sql table=T (h@'Server=s;')")
    assert "drop and create" in error["@message"]


def test_a_name_is_shared_with_no_table(kusto):
    kusto.table("Events")
    error = kusto.refused(
        f".create external table Events ({COLUMNS}) kind=storage dataformat=csv (h@'https://a.b.c/d;k')"
    )
    assert "already exists" in error["@message"]


GOOD = "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;k') with (dryRun=true)"


def test_dry_run_changes_nothing(kusto):
    make(kusto, GOOD)
    assert kusto.run(".show external tables") == []
    make(kusto, "kind=storage dataformat=json (h@'https://a.blob.core.windows.net/c;k')")
    before = kusto.store._db.execute("SELECT kind, key, body FROM document ORDER BY kind, key").fetchall()
    make(kusto, GOOD, verb="create-or-alter")
    assert kusto.store._db.execute("SELECT kind, key, body FROM document ORDER BY kind, key").fetchall() == before


@pytest.mark.parametrize(
    "definition",
    [
        "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;k') with (colour='red')",
        "kind=storage dataformat=csv (h@'nowhere')",
        "kind=storage partition by (P:datetime=startofday(Nope)) dataformat=csv (h@'https://a.blob.core.windows.net/c;k')",
        "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;managed_identity=system')",
    ],
)
def test_dry_run_refuses_what_would_be_refused(kusto, definition):
    """The same words, whether the definition would have been kept or not."""
    kusto.caller = {"objectId": EXPORTER, "type": "ServicePrincipal", "roles": []}
    told = [
        kusto.refused(f".create-or-alter external table X ({COLUMNS}) {text}")["@message"]
        for text in (definition, _dry(definition))
    ]
    assert told[0] == told[1]


def _dry(definition):
    return (
        definition.replace("with (", "with (dryRun=true, ")
        if "with (" in definition
        else f"{definition} with (dryRun=true)"
    )


def test_dry_run_knows_what_a_name_is_taken_by(kusto):
    kusto.table("X")
    assert "already exists" in kusto.refused(f".create-or-alter external table X ({COLUMNS}) {GOOD}")["@message"]


def test_dry_run_is_for_storage(kusto):
    """It is documented among the properties of storage and delta tables, not of SQL tables."""
    error = kusto.refused(f".create external table X ({COLUMNS}) kind=sql table=T (h@'Server=s;') with (dryRun=true)")
    assert "not supported" in error["@message"]


def test_drop(kusto):
    make(kusto, "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;k')")
    assert [row["TableName"] for row in kusto.run(".drop external table X")] == ["X"]
    assert kusto.run(".drop external table X ifexists") == []
    assert kusto.refused(".drop external table X")["code"] == "BadRequest_EntityNotFound"


def test_columns_are_in_the_schema_and_synonyms_become_canonical(kusto):
    """The columns are not in `.show external tables`."""
    kusto.run(
        ".create external table X (a:int32, b:double, c:date) kind=storage dataformat=csv (h@'https://a.b.c/d;k')"
    )
    assert "Schema" not in shown(kusto)
    (row,) = kusto.run(".show external table X cslschema")
    assert row["Schema"] == "a:int, b:real, c:datetime"
    (row,) = kusto.run(".show external table X schema as json")
    assert [column["CslType"] for column in json.loads(row["Schema"])["OrderedColumns"]] == ["int", "real", "datetime"]


@pytest.mark.parametrize("wire", ["json", "text"])
def test_dynamic_columns_on_the_wire(kusto, wire):
    """Both forms were seen: JSON values, and JSON in strings."""
    kusto.switch(dynamic_wire=wire)
    make(kusto, "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;k')")
    value = shown(kusto)["ConnectionStrings"]
    assert value == (
        ["https://a.blob.core.windows.net/c;*******"]
        if wire == "json"
        else '["https://a.blob.core.windows.net/c;*******"]'
    )


def test_the_script_makes_the_table_again(kusto):
    make(
        kusto,
        "kind=storage partition by (Name:string = CustomerName, D:datetime = bin(Timestamp, 1h))"
        ' pathformat=(Name "/" datetime_pattern("yyyy", D)) dataformat=json (h@\'https://a.blob.core.windows.net/c\')'
        ' with (folder="f", compressed=true, namePrefix="p")',
    )
    before = shown(kusto)
    (line,) = [row["DatabaseSchemaScript"] for row in kusto.run(".show database schema as csl script")]
    kusto.run(line)
    assert shown(kusto) == before


def test_text_commands(kusto):
    make(kusto, "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;k')")
    kusto.run('.alter external table X docstring "d"')
    kusto.run('.alter external table X folder "f"')
    assert (shown(kusto)["DocString"], shown(kusto)["Folder"]) == ("d", "f")


def test_details_never_tell_connections(kusto):
    make(kusto, "kind=storage dataformat=csv (h@'https://a.blob.core.windows.net/c;k')")
    (row,) = kusto.run(".show external tables details")
    assert list(row) == ["TableName", "QueryAccelerationPolicy", "QueryAccelerationState"]


@pytest.mark.parametrize(
    ("form", "kind", "fine"), [("csv", "snappy", False), ("csv", "gzip", True), ("parquet", "snappy", True)]
)
def test_compression_types_are_those_of_the_format(kusto, form, kind, fine):
    status, body = kusto.send(
        f".create-or-alter external table T (a:string) kind=storage dataformat={form} (h@'{LAKE};impersonate')"
        f" with (compressed=true, compressionType='{kind}')"
    )
    assert (status == 200) == fine, body
