"""A failed read is no absence: what could not be read is never created, changed, deleted or called needless.

The answers of one plan are recorded; then any of them is a failure, and the rest of the way is walked again.
"""

from __future__ import annotations

import itertools
import json
import random

import pytest

from kxrecon.commands import _flow
from kxrecon.derive import derive
from kxrecon.model import Failure
from kxrecon.observe import observe
from kxrecon.plan import Circumstances, draft
from tests.ground import ground, spec_of
from tests.laws.estates import HEAD
from tests.laws.test_laws import damage

COLUMNS = "Timestamp:datetime, Level:string"
EXPORT = {"over": ["Events"], "managedIdentity": "exporter", "intervalBetweenRuns": "10m", "query": "Events"}
OUT = {"kind": "storage", "columns": COLUMNS, "dataFormat": "csv"}
ALL = {"grants": "owned", "identities": "all", "continuousExports": "owned", "externalTables": "all"}
DOCUMENT = {
    **HEAD,
    "prune": {**ALL, "tables": "all", "functions": "all"},
    "databases": {
        "Reference": {"tables": {"Regions": {"columns": "Region:string"}}},
        "Telemetry": {
            "roles": {"monitors": {"exact": ["exporter", "oncall"]}, "ingestors": {"add": ["robot"]}},
            "tables": {"Events": {"columns": COLUMNS}},
            "functions": {"Far": {"body": "{ Events | where Level in (database('Reference').Regions) }"}},
            "externalTables": {
                "Blob": {**OUT, "target": "blob"},
                "Lake": {**OUT, "target": "lake"},
                "Folder": {**OUT, "target": "folder"},
                "Sql": {"kind": "sql", "columns": COLUMNS, "target": "dwh", "table": "dbo.T"},
            },
            "continuousExports": {
                "ToBlob": {**EXPORT, "to": "Blob", "query": "Far()"},
                "ToLake": {**EXPORT, "to": "Lake", "managedIdentity": "system"},
                "ToFolder": {**EXPORT, "to": "Folder"},
                "ToSql": {**EXPORT, "to": "Sql"},
            },
        },
    },
}
THEIRS = (
    ".create-or-alter function Theirs() { Events | where Level in (database('Reference').Regions) }",
    f".create-or-alter external table TheirOut ({COLUMNS}) kind=storage dataformat=csv"
    " (h@'https://contosoexport.blob.core.windows.net/theirs;impersonate')",
    ".create-or-alter continuous-export TheirJob over (Events) to table TheirOut"
    " with (managedIdentity='11111111-aaaa-4aaa-8aaa-111111111111', intervalBetweenRuns=10m) <| Theirs()",
)


class Recorded:
    """One plane of a recording: what was not asked then is not known, and some answers are failures."""

    def __init__(self, plane, answers, blind=frozenset(), reason="failed") -> None:
        self.plane, self.answers, self.blind, self.reason = plane, answers, blind, reason

    def read(self, read):
        if read in self.blind:
            return Failure(self.reason, "a bad day")
        if read not in self.answers:
            self.answers[read] = self.plane.read(read)
        return self.answers[read]


class Eyes:
    """Plans over a recording."""

    def __init__(self, opened, spec) -> None:
        self.opened, self.spec = opened, spec
        self.answers = {}
        self.whole = self.plan()
        self.reads = sorted(self.answers, key=str)

    def plan(self, blind=frozenset(), reason="failed"):
        planes = {name: Recorded(plane, self.answers, blind, reason) for name, plane in self.opened.readers.items()}
        seen = observe(_flow.surroundings(self.spec), planes)
        derived = derive(self.spec.desired, seen.state, seen.scope)
        return draft(derived, seen.state, seen.scope, Circumstances(allow=self.spec.allow))


def touched(plan) -> set:
    return {(change.verb, change.ref) for action in plan.actions for change in action.changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("blindness")


@pytest.fixture(scope="module")
def opened(folder):
    spec = spec_of(json.dumps(DOCUMENT), folder)
    with ground(folder, spec) as made:
        without = json.dumps({**DOCUMENT, "prune": {}})
        assert not made.converge(spec_of(without, folder)).actions
        for command in THEIRS:
            made.kql(command)
        yield made


@pytest.fixture(scope="module")
def converged(opened, folder):
    document = {**DOCUMENT, "prune": {**ALL, "continuousExports": "owned", "externalTables": "owned"}}
    eyes = Eyes(opened, spec_of(json.dumps(document), folder))
    assert not eyes.whole.actions, touched(eyes.whole)
    assert len(eyes.reads) > 25
    return eyes


def blindnesses(reads, count):
    """Each read alone, each kind of read alone, and random sets of them."""
    yield from (frozenset({read}) for read in reads)
    for _, group in itertools.groupby(
        sorted(reads, key=lambda one: (one.plane, one.text)), lambda one: (one.plane, one.text)
    ):
        yield frozenset(group)
    for seed in range(count):
        order = random.Random(seed)
        chance = order.choice((0.05, 0.2, 0.5))
        yield frozenset(read for read in reads if order.random() < chance)


@pytest.mark.parametrize("reason", ["failed", "denied", "unreachable"])
def test_what_is_as_wanted_stays_so_whatever_cannot_be_read(converged, reason):
    for blind in blindnesses(converged.reads, 60):
        plan = converged.plan(blind, reason)
        told = [
            one
            for one in plan.findings
            if one.kind in ("left-behind", "stopped", "moved") or "is missing" in one.message
        ]
        told = [one for one in told if one not in converged.whole.findings]
        assert not plan.actions and not told, (sorted(map(str, blind)), touched(plan), told)


@pytest.mark.parametrize("seed", range(4))
def test_whoever_sees_less_does_nothing_else(opened, folder, seed):
    """From a drifted state: with fewer answers the plan is a part of what it is with all of them."""
    before = opened.snapshot()
    try:
        damage(opened, seed)
        eyes = Eyes(opened, spec_of(json.dumps(DOCUMENT), folder))
        for blind in blindnesses(eyes.reads, 40):
            plan = eyes.plan(blind)
            assert touched(plan) <= touched(eyes.whole), (sorted(map(str, blind)), touched(plan) - touched(eyes.whole))
    finally:
        opened.restore(before)
