"""Generated estates: a spec of N entities, and the answers that a converged cluster gives to it.

One feed is four entities: a table of ten columns, an external table of five with a partition, a
continuous export, and a group in a role. Answers have the services' reply shapes (JSON in JSON).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kxrecon.model import Answer, Failure, Read, Table

SUBSCRIPTION = "/subscriptions/22222222-0000-4000-8000-000000000000"
CLUSTERS = f"{SUBSCRIPTION}/resourceGroups/data/providers/Microsoft.Kusto/clusters"
CLUSTER = f"{CLUSTERS}/telemetry"
ACCOUNT = f"{SUBSCRIPTION}/resourceGroups/lake/providers/Microsoft.Storage/storageAccounts/contosolake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/archive"
TENANT = "99999999-0000-4000-8000-000000000000"
SYSTEM = "11111111-0000-4000-8000-000000000000"
WRITER = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
TYPES = ("datetime", "string", "string", "long", "real", "dynamic", "guid", "bool", "int", "timespan")
EXPORTED = 5


def group_id(number: int) -> str:
    """The object id of the group that feed ``number`` lets in."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"group{number}"))


@dataclass(frozen=True)
class Estate:
    """``feeds`` feeds, spread evenly over ``databases``; ``cluster`` is the first part of the cluster's address."""

    feeds: int
    databases: int = 7
    cluster: str = "telemetry"

    def of(self, database: int) -> range:
        """The feeds of one of the databases, by number."""
        return range(database, self.feeds, self.databases)

    def spec(self, changed: float = 0.0) -> str:
        """YAML; ``changed`` is the share of exports whose interval differs from the cluster."""
        every = round(1 / changed) if changed else 0
        head = HEAD.replace("://telemetry.", f"://{self.cluster}.").replace(CLUSTER, f"{CLUSTERS}/{self.cluster}")
        return head + "".join(_database(self.of(number), number, every) for number in range(self.databases))

    def answer(self, read: Read) -> Answer:
        """What a cluster that is as the spec wants it answers to a read."""
        if read.plane == "arm":
            return _arm(read)
        if read.plane != "kusto":
            return Failure("absent", "no such plane in this estate")
        mine = self.of(int(read.target[2:])) if read.target.startswith("Db") else range(0)
        answering = next(function for words, function in _ANSWERS.items() if words in read.text)
        return answering(read, mine)


HEAD = f"""version: 1
cluster:
  uri: https://telemetry.westeurope.kusto.windows.net
  resourceId: {CLUSTER}
  identities: {{ system: true }}
targets:
  lake:
    url: https://contosolake.blob.core.windows.net/archive
    auth: impersonate
    resourceId: {ACCOUNT}
databases:
"""


def _database(mine: range, database: int, every: int) -> str:
    groups = "".join(f"          - aadgroup={group_id(number)};{TENANT}\n" for number in mine)
    return (
        f"  Db{database}:\n    roles:\n      ingestors:\n        add:\n{groups}"
        + "    tables:\n" + "".join(_table(number) for number in mine)
        + "    externalTables:\n" + "".join(_external_table(number) for number in mine)
        + "    continuousExports:\n" + "".join(_export(number, every) for number in mine)
    )  # fmt: skip


def _columns(count: int) -> str:
    return "".join(f"          c{index}: {kind}\n" for index, kind in enumerate(TYPES[:count]))


def _table(number: int) -> str:
    return (
        f"      T{number}:\n        columns:\n{_columns(len(TYPES))}"
        f"        folder: feeds/{number % 50}\n        docString: Events of feed {number}\n"
    )


def _external_table(number: int) -> str:
    return (
        f"      X{number}:\n        kind: storage\n        target: lake\n        path: feed{number}\n"
        f"        columns:\n{_columns(EXPORTED)}        dataFormat: parquet\n        partitions:\n"
        "          - name: Day\n            type: datetime\n            startOfDay: c0\n"
        '        pathFormat: datetime_pattern("yyyy/MM/dd", Day)\n        folder: lake\n'
    )


def _export(number: int, every: int) -> str:
    interval = "17m" if every and number % every == 0 else "10m"
    return (
        f"      E{number}:\n        over: [ T{number} ]\n        to: X{number}\n        managedIdentity: system\n"
        f"        query: |\n          T{number}\n          | where c3 > {number}\n          | project c0, c1, c2, c3, c4\n"
        f"        intervalBetweenRuns: {interval}\n        forcedLatency: 10m\n        sizeLimit: 104857600\n"
        "        distributed: false\n        isDisabled: false\n"
    )


POLICY_COLUMNS = ("PolicyName", "EntityName", "Policy", "ChildEntities", "EntityType")
EXTERNAL_COLUMNS = (
    "TableName", "TableType", "Folder", "DocString", "Properties", "ConnectionStrings", "Partitions", "PathFormat",
)  # fmt: skip
EXPORT_COLUMNS = (
    "Name", "ExternalTableName", "Query", "ForcedLatency", "IntervalBetweenRuns", "CursorScopedTables",
    "ExportProperties", "LastRunTime", "StartCursor", "IsDisabled", "LastRunResult", "ExportedTo", "IsRunning",
)  # fmt: skip
PRINCIPAL_COLUMNS = (
    "Role", "PrincipalType", "PrincipalDisplayName", "PrincipalObjectId", "PrincipalFQN", "Notes",
    "RoleAssignmentIdentifier",
)  # fmt: skip
_NET = {
    "datetime": "System.DateTime", "string": "System.String", "long": "System.Int64", "real": "System.Double",
    "dynamic": "System.Object", "guid": "System.Guid", "bool": "System.SByte", "int": "System.Int32",
    "timespan": "System.TimeSpan",
}  # fmt: skip


def _ordered(count: int) -> str:
    parts = (f'{{"Name":"c{i}","Type":"{_NET[t]}","CslType":"{t}"}}' for i, t in enumerate(TYPES[:count]))
    return f'"OrderedColumns":[{",".join(parts)}]'


def _schema(database: str, mine: range) -> str:
    ten, five = _ordered(len(TYPES)), _ordered(EXPORTED)
    tables = ",".join(
        f'"T{n}":{{"Name":"T{n}","Folder":"feeds/{n % 50}","DocString":"Events of feed {n}",{ten}}}' for n in mine
    )
    external = ",".join(f'"X{n}":{{"Name":"X{n}","Folder":"lake","DocString":"",{five}}}' for n in mine)
    return (
        f'{{"Databases":{{"{database}":{{"Name":"{database}","Tables":{{{tables}}},"ExternalTables":{{{external}}},'
        '"MaterializedViews":{},"EntityGroups":{},"Functions":{},"MajorVersion":5,"MinorVersion":7}}}'
    )


def _external_row(number: int) -> list[Any]:
    return [
        f"X{number}", "Blob", "lake", "",
        '{"Format":"Parquet","Compressed":false,"CompressionType":null,"FileExtension":null,'
        '"IncludeHeaders":"None","Encoding":null,"NamePrefix":null}',
        f'["https://contosolake.blob.core.windows.net/archive/feed{number};*******"]',
        '[{"Function":"StartOfDay","Name":"Day","ColumnName":"c0","Ordinal":0}]',
        'datetime_pattern("yyyy/MM/dd",Day)',
    ]  # fmt: skip


def _export_row(database: str, number: int) -> list[Any]:
    query = f"T{number}\n| where c3 > {number}\n| project c0, c1, c2, c3, c4"
    return [
        f"E{number}", f"X{number}", query, "00:10:00", "00:10:00", f"[\n  \"['{database}'].['T{number}']\"\n]",
        '{\n  "SizeLimit": 104857600,\n  "Distributed": false,\n  "ManagedIdentity": "system"\n}',
        "2026-11-01T00:00:00Z", "636751928823156645", False, "Completed", "2026-11-01T00:00:00Z", False,
    ]  # fmt: skip


def _principal_rows(database: str, mine: range) -> Iterator[list[Any]]:
    for number in mine:
        oid = group_id(number)
        role = f"Database {database} Ingestor"
        yield [role, "Microsoft Entra group", f"group {number}", oid, f"aadgroup={oid};{TENANT}", "", ""]
    role = f"Database {database} Viewer"
    yield [role, "AAD Application", "telemetry", SYSTEM, f"aadapp={SYSTEM};{TENANT}", "kxrecon/spec", ""]


def _policy(read: Read) -> Answer:
    entry = f'[{{"ObjectId":"{SYSTEM}","IsSystem":true,"AllowedUsages":"AutomatedFlows"}}]'
    if not read.target:
        return Table(POLICY_COLUMNS, [["ManagedIdentityPolicy", "", "null", "[]", "Cluster"]])
    return Table(POLICY_COLUMNS, [["ManagedIdentityPolicy", f"[{read.target}]", entry, "[]", "Database"]])


def _script(number: int) -> str:
    return (
        f".create-or-alter continuous-export E{number} over (T{number}) to table X{number} with "
        f"(forcedLatency=time(00:10:00), intervalBetweenRuns=time(00:10:00), sizeLimit=104857600, distributed=False, "
        f'managedIdentity="system") <| T{number}\n| where c3 > {number}\n| project c0, c1, c2, c3, c4'
    )


def _arm(read: Read) -> Answer:
    if read.text == "clusters.get":
        return {
            "id": CLUSTER, "name": "telemetry", "location": "West Europe", "etag": '"1"',
            "identity": {"type": "SystemAssigned", "principalId": SYSTEM, "tenantId": TENANT},
            "properties": {"state": "Running", "provisioningState": "Succeeded"},
        }  # fmt: skip
    if read.text == "roleAssignments.list":
        properties = {
            "scope": CONTAINER, "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{WRITER}",
            "principalId": SYSTEM, "principalType": "ServicePrincipal", "description": "kxrecon/spec",
        }  # fmt: skip
        return [{"id": f"{CONTAINER}/providers/x/y", "name": str(uuid.UUID(int=1)), "properties": properties}]
    return Failure("absent", f"{read.text} is not in this estate")


def _ingestion_time(database: str, mine: range) -> list[list[str]]:
    return [["IngestionTimePolicy", f"[{database}].[T{n}]", '{"IsEnabled": true}', "", "Table"] for n in mine]


def _unset(read: Read, mine: range) -> Answer:
    return Table(POLICY_COLUMNS, [["Policy", f"[{read.target}].[T{n}]", "null", "", "Table"] for n in mine])


_ANSWERS: dict[str, Callable[[Read, range], Answer]] = {
    "policy managed_identity": lambda read, mine: _policy(read),
    "schema as json": lambda read, mine: Table(("DatabaseSchema",), [[_schema(read.target, mine)]]),
    ".show external tables": lambda read, mine: Table(EXTERNAL_COLUMNS, [_external_row(number) for number in mine]),
    ".show continuous-exports": lambda read, mine: Table(
        EXPORT_COLUMNS, [_export_row(read.target, number) for number in mine]
    ),
    "principal roles": lambda read, mine: Table(
        ("Scope", "DisplayName", "AADObjectID", "Role"), [[read.target, "pipeline", TENANT, "Admin"]]
    ),
    "principals": lambda read, mine: Table(PRINCIPAL_COLUMNS, list(_principal_rows(read.target, mine))),
    "ingestiontime": lambda read, mine: Table(POLICY_COLUMNS, _ingestion_time(read.target, mine)),
    "restricted_view_access": _unset,
    "row_level_security": _unset,
    ".show functions": lambda read, mine: Table(("Name", "Parameters", "Body", "Folder", "DocString"), []),
    "csl script": lambda read, mine: Table(("DatabaseSchemaScript",), [[_script(number)] for number in mine]),
}
