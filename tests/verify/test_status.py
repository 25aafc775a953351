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


def exports(estate, **options):
    return {one.export.partition("/")[2]: one for one in ask(estate, **options)[0].exports}


def test_one_that_never_ran_is_late_when_it_should_have_run(estate, run, call):
    code, out, _ = run(str(SEED), "--openmetrics")
    assert code == 0 and out.count("kxrecon_export_healthy{") == 5
    estate.world.clock.advance(timedelta(days=5))
    found = exports(estate)["EventsToBlob"]
    assert found.state == "late" and found.lateness > 4 * 86_400 and found.healthy is False
    assert "it never ran, although it is enabled since" in found.why
    code, out, _ = run(str(SEED))
    assert code == 2 and "it never ran, although it is enabled since" in out
    assert call("verify", str(SEED), "EventsToBlob", "--strict", "--sandbox-file", str(estate.path))[0] == 1
    estate.do(".disable continuous-export EventsToBlob")
    estate.do(".enable continuous-export EventsToBlob")
    found = exports(estate)
    assert (found["EventsToBlob"].state, found["EventsToLake"].state) == ("new", "late"), "since it was enabled"


def unjournalled(estate, cursor):
    estate.lose("journal")
    for (_, _, name), _ in estate.store.all("continuous_export", URI, DATABASE):
        estate.export(name, startCursor=cursor)


def test_without_a_journal_the_start_cursor_bounds_the_wait(estate):
    now = datetime.now(UTC)
    unjournalled(estate, str(int((now - datetime(1, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000))
    assert set(states(estate).values()) == {"new"}
    estate.world.clock.advance(timedelta(days=5))
    assert set(states(estate).values()) == {"late"}


@pytest.mark.parametrize("cursor", ["", "an opaque text", "12", "9" * 18])
def test_what_nobody_can_date_is_said_and_not_called_healthy(estate, run, cursor):
    unjournalled(estate, cursor)
    estate.world.clock.advance(timedelta(days=5))
    found = exports(estate)["EventsToBlob"]
    assert (found.state, found.healthy) == ("new", None)
    assert found.why == "it never ran, and since when it is enabled is not known: more than 21m would be odd"
    _, out, _ = run(str(SEED), "--openmetrics")
    assert "kxrecon_export_healthy{" not in out and "lateness_seconds{" not in out


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


def test_a_week_of_failures_is_told_from_a_command_of_somebody(estate, run):
    when = datetime.now(UTC)
    estate.do(".disable continuous-export EventsToBlob")
    found = exports(estate)["EventsToBlob"]
    assert found.state == "disabled" and "disabled it on" in found.why and "by .disable" in found.why
    estate.do(".enable continuous-export EventsToBlob")
    estate.do(".delete database Telemetry policy managed_identity")
    for _ in range(9):
        run_all(estate, days=1)
    found = exports(estate)["EventsToFolder"]
    assert found.state == "auto-disabled" and found.why.startswith("Kusto gave it up after failures from"), (
        when,
        found,
    )
    code, out, _ = run(str(SEED), "EventsToFolder")
    assert code == 2 and "auto-disabled" in out


def test_files_records_and_bytes_are_metrics(estate, run):
    estate.tick("EventsToBlob")
    _, out, _ = run(str(SEED), "EventsToBlob", "--openmetrics", "--artifacts")
    label = f'{{cluster="{URI}",export="Telemetry/EventsToBlob"}}'
    assert f"kxrecon_export_recent_files{label} 1\n" in out and f"kxrecon_export_recent_records{label} 1\n" in out
    assert "recent_files{" not in run(str(SEED), "--openmetrics")[1]


def test_an_export_of_no_spec_has_a_status_when_it_is_named(estate, run):
    job = estate.store.get("continuous_export", URI, DATABASE, "EventsToBlob")
    estate.store.put("continuous_export", (URI, DATABASE, "Extra"), {**job, "name": "Extra"})
    code, out, err = run(str(SEED), "Extra")
    assert code == 0 and "Telemetry/Extra" in out, err
    assert "Extra" not in run(str(SEED))[1]
