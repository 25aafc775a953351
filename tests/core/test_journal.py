"""The journal survives a kill at any byte and remembers what a run left behind."""

from __future__ import annotations

import stat
from pathlib import Path

from kxrecon.apply import Event
from kxrecon.journal import Journal, history
from kxrecon.model import Action, Outcome, Ref
from kxrecon.plan import Plan

EXPORT = Ref("continuous_export", ("D", "E"))
HERE = ("https://c", "azure")


def action(phase: str) -> Action:
    return Action(f"update:continuous_export:D/E:{phase}", (EXPORT,), phase, "update", ())


def plan(*actions: Action) -> Plan:
    return Plan("azure", "https://c", "s", (), "d", "now", actions)


def run(path: Path, *events: Event, ended: bool) -> None:
    journal = Journal(path, *HERE)
    journal.begin(plan(*(event.action for event in events)))
    for event in events:
        journal.note(event)
    if ended:
        journal.end("done")


def done(phase: str) -> tuple[Event, Event]:
    one = action(phase)
    return Event(one, "began"), Event(one, "ended", Outcome(one.id, "done"))


def test_a_missing_journal_is_an_empty_history(tmp_path: Path) -> None:
    assert history(tmp_path / "none", *HERE).unfinished is None


def test_a_finished_run_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    run(path, *done("disable"), *done("apply"), *done("enable"), ended=True)
    found = history(path, *HERE)
    assert (found.unfinished, found.begun, found.paused) == (None, (), frozenset())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_killed_run_is_told_with_what_it_had_begun(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    run(path, *done("disable"), Event(action("apply"), "began"), ended=False)
    found = history(path, *HERE)
    assert found.unfinished
    assert found.begun == (action("apply").id,)
    assert found.paused == {EXPORT}


def test_every_prefix_of_a_journal_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    run(path, *done("disable"), *done("apply"), ended=True)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        history(path, *HERE)


def test_other_clusters_and_wires_are_none_of_our_business(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    run(path, *done("disable"), ended=False)
    assert history(path, "https://other", "azure").paused == frozenset()
    assert history(path, "https://c", "sandbox:x").unfinished is None
