"""Every value that a spec may spell in several ways: another spelling of the same is no difference.

The estate of ``test_fields`` is applied as it stands; then each part of it is written otherwise, and the plan has to
be empty.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.e2e.test_fields import COLUMNS, ESTATE
from tests.ground import ground, spec_of

DATABASE = "databases.Telemetry"
GROUP = "6f0e9c1e-0000-4000-8000-000000000001"
ROBOT = "6f0e9c1e-0000-4000-8000-000000000009"
READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"


def wide() -> dict[str, Any]:
    """The estate with everything else that a spec may hold."""
    estate = deepcopy(ESTATE)
    estate["principals"]["oncall"] = f"aadgroup={GROUP};contoso.com"
    estate["cluster"]["roles"] = {"AllDatabasesViewer": {"add": ["oncall"]}}
    scope = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/data"
    estate["roleAssignments"] = {"r": {"principal": "oncall", "role": "Storage Blob Data Reader", "scope": scope}}
    estate["targets"]["dwh"] |= {"extra": ["SELECT"], "userName": "exporter-user"}
    database = estate["databases"]["Telemetry"]
    database["roles"] = {"viewers": {"add": ["oncall", "aaduser=abbi@contoso.com", f"aadapp={ROBOT};contoso.com"]}}
    database["managedIdentityPolicy"] = {"exporter": ["AutomatedFlows", "ExternalTable"]}
    database["functions"] = {
        "F": {
            "parameters": "(minimum:long, T:(a:string))",
            "body": "Events | where Amount > minimum",
            "docString": "it's",
        }
    }
    lake = {"kind": "storage", "columns": COLUMNS, "dataFormat": "parquet"}
    database["externalTables"]["Lake"] = {
        **lake,
        "target": "lake",
        "path": "x/y",
        "partitions": [
            {"name": "H", "type": "datetime", "bin": "Timestamp", "by": "1h"},
            {"name": "B", "type": "long", "hash": "Level", "by": 10},
            {"name": "L", "type": "string", "column": "Level"},
        ],
        "pathFormat": 'datetime_pattern("yyyy/MM/dd/HH", H) "/b=" B "/" L',
    }
    database["externalTables"]["Acl"] = {**lake, "target": "folder"}
    job = {"over": ["Events"], "query": "Events", "managedIdentity": "exporter", "intervalBetweenRuns": "1d"}
    tables = {"ToLake": "Lake", "ToAcl": "Acl", "ToSql": "Sql"}
    database["continuousExports"] |= {name: {**job, "to": table} for name, table in tables.items()}
    return estate


def hourly(by: str) -> Any:
    return lambda known: [{**known[0], "by": by}, *known[1:]]


OUT, SQL, JOB = (f"{DATABASE}.{part}" for part in ("externalTables.Out", "externalTables.Sql", "continuousExports.Job"))
SAME: dict[str, list[tuple[str, Any]]] = {
    "cluster.uri": [
        ("cluster.uri", "https://Telemetry.WestEurope.kusto.windows.net/"),
        ("cluster.uri", "https://telemetry.westeurope.kusto.windows.net:443"),
    ],
    "cluster.resourceId": [
        ("cluster.resourceId", lambda known: known.replace("resourceGroups", "resourcegroups").replace("Microsoft", "microsoft")),
    ],
    "cluster.identities": [("cluster.identities.exporter", lambda known: known.lower())],
    "targets.url": [
        ("targets.blob.url", "https://ContosoExport.Blob.Core.Windows.Net:443/events/"),
        ("targets.blob.url", "https://contosoexport.blob.core.windows.net/events//"),
        ("targets.lake.url", "https://contosolake.dfs.core.windows.net/archive"),
        ("targets.lake.url", "abfss://archive@ContosoLake.dfs.core.windows.net"),
    ],
    "targets.server": [
        ("targets.dwh.server", "CONTOSO.database.windows.net"),
    ],
    "tables.columns": [
        (f"{DATABASE}.tables.Events.columns", {"Timestamp": "date", "Level": "string", "Amount": "double"}),
        (f"{DATABASE}.tables.Events.columns", " ['Timestamp'] : datetime ,Level:string,[\"Amount\"]:real"),
    ],
    "external.columns": [(f"{OUT}.columns", {"Timestamp": "date", "Level": "string", "Amount": "double"})],
    "external.path": [(f"{OUT}.path", "/a/"), (f"{OUT}.path", "a/")],
    "external.pathFormat": [
        (f"{OUT}.pathFormat", "datetime_pattern('yyyy/MM/dd',Day)"),
        (f"{OUT}.pathFormat", '(datetime_pattern("yyyy/MM/dd",  ["Day"]))'),
        (f"{OUT}.pathFormat", 'datetime_pattern(@"yyyy/MM/dd", Day)'),
    ],
    "external.table": [
        (f"{SQL}.table", "[dbo].[T]"), (f"{SQL}.table", "dbo.[T]"), (f"{SQL}.table", '"dbo"."T"'), (f"{SQL}.table", " dbo . T "),
    ],
    "external.connections": [
        (f"{OUT}", lambda known: {**{k: v for k, v in known.items() if k not in ("target", "path")}, "connections": ["https://ContosoExport.blob.core.windows.net/events/a/;Impersonate"]}),
        (f"{SQL}", lambda known: {**{k: v for k, v in known.items() if k != "target"}, "connections": ['Data Source=contoso.database.windows.net; Initial Catalog=Dwh ;authentication="Active Directory Integrated";']}),
    ],
    "export.intervals": [
        (f"{JOB}.intervalBetweenRuns", "00:10:00"), (f"{JOB}.intervalBetweenRuns", "600s"), (f"{JOB}.intervalBetweenRuns", "10min"),
        (f"{JOB}.intervalBetweenRuns", "0.00:10:00.0000000"), (f"{JOB}.intervalBetweenRuns", "time(10m)"), (f"{JOB}.intervalBetweenRuns", "10minutes"),
        (f"{JOB}.intervalBetweenRuns", "timespan(10 minutes)"), (f"{JOB}.intervalBetweenRuns", "600 seconds"),
        (f"{JOB}.forcedLatency", "300000ms"),
    ],
    "principals": [
        ("principals.oncall", f"AADGROUP={GROUP.upper()};Contoso.com"),
        ("principals.oncall", f" aadgroup = {GROUP} ; contoso.com "),
        (f"{DATABASE}.roles.viewers.add", ["oncall", "AADUser=Abbi@Contoso.com", f"aadapp={ROBOT.upper()}"]),
        (f"{DATABASE}.roles.viewers.add", [f"aadgroup={GROUP}", "aaduser=abbi@contoso.com;contoso.com", f"aadapp={ROBOT}"]),
    ],
    "policy": [(f"{DATABASE}.managedIdentityPolicy.exporter", ["ExternalTable", "AutomatedFlows"])],
    "assignments": [
        ("roleAssignments.r.role", READER.upper()), ("roleAssignments.r.role", "storage blob data reader"),
        ("roleAssignments.r.scope", lambda known: known.replace("resourceGroups", "resourcegroups")),
    ],
    "functions": [
        (f"{DATABASE}.functions.F.parameters", " ( minimum : int64 , T : ( a : string ) ) "),
        (f"{DATABASE}.functions.F.body", "{ Events | where Amount > minimum }"),
        (f"{DATABASE}.functions.F.body", "{\r\n    Events | where Amount > minimum  \r\n}\r\n"),
    ],
    "partitions": [(f"{DATABASE}.externalTables.Lake.partitions", hourly(by)) for by in ("60m", "01:00:00", "3600s")],
    "lake.path": [
        (f"{DATABASE}.externalTables.Lake.path", "//x/y//"),
        (f"{DATABASE}.externalTables.Lake.pathFormat", "datetime_pattern('yyyy/MM/dd/HH',H)'/b='B'/'L"),
        (f"{DATABASE}.externalTables.Lake.pathFormat", """datetime_pattern('yyyy/MM/dd/HH',['H']) "/" 'b=' B '/' L"""),
        ("targets.folder.url", "https://contosolake.dfs.core.windows.net/shared/teams/a/"),
        ("targets.folder.url", "abfss://shared@contosolake.dfs.core.windows.net/teams/a"),
    ],
    "days": [(f"{DATABASE}.continuousExports.ToLake.intervalBetweenRuns", day) for day in ("24h", "1.00:00:00", "1440m")],
    "export.query": [(f"{JOB}.query", "  Events  "), (f"{JOB}.query", "Events\n"), (f"{JOB}.query", "\r\nEvents\r\n")],
}  # fmt: skip
CASES = [(name, path, value) for name, cases in SAME.items() for path, value in cases]


def written(path: str, value: Any) -> dict[str, Any]:
    """The estate with one value written otherwise."""
    document = wide()
    *steps, last = path.split(".")
    here = document
    for step in steps:
        here = here.setdefault(step, {})
    here[last] = value(here[last]) if callable(value) else value
    return document


@pytest.fixture(scope="module")
def applied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spellings")
    spec = spec_of(json.dumps(wide()), folder)
    with ground(folder, spec) as opened:
        assert not opened.converge(spec).actions
        yield opened, folder


@pytest.mark.parametrize(("name", "path", "value"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_another_spelling_is_no_difference(applied, name, path, value):
    opened, folder = applied
    spec = spec_of(json.dumps(written(path, value)), folder)
    plan = opened.plan(spec)
    assert not plan.actions, [
        (one.ref, part) for action in plan.actions for one in action.changes for part in one.fields or [one.verb]
    ]
