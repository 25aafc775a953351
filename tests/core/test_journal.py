"""The journal survives a kill at any byte and remembers what a run left behind."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from kxrecon.apply import Event
from kxrecon.errors import FileError
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


@pytest.mark.parametrize("torn", ['{"time": "2026', "\n", "not ours", '{"event": "run-began"}', "[1]"])
def test_what_was_cut_off_before_it_does_not_swallow_the_next_line(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "journal.jsonl"
    run(path, *done("apply"), ended=True)
    with path.open("a") as file:
        file.write(torn)
    run(path, Event(action("apply"), "began"), ended=False)
    assert history(path, *HERE).begun == (action("apply").id,)


def test_a_disk_that_takes_only_a_part_of_a_line_is_an_error_and_keeps_nothing_of_it(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "journal.jsonl"
    run(path, *done("apply"), ended=True)
    whole, real, room = path.read_bytes(), os.write, [60]

    def nearly_full(descriptor: int, text: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = real(descriptor, text[: room[0]])
        room[0] -= taken
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        with pytest.raises(OSError, match="No space left"):
            Journal(path, *HERE).begin(plan(action("apply")))
    assert path.read_bytes() == whole


def test_a_write_that_is_cut_short_is_completed(tmp_path: Path, monkeypatch) -> None:
    path, real = tmp_path / "journal.jsonl", os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, text: real(descriptor, text[:7]))
        run(path, *done("apply"), ended=False)
    assert history(path, *HERE).unfinished


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "run-began", "cluster": "https://c", "wire": "azure"}',
        '{"event": "run-began", "time": 1, "cluster": "https://c", "wire": "azure"}',
        '{"event": "action-began", "time": "t", "cluster": "https://c", "wire": "azure"}',
        '{"event": "run-began", "time": "t", "positions": [["D"]], "cluster": "https://c", "wire": "azure"}',
        '{"event": "action-began", "time": "t", "action": "a", "phase": "disable", "refs": [[]], "cluster": "https://c", "wire": "azure"}',
        '{"event": "run-began", "time": "t", "backfills": 3, "cluster": "https://c", "wire": "azure"}',
        '{"event": ["run-began"], "time": "t", "cluster": "https://c", "wire": "azure"}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_line_that_is_not_ours_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(line + "\n")
    run(path, Event(action("apply"), "began"), ended=False)
    found = history(path, *HERE)
    assert found.begun == (action("apply").id,) and found.positions == ()


def test_a_message_with_any_kind_of_line_break_is_one_line(tmp_path: Path) -> None:
    path, one = tmp_path / "journal.jsonl", action("backfill")
    run(path, Event(one, "began"), Event(one, "ended", Outcome(one.id, "done", "a\u2028b\x85c\nd")), ended=False)
    assert history(path, *HERE).begun == ()


def test_a_folder_in_its_place_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"the journal {tmp_path} cannot be read: Is a directory"):
        history(tmp_path, *HERE)
