"""Every option that takes a path, pointed at what it should not be: an error that names it, never a defect of ours, and
what is there is left as it was."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.files import write_private
from tests.ground import SPECS

SPEC = "quickstart.yaml"
PLAN = ("plan", SPEC, "--sandbox")
APPLY = ("apply", SPEC, "--sandbox", "--yes")
CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
IMPORT = ("import", "--cluster", CLUSTER, "--sandbox")
PROBE = ("probe", CLUSTER, "--database", "Telemetry", "--sandbox", "--read-only")
THEIRS = "precious: true\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    shutil.copy(SPECS / SPEC, tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("theirs").write_text(THEIRS)
    Path("in/theirs").mkdir(parents=True)

    def run(*argv: str) -> tuple[int, str, str]:
        code = cli.main(list(argv))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err and "defect" not in captured.err
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((*PLAN, "--out", "folder"), "the plan folder cannot be written: Is a directory (name a file, not a folder)"),
        ((*PLAN, "--out", "theirs"), "the plan theirs cannot be written: there is another file of that name"),
        ((*PLAN, "--out", SPEC), f"the plan {SPEC} cannot be written: there is another file of that name"),
        ((*PLAN, "--out", "theirs/plan.json"), "the plan theirs/plan.json cannot be written: File exists"),
        ((*PLAN, "--out", "/dev/full"), "the plan /dev/full cannot be written: No space left on device (make room"),
        ((*PLAN, "--out", "x" * 300), "File name too long (name a shorter one)"),
        ((*PLAN, "--html", "folder"), "--html folder cannot be written: Is a directory"),
        ((*PLAN, "--html", "theirs"), "--html theirs cannot be written: there is another file"),
        (("status", SPEC, "--sandbox", "--html", "theirs"), "--html theirs cannot be written: there is another file"),
        (("verify", SPEC, "--sandbox", "--html", "theirs/x"), "--html theirs/x cannot be written: File exists"),
        ((*APPLY, "--lock", "file:folder"), "the lock folder cannot be used: Is a directory"),
        ((*APPLY, "--lock", "file:theirs"), "theirs is no lock, so it was left alone"),
        ((*APPLY, "--lock", f"file:{SPEC}"), f"{SPEC} is no lock, so it was left alone"),
        ((*APPLY, "--lock", "file:/dev/null"), "/dev/null is no lock"),
        ((*APPLY, "--ledger", "file:folder"), "the ledger folder cannot be read: Is a directory"),
        ((*APPLY, "--ledger", "file:theirs"), "the ledger theirs cannot be written: theirs does not begin like a ledger"),
        ((*APPLY, "--ledger", "file:/dev/null"), "the ledger /dev/null cannot be written: it is no file"),
        (("plan", SPEC, "--sandbox-file", "theirs"), "the sandbox theirs cannot be used: file is not a database"),
        (("plan", SPEC, "--sandbox-file", "folder"), "the sandbox folder cannot be used: Is a directory"),
        (("plan", SPEC, "--sandbox-file", "theirs/x"), "the sandbox theirs/x cannot be used: File exists"),
        (("apply", SPEC, "--yes", "--sandbox-file", "theirs"), "the sandbox theirs cannot be used"),
        (("sandbox", "tick", "--sandbox-file", "theirs"), "the sandbox theirs cannot be used"),
        (("sandbox", "kql", ".show tables", "--sandbox-file", "theirs"), "the sandbox theirs cannot be used"),
        ((*PLAN, "--inventory", "folder"), "--inventory folder cannot be read: Is a directory"),
        ((*PLAN, "--inventory", "nowhere"), "--inventory nowhere cannot be read: No such file or directory"),
        ((*PLAN, "--inventory", "theirs"), "theirs cannot be read as an inventory"),
        ((*IMPORT, "--out", "theirs"), "--out theirs cannot be written: File exists"),
        ((*IMPORT, "--merge", "folder"), "'folder' is not a file"),
        ((*PROBE, "--out", "theirs"), "the report theirs/probe.json cannot be written: File exists"),
        (("drift", SPEC, "--sandbox", "--plan", "folder"), "folder cannot be read as a plan"),
        (("apply", "folder/nowhere.json", "--sandbox", "--yes"), "no plan is saved at folder/nowhere.json"),
    ],
    ids=lambda one: " ".join(one)[:60] if isinstance(one, tuple) else "",
)  # fmt: skip
def test_a_path_that_cannot_be_used_is_an_error_that_names_it(run, argv, said):
    if "quickstart.yaml" not in argv or "--merge" in argv:
        assert run(*PLAN)[0] == 0, "there is a sandbox to speak of"
    spec = Path(SPEC).read_text()
    code, _, err = run(*argv)
    assert (code, said in err) == (1, True), err
    assert Path("theirs").read_text() == THEIRS and Path(SPEC).read_text() == spec
    assert Path("folder").is_dir() and not list(Path("folder").iterdir())


@pytest.mark.parametrize(("option", "mark"), [("--out", "kxreconPlan"), ("--html", "<!DOCTYPE html>")])
def test_a_device_is_written_to_and_not_replaced(run, option, mark):
    Path("nul").symlink_to("/dev/null")
    assert run(*PLAN, option, "nul")[0] == 0
    assert Path("nul").is_char_device(), "a plan for nobody"
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDWR | os.O_NONBLOCK)
    write_private(Path("pipe"), f"{mark}\n")
    assert os.read(reader, 4096).decode() == f"{mark}\n" and Path("pipe").is_fifo()
    os.close(reader)


def test_what_is_ours_is_written_again(run):
    for _ in range(2):
        assert run(*PLAN, "--out", "plan.json", "--html", "plan.html")[0] == 0
        assert json.loads(Path("plan.json").read_text())["kxreconPlan"]
    Path("empty.json").touch()
    assert run(*PLAN, "--out", "empty.json")[0] == 0, "as mktemp makes one"


def test_scripts_for_others_are_not_written_over_what_is_theirs(run):
    spec = Path(SPEC)
    spec.write_text(spec.read_text() + "manage: { arm: check }\n")
    assert run(*PLAN, "--handover", "todo")[0] == 0
    assert run(*PLAN, "--handover", "todo")[0] == 0
    made = next(Path("todo").iterdir())
    made.write_text(THEIRS)
    code, _, err = run(*PLAN, "--handover", "todo")
    assert code == 1 and f"--handover {made} cannot be written: there is another file" in err
    assert made.read_text() == THEIRS
    code, _, err = run(*PLAN, "--handover", "theirs")
    assert code == 1 and "--handover theirs/" in err and "File exists" in err


@pytest.mark.parametrize("verb", [PLAN, APPLY, ("drift", SPEC, "--sandbox")])
def test_a_journal_that_is_a_folder(run, verb):
    assert run(*PLAN)[0] == 0
    Path(".kxrecon/journal.jsonl").mkdir()
    code, _, err = run(*verb)
    assert code == 1 and "the journal .kxrecon/journal.jsonl cannot be read: Is a directory" in err


def test_a_journal_with_lines_of_others(run):
    assert run(*APPLY)[0] == 0
    with Path(".kxrecon/journal.jsonl").open("a") as journal:
        journal.write('{"event": "run-began", "cluster": "https://c", "wire": "azure"}\n[]\n"x"\n')
    assert run(*PLAN)[0] == 0 and run(*APPLY)[0] == 0


@pytest.mark.parametrize("verb", [PLAN, ("plan", SPEC, "--sandbox-file", "s.db"), APPLY])
def test_a_file_where_the_private_folder_would_be(run, verb):
    Path(".kxrecon").write_text(THEIRS)
    code, _, err = run(*verb)
    assert code == 1 and ".kxrecon" in err and "cannot be" in err
    assert Path(".kxrecon").read_text() == THEIRS


def test_a_disk_without_room_for_the_end_of_an_apply_is_told(run, monkeypatch):
    from kxrecon import journal

    def full(self, result):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal.Journal, "end", full)
    code, out, err = run(*APPLY)
    assert code == 0 and "converged" in out
    assert "the journal .kxrecon/journal.jsonl cannot be written: No space left" in err
    assert "the next plan takes this apply for unfinished" in err


def test_trouble_with_a_file_that_nobody_foresaw_is_no_defect(run, monkeypatch):
    from kxrecon.commands import schema

    def refused(options):
        raise PermissionError(13, "Permission denied", "some/file")

    monkeypatch.setattr(schema, "run", refused)
    code, _, err = run("schema")
    assert code == 1 and "some/file cannot be used: Permission denied (it takes another right" in err
