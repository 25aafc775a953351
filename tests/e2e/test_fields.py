"""Every field of an export and of an external table: changed by hand, it is reported by its name."""

from __future__ import annotations

import json

import pytest

from tests.ground import ground, spec_of
from tests.laws.estates import HEAD

COLUMNS = "Timestamp:datetime, Level:string, Amount:real"
ESTATE = {
    **HEAD,
    "targets": {
        **HEAD["targets"],
        "other": {"url": "https://contosoexport.blob.core.windows.net/other", "auth": "impersonate"},
    },
    "databases": {
        "Telemetry": {
            "tables": {"Events": {"columns": COLUMNS}, "More": {"columns": COLUMNS}},
            "externalTables": {
                "Out": {
                    "kind": "storage",
                    "columns": COLUMNS,
                    "target": "blob",
                    "path": "a",
                    "dataFormat": "csv",
                    "partitions": [{"name": "Day", "type": "datetime", "startOfDay": "Timestamp"}],
                    "pathFormat": 'datetime_pattern("yyyy/MM/dd", Day)',
                    "compressed": True,
                    "compressionType": "gzip",
                    "includeHeaders": "All",
                    "namePrefix": "p",
                    "fileExtension": ".csv.gz",
                    "encoding": "UTF8NoBOM",
                    "folder": "F",
                    "docString": "D",
                },
                "Out2": {"kind": "storage", "columns": COLUMNS, "target": "blob", "path": "b", "dataFormat": "csv"},
                "Sql": {
                    "kind": "sql",
                    "columns": COLUMNS,
                    "target": "dwh",
                    "table": "dbo.T",
                    "createIfNotExists": True,
                    "primaryKey": "Timestamp",
                    "fireTriggers": False,
                    "folder": "F",
                    "docString": "D",
                },
            },
            "continuousExports": {
                "Job": {
                    "over": ["Events"],
                    "to": "Out",
                    "query": "Events",
                    "managedIdentity": "exporter",
                    "intervalBetweenRuns": "10m",
                    "forcedLatency": "5m",
                    "sizeLimit": 200_000_000,
                    "distributed": True,
                    "distribution": "per_node",
                    "distributionKind": "uniform",
                    "parquetRowGroupSize": 50_000,
                    "isDisabled": False,
                }
            },
        }
    },
}

BLOB = {
    "uri": "https://contosoexport.blob.core.windows.net/other/a",
    "auth": "impersonate",
    "identity": None,
    "scheme": "https",
    "account": "contosoexport",
    "host": "contosoexport.blob.core.windows.net",
    "container": "other",
    "path": "a",
}
EXPORT = {
    "over": {"over": ["More"], "tables": [["Telemetry", "More"]]},
    "to": {"externalTable": "Out2"},
    "query": {"query": "Events | take 1"},
    "isDisabled": {"isDisabled": True},
}
EXPORT_PROPERTIES = {
    "intervalBetweenRuns": 77_000_000_000,
    "forcedLatency": 66_000_000_000,
    "sizeLimit": 300_000_000,
    "distributed": False,
    "distribution": "single",
    "distributionKind": "default",
    "parquetRowGroupSize": 60_000,
    "managedIdentity": "system",
}
TABLE = {
    "columns": {"columns": [["Timestamp", "datetime"], ["Level", "string"], ["Amount", "decimal"]]},
    "folder": {"folder": "elsewhere"},
    "docString": {"docString": "else"},
    "dataFormat": {"dataFormat": "tsv"},
    "connections": {"connections": [BLOB]},
    "partitions": {
        "partitions": [
            {"name": "Day", "type": "datetime", "function": "startofmonth", "column": "Timestamp", "argument": None}
        ]
    },
    "pathFormat": {"pathFormat": [["datetime_pattern", "yyyy", "Day"]]},
}
TABLE_PROPERTIES = {
    "compressed": False,
    "compressionType": "zstd",
    "includeHeaders": "None",
    "namePrefix": "q",
    "fileExtension": ".x",
    "encoding": "UTF8BOM",
}
SQL = {
    "columns": {"columns": [["Timestamp", "datetime"]]},
    "folder": {"folder": "elsewhere"},
    "docString": {"docString": "else"},
    "table": {"table": "dbo.Other"},
}
SQL_PROPERTIES = {"createIfNotExists": False, "primaryKey": "Level", "fireTriggers": True}
SQL_CONNECTION = {"server": "other.database.windows.net", "database": "Other"}


def cases():
    """(kind, name, field, change of the document)."""
    for kind, name, plain, properties in (
        ("continuous_export", "Job", EXPORT, EXPORT_PROPERTIES),
        ("external_table", "Out", TABLE, TABLE_PROPERTIES),
        ("external_table", "Sql", SQL, SQL_PROPERTIES),
    ):
        for field, change in plain.items():
            yield kind, name, field, lambda document, change=change: {**document, **change}
        for field, value in properties.items():
            yield (
                kind,
                name,
                field,
                lambda document, field=field, value=value: {
                    **document,
                    "properties": {**document["properties"], field: value},
                },
            )
    for field, value in SQL_CONNECTION.items():

        def connect(document, field=field, value=value):
            known = document["connection"]
            text = known["text"].replace(known[field], value)
            return {**document, "connection": {**known, field: value, "text": text}}

        yield "external_table", "Sql", "connection", connect


CASES = list(cases())


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    spec = spec_of(json.dumps(ESTATE), folder)
    with ground(folder, spec) as opened:
        left = opened.converge(spec)
        assert not left.actions, left.actions
        yield opened, spec, opened.snapshot(), opened.dump()


@pytest.mark.parametrize(
    ("kind", "name", "which", "change"),
    CASES,
    ids=[f"{name}-{which}-{n}" for n, (_, name, which, _) in enumerate(CASES)],
)
def test_a_field_changed_by_hand_is_reported(field, kind, name, which, change):
    opened, spec, snapshot, _ = field
    opened.restore(snapshot)
    ((key, document),) = [one for one in opened.store.all(kind) if one[0][-1] == name]
    opened.store.put(kind, key, change(document))
    plan = opened.plan(spec)
    changed = {
        part.field.split("[")[0]
        for action in plan.actions
        for one in action.changes
        if one.ref.kind == kind and one.ref.name[-1] == name
        for part in one.fields
    }
    assert which in changed, (changed, plan.findings)


def test_each_export_field_is_put_back(field):
    opened, spec, snapshot, goal = field
    opened.restore(snapshot)
    ((key, document),) = opened.store.all("continuous_export")
    changed = {**document["properties"], **EXPORT_PROPERTIES}
    opened.store.put("continuous_export", key, {**document, "properties": changed, "isDisabled": True})
    assert not opened.converge(spec).actions
    from tests.dumps import same

    same(opened.dump(), goal)


def test_a_property_that_the_spec_cannot_state_is_shown_and_kept(field):
    opened, spec, snapshot, _ = field
    opened.restore(snapshot)
    ((key, document),) = opened.store.all("continuous_export")
    properties = {**document["properties"], "concurrency": 4}
    opened.store.put("continuous_export", key, {**document, "properties": properties})
    plan = opened.plan(spec)
    assert not plan.actions
    assert ("note", "has concurrency=4, which the spec does not state: kept") in {
        (f.kind, f.message) for f in plan.findings
    }
    changed = {**properties, "intervalBetweenRuns": 77_000_000_000}
    opened.store.put("continuous_export", key, {**document, "properties": changed})
    (action,) = [one for one in opened.plan(spec).actions if one.requests]
    assert action.notes == ("kept: concurrency=4, which the spec does not state",)
    assert not opened.converge(spec).actions
    ((_, after),) = opened.store.all("continuous_export")
    assert after["properties"]["concurrency"] == 4
