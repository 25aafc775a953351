"""Import, then plan, is empty: over generated estates, under both settings of everything that nobody knows for sure."""

from __future__ import annotations

import json
import typing
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kxrecon.planes import Wire
from kxrecon.planes.connect import connect
from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.switches import Switches
from kxrecon.scope import Scope
from kxrecon.takeover import trial
from kxrecon.takeover.estate import take_over
from kxrecon.takeover.survey import Remembered
from kxrecon.takeover.targets import Targets

from .raw import CLUSTER, Estate, Feed

NAMES = ("Archive", "to-lake", "Hourly feed", "x_2", "null", "true", "123", "a.b", "1.0", "y")
QUERIES = (
    "Events",
    "Events | where Level != 'Debug' and Message !contains \"${x}\"",
    "Events\n| where Level == 'Error'  // a comment: with # marks\n| project Timestamp, Level, Message",
    "Kept()",
    "Events | join kind=inner (database('Reference').Logs) on Level | project Timestamp, Level, Message",
    "union Events, ['odd name'] | project Timestamp, Level, Message",
)
PROPERTIES = (
    "",
    "intervalBetweenRuns=1h, forcedLatency=5m",
    "sizeLimit=209715200, distributed=false",
    "distribution='per_shard', distributionKind='uniform', parquetRowGroupSize=1000",
    "isDisabled=true",
)
TABLE_PROPERTIES = (
    "",
    "with (folder='Export/Lake', docstring='what \"they\" want: all')",
    "with (docstring='two\\nlines')",
)
TEXT_PROPERTIES = ("", "with (includeHeaders='All', compressed=true)", "with (encoding='UTF8BOM', namePrefix='ev_')")


@st.composite
def feeds(draw):
    place = draw(st.sampled_from(("role", "acl", "sql")))
    identity = draw(st.sampled_from(("exporter", "system", "other", None)))
    query = draw(st.sampled_from(QUERIES))
    if "database(" in query:
        identity = identity or "exporter"  # the service demands one
    data_format = draw(st.sampled_from(("parquet", "csv", "json")))
    properties = TABLE_PROPERTIES + (TEXT_PROPERTIES if data_format == "csv" and place != "sql" else ())
    missing = draw(st.sampled_from((frozenset(), frozenset(), frozenset({"target"}))))
    return Feed(
        name=draw(st.sampled_from(NAMES)),
        identity=identity if place != "sql" else identity or "exporter",
        place=place if identity else "role",
        auth=draw(st.sampled_from(("impersonate", "impersonate", "managed_identity"))),
        data_format=data_format,
        partitioned=draw(st.booleans()),
        properties=draw(st.sampled_from(PROPERTIES)),
        table_properties=draw(st.sampled_from(properties)),
        query=query,
        over=draw(st.booleans()),
        missing=missing,
    )


ESTATES = st.lists(feeds(), min_size=1, max_size=5, unique_by=lambda feed: feed.name)
SETTINGS = [{}] + [
    {one.name: value}
    for one in fields(Switches)
    for value in typing.get_args(typing.get_type_hints(Switches)[one.name]) or (True, False)
    if value != one.default and one.name != "strict"
]


class Counted:
    """A plane that counts what it is asked, and fails the test if something is written."""

    def __init__(self, plane):
        self.plane, self.reads = plane, 0

    def read(self, read):
        self.reads += 1
        return self.plane.read(read)

    def write(self, request):
        raise AssertionError(f"import wrote {request}")

    def close(self):
        self.plane.close()


def taken(ends, **wanted):
    scope = Scope(name="taken", cluster_uri=CLUSTER)
    wire = Wire(name="sandbox", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
    clients = {name: Counted(client) for name, client in connect(wire, scope, read_only=True).items()}
    try:
        return take_over(scope, clients, **wanted), clients
    finally:
        for client in clients.values():
            client.close()


def planned_afresh(ends, result):
    """What a plan says that remembers nothing of the import."""
    spec = trial.loaded("taken.yaml", result.text, result.files)
    wire = Wire(name="sandbox", kusto=ends.kusto, arm=ends.arm, dfs=ends.dfs, sql=ends.sql)
    clients = connect(wire, spec.scope, read_only=True)
    try:
        seen = replace(result.seen, planes={name: Remembered(client) for name, client in clients.items()})
        return spec, trial.planned(spec, seen)
    finally:
        for client in clients.values():
            client.close()


def estate_of(folder, feeds, name="s.db", **setting):
    from contextlib import contextmanager

    @contextmanager
    def opened():
        with embed(folder / name) as bare:
            Estate(bare, **setting)
        with embed(folder / name) as ends:
            estate = Estate(ends)
            estate.function("Inner", "Events\n| project Timestamp, Level, Message")
            estate.function("Kept", "Inner() | where Level != 'Debug'")
            for feed in feeds:
                estate.feed(feed)
            yield ends

    return opened()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: json.dumps(one))
def test_import_then_plan_is_empty(setting, tmp_path_factory):
    examples = 8 if setting in ({}, {"impersonate_shown": "visible"}) else 2

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(ESTATES, st.sampled_from(("", "impersonate", "key")))
    def law(feeds, stated):
        with estate_of(tmp_path_factory.mktemp("estate"), feeds, **setting) as ends:
            result, _ = taken(ends, targets=Targets(stated=stated))
            assert result.residue == (), result.text
            spec, plan = planned_afresh(ends, result)
            assert plan.actions == (), result.text
            for entity in result.seen.state.of_kind("continuous_export"):
                stated = spec.desired.entities[entity.ref].fields if entity.ref in spec.desired.entities else {}
                assert entity.ref in spec.desired.entities, result.left_out
                for name, value in stated.items():
                    assert entity.fields[name] == value, (entity.ref, name)

    law()
