"""The edge of the program: exit codes, messages for people, and no traceback on their screen."""

from __future__ import annotations

import signal

import pytest

from kxrecon import __version__, cli
from kxrecon.commands import schema
from kxrecon.errors import PlanError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def raising(monkeypatch, error):
    def run(options):
        raise error

    monkeypatch.setattr(schema, "run", run)


def test_version_and_help_are_done(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"kxrecon {__version__}\n"
    assert cli.main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(verb in listed for verb in cli.VERBS)


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_explains_itself(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    assert f"usage: kxrecon {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "required"),
        (["aply"], "did you mean 'apply'?"),
        (["plan"], "SPEC"),
        (["plan", "x.yaml", "--bogus"], "--bogus"),
        (["plan", "x.yaml", "--json", "--markdown"], "not allowed with"),
        (["plan", "x.yaml", "--max-parallel", "0"], "1 to 64"),
        (["plan", "x.yaml", "--var", "novalue"], "NAME=VALUE"),
        (["plan", "x.yaml", "--var", "a=1", "--var", "a=2"], "given twice"),
        (["apply", "a.json", "b.yaml"], "not both"),
        (["plan", "does-not-exist.yaml"], "does-not-exist.yaml"),
    ],
)
def test_a_wrong_command_line_is_exit_1_and_one_message(argv, said, capsys):
    assert cli.main(argv) == 1
    output = capsys.readouterr()
    assert said in output.err
    assert "Traceback" not in output.err


def test_a_mistake_of_a_person_is_exit_1(monkeypatch, capsys):
    raising(monkeypatch, PlanError("no plan \x1b[31mhere"))
    assert cli.main(["schema"]) == 1
    assert capsys.readouterr().err == "kxrecon: no plan \\x1b[31mhere\n"


def test_a_defect_is_exit_3_with_a_private_log_that_masks_variables(monkeypatch, capsys, elsewhere):
    raising(monkeypatch, RuntimeError("boom"))
    monkeypatch.setattr(schema, "arguments", lambda parser: parser.add_argument("--var"))
    assert cli.main(["schema", "--var=key=hunter2"]) == 3
    error = capsys.readouterr().err
    assert "Traceback" not in error
    (log,) = (elsewhere / ".kxrecon").glob("unexpected-*.log")
    assert str(log.relative_to(elsewhere)) in error
    text = log.read_text()
    assert "RuntimeError: boom" in text and "Traceback" in text
    assert "hunter2" not in text
    assert log.stat().st_mode & 0o077 == 0


def test_ctrl_c_and_sigterm_are_130(monkeypatch, capsys):
    raising(monkeypatch, KeyboardInterrupt())
    assert cli.main(["schema"]) == 130
    monkeypatch.setattr(schema, "run", lambda options: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["schema"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_apply_without_a_saved_plan_says_so_and_plans_nothing(capsys, elsewhere):
    assert cli.main(["apply", "--yes"]) == 1
    assert "no plan is saved" in capsys.readouterr().err
    assert not (elsewhere / ".kxrecon").exists()
