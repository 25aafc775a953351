"""status on the sandbox: what is late, failing or disabled; asked as little as possible."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from kxrecon.sandbox import switches
from kxrecon.sandbox.scheduler import tick
from kxrecon.verify.status import Asked, status

from .conftest import DATABASE, SEED, URI


class Counting:
    """A plane that remembers what it was asked."""

    def __init__(self, plane):
        self.plane, self.asked = plane, []

    def read(self, read):
        self.asked.append(read.text)
        return self.plane.read(read)


def ask(estate, **options):
    with estate.planes() as planes:
        counted = {**planes, "kusto": Counting(planes["kusto"])}
        return status(estate.spec.scope, estate.spec.desired, counted, asked=Asked(**options)), counted["kusto"].asked


def states(estate, **options):
    return {one.export.partition("/")[2]: one.state for one in ask(estate, **options)[0].exports}


def run_all(estate, **later):
    estate.world.clock.advance(timedelta(**later))
    return tick(estate.store, estate.world.clock, estate.path.with_suffix(".files"))


def test_what_never_ran_is_new_and_what_ran_is_well(estate):
    assert set(states(estate).values()) == {"new"}
    run_all(estate, hours=2)
    assert set(states(estate).values()) == {"ok"}


def test_late_is_one_that_missed_a_whole_further_interval(estate):
    def ran(**ago):
        when = (datetime.now(UTC) - timedelta(**ago)).isoformat()
        for (_, _, name), _ in estate.store.all("continuous_export", URI, DATABASE):
            estate.export(name, lastRunTime=when, lastRunResult="Completed")

    ran(minutes=20)
    assert "late" not in states(estate).values()
    ran(minutes=22)
    found = states(estate)
    assert {name for name, state in found.items() if state == "late"} == {
        "EventsToBlob",
        "EventsToLake",
        "EventsToFolder",
    }


def test_failures_are_asked_only_of_exports_that_are_not_well(estate):
    run_all(estate, hours=2)
    estate.do(".delete database Telemetry policy managed_identity")
    assert not any("failures" in text for text in ask(estate)[1])
    run_all(estate, hours=2)
    found, asked = ask(estate)
    failing = {one.export.partition("/")[2]: one for one in found.exports if one.state == "failing"}
    assert set(failing) == {"EventsToDwh", "EventsToFolder", "EventsByRegion"}
    assert failing["EventsToDwh"].failures == {"Failure": 1}
    assert "AutomatedFlows" in failing["EventsToDwh"].message
    assert sum("failures" in text for text in asked) == 3


def test_a_missing_and_a_disabled_export_are_told_apart(estate):
    estate.do(".disable continuous-export EventsToBlob")
    estate.lose("continuous_export", URI, DATABASE, "EventsToLake")
    found = states(estate)
    assert (found["EventsToBlob"], found["EventsToLake"]) == ("disabled", "missing")


def test_artifacts_are_counted_when_asked_for(estate):
    estate.tick("EventsToBlob")
    blob = next(one for one in ask(estate, artifacts=True)[0].exports if one.export.endswith("EventsToBlob"))
    assert (blob.files, blob.records) == (1, 1)
    assert ask(estate)[0].exports[1].files is None


def kusto(estate, command):
    """Sent by somebody else, who does not wait for the end of what it starts."""
    answer = requests.post(f"{estate.ends.kusto[URI]}/v1/rest/mgmt", json={"db": DATABASE, "csl": command}, timeout=60)
    assert answer.status_code == 200, answer.text


def test_slots_in_use_are_those_of_exports_under_way(estate):
    assert (ask(estate)[0].capacity.consumed, ask(estate)[0].capacity.total) == (0, 2)
    switches.save(estate.store, replace(switches.load(estate.store), export_seconds=600))
    kusto(estate, ".export async to table EventsBlob <| Events")
    assert (ask(estate)[0].capacity.consumed, ask(estate)[0].capacity.total) == (1, 2)
    estate.world.clock.advance(timedelta(minutes=11))
    assert ask(estate)[0].capacity.consumed == 0


@pytest.fixture
def run(estate, call):
    def run(*argv):
        return call("status", *argv, "--sandbox-file", str(estate.path))

    return run


def test_the_verb_is_a_monitor(estate, run):
    assert run(str(SEED))[0] == 0
    estate.do(".disable continuous-export EventsToBlob")
    code, out, _ = run(str(SEED))
    assert code == 2
    assert out.splitlines()[1].startswith("Telemetry/EventsToBlob")
    assert "5 exports, 1 to look after" in out
    assert run(str(SEED), "EventsToDwh")[0] == 0
    code, out, _ = run("--cluster", URI, "--json")
    assert code == 2 and len(json.loads(out)["exports"]) == 5
    code, _, err = run(str(SEED), "EventsToDhw")
    assert code == 1 and "did you mean 'EventsToDwh'?" in err


def test_open_metrics_text_is_well_formed(estate, run):
    run_all(estate, hours=2)
    code, out, _ = run(str(SEED), "--openmetrics")
    assert code == 0 and out.endswith("# EOF\n")
    declared = {line.split()[2] for line in out.splitlines() if line.startswith("# TYPE")}
    samples = [line for line in out.splitlines() if not line.startswith("#")]
    assert {sample.partition("{")[0] for sample in samples} <= declared
    assert all(float(sample.rpartition(" ")[2]) >= 0 for sample in samples)
    assert f'kxrecon_export_healthy{{cluster="{URI}",export="Telemetry/EventsToDwh"}} 1' in samples
