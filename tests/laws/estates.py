"""Small estates with everything mixed, names and texts chosen to hurt."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

SUB = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups"
HEAD: dict[str, Any] = {
    "version": 1,
    "name": "laws",
    "cluster": {
        "uri": "https://telemetry.westeurope.kusto.windows.net",
        "resourceId": f"{SUB}/telemetry/providers/Microsoft.Kusto/clusters/telemetry",
        "identities": {
            "system": True,
            "exporter": f"{SUB}/telemetry/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter",
        },
    },
    "targets": {
        "blob": {"url": "https://contosoexport.blob.core.windows.net/events", "auth": "impersonate"},
        "lake": {"url": "abfss://archive@contosolake.dfs.core.windows.net/", "auth": "impersonate"},
        "folder": {
            "url": "https://contosolake.dfs.core.windows.net/shared/teams/a",
            "auth": "impersonate",
            "grant": "acl",
        },
        "dwh": {"server": "contoso.database.windows.net", "database": "Dwh", "auth": "impersonate"},
    },
    "principals": {
        "oncall": "aadgroup=6f0e9c1e-0000-4000-8000-000000000001;contoso.com",
        "robot": "aadapp=6f0e9c1e-0000-4000-8000-000000000005;contoso.com",
    },
}
NAMES = [
    "Events",
    "drop table",
    "with",
    "a.b",
    "-x-",
    "no",
    "1",
    ".drop",
    "to table",
    "Events2",
    "database",
    "_",
    "über"[1:],
]
TEXTS = [
    "",
    "plain",
    'say "hi"',
    "it's",
    "back\\slash",
    "```",
    "h@'x'",
    "{}",
    "</details>",
    "über | 系统 🦆",
    "a;b|c <| d",
    "// no",
    "x\ty",
]
COLUMNS = [
    "Timestamp:datetime, Level:string",
    "Timestamp:datetime, ['where']:string, Amount:decimal",
    "Timestamp:datetime, D:dynamic, G:guid",
]

names = st.sampled_from(NAMES)
texts = st.sampled_from(TEXTS)


def _some(draw: Any, **fields: Any) -> dict[str, Any]:
    """Each field present or not."""
    return {name: draw(strategy) for name, strategy in fields.items() if draw(st.booleans())}


@st.composite
def estates(draw: Any) -> dict[str, Any]:
    """The document of a valid spec: one or two databases with tables, functions, external tables, exports, roles."""
    databases = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    return {**HEAD, "databases": {name: draw(contents(databases)) for name in databases}}


@st.composite
def contents(draw: Any, databases: list[str]) -> dict[str, Any]:
    """One database."""
    tables: dict[str, Any] = {}
    for name in draw(st.lists(names, min_size=1, max_size=2, unique=True)):
        more = _some(draw, docString=texts, folder=texts, ingestionTimePolicy=st.just(True))
        tables[name] = {"columns": draw(st.sampled_from(COLUMNS)), **more}
    functions = {
        name: {
            "body": draw(st.sampled_from(["{ 1 }", "{ print x = 'a}b' }"])),
            **_some(draw, docString=texts, folder=texts),
        }
        for name in draw(st.lists(names, max_size=2, unique=True))
        if name not in tables
    }
    external: dict[str, Any] = {}
    exports: dict[str, Any] = {}
    for name in draw(st.lists(names, max_size=2, unique=True)):
        if name in tables or name in functions:
            continue
        fact = draw(st.sampled_from(sorted(tables)))
        external[name] = draw(outside(name, tables[fact]["columns"]))
        if draw(st.booleans()):
            exports[draw(names)] = draw(export(name, fact, databases))
    roles = {
        role: {
            "add": draw(st.lists(st.sampled_from(["oncall", "robot", "exporter"]), min_size=1, max_size=3, unique=True))
        }
        for role in draw(st.lists(st.sampled_from(["admins", "users", "viewers", "monitors"]), max_size=2, unique=True))
    }
    found = {"tables": tables, "functions": functions, "externalTables": external, "continuousExports": exports}
    return {key: value for key, value in {**found, "roles": roles}.items() if value}


@st.composite
def outside(draw: Any, name: str, columns: str) -> dict[str, Any]:
    """An external table."""
    target = draw(st.sampled_from(["blob", "lake", "folder", "dwh"]))
    common = {"columns": columns, "target": target, **_some(draw, docString=texts, folder=texts)}
    if target == "dwh":
        made = {"createIfNotExists": True, "primaryKey": "Timestamp"} if draw(st.booleans()) else {}
        table = f"dbo.T{NAMES.index(name)}"
        return {"kind": "sql", "table": table, **made, **common}
    form = draw(st.sampled_from(["csv", "json", "parquet", "tsv"]))
    more = _some(draw, path=st.just("p/q"), fileExtension=st.just(".x"))
    if draw(st.booleans()):
        more["partitions"] = [{"name": "Day", "type": "datetime", "startOfDay": "Timestamp"}]
        more |= _some(draw, pathFormat=st.just('"it\\"s=" datetime_pattern("yyyy/MM", Day)'))
    return {"kind": "storage", "dataFormat": form, **more, **common}


@st.composite
def export(draw: Any, to: str, fact: str, databases: list[str]) -> dict[str, Any]:
    """A continuous export."""
    who = draw(st.sampled_from(["system", "exporter"]))
    more = _some(
        draw,
        forcedLatency=st.sampled_from(["5m", "00:10:00"]),
        sizeLimit=st.sampled_from([100_000_000, 268_435_456]),
        distributed=st.booleans(),
        isDisabled=st.booleans(),
        policyScope=st.sampled_from(["cluster", "database"]),
        reads=st.lists(st.sampled_from(databases), min_size=1, max_size=2, unique=True),
        role=st.sampled_from(["viewers", "users"]),
    )
    interval = draw(st.sampled_from(["1m", "10m", "1d"]))
    return {
        "over": [fact],
        "to": to,
        "query": f"['{fact}']",
        "managedIdentity": who,
        "intervalBetweenRuns": interval,
        **more,
    }


def shuffled(value: Any, order: random.Random) -> Any:
    """The same document with its mappings, and the lists that are sets, in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {
            key: _set(value[key], order) if key in ("add", "over", "reads") else shuffled(value[key], order)
            for key in keys
        }
    return [shuffled(one, order) for one in value] if isinstance(value, list) else value


def _set(value: list[str], order: random.Random) -> list[str]:
    return order.sample(value, len(value))
