"""The planes against the embedded sandbox: two halves written apart, one protocol between them."""

from __future__ import annotations

import pytest

from kxrecon.model import FUNCTIONS, Failure, Read, Request, Table
from kxrecon.planes import Wire
from kxrecon.planes.connect import connect
from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.forecast import Event, Forecast, Rule
from kxrecon.scope import Scope

URI = "https://telemetry.westeurope.kusto.windows.net"
SUB = "/subscriptions/22222222-2222-4222-8222-222222222222"
GROUP = f"{SUB}/resourceGroups/rg/providers"
CLUSTER = f"{GROUP}/Microsoft.Kusto/clusters/telemetry"
EXPORTER = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
ACCOUNT = f"{GROUP}/Microsoft.Storage/storageAccounts/contosolake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/archive"
CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
HOST = "contosolake.dfs.core.windows.net"
SERVER = "contoso.database.windows.net"

WORLD = {
    "version": 1,
    "clusters": [
        {
            "uri": URI,
            "resourceId": CLUSTER,
            "databases": {"Telemetry": {"tables": {"Events": {"columns": [["Timestamp", "datetime"]]}}}},
        }
    ],
    "identities": [{"resourceId": EXPORTER}],
    "storageAccounts": [
        {"name": "contosolake", "resourceId": ACCOUNT, "hierarchicalNamespace": True, "containers": ["archive"]}
    ],
    "sqlServers": [{"server": SERVER, "databases": {"Dwh": {"tables": {}}}}],
    "strict": False,
}


@pytest.fixture
def planes(tmp_path):
    with embed(tmp_path / "sandbox.db", WORLD) as ends:
        wire = Wire(name="sandbox:test", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
        made = connect(wire, Scope(cluster_uri=URI, cluster_id=CLUSTER), read_only=False)
        yield made
        for plane in made.values():
            plane.close()


def arm(text, **arguments):
    return Read("arm", "", text, tuple(arguments.items()))


def told(text, **body):
    return Request("arm", "", (text,), body, accepts=("RoleAssignmentExists",))


def test_kusto_reads_and_writes(planes):
    kusto = planes["kusto"]
    tables = kusto.read(Read("kusto", "Telemetry", ".show tables"))
    assert isinstance(tables, Table)
    assert [row[tables.index("TableName")] for row in tables.rows] == ["Events"]
    kusto.write(Request("kusto", "Telemetry", (".create-merge table Other (A:long)",)))
    after = kusto.read(Read("kusto", "Telemetry", ".show tables"))
    assert sorted(row[after.index("TableName")] for row in after.rows) == ["Events", "Other"]


def test_kusto_failures_are_told_apart(planes):
    missing = planes["kusto"].read(Read("kusto", "Nowhere", ".show tables"))
    assert isinstance(missing, Failure)
    assert missing.reason == "absent"
    wrong = planes["kusto"].read(Read("kusto", "Telemetry", ".show ingestion failures"))
    assert isinstance(wrong, Failure)
    assert wrong.reason == "failed"


def test_an_identity_is_attached_and_kept_when_the_system_identity_follows(planes):
    answer = planes["arm"].write(told("clusters.identity", resourceId=CLUSTER, ensure=[EXPORTER]))
    assert answer["identity"]["type"] == "UserAssigned"
    answer = planes["arm"].write(told("clusters.identity", resourceId=CLUSTER, ensure=["system"]))
    assert {one.strip() for one in answer["identity"]["type"].split(",")} == {"SystemAssigned", "UserAssigned"}
    attached = {key.lower(): ids for key, ids in answer["identity"]["userAssignedIdentities"].items()}
    own = planes["arm"].read(arm("userAssignedIdentities.get", resourceId=EXPORTER))
    assert attached[EXPORTER.lower()]["principalId"] == own["properties"]["principalId"]
    system = planes["arm"].read(arm("systemIdentity.get", scope=CLUSTER))
    assert system["properties"]["principalId"] == answer["identity"]["principalId"]
    assert system["properties"]["clientId"]
    gone = planes["arm"].write(told("clusters.identity", resourceId=CLUSTER, ensure=[], remove=[EXPORTER]))
    assert gone["identity"]["type"] == "SystemAssigned"
    assert gone["identity"]["principalId"] == answer["identity"]["principalId"]


def test_a_role_is_assigned_once_listed_and_taken_away(planes):
    answer = planes["arm"].write(told("clusters.identity", resourceId=CLUSTER, ensure=["system"]))
    principal = answer["identity"]["principalId"]
    definitions = planes["arm"].read(arm("roleDefinitions.list", scope=SUB, roleName="Storage Blob Data Contributor"))
    assert [row["name"] for row in definitions] == [CONTRIBUTOR]
    role = f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"
    name = FUNCTIONS["uuid5"](CONTAINER, principal, CONTRIBUTOR)
    properties = {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}
    create = told("roleAssignments.create", scope=CONTAINER, name=name, properties=properties)
    assert planes["arm"].write(create)["name"] == name
    planes["arm"].write(create)
    rows = planes["arm"].read(arm("roleAssignments.list", scope=SUB, assignedTo=principal))
    assert [(row["name"], row["properties"]["scope"].lower()) for row in rows] == [(name, CONTAINER.lower())]
    planes["arm"].write(told("roleAssignments.delete", scope=CONTAINER, name=name))
    planes["arm"].write(told("roleAssignments.delete", scope=CONTAINER, name=name))
    assert planes["arm"].read(arm("roleAssignments.list", scope=SUB, assignedTo=principal)) == []


def test_a_principal_of_the_cluster_comes_and_goes(planes):
    answer = planes["arm"].write(told("clusters.identity", resourceId=CLUSTER, ensure=["system"]))
    principal = answer["identity"]["principalId"]
    properties = {"principalId": principal, "principalType": "App", "role": "AllDatabasesViewer"}
    planes["arm"].write(told("clusterPrincipals.create", resourceId=CLUSTER, name="kxrecon-1", properties=properties))
    rows = planes["arm"].read(arm("clusterPrincipals.list", resourceId=CLUSTER))
    ours = [row for row in rows if row["properties"]["principalId"] == principal]
    assert [row["properties"]["role"] for row in ours] == ["AllDatabasesViewer"]
    planes["arm"].write(told("clusterPrincipals.delete", resourceId=CLUSTER, name="kxrecon-1"))
    rows = planes["arm"].read(arm("clusterPrincipals.list", resourceId=CLUSTER))
    assert not [row for row in rows if row["properties"]["principalId"] == principal]


def test_accounts_and_containers(planes):
    assert planes["arm"].read(arm("storageAccounts.get", resourceId=ACCOUNT))["properties"]["isHnsEnabled"] is True
    assert planes["arm"].read(arm("blobContainers.get", resourceId=CONTAINER))["name"] == "archive"
    missing = planes["arm"].read(arm("blobContainers.get", resourceId=CONTAINER + "2"))
    assert missing.reason == "absent"
    planes["arm"].write(told("blobContainers.create", resourceId=CONTAINER + "2"))
    rows = planes["arm"].read(arm("blobContainers.list", resourceId=ACCOUNT))
    assert sorted(row["name"] for row in rows) == ["archive", "archive2"]
    query = (
        "resources | where type =~ 'microsoft.storage/storageaccounts' and name in~ ('contosolake') | project id, name"
    )
    found = planes["arm"].read(arm("resources.query", subscriptions=SUB.rsplit("/", 1)[1], query=query))
    assert [row["id"].lower() for row in found["data"]] == [ACCOUNT.lower()]


def test_lists_of_the_lake(planes):
    oid = "6f0e9c1e-0000-4000-8000-000000000001"
    ensure = [
        {"scope": "access", "id": oid, "permissions": "rwx"},
        {"scope": "default", "id": oid, "permissions": "rwx"},
    ]
    body = {"filesystem": "archive", "path": "/", "ensure": ensure, "remove": []}
    answer = planes["adls"].write(Request("adls", HOST, ("acl.update",), body))
    assert f"user:{oid}:rwx" in answer["acl"]
    assert f"default:user:{oid}:rwx" in answer["acl"]
    read = planes["adls"].read(Read("adls", HOST, "acl.get", (("filesystem", "archive"), ("path", "/"))))
    assert read["acl"] == answer["acl"]
    body = {**body, "ensure": [], "remove": [{"scope": one["scope"], "id": oid} for one in ensure]}
    assert oid not in planes["adls"].write(Request("adls", HOST, ("acl.update",), body))["acl"]
    nowhere = planes["adls"].read(Read("adls", HOST, "acl.get", (("filesystem", "nowhere"), ("path", "/"))))
    assert nowhere.reason == "absent"


def test_sql_users_and_grants(planes):
    target = f"{SERVER}/Dwh"
    users = "SELECT p.name, p.principal_id, p.type, CONVERT(varchar(200), p.sid, 1) AS sid_hex FROM sys.database_principals AS p"
    sid = FUNCTIONS["sid"]("4024ab25-56a8-4370-a6be-000000000001")
    planes["sql"].write(Request("sql", target, (f"CREATE USER [exporter] WITH SID = {sid}, TYPE = E",)))
    planes["sql"].write(Request("sql", target, ("GRANT CREATE TABLE TO [exporter]",)))
    answer = planes["sql"].read(Read("sql", target, users))
    assert isinstance(answer, Table), answer
    shown = {row[answer.index("name")]: row[answer.index("sid_hex")] for row in answer.rows}
    assert shown["exporter"].upper() == sid.upper()


def test_a_read_only_look_sends_only_reads(tmp_path):
    lines = []
    with embed(tmp_path / "sandbox.db", WORLD) as ends:
        wire = Wire(name="sandbox:test", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
        made = connect(wire, Scope(cluster_uri=URI), read_only=True, record=lines.append)
        made["kusto"].read(Read("kusto", "Telemetry", ".show tables"))
        made["arm"].read(arm("clusters.get", resourceId=CLUSTER))
        for plane in made.values():
            plane.close()
    # The SDK remembers an address's metadata for the whole process, and ports come round again.
    assert [line.split()[0] for line in lines if not line.endswith("/auth/metadata")] == ["POST", "GET"]


STORM = tuple(
    Rule(Event(kind, retry_after=0.0 if kind == "throttled" else None), chance=0.12)
    for kind in ("throttled", "unavailable", "gateway-timeout-after", "cut-before", "cut-after")
)


@pytest.mark.parametrize("seed", range(5))
def test_in_a_storm_everything_that_may_be_repeated_arrives_once(tmp_path, seed):
    oid = "6f0e9c1e-0000-4000-8000-000000000001"
    ensure = [{"scope": "access", "id": oid, "permissions": "--x"}]
    with embed(tmp_path / "sandbox.db", WORLD, forecast=Forecast(STORM, seed)) as ends:
        wire = Wire(name="sandbox:test", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
        made = connect(wire, Scope(cluster_uri=URI), read_only=False)
        cluster = made["arm"].write(told("clusters.identity", resourceId=CLUSTER, ensure=["system", EXPORTER]))
        principal = cluster["identity"]["principalId"]
        properties = {
            "roleDefinitionId": f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}",
            "principalId": principal,
            "principalType": "ServicePrincipal",
        }
        name = FUNCTIONS["uuid5"](CONTAINER, principal, CONTRIBUTOR)
        made["arm"].write(told("roleAssignments.create", scope=CONTAINER, name=name, properties=properties))
        body = {"filesystem": "archive", "path": "/", "ensure": ensure}
        made["adls"].write(Request("adls", HOST, ("acl.update",), body))
        for number in range(5):
            made["kusto"].write(Request("kusto", "Telemetry", (f".create-merge table T{number} (A:long)",)))
        tables = made["kusto"].read(Read("kusto", "Telemetry", ".show tables"))
        rows = made["arm"].read(arm("roleAssignments.list", scope=SUB, assignedTo=principal))
        entries = made["adls"].read(Read("adls", HOST, "acl.get", (("filesystem", "archive"), ("path", "/"))))
        for plane in made.values():
            plane.close()
    assert len(tables.rows) == 6
    assert [row["name"] for row in rows] == [name]
    assert entries["acl"].count(oid) == 1
