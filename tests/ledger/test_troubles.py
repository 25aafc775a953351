"""When something is wrong with the ledger: it is said, nothing is done blindly, and nothing that was done is lost."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from kxrecon.ledger.file import LedgerFile
from kxrecon.sandbox.forecast import Event, Rule
from tests.ground import SPECS

from .conftest import both, lines_of


def events(team) -> list[str]:
    return [row["Event"] for row in team.rows()]


@both
def test_what_is_about_to_be_written_is_put_down_first(team, monkeypatch):
    """Killed after the writes and before the end: what is hidden is written again by the next apply."""
    from kxrecon.ledger.book import Book

    team.apply()
    team.secret("sv=1&sig=second")
    with monkeypatch.context() as dying:
        dying.setattr(Book, "did", _die)
        with pytest.raises(Killed):
            team.run("apply", "--yes")
    assert events(team)[-2:] == ["began", "tried"]
    changed = team.changed()
    assert changed == {"Telemetry/Out": ["connections"]}
    notes = [note for action in team.plan().actions for note in action.notes]
    assert any("nobody saw how that ended" in note for note in notes)
    told = team.sandbox.run("history", str(team.path))
    assert "did not end" in told.text
    team.apply()
    assert team.changed() == {} and team.doubted() == {}


class Killed(BaseException):
    """The process is gone."""


def _die(*_):
    raise Killed


@pytest.mark.parametrize("team", ["table"], indirect=True)
def test_a_ledger_that_cannot_be_written_beforehand_stops_the_apply(team):
    team.apply()
    team.secret("sv=1&sig=second")
    team.sandbox.weather(Rule(Event("refused", message="no right to append"), ".append kxreconledger", chance=1))
    told = team.run("apply", "--yes")
    assert told.code == 1
    assert "the ledger Ops.KxreconLedger cannot be written: no right to append; nothing was done" in told.text
    assert "--ledger off" in told.text
    assert not [one for one in told.writes if "external table" in one.text]
    assert team.run("apply", "--yes", "--ledger", "off").code == 0
    assert not [row for row in team.rows() if row["Event"] == "tried"][4:]


@pytest.mark.parametrize("team", ["table"], indirect=True)
def test_what_cannot_be_put_down_afterwards_waits_here_for_the_next_apply(team):
    team.apply()
    team.secret("sv=1&sig=second")
    team.sandbox.weather(Rule(Event("refused", message="full"), ".append kxreconledger", at=(2, 3)))
    told = team.run("apply", "--yes")
    assert told.code == 1 and "converged" in told.text
    assert re.search(
        r"LEDGER: the ledger Ops.KxreconLedger cannot be written: full; what it lacks is in \S+", told.text
    )
    (spool,) = (team.sandbox.folder / ".kxrecon").glob("ledger-unsent-*.jsonl")
    assert spool.stat().st_mode & 0o777 == 0o600
    assert [row["Event"] for row in lines_of(spool)] == ["wrote", "ended"]
    team.sandbox.weather()
    assert team.changed() == {} and team.doubted() == {}, "on this machine it is known"
    team.apply()
    assert not spool.exists() and events(team)[-2:] == ["wrote", "ended"]
    assert team.changed() == {}


@pytest.mark.parametrize("team", ["table"], indirect=True)
def test_a_ledger_that_cannot_be_read_is_said_and_nothing_is_begun(team):
    team.apply()
    team.sandbox.weather(
        Rule(Event("refused", message="not a viewer of Ops"), "query", chance=1),
    )
    told = team.run("drift")
    assert told.code == 1
    assert "the ledger Ops.KxreconLedger cannot be read (failed: not a viewer of Ops" in told.text
    assert "nothing is owned by it" in told.text
    team.secret("sv=1&sig=second")
    team.database["tables"]["Events"]["docString"] = "x"
    team.write()
    told = team.run("apply", "--yes")
    assert told.code == 1 and "nothing was done" in told.text
    assert not told.writes


@pytest.mark.parametrize("team", ["table"], indirect=True)
def test_a_lost_answer_to_an_append_is_sent_again(team):
    team.sandbox.weather(Rule(Event("cut-after"), ".append kxreconledger", at=(1, 3)))
    team.apply()
    team.sandbox.weather()
    assert team.changed() == {} and team.doubted() == {}


def test_a_line_that_cannot_be_read_is_named_and_what_came_before_it_proves_nothing(team):
    team.apply()
    ledger = team.sandbox.folder / "ledger.jsonl"
    whole = ledger.read_text()
    ledger.write_text(whole + "<<<<<<< HEAD\n")
    assert set(team.doubted()) == {"Telemetry/Out", "Telemetry/Lake", "Telemetry/Recent"}
    (note,) = [one for one in team.plan().findings if "cannot be read" in one.message and one.kind == "note"]
    assert f"line {len(whole.splitlines()) + 1} cannot be read" in note.message
    ledger.write_text(whole)
    assert team.doubted() == {}


@both
def test_verbs_that_look_write_no_ledger(team):
    for verb in (("plan",), ("plan", "--adopt"), ("drift",), ("history",)):
        team.run(*verb)
    folder = team.sandbox.folder
    assert not list(folder.glob("ledger*")) and not list((folder / ".kxrecon").glob("ledger*"))
    assert not team.sandbox.kql(
        ".show tables | where TableName == 'KxreconLedger'", "Ops" if _has_ops(team) else "Telemetry"
    )
    team.apply()
    before = team.text()
    team.secret("sv=1&sig=second")
    for verb in (
        ("plan",),
        ("plan", "--adopt", "--reassert"),
        ("drift",),
        ("drift", "--blame"),
        ("history",),
        ("verify",),
    ):
        told = team.run(*verb)
        assert told.code in (0, 2), told.text
        assert not told.writes
    assert team.text() == before


def _has_ops(team) -> bool:
    return "database" in team.spec["ledger"]


def test_an_apply_with_nothing_to_do_adds_no_line(team):
    team.apply()
    before = team.text()
    team.apply()
    assert team.text() == before


def test_a_file_that_is_something_else_is_never_written(team):
    (team.sandbox.folder / "ledger.jsonl").write_text("version: 1\n")
    told = team.run("apply", "--yes")
    assert told.code == 1 and "does not begin like a ledger" in told.text and not told.writes
    assert (team.sandbox.folder / "ledger.jsonl").read_text() == "version: 1\n"


@pytest.mark.parametrize("team", [None], indirect=True)
def test_the_option_says_where_and_without_any_ledger_nothing_of_it_is_there(team):
    team.apply()
    assert not list(team.sandbox.folder.rglob("*ledger*"))
    team.secret("sv=1&sig=second")
    assert team.run("apply", "--yes", "--reassert", "--ledger", "file").code == 0
    assert (team.sandbox.folder / ".kxrecon" / "ledger.jsonl").exists()
    assert team.doubted() != {}
    told = team.run("plan", "--ledger", "file")
    assert "Cannot be verified" not in told.text
    assert team.run("apply", "--yes", "--reassert", "--ledger", "table:Telemetry").code == 0
    assert team.sandbox.kql("KxreconLedger | count", "Telemetry")[0]["Count"] > 0
    for wrong in ("table", "table:", "blob:x", ""):
        told = team.run("plan", "--ledger", wrong)
        assert told.code == 1 and "--ledger takes" in told.text


def test_what_was_written_to_another_sandbox_proves_nothing_here(team):
    """The same cluster's name, but another wire: another cluster."""
    team.apply()
    told = team.sandbox.run("plan", str(team.path))
    assert "nothing to do" in told.text
    rows = lines_of(team.sandbox.folder / "ledger.jsonl")
    (cluster,) = {row["Cluster"] for row in rows}
    assert cluster.startswith("sandbox:") and cluster.endswith(" https://telemetry.westeurope.kusto.windows.net")


def test_an_apply_that_began_and_ended_within_another_ones_does_not_confuse_the_ledger(team, monkeypatch):
    """Both rotate: the outer one writes last, and what it wrote is what is known."""
    from kxrecon.commands import apply as verb

    team.apply()
    team.secret("sv=1&sig=second")
    real, nested = verb._Apply._execute, []

    def execute(self, *given):
        if not nested:
            nested.append(1)
            team.secret("sv=1&sig=third")
            assert team.run("apply", "--yes").code == 0
            team.secret("sv=1&sig=second")
        return real(self, *given)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(verb._Apply, "_execute", execute)
        assert team.run("apply", "--yes").code == 0
    team.secret("sv=1&sig=third")
    assert team.changed() == {"Telemetry/Out": ["connections"]}
    team.secret("sv=1&sig=second")
    assert team.changed() == {}
    assert [row["Event"] for row in team.rows()].count("ended") == 3


def test_the_ledger_is_private_and_says_who(team, monkeypatch):
    monkeypatch.setenv("KXRECON_ACTOR", "ada")
    team.apply()
    path = team.sandbox.folder / "ledger.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {row["Who"].split(" on ")[0] for row in team.rows()} == {"ada"}
    assert isinstance(LedgerFile(path).read(), list)
    record = json.loads(team.run("apply", "--yes", "--json").text)
    assert record["ledger"] is None


PROBE = """
import sys
sys.argv = ["kxrecon", "plan", "quickstart.yaml", "--sandbox"]
from kxrecon.__main__ import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sorted(name for name in sys.modules if name.startswith("kxrecon."))))
"""


def test_without_a_ledger_none_of_it_is_imported(tmp_path):
    shutil.copy(SPECS / "quickstart.yaml", tmp_path)
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert "7 to create" in probe.stdout
    loaded = set(probe.stderr.split())
    assert "kxrecon.commands._ledger" in loaded and not [one for one in loaded if one.startswith("kxrecon.ledger")]
    assert "kxrecon.reassert" not in loaded and "kxrecon.origin" not in loaded
