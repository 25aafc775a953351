"""Policies, the managed_identity policy first ("learn.microsoft.com, Managed identity policy")."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.kusto.conftest import CLIENT, EXPORTER, SYSTEM, TENANT


def policy(kusto, command):
    (row,) = kusto.run(command)
    return json.loads(row["Policy"])


def entry(identity, usages):
    return f'{{"ObjectId":"{identity}","AllowedUsages":"{usages}"}}'


def test_the_service_completes_an_entry(kusto):
    """Only ObjectId and AllowedUsages are given; ids, name and IsSystem are filled in."""
    given = f"```[{entry(EXPORTER, 'NativeIngestion,ExternalTable')}]```"
    assert policy(kusto, f".alter database Telemetry policy managed_identity {given}") == [
        {
            "ObjectId": EXPORTER,
            "ClientId": CLIENT,
            "TenantId": TENANT,
            "DisplayName": "exporter",
            "IsSystem": False,
            "AllowedUsages": "NativeIngestion, ExternalTable",
        }
    ]


@pytest.mark.parametrize(("setting", "identity"), [("object-id", SYSTEM), ("system", "system")])
def test_system_is_shown_as_object_id_or_word(kusto, setting, identity):
    """Unconfirmed."""
    kusto.switch(system_in_policy=setting)
    found = policy(kusto, f".alter cluster policy managed_identity ```[{entry('system', 'AutomatedFlows')}]```")
    assert [(one["ObjectId"], one["IsSystem"]) for one in found] == [(identity, True)]


def test_merge_adds_and_alter_replaces(kusto):
    """ "alter-merge … adds or updates"; usages only grow."""
    kusto.run(f".alter cluster policy managed_identity ```[{entry(EXPORTER, 'ExternalTable')}]```")
    kusto.run(
        f".alter-merge cluster policy managed_identity ```[{entry(EXPORTER, 'AutomatedFlows')},{entry('system', 'All')}]```"
    )
    found = policy(kusto, ".show cluster policy managed_identity")
    assert {one["ObjectId"]: one["AllowedUsages"] for one in found} == {
        EXPORTER: "ExternalTable, AutomatedFlows",
        SYSTEM: "All",
    }
    assert len(policy(kusto, f".alter cluster policy managed_identity ```[{entry('system', 'All')}]```")) == 1


def test_one_unassigned_identity_fails_everything(kusto):
    """ "If one of the identities isn't assigned to the cluster, the command fails"."""
    stranger = "dddddddd-0000-4000-8000-00000000000d"
    given = f"```[{entry('system', 'All')},{entry(stranger, 'All')}]```"
    assert "not assigned" in kusto.refused(f".alter database Telemetry policy managed_identity {given}")["@message"]
    assert policy(kusto, ".show database Telemetry policy managed_identity") is None


@pytest.mark.parametrize("usages", ["ExternalTables", "", "SandboxArtifacts"])
def test_unknown_and_misplaced_usages(kusto, usages):
    """SandboxArtifacts exists at cluster level only; the docs once misspell ExternalTables."""
    given = f"```[{entry('system', usages)}]```"
    assert kusto.refused(f".alter database Telemetry policy managed_identity {given}")["status"] == 400


def test_single_quotes_inside_a_literal(kusto):
    """The docs show JSON with single quotes inside a double-quoted literal."""
    kusto.run(
        ".alter-merge cluster policy managed_identity \"[ { 'ObjectId' : 'system', 'AllowedUsages' : 'NativeIngestion' }]\""
    )


def test_levels_are_kept_apart_and_delete_unsets(kusto):
    kusto.run(f".alter cluster policy managed_identity ```[{entry('system', 'All')}]```")
    assert policy(kusto, ".show database Telemetry policy managed_identity") is None
    kusto.run(".delete cluster policy managed_identity")
    assert policy(kusto, ".show cluster policy managed_identity") is None


def test_names_in_the_answer(kusto):
    kusto.allow()
    (row,) = kusto.run(".show database Telemetry policy managed_identity")
    assert (row["PolicyName"], row["EntityName"], row["EntityType"]) == (
        "ManagedIdentityPolicy",
        "[Telemetry]",
        "Database",
    )


def test_the_documented_columns(kusto):
    """Unconfirmed: the docs have EntityName and Policies, the grammar five columns."""
    kusto.switch(policy_column="Policies")
    kusto.allow()
    (row,) = kusto.run(".show database Telemetry policy managed_identity")
    assert list(row) == ["EntityName", "Policies"]


def test_a_usage_allowed_on_the_cluster_is_enough(kusto):
    """Cluster and database policies are additive."""
    kusto.table()
    kusto.external()
    kusto.run(f".alter cluster policy managed_identity ```[{entry('system', 'All')}]```")
    kusto.export()


def test_retention_gains_defaults(kusto):
    kusto.table()
    shown = policy(kusto, '.alter table Events policy retention "{}"')
    assert shown == {"SoftDeletePeriod": "365000.00:00:00", "Recoverability": "Enabled"}
    merged = policy(kusto, ".alter-merge table Events policy retention softdelete = 10d recoverability = disabled")
    assert merged == {"SoftDeletePeriod": "10.00:00:00", "Recoverability": "Disabled"}
    kept = policy(kusto, ".alter-merge table Events policy retention softdelete = 7d")
    assert kept == {"SoftDeletePeriod": "7.00:00:00", "Recoverability": "Disabled"}


def test_wildcard_shows_what_is_set_at_the_table(kusto):
    """`.show table * policy`: null where nothing is set at that level; details show what applies."""
    kusto.table("A")
    kusto.table("B")
    kusto.run(".alter-merge database Telemetry policy retention softdelete = 30d")
    kusto.run(".alter-merge table B policy retention softdelete = 7d")
    rows = {row["EntityName"]: row["Policy"] for row in kusto.run(".show table * policy retention")}
    assert rows["[Telemetry].[A]"] == "null"
    assert json.loads(rows["[Telemetry].[B]"])["SoftDeletePeriod"] == "7.00:00:00"
    effective = {row["TableName"]: json.loads(row["RetentionPolicy"]) for row in kusto.run(".show tables details")}
    assert effective["A"]["SoftDeletePeriod"] == "30.00:00:00"


def test_ingestion_time_is_on_by_default(kusto):
    """ "By default, the IngestionTime policy is enabled"."""
    kusto.table()
    assert policy(kusto, ".show table Events policy ingestiontime") == {"IsEnabled": True}
    kusto.run(".delete table Events policy ingestiontime")
    assert policy(kusto, ".show table Events policy ingestiontime") is None
    kusto.run(".alter tables (Events) policy ingestiontime true")
    assert policy(kusto, ".show table * policy ingestiontime") == {"IsEnabled": True}


def test_caching_is_read_back_as_spans(kusto):
    kusto.table()
    found = policy(
        kusto, ".alter table Events policy caching hot = 30d, hot_window = datetime(2021-01-01) .. datetime(2021-02-01)"
    )
    assert found["DataHotSpan"] == {"Value": "30.00:00:00"}
    assert found["HotWindows"][0]["MinValue"].startswith("2021-01-01T00:00:00")


def test_callout_is_merged_by_type_and_pattern(kusto):
    def callout(can):
        return f'```[{{"CalloutType":"sql","CalloutUriRegex":"x","CanCall":{can}}}]```'

    kusto.run(f".alter-merge cluster policy callout {callout('true')}")
    kusto.run(f".alter-merge cluster policy callout {callout('false')}")
    assert [one["CanCall"] for one in policy(kusto, ".show cluster policy callout")] == [False]


def test_a_qualified_table(kusto):
    kusto.table()
    kusto.run(".alter table Telemetry.Events policy restricted_view_access true", database="Reference")
    assert policy(kusto, ".show table ['Telemetry'].['Events'] policy restricted_view_access") == {"IsEnabled": True}


@pytest.mark.parametrize(
    "command",
    [
        ".show table Events policy callout",
        ".alter-merge table Events policy ingestiontime true",
        ".alter table Events policy retention true",
        ".alter cluster policy callout hot = 1d",
        ".show database * policy managed_identity",
    ],
)
def test_combinations_that_do_not_exist(kusto, command):
    kusto.table()
    assert kusto.refused(command)["code"] == "BadRequest_SyntaxError"
