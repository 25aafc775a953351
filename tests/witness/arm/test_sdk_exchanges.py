"""The SDKs drive the sandbox; Microsoft's contract judges every exchange."""

from __future__ import annotations

import uuid

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from kxrecon.sandbox.embedded import embed

from . import clients
from .clients import ACCOUNT, CLUSTER, CONTAINER, EXPORTER, PERSON, SUBSCRIPTION, TEAM
from .recorder import Recorder

CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
ROLE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def sandbox(tmp_path, monkeypatch, recorder):
    """A sandbox whose ARM exchanges are all judged when the test is over."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with embed(tmp_path / "sandbox.db", clients.INVENTORY, middleware=recorder.around) as opened:
        yield opened
    findings, _ = recorder.verdict()
    assert recorder.exchanges
    assert not findings, "\n".join(sorted({str(one) for one in findings}))


def test_a_cluster_gains_and_loses_identities(sandbox, recorder):
    with clients.kusto(sandbox.arm) as kusto:
        before = kusto.clusters.get("lake", "telemetry")
        assert before["identity"]["type"] == "None"
        both = {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {EXPORTER: {}}}}
        poller = kusto.clusters.begin_update(
            "lake", "telemetry", both, etag=before.etag, match_condition=MatchConditions.IfNotModified
        )
        after = poller.result()
        assert poller.done()
        assert after["identity"]["principalId"]
        assert list(after["identity"]["userAssignedIdentities"]) == [EXPORTER]
        with pytest.raises(ResourceModifiedError):
            kusto.clusters.begin_update(
                "lake", "telemetry", both, etag=before.etag, match_condition=MatchConditions.IfNotModified
            )
        removal = {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {EXPORTER: None}}}
        last = kusto.clusters.begin_update("lake", "telemetry", removal).result()
        assert last["identity"]["type"] == "SystemAssigned"
        assert last["identity"]["principalId"] == after["identity"]["principalId"]
    assert {one.status for one in recorder.exchanges} >= {200, 202, 412}


def test_a_busy_cluster_refuses_a_second_change(sandbox):
    with clients.kusto(sandbox.arm) as kusto:
        kusto.clusters.begin_update("lake", "telemetry", {"identity": {"type": "SystemAssigned"}}, polling=False)
        with pytest.raises(ResourceExistsError) as refused:
            kusto.clusters.begin_update("lake", "telemetry", {"tags": {"a": "b"}}, polling=False)
        assert refused.value.error.code == "RequestConflict"


def test_lists_and_lookups_of_a_cluster(sandbox):
    with clients.kusto(sandbox.arm) as kusto:
        assert [one.name for one in kusto.clusters.list()] == ["telemetry"]
        assert [one.name for one in kusto.clusters.list_by_resource_group("LAKE")] == ["telemetry"]
        assert [one.name for one in kusto.databases.list_by_cluster("lake", "telemetry")] == ["telemetry/Telemetry"]
        assert kusto.databases.get("lake", "telemetry", "Telemetry").kind == "ReadWrite"
        assert list(kusto.databases.list_principals("lake", "telemetry", "Telemetry")) == []
        with pytest.raises(ResourceNotFoundError) as missing:
            kusto.clusters.get("lake", "nobody")
        assert missing.value.error.code == "ResourceNotFound"
        kusto.clusters.begin_stop("lake", "telemetry").result()
        assert kusto.clusters.get("lake", "telemetry").properties.state == "Stopped"


@pytest.mark.parametrize("role", ["AllDatabasesViewer", "AllDatabasesMonitor"])
def test_principals_of_a_cluster(sandbox, role):
    with clients.kusto(sandbox.arm) as kusto:
        asked = {"properties": {"principalId": PERSON, "principalType": "User", "role": role}}
        made = kusto.cluster_principal_assignments.begin_create_or_update("lake", "telemetry", "ada", asked).result()
        assert made["properties"]["aadObjectId"] == PERSON
        assert [one.name for one in kusto.cluster_principal_assignments.list("lake", "telemetry")] == ["telemetry/ada"]
        kusto.cluster_principal_assignments.begin_delete("lake", "telemetry", "ada").result()
        kusto.cluster_principal_assignments.begin_delete("lake", "telemetry", "ada").result()
        assert list(kusto.cluster_principal_assignments.list("lake", "telemetry")) == []


def test_principals_of_a_database(sandbox):
    with clients.kusto(sandbox.arm) as kusto:
        assignments = kusto.database_principal_assignments
        asked = {"properties": {"principalId": "ada@contoso.com", "principalType": "User", "role": "Viewer"}}
        assignments.begin_create_or_update("lake", "telemetry", "Telemetry", "ada", asked).result()
        assert assignments.get("lake", "telemetry", "Telemetry", "ada")["properties"]["principalName"] == "Ada"
        listed = list(kusto.databases.list_principals("lake", "telemetry", "Telemetry"))
        assert [(one.name, one.role, one.fqn) for one in listed] == [("Ada", "Viewer", f"aaduser={PERSON}")]
        with pytest.raises(HttpResponseError, match="was not found in AAD tenant"):
            asked["properties"]["principalId"] = str(uuid.uuid4())
            assignments.begin_create_or_update("lake", "telemetry", "Telemetry", "x", asked)
        assignments.begin_delete("lake", "telemetry", "Telemetry", "ada").result()


def test_role_assignments(sandbox):
    with clients.authorization(sandbox.arm) as authorization:
        assignments = authorization.role_assignments
        asked = {"properties": {"roleDefinitionId": ROLE, "principalId": TEAM, "principalType": "Group"}}
        name = str(uuid.uuid4())
        assignments.create(ACCOUNT, name, asked)
        rows = list(assignments.list_for_scope(CONTAINER, filter=f"atScope() and assignedTo('{PERSON}')"))
        assert [(row.principal_id, row.scope) for row in rows] == [(TEAM, ACCOUNT)]
        assert list(assignments.list_for_scope(CONTAINER, filter=f"principalId eq '{PERSON}'")) == []
        with pytest.raises(ResourceExistsError) as twice:
            assignments.create(ACCOUNT, str(uuid.uuid4()), asked)
        assert twice.value.error.code == "RoleAssignmentExists"
        asked["properties"]["principalId"], asked["properties"]["principalType"] = PERSON, "User"
        with pytest.raises(HttpResponseError) as other:
            assignments.create(ACCOUNT, name, asked)
        assert other.value.error.code == "RoleAssignmentUpdateNotPermitted"
        assert assignments.get(ACCOUNT, name).name == name
        assert assignments.delete(ACCOUNT, name).name == name
        assert assignments.delete(ACCOUNT, name) is None


def test_role_definitions_permissions_and_denials(sandbox):
    with clients.authorization(sandbox.arm) as authorization:
        found = list(
            authorization.role_definitions.list(CONTAINER, filter="roleName eq 'Storage Blob Data Contributor'")
        )
        assert [one.name for one in found] == [CONTRIBUTOR]
        assert authorization.role_definitions.get(CONTAINER, CONTRIBUTOR).role_name == "Storage Blob Data Contributor"
        assert [one.actions for one in authorization.permissions.list_for_resource_group("lake")] == [["*"]]
        assert list(authorization.deny_assignments.list_for_scope(CONTAINER, filter="atScope()")) == []


def test_identities(sandbox):
    with clients.msi(sandbox.arm) as msi, clients.kusto(sandbox.arm) as kusto:
        one = msi.user_assigned_identities.get("lake", "exporter")
        assert uuid.UUID(one.client_id) != uuid.UUID(one.principal_id)
        assert [each.name for each in msi.user_assigned_identities.list_by_subscription()] == ["exporter"]
        assert [each.name for each in msi.user_assigned_identities.list_by_resource_group("lake")] == ["exporter"]
        with pytest.raises(ResourceNotFoundError):
            msi.system_assigned_identities.get_by_scope(CLUSTER)
        kusto.clusters.begin_update("lake", "telemetry", {"identity": {"type": "SystemAssigned"}}).result()
        cluster = kusto.clusters.get("lake", "telemetry")
        assert msi.system_assigned_identities.get_by_scope(CLUSTER).principal_id == cluster.identity.principal_id


def test_storage(sandbox):
    with clients.storage(sandbox.arm) as storage:
        account = storage.storage_accounts.get_properties("lake", "contosolake")
        assert account.is_hns_enabled
        assert [one.name for one in storage.storage_accounts.list()] == ["contosolake"]
        assert [one.name for one in storage.storage_accounts.list_by_resource_group("lake")] == ["contosolake"]
        with pytest.raises(ResourceNotFoundError):
            storage.blob_containers.get("lake", "contosolake", "fresh")
        storage.blob_containers.create("lake", "contosolake", "fresh", {})
        storage.blob_containers.create("lake", "contosolake", "fresh", {})
        assert storage.blob_containers.get("lake", "contosolake", "fresh").name == "fresh"
        assert [one.name for one in storage.blob_containers.list("lake", "contosolake")] == ["archive", "fresh"]
        policy = storage.blob_containers.get_immutability_policy("lake", "contosolake", "archive")
        assert policy.immutability_period_since_creation_in_days == 0


def test_resource_graph(sandbox):
    with clients.graph(sandbox.arm) as graph:
        query = (
            "resources | where type =~ 'microsoft.storage/storageaccounts' and name in~ ('CONTOSOLAKE', 'other') "
            "| project id, subscriptionId, resourceGroup, hns = properties.isHnsEnabled, properties.primaryEndpoints.dfs"
        )
        answer = graph.resources({"subscriptions": [SUBSCRIPTION], "query": query})
        assert answer.data == [
            {
                "id": ACCOUNT,
                "subscriptionId": SUBSCRIPTION,
                "resourceGroup": "lake",
                "hns": True,
                "properties_primaryEndpoints_dfs": "https://contosolake.dfs.core.windows.net/",
            }
        ]


def test_lists_come_in_pages(sandbox, recorder):
    sandbox.world.store.put("meta", ("paging",), {"size": 2})
    with clients.authorization(sandbox.arm) as authorization:
        names = [one.name for one in authorization.role_definitions.list(CLUSTER)]
    assert len(names) == len(set(names)) > 10
    assert len(recorder.exchanges) == (len(names) + 1) // 2
