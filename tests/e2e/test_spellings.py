"""Every value that a spec may spell in several ways: another spelling of the same is no difference.

The estate of ``test_fields`` is applied as it stands; then each part of it is written otherwise, and the plan has to
be empty.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.e2e.test_fields import ESTATE
from tests.ground import ground, spec_of

DATABASE = "databases.Telemetry"
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
    "export.query": [(f"{JOB}.query", "  Events  "), (f"{JOB}.query", "Events\n"), (f"{JOB}.query", "\r\nEvents\r\n")],
}  # fmt: skip
CASES = [(name, path, value) for name, cases in SAME.items() for path, value in cases]


def written(path: str, value: Any) -> dict[str, Any]:
    """The estate with one value written otherwise."""
    document = deepcopy(ESTATE)
    *steps, last = path.split(".")
    here = document
    for step in steps:
        here = here.setdefault(step, {})
    here[last] = value(here[last]) if callable(value) else value
    return document


@pytest.fixture(scope="module")
def applied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spellings")
    spec = spec_of(json.dumps(ESTATE), folder)
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
