"""drift --blame: when, by whom and with which command, from the database's journal."""

from __future__ import annotations

import pytest

from kxrecon import cli
from kxrecon.model import Change, Entity, Failure, FieldChange, Ref, Table
from kxrecon.scope import Directory, Scope
from kxrecon.verify.blame import blame, journal

from .conftest import DATABASE, SEED

JOB = Ref("continuous_export", (DATABASE, "EventsToBlob"))
COLUMNS = ("Event", "EventTimestamp", "EntityName", "ChangeCommand", "Principal", "ClientRequestId")
ME, CLIENT, OTHER = (f"{digit * 8}-0000-4000-8000-000000000001" for digit in "123")
GROUP = "6f0e9c1e-0000-4000-8000-000000000001"


def differs(ref, *fields):
    """An update of some fields."""
    one = Entity(ref, {})
    return Change(ref, "update", one, one, tuple(FieldChange(name, "a", "b") for name in fields))


def missing(kind, *name):
    return Change(Ref(kind, name), "create", None, Entity(Ref(kind, name), {}))


def extra(kind, *name, **attributes):
    return Change(Ref(kind, name), "delete", Entity(Ref(kind, name), {}, attributes=attributes), None)


def scope(**ids):
    known = {key.lower(): "exporter" for key in ids.values()}
    return Scope(identities={"exporter": "/x"}, directory=Directory({"exporter": ids}, known))


def told(change, *rows, mask=str, among=None):
    change = differs(change, "query") if isinstance(change, Ref) else change
    found = list(blame([change], {journal(DATABASE): Table(COLUMNS, rows)}, among or Scope(), mask))
    return [one.message for one in found]


def row(event, when, name, command="", client=""):
    return (event, when, name, command, "aaduser=ada", client)


def test_the_newest_entry_of_the_thing_counts():
    old = row("ALTER-CONTINUOUS-EXPORT", "2026-01-01T00:00:00Z", "EventsToBlob", ".enable …")
    new = row(
        "ALTER-CONTINUOUS-EXPORT", "2026-02-01T10:00:00Z", "EventsToBlob", ".disable continuous-export EventsToBlob"
    )
    change = differs(JOB, "isDisabled")
    other = row("ALTER-CONTINUOUS-EXPORT", "2026-03-01T00:00:00Z", "Another")
    table = row("ALTER-TABLE", "2026-03-01T00:00:00Z", "EventsToBlob")
    (message,) = told(change, new, old, other, table)
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
    answers = {journal(DATABASE): Failure("denied", "not an admin")}
    found = list(blame([differs(ref, "query") for ref in refs], answers, Scope(), str))
    assert [one.message for one in found] == ["the journal of Telemetry could not be read (denied: not an admin)"]


def test_commands_are_masked():
    command = ".create external table X (h@'https://a.blob.core.windows.net/c;SECRET')"
    event = row("CREATE-EXTERNAL-TABLE", "2026", "X", command)
    (message,) = told(Ref("external_table", (DATABASE, "X")), event, mask=lambda text: text.replace("SECRET", "***"))
    assert "SECRET" not in message and "***" in message


def at(minute, command, name=DATABASE, event="ALTER"):
    return row(event, f"2026-01-01T00:{minute:02}:00Z", name, command)


def newest(messages):
    """The minute of the entry that is named as the last change; ``?`` if it cannot be told, None without a note."""
    if not messages:
        return None
    (message,) = messages
    return int(message[27:29]) if message.startswith("last changed 2026-01-01 00:") else "?"


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (".add database Telemetry viewers ('aaduser=bob@contoso.com')", 1),
        (f".drop database Telemetry viewers ('aadapp={OTHER}')", 1),
        (f".drop database Telemetry unrestrictedviewers ('aadapp={ME}')", 1),
        (f".drop database Telemetry viewers (@'aadapp={ME};t') skip-results", 2),
        (f".drop database ['Telemetry'] viewers ('aaduser=x@y.z', 'aadapp={CLIENT.upper()}')", 2),
        (f".drop table Events admins ('aadapp={ME}')", 1),
        (".set database Telemetry viewers none", 2),
        (f".set database Telemetry viewers ('aadapp={OTHER}')", 2),
        (f".add database Telemetry viewers ('aadapp={ME}')", "?"),  # and yet it is missing
    ],
)
def test_a_missing_role_is_blamed_on_who_took_it_away(later, expected):
    rows = [at(1, f".drop database Telemetry viewers ('aadapp={ME}')"), at(2, later)]
    change = missing("database_role", DATABASE, "viewers", "exporter")
    assert newest(told(change, *rows, among=scope(principalId=ME, clientId=CLIENT))) == expected


def test_an_id_that_nobody_knows_may_be_the_one():
    """A system identity's client id is in no answer of ARM."""
    rows = [at(2, f".drop database Telemetry viewers ('aadapp={OTHER}')")]
    change = missing("database_role", DATABASE, "viewers", "exporter")
    (message,) = told(change, *rows, among=scope(principalId=ME))
    assert message.startswith(
        "who changed it last cannot be told: it may have been 2026-01-01 00:02:00Z by aaduser=ada"
    )
    assert told(change, *rows, among=scope(principalId=ME, clientId=CLIENT)) == []
    assert told(missing("database_role", DATABASE, "viewers", "exporter"), at(2, ".add" + rows[0][3][5:])) == []


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (f".add database Telemetry viewers ('aadgroup={GROUP};t')", 2),
        (".add database Telemetry viewers ('aadgroup=Readers;contoso.com')", "?"),
        (".add database Telemetry viewers ('aaduser=readers@contoso.com')", 1),
        (f".add database Telemetry viewers ('aadgroup={OTHER}')", 1),
        (f".drop database Telemetry viewers ('aadgroup={GROUP}')", "?"),
    ],
)
def test_an_additional_principal_is_blamed_on_who_added_it(later, expected):
    rows = [at(1, f".add database Telemetry viewers ('aadgroup={GROUP}')"), at(2, later)]
    change = extra("database_role", DATABASE, "viewers", f"aadgroup={GROUP}", objectId=GROUP, fqn=f"aadgroup={GROUP};t")
    assert newest(told(change, *rows)) == expected


def merge(usages, who="system", quote="'"):
    policy = f'[{{"ObjectId": "{who}", "AllowedUsages": "{usages}"}}]'
    return f".alter-merge database Telemetry policy managed_identity {quote}{policy}{quote}"


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (merge("NativeIngestion"), 1),
        (merge("NativeIngestion", quote="```"), 1),
        (merge("AutomatedFlows", OTHER), 1),
        (".delete database Telemetry policy managed_identity", 2),
        (".alter database Telemetry policy managed_identity '[]'", 2),
        (".alter database Telemetry policy caching hot = 1d", 1),
        (merge("ExternalTable, AutomatedFlows"), "?"),  # and yet it is missing
    ],
)
def test_a_missing_usage_is_blamed_on_who_took_it_away(later, expected):
    rows = [at(1, ".alter database Telemetry policy managed_identity '[]'"), at(2, later)]
    change = missing("managed_identity_policy", "database", DATABASE, "system", "AutomatedFlows")
    assert newest(told(change, *rows)) == expected


@pytest.mark.parametrize(
    ("kind", "name", "field", "later", "expected"),
    [
        ("continuous_export", "Job", "intervalBetweenRuns", ".disable continuous-export Job", 1),
        ("continuous_export", "Job", "isDisabled", ".disable continuous-export Job", 2),
        ("continuous_export", "Job", "query", ".create-or-alter continuous-export Job to table X <| E", 2),
        ("continuous_export", "Job", "query", ".create-or-alter external table Job (a:int) kind=storage", 1),
        ("table", "Events", "columns", ".alter table Events docstring 'x'", 1),
        ("table", "Events", "columns", ".alter table Events policy retention softdelete = 1d", 1),
        ("table", "Events", "columns", ".alter table ['Events'] policy ingestiontime false", 1),
        ("table", "Events", "ingestionTimePolicy", ".alter table ['Events'] policy ingestiontime false", 2),
        ("table", "Events", "ingestionTimePolicy", ".alter-merge table Events (b:int)", 1),
        ("table", "Events", "columns", ".drop column Events.b", 2),
        ("table", "Events", "docString", ".create-or-alter external table Events (a:int) kind=storage", 1),
        ("table", "Events", "columns", ".alter-merge table EventsOfOthers (b:int)", 1),
        ("function", "Recent", "body", ".alter function Recent docstring 'x'", 1),
        ("function", "Recent", "docString", ".alter function ['Recent'] docstring 'x'", 2),
        ("external_table", "Out", "columns", ".alter external table Out folder 'x'", 1),
    ],
)
def test_only_a_command_that_writes_the_field_is_named(kind, name, field, later, expected):
    words = {"continuous_export": "continuous-export"}.get(kind, kind.replace("_", " "))
    entity = "" if " column " in later or "OfOthers" in later else name
    rows = [at(1, f".create {words} {name} (…)", name), at(2, later, entity)]
    assert newest(told(differs(Ref(kind, (DATABASE, name)), field), *rows)) == expected


def test_a_thing_that_is_gone_while_the_journal_shows_only_its_making_is_blamed_on_nobody():
    made = at(1, ".create-or-alter continuous-export EventsToBlob to table X <| E", "EventsToBlob")
    (message,) = told(missing("continuous_export", DATABASE, "EventsToBlob"), made)
    assert message.startswith("who changed it last cannot be told: it is not there, and the newest entry")


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


def test_drift_names_who_took_the_role_and_not_who_gave_another_one(estate, capsys):
    who = estate.principal("system")
    estate.do(f".drop database Telemetry viewers ('aadapp={who}')")
    estate.do(".add database Telemetry viewers ('aaduser=bob@contoso.com')")
    estate.do(".add database Telemetry unrestrictedviewers ('aaduser=carol@contoso.com')")
    cli.main(["drift", str(SEED), "--blame", "--sandbox-file", str(estate.path)])
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "Telemetry/viewers/system: " in line]
    assert "with .drop database Telemetry viewers" in note and "bob" not in note and "carol" not in note
