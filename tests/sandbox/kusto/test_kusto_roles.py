"""Security roles: "learn.microsoft.com, Manage database security roles" and its siblings."""

from __future__ import annotations

import pytest

from tests.sandbox.kusto.conftest import CLIENT, EXPORTER, TENANT, URI


def members(rows):
    return {(row["Role"], row["PrincipalFQN"]) for row in rows}


def test_read_back_by_object_id(kusto):
    """Principals are shown as FQNs with ids, never as typed; roles as `<Scope> <Name> <Role>`."""
    kusto.store.put("principal", ("eeee",), {"type": "User", "displayName": "Ana", "upn": "ana@contoso.com"})
    (row,) = kusto.run(".add database Telemetry viewers ('aaduser=ana@contoso.com') 'why'")
    assert row["Role"] == "Database Telemetry Viewer"
    assert row["PrincipalObjectId"] == "eeee"
    assert row["PrincipalFQN"] == f"aaduser=eeee;{TENANT}"
    assert row["PrincipalDisplayName"] == "Ana (upn: ana@contoso.com)"
    assert (row["PrincipalType"], row["Notes"]) == ("AAD User", "why")


@pytest.mark.parametrize("given", [EXPORTER, CLIENT, EXPORTER.upper(), "exporter"])
def test_a_managed_identity_by_any_of_its_ids(kusto, given):
    """Object id or client id may stand in the id's place; both mean the same principal."""
    (row,) = kusto.run(f".add database Telemetry viewers ('aadapp={given};{TENANT}')")
    assert (row["PrincipalObjectId"], row["PrincipalFQN"]) == (EXPORTER, f"aadapp={CLIENT};{TENANT}")
    again = kusto.run(f".add database Telemetry viewers ('aadapp={CLIENT};{TENANT}')")
    assert len(again) == 1


@pytest.mark.parametrize(
    ("kind", "prefix", "shown"),
    [
        ("User", "aaduser", "AAD User"),
        ("Group", "aadgroup", "AAD Group"),
        ("ServicePrincipal", "aadapp", "AAD Application"),
    ],
)
def test_principals_are_shown_with_their_type(kusto, kind, prefix, shown):
    kusto.store.put("principal", ("eeee",), {"type": kind, "displayName": "It"})
    (row,) = kusto.run(f".add database Telemetry viewers ('{prefix}=eeee')")
    assert (row["PrincipalType"], row["PrincipalFQN"]) == (shown, f"{prefix}=eeee;{TENANT}")


def test_system_is_nobody_s_name(kusto):
    """A word of the policy and of `managedIdentity=`; a role takes the identity's id."""
    assert "could not be resolved" in kusto.refused(".add database Telemetry viewers ('aadapp=system')")["@message"]


def test_set_replaces_one_role(kusto):
    kusto.run(".add database Telemetry viewers ('aaduser=a@x.com', 'aaduser=b@x.com')")
    kusto.run(".add database Telemetry admins ('aaduser=b@x.com')")
    rows = kusto.run(".set database Telemetry viewers ('aaduser=c@x.com')")
    assert sorted(row["Role"] for row in rows) == ["Database Telemetry Admin", "Database Telemetry Viewer"]
    rows = kusto.run(".set database Telemetry viewers none")
    assert [row["Role"] for row in rows] == ["Database Telemetry Admin"]


def test_dropping_an_absent_and_adding_a_present_principal_are_no_errors(kusto):
    """Unconfirmed; third-party reconcilers rely on it."""
    kusto.run(".drop database Telemetry viewers ('aaduser=a@x.com')")
    kusto.run(".add database Telemetry viewers ('aaduser=a@x.com') 'first'")
    (row,) = kusto.run(".add database Telemetry viewers ('aaduser=a@x.com')")
    assert row["Notes"] == "first"
    assert kusto.run(".add database Telemetry viewers ('aaduser=a@x.com') skip-results 'second'") == []
    (row,) = kusto.run(".show database Telemetry principals")
    assert row["Notes"] == "second"


def test_what_arm_assigned_is_listed(kusto):
    """Cluster roles come first and have no scope in their name."""
    assigned = {"role": "AllDatabasesViewer", "principalId": CLIENT, "principalType": "App", "aadObjectId": EXPORTER}
    kusto.store.put("cluster_principal", (URI, "a"), assigned)
    kusto.store.put("database_principal", (URI, "Telemetry", "b"), {**assigned, "role": "Admin"})
    roles = [row["Role"] for row in kusto.run(".show database Telemetry principals")]
    assert roles == ["AllDatabasesViewer", "Database Telemetry Admin"]
    assert [row["Role"] for row in kusto.run(".show cluster principals")] == ["AllDatabasesViewer"]


def test_roles_of_entities(kusto):
    kusto.table()
    kusto.external()
    kusto.run(".create function F() { Events }")
    kusto.run(".add table Events ingestors ('aaduser=a@x.com')")
    kusto.run(".add external table Archive admins ('aaduser=a@x.com')")
    kusto.run(".add function F admins ('aaduser=a@x.com')")
    assert [row["Role"] for row in kusto.run(".show table Events principals")] == ["Table Events Ingestor"]
    assert [row["Role"] for row in kusto.run(".show external table Archive principals")] == [
        "External Table Archive Admin"
    ]
    assert [row["Role"] for row in kusto.run(".show function F principals")] == ["Function F Admin"]
    kusto.run(".set external table Archive admins none")
    assert kusto.run(".show external table Archive principals") == []


@pytest.mark.parametrize("principal", ["nonsense", "aaduser=", "aadrobot=x", "=x"])
def test_malformed_principals(kusto, principal):
    assert kusto.refused(f".add database Telemetry viewers ('{principal}')")["code"] == "General_BadRequest"


def test_a_strict_sandbox_knows_its_people(kusto):
    kusto.switch(strict=True)
    error = kusto.refused(".add database Telemetry viewers ('aaduser=nobody@x.com')")
    assert (error["status"], error["@permanent"]) == (400, True)
    assert "could not be resolved" in error["@message"]
    kusto.run(f".add database Telemetry viewers ('aadapp={EXPORTER}')")


def test_own_roles(kusto):
    kusto.run(f".add database Telemetry viewers ('aadapp={EXPORTER}')")
    (row,) = kusto.run(f".show database Telemetry principal 'aadapp={EXPORTER}' roles")
    assert (row["Role"], row["AADObjectID"]) == ("Database Telemetry Viewer", EXPORTER)


def test_a_dropped_table_takes_its_roles_along(kusto):
    kusto.table()
    kusto.run(".add table Events admins ('aaduser=a@x.com')")
    kusto.run(".drop table Events")
    kusto.table()
    assert kusto.run(".show table Events principals") == []
