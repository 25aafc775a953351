"""drift --blame: when, by whom and with which command, from the database's journal."""

from __future__ import annotations

import pytest

from kxrecon import cli
from kxrecon.model import Failure, Ref, Table
from kxrecon.verify.blame import blame, journal

from .conftest import DATABASE, SEED

JOB = Ref("continuous_export", (DATABASE, "EventsToBlob"))
COLUMNS = ("Event", "EventTimestamp", "EntityName", "ChangeCommand", "Principal", "ClientRequestId")


def told(ref, *rows, mask=str):
    found = list(blame([ref], {journal(DATABASE): Table(COLUMNS, rows)}, mask))
    return [one.message for one in found]


def row(event, when, name, command="", client=""):
    return (event, when, name, command, "aaduser=ada", client)


def test_the_newest_entry_of_the_thing_counts():
    old = row("ALTER-CONTINUOUS-EXPORT", "2026-01-01T00:00:00Z", "EventsToBlob", ".enable …")
    new = row(
        "ALTER-CONTINUOUS-EXPORT", "2026-02-01T10:00:00Z", "EventsToBlob", ".disable continuous-export EventsToBlob"
    )
    other = row("ALTER-CONTINUOUS-EXPORT", "2026-03-01T00:00:00Z", "Another")
    table = row("ALTER-TABLE", "2026-03-01T00:00:00Z", "EventsToBlob")
    (message,) = told(JOB, new, old, other, table)
    assert message == (
        "last changed 2026-02-01 10:00:00Z by aaduser=ada: ALTER-CONTINUOUS-EXPORT "
        "with .disable continuous-export EventsToBlob"
    )


def test_an_apply_of_ours_is_told_from_a_person():
    (message,) = told(JOB, row("ALTER-CONTINUOUS-EXPORT", "2026", "EventsToBlob", client="kxrecon;abc123;7"))
    assert "by kxrecon (run abc123), as aaduser=ada" in message


def test_what_no_journal_speaks_of_has_no_note_and_an_unreadable_one_is_said_once():
    assert told(JOB, row("ALTER-TABLE", "2026", "Events")) == []
    refs = [JOB, Ref("table", (DATABASE, "Events")), Ref("role_assignment", ("/x", "y", "z"))]
    found = list(blame(refs, {journal(DATABASE): Failure("denied", "not an admin")}, str))
    assert [one.message for one in found] == ["the journal of Telemetry could not be read (denied: not an admin)"]


def test_commands_are_masked():
    command = ".create external table X (h@'https://a.blob.core.windows.net/c;SECRET')"
    event = row("CREATE-EXTERNAL-TABLE", "2026", "X", command)
    (message,) = told(Ref("external_table", (DATABASE, "X")), event, mask=lambda text: text.replace("SECRET", "***"))
    assert "SECRET" not in message and "***" in message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (".drop continuous-export EventsToBlob", "DROP-CONTINUOUS-EXPORT with .drop continuous-export"),
        (".drop external table EventsBlob", "DROP-EXTERNAL-TABLE with .drop external table"),
        (".delete database Telemetry policy managed_identity", "DELETE-DATABASE-POLICY with .delete database"),
    ],
)
def test_drift_names_the_change_on_the_sandbox(estate, capsys, command, words):
    estate.do(command)
    cli.main(["drift", str(SEED), "--blame", "--sandbox-file", str(estate.path)])
    out = capsys.readouterr().out
    assert words in out
    assert cli.main(["drift", str(SEED), "--sandbox-file", str(estate.path)]) in (0, 2)
    assert "last changed" not in capsys.readouterr().out
