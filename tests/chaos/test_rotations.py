"""Rotations killed at every boundary: the next apply ends where an undisturbed one does, no cursor is lost, every export
runs in the meantime, and the old one keeps what it has until each of them has run well with the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import pytest

from kxrecon.spec import Spec
from tests.chaos import FULL, sample
from tests.chaos.crash import Instant, recording
from tests.chaos.estate import COLUMNS, OUT, ROWS, cursors, exported
from tests.chaos.foreign import Element, elements, listed
from tests.dumps import same
from tests.ground import Ground, Simulated, ground, spec_of
from tests.laws.estates import HEAD, SUB

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SECOND = f"{SUB}/telemetry/providers/Microsoft.ManagedIdentity/userAssignedIdentities/second"
GRANTS = frozenset({"role", "role_assignment", "usage", "acl", "sql_principal", "sql_permission"})
SLICES = 4 if FULL else 1


def before() -> dict:
    """Two exports into one container and one into SQL, all as one identity."""
    job = {"over": ["Events"], "query": "Events", "managedIdentity": "exporter", "intervalBetweenRuns": "10m"}
    content = {
        "tables": {"Events": {"columns": COLUMNS}},
        "externalTables": {
            "A": {**OUT, "target": "blob", "path": "a"},
            "B": {**OUT, "target": "blob", "path": "b"},
            "C": {"kind": "sql", "target": "dwh", "table": "dbo.Events", "columns": COLUMNS},
        },
        "continuousExports": {f"To{name}": {**job, "to": name} for name in "ABC"},
    }
    return {**deepcopy(HEAD), "databases": {"Telemetry": content}}


def after(*what: str) -> dict:
    """The same while the identity, or the storage account, changes."""
    document, rotations = before(), {}
    if "identity" in what:
        identities = document["cluster"]["identities"]
        identities["old"], identities["exporter"] = identities["exporter"], SECOND
        rotations["identities"] = {"exporter": {"from": "old", "revoke": "all"}}
    if "target" in what:
        targets = document["targets"]
        targets["old"] = targets["blob"]
        targets["blob"] = {**targets["old"], "url": "https://contosonext.blob.core.windows.net/events"}
        rotations["targets"] = {"blob": {"from": "old", "revoke": "all"}}
    return {**document, "rotations": rotations}


def running(opened: Ground, spec: Spec) -> None:
    """Applied, with seven rows exported and five that wait."""
    assert not opened.converge(spec).actions
    opened.ingest("Events", ROWS[:7])
    runs = opened.tick(minutes=15)
    assert [run.records for run in runs] == [7, 7, 7], runs
    opened.ingest("Events", ROWS[7:12])


@dataclass(frozen=True)
class Stage:
    """How far a rotation is at one instant: what each export uses and when it last ran well, and which grants there
    are."""

    exports: Mapping[str, tuple[str, str]]
    grants: frozenset[Element]


def stage(opened: Ground) -> Stage:
    """Of what the sandbox holds now."""
    exports = {}
    for key, job in opened.store.all("continuous_export"):
        table = opened.store.get("external_table", *key[:2], job["externalTable"])
        uses = [job["properties"]["managedIdentity"], table.get("connections") or table["connection"]]
        exports[key[2]] = (json.dumps(uses), job["lastSuccess"])
    return Stage(exports, frozenset(one for one in elements(opened.store) if one.kind in GRANTS))


def stages(opened: Ground, instants: Sequence[Instant]) -> list[Stage]:
    """Of each instant; the last one is put back afterwards."""
    found = []
    for instant in instants:
        opened.restore(instant.snapshot)
        found.append(stage(opened))
    return found


def in_time(path: Sequence[Stage]) -> None:
    """Nothing that the old one has goes before each export that switches has, and has run well since."""
    goal, old = path[-1], path[0].grants - path[-1].grants
    assert old, "nothing was revoked"
    turning = {name for name, (uses, _) in path[0].exports.items() if uses != goal.exports[name][0]}
    switched: dict[str, str] = {}
    for now in path:
        there = {name for name in turning if now.exports[name][0] == goal.exports[name][0]}
        switched |= {name: now.exports[name][1] for name in there - set(switched)}
        proven = {name for name in there if now.exports[name][1] > switched[name]}
        lost = old - now.grants
        assert not lost or proven == turning, f"only {sorted(proven)} had run when this went:\n{listed(lost)}"


def runs(opened: Ground, instant: Instant, places: Mapping[str, int]) -> None:
    """Who dies here leaves exports that run, but for those that stand still while their table moves."""
    opened.restore(instant.snapshot)
    still = sum(bool(job["isDisabled"]) for _, job in opened.store.all("continuous_export"))
    ran = opened.tick(force=True)
    assert len(ran) == len(places) - still and all(one.succeeded for one in ran), ran
    assert all(cursors(opened)[name] >= place for name, place in places.items())


def finished(opened: Ground, spec: Spec) -> list[Stage]:
    """The stages of one apply that ends where the spec is."""
    with recording(opened) as run:
        outcomes = opened.apply(spec, workers=1)
    assert all(one.result == "done" for one in outcomes), outcomes
    assert not opened.plan(spec).actions
    end = opened.snapshot()
    found = stages(opened, run.instants)
    opened.restore(end)
    return [*found, stage(opened)]


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("what", [("identity",), ("target",), ("identity", "target")], ids="-".join)
def test_a_rotation_that_dies_anywhere_is_finished_by_the_next_apply(tmp_path, what, part):
    spec = spec_of(json.dumps(after(*what)), tmp_path)
    with ground(tmp_path, spec, time=Simulated()) as opened:
        running(opened, spec_of(json.dumps(before()), tmp_path))
        spec = spec_of(json.dumps(after(*what)), tmp_path)
        places = cursors(opened)
        with recording(opened) as run:
            assert all(one.result == "done" for one in opened.apply(spec, workers=1))
        assert not opened.plan(spec).actions
        goal, end = opened.dump(), stage(opened)
        path = stages(opened, run.instants)
        in_time([*path, end])
        chosen = sample(list(range(len(path)))[part::SLICES], 3)
        print(f"{what}: {run.boundaries} boundaries, {len(path)} instants, {len(chosen)} tried here")
        for at in chosen:
            try:
                runs(opened, run.instants[at], places)
                run.instants[at].restore(opened)
                in_time([*path[: at + 1], *finished(opened, spec)])
                same(opened.dump(), goal)
                opened.ingest("Events", ROWS[12:15])
                runs_out = opened.tick(minutes=60)
                assert len(runs_out) == 3 and all(one.succeeded for one in runs_out), runs_out
                assert set(exported(opened).values()) == {15}, exported(opened)
            except AssertionError as error:
                raise AssertionError(f"died {run.instants[at].what} ({at}): {error}") from error
