"""The ledger's file: private, whole lines only, on the disk; and what is not its own it leaves alone."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading

import pytest

from kxrecon.errors import LedgerError
from kxrecon.ledger.file import LedgerFile
from kxrecon.ledger.rows import Damage

from .test_rows import row


@pytest.fixture
def ledger(tmp_path):
    return LedgerFile(tmp_path / "folder" / "ledger.jsonl")


def test_what_was_appended_is_read_and_nobody_else_may(ledger):
    assert ledger.read() == [] and not ledger.path.exists(), "reading makes no file"
    ledger.append([row(1), row(2, event="gone")])
    ledger.append([])
    ledger.append([row(3)])
    assert ledger.read() == [row(1), row(2, event="gone"), row(3)]
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    assert ledger.path.parent.stat().st_mode & 0o777 == 0o700
    ledger.path.chmod(0o644)
    ledger.append([row(4)])
    assert ledger.path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_off_is_taken_away_by_the_next_append(ledger):
    ledger.append([row(1), row(2)])
    whole = ledger.path.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 30):
        ledger.path.write_bytes(whole[:cut])
        assert ledger.read() == [row(1)], "it had not been told that the line is written"
        ledger.append([row(3)])
        assert ledger.read() == [row(1), row(3)]


def test_a_first_line_that_was_cut_off(ledger):
    ledger.append([row(1)])
    ledger.path.write_bytes(ledger.path.read_bytes()[:20])
    assert ledger.read() == []
    ledger.append([row(2)])
    assert ledger.read() == [row(2)]


@pytest.mark.parametrize(
    "line", [b"{", b"null", b"[1]", b'{"At": 3}', b"\xff\xfe", b'{"At":"no date"}', b"[" * 100_000, b'"text"']
)
def test_any_other_line_that_cannot_be_read_is_damage(ledger, line):
    ledger.append([row(1)])
    with ledger.path.open("ab") as file:
        file.write(line + b"\n")
    ledger.append([row(2)])
    assert ledger.read() == [row(1), Damage("line 2"), row(2)]


@pytest.mark.parametrize("content", ["version: 1\n", "\n", "{}\n", "x" * 2_000_000, "a file without a line end", "{}"])
def test_a_file_that_is_something_else_is_refused_and_left_as_it_is(ledger, content):
    ledger.path.parent.mkdir()
    ledger.path.write_text(content)
    with pytest.raises(LedgerError, match="does not begin like a ledger"):
        ledger.append([row(1)])
    assert ledger.path.read_text() == content


def test_a_folder_in_its_place_is_an_error_that_names_it(ledger):
    ledger.path.mkdir(parents=True)
    with pytest.raises(LedgerError, match=str(ledger.path)):
        ledger.append([row(1)])
    with pytest.raises(LedgerError, match="cannot be read"):
        ledger.read()


def test_a_full_disk_leaves_nothing_of_an_append(ledger, monkeypatch):
    ledger.append([row(1)])
    real = os.write

    def full(descriptor, text):
        real(descriptor, text[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LedgerError, match="No space left"):
        ledger.append([row(2), row(3)])
    monkeypatch.undo()
    assert ledger.read() == [row(1)]


def test_several_writers_do_not_tear_each_others_lines(ledger):
    threads = [
        threading.Thread(target=lambda start=start: [ledger.append([row(start + n, f"T{n}")] * 20) for n in range(10)])
        for start in (0, 100, 200)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = ledger.read()
    assert len(found) == 600 and not [one for one in found if isinstance(one, Damage)]


def test_another_process_waits_for_its_turn(ledger):
    ledger.append([row(1)])
    import fcntl

    program = (
        "import sys; from pathlib import Path; from kxrecon.ledger.file import LedgerFile; "
        "from tests.ledger.test_rows import row; print('ready', flush=True); "
        "LedgerFile(Path(sys.argv[1])).append([row(2)])"
    )
    with ledger.path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = subprocess.Popen([sys.executable, "-c", program, str(ledger.path)], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        assert ledger.read() == [row(1)]
    assert other.wait(30) == 0
    other.stdout.close()
    assert ledger.read() == [row(1), row(2)]


def test_lines_are_for_people_too(ledger):
    ledger.append([row(1, "ü", owns=True)])
    line = json.loads(ledger.path.read_text())
    assert line["Entity"] == ["D", "ü"] and line["Body"] == {"owns": True}
