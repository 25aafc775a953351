"""Whole runs on the embedded sandbox: what a person is told when things go wrong around an apply."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kxrecon import journal
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.switches import Switches, save

SPECS = Path(__file__).parents[2] / "specs"
SPEC = "quickstart.yaml"


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    shutil.copy(SPECS / SPEC, tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*argv: str):
        return call(*argv)

    return run


@pytest.fixture
def applied(run):
    assert run("apply", SPEC, "--sandbox", "--yes")[0] == 0
    return run


def edit(old: str, new: str) -> None:
    spec = Path(SPEC)
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))


def switches(**values) -> None:
    store = Store(Path(".kxrecon/sandbox.db"))
    save(store, Switches(**values))
    store.close()


def kql(run, command: str) -> None:
    assert run("sandbox", "kql", "--database", "Telemetry", command)[0] == 0


def test_a_service_that_resets_the_cursor_on_alter_is_caught_and_the_repair_is_said(applied):
    switches(cursor_on_alter="reset")
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    code, out, _ = applied("apply", SPEC, "--sandbox", "--yes", "--json")
    record = json.loads(out)
    assert code == 1 and record["converged"] is False
    assert [one["result"] for one in record["outcomes"]] == ["done"]
    (moved,) = record["moved"]
    assert moved["export"] == "Telemetry/ArchiveEvents" and not moved["expected"]
    assert "are not exported" in moved["message"] and "cursor_before_or_at(" in moved["repair"]


def test_a_service_that_keeps_it_is_not_accused(applied):
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    code, out, _ = applied("apply", SPEC, "--sandbox", "--yes", "--json")
    assert code == 0 and json.loads(out)["moved"] == []


def test_the_labels_are_in_every_form_of_the_plan(applied):
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    assert "keeps cursor: unconfirmed" in applied("plan", SPEC, "--sandbox")[1]
    assert "**keeps cursor**" in applied("plan", SPEC, "--sandbox", "--markdown")[1]
    document = json.loads(applied("plan", SPEC, "--sandbox", "--json")[1])
    assert document["actions"][0]["cursor"]["label"] == "keeps cursor"
    assert document["positions"][0]["start_cursor"]


def test_a_run_that_was_killed_is_told_with_the_exports_that_moved(applied, monkeypatch):
    """The process dies after the write: the next plan compares with the places that the journal kept."""
    switches(cursor_on_alter="reset")
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    monkeypatch.setattr(journal.Journal, "end", lambda self, result: None)
    applied("apply", SPEC, "--sandbox", "--yes")
    out = applied("plan", SPEC, "--sandbox")[1]
    assert "did not end" in out and "StartCursor was" in out and ".export async" in out
    monkeypatch.undo()


def test_a_stopped_export_is_told_at_plan_and_drift(applied):
    kql(applied, ".disable continuous-export ArchiveEvents")
    for verb in ("plan", "drift"):
        out = applied(verb, SPEC, "--sandbox")[1]
        assert "is disabled, and the spec does not say so: aaduser=" in out
        assert "Z by .disable" in out and "cause unknown" not in out


def test_what_the_service_gave_up_is_told_apart_from_what_somebody_stopped(applied):
    """The grant goes; after a week of failures Kusto disables the export. Its own journal entry names nobody."""
    store = Store(Path(".kxrecon/sandbox.db"))
    for key, _ in store.all("role_assignment"):
        store.delete("role_assignment", *key)
    store.close()
    assert applied("sandbox", "tick", "--advance", "1d", "--times", "9")[0] == 1
    out = applied("drift", SPEC, "--sandbox")[1]
    assert "Kusto gave it up after failures from" in out and "disabled it on" not in out


def renamed(name: str = "NewEvents") -> None:
    edit("      ArchiveEvents:\n", f"      {name}:\n        renamedFrom: ArchiveEvents\n")


def ingested(run, *texts: str) -> None:
    rows = "\n".join(f"2026-03-05,info,{text}" for text in texts)
    kql(run, f".ingest inline into table Events <| {rows}")


def rows_in_files() -> list[str]:
    lines = [line for path in Path(".kxrecon").rglob("*.csv") for line in path.read_text().splitlines()]
    return sorted(line.rpartition(",")[2] for line in lines)


@pytest.fixture
def to_csv(run):
    edit("dataFormat: parquet", "dataFormat: csv")
    return run


@pytest.mark.parametrize("old_ran", [True, False])
def test_a_renamed_export_loses_no_row_and_doubles_none(to_csv, old_ran):
    assert to_csv("apply", SPEC, "--sandbox", "--yes")[0] == 0
    ingested(to_csv, "a", "b")
    if old_ran:
        to_csv("sandbox", "tick", "--advance", "15m")
    ingested(to_csv, "c")
    renamed()
    code, out, _ = to_csv("apply", SPEC, "--sandbox", "--yes")
    assert code == 0 and "(backfill)" in out
    ingested(to_csv, "d")
    assert to_csv("sandbox", "tick", "--advance", "15m")[0] == 0
    assert rows_in_files() == ["a", "b", "c", "d"]


def test_a_backfill_that_fails_says_how_to_go_on_and_then_holds_every_row_once(to_csv):
    """Its operation fails for a network rule at the target; the next plan has the command."""
    assert to_csv("apply", SPEC, "--sandbox", "--yes")[0] == 0
    ingested(to_csv, "a", "b")
    to_csv("sandbox", "tick", "--advance", "15m")
    ingested(to_csv, "c")
    open_or_closed("Disabled")
    renamed()
    code, out, _ = to_csv("apply", SPEC, "--sandbox", "--yes")
    assert code == 1 and "ended as Failed" in out and "public network access is disabled" in out
    open_or_closed("Enabled")
    document = json.loads(to_csv("plan", SPEC, "--sandbox", "--json")[1])
    (told,) = [one for one in document["findings"] if "did not see the end" in one["message"]]
    command = told["remedy"][told["remedy"].index(".export async") :]
    assert "where .show operations has no completed TableExport" in told["remedy"]
    kql(to_csv, command)
    ingested(to_csv, "d")
    assert to_csv("sandbox", "tick", "--advance", "15m")[0] == 0
    assert rows_in_files() == ["a", "b", "c", "d"]


def open_or_closed(access: str) -> None:
    store = Store(Path(".kxrecon/sandbox.db"))
    ((key, account),) = store.all("account")
    store.put("account", key, {**account, "publicNetworkAccess": access})
    store.close()


def test_a_journal_that_cannot_be_written_stops_the_apply_before_anything_is_sent(run, monkeypatch):
    def full(self, line):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal.Journal, "_append", full)
    code, _, err = run("apply", SPEC, "--sandbox", "--yes")
    assert code == 1 and "nothing was done" in err and "No space left" in err
    monkeypatch.undo()


def test_a_disk_that_fills_up_in_the_middle_is_reported_action_by_action(run, monkeypatch):
    real, lines = journal.Journal._append, []

    def filling(self, line):
        lines.append(line)
        if len(lines) > 4:
            raise OSError(28, "No space left on device")
        real(self, line)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "_append", filling)
        code, out, _ = run("apply", SPEC, "--sandbox", "--yes", "--json")
    results = [one["result"] for one in json.loads(out)["outcomes"]]
    assert code == 1 and "not-begun" in results and "done" in results
    assert any("No space left" in one["message"] for one in json.loads(out)["outcomes"])
    assert "did not end" in run("plan", SPEC, "--sandbox")[1]
    assert run("apply", SPEC, "--sandbox", "--yes")[0] == 0


def test_an_interrupt_while_looking_again_still_reports_what_was_done(run, monkeypatch):
    from kxrecon.commands import _flow

    real, calls = _flow.plan_over, []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(_flow, "plan_over", interrupted)
    code, out, _ = run("apply", SPEC, "--sandbox", "--yes", "--json")
    record = json.loads(out)
    assert code == 130 and record["left"] is None
    assert {one["result"] for one in record["outcomes"]} == {"done"}


def test_two_applies_with_a_lock_take_turns(run):
    from kxrecon.lock import file_lock

    with file_lock(Path(".kxrecon/lock")):
        code, _, err = run("apply", SPEC, "--sandbox", "--yes", "--lock", "file")
        assert code == 1 and "another apply holds .kxrecon/lock" in err
    assert run("apply", SPEC, "--sandbox", "--yes", "--lock", "file")[0] == 0
    assert "--lock takes" in run("apply", SPEC, "--sandbox", "--yes", "--lock", "door")[2]
    assert "no token is sent" in run("apply", SPEC, "--sandbox", "--yes", "--lock", "blob:https://evil.example/c/b")[2]


def test_a_threshold_of_the_spec_is_lifted_by_force_and_by_nothing_else(applied):
    edit("version: 1", "version: 1\nthresholds: { percent: 0, entities: 1 }")
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    code, _, err = applied("apply", SPEC, "--sandbox", "--yes", "--allow", "restarts-export")
    assert code == 1 and "0 % is the limit" in err
    assert applied("apply", SPEC, "--sandbox", "--yes", "--force")[0] == 0


def test_force_lifts_no_hazard(applied):
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 10m\n        isDisabled: false")
    kql(applied, ".disable continuous-export ArchiveEvents")
    code, _, err = applied("apply", SPEC, "--sandbox", "--yes", "--force")
    assert code == 1 and "restarts-export" in err


def test_each_export_of_an_estate_changed_at_once_is_refused(run):
    spec = Path(SPEC)
    frame, _, database = spec.read_text().partition("  Telemetry:\n")
    spec.write_text(frame + "".join(f"  Telemetry{number}:\n{database}" for number in range(10)))
    assert run("apply", SPEC, "--sandbox", "--yes")[0] == 0
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 20m")
    code, _, err = run("apply", SPEC, "--sandbox", "--yes")
    assert code == 1 and "10 of 30 existing entities (33 %) would be updated or deleted; 30 % is the limit" in err
