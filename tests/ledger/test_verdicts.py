"""What the ledger says on the sandbox: rotations and foreign changes are seen, phantom differences are not."""

from __future__ import annotations

import json

import pytest

from kxrecon.sandbox.switches import Switches
from tests.facts.switched import choices

from .conftest import THE_KEY, both

HIDDEN = {"Telemetry/Out", "Telemetry/Lake", "Telemetry/Recent"}


@both
def test_nothing_is_in_doubt_after_an_apply_and_rotation_and_foreign_changes_are_seen(team):
    team.apply()
    assert team.changed() == {} and team.doubted() == {}

    team.secret("sv=1&sig=second")
    assert team.changed() == {"Telemetry/Out": ["connections"]}
    team.apply()
    assert team.changed() == {} and team.doubted() == {}

    team.by_hand()
    assert team.changed() == {"Telemetry/Out": ["connections"]}
    team.apply()
    assert team.changed() == {}

    team.secret("sv=1&sig=first")
    assert team.changed() == {"Telemetry/Out": ["connections"]}, "a secret that was written once is no longer there"


def test_hidden_literals_and_flags_that_are_only_written(team):
    team.apply()
    team.database["functions"]["Recent"]["body"] = 'Events | where Level != h"other"'
    team.write()
    assert team.changed() == {"Telemetry/Recent": ["body"]}
    team.apply()
    assert team.changed() == {}
    team.database["functions"]["Recent"]["view"] = False
    team.write()
    assert team.changed() == {"Telemetry/Recent": ["view"]}
    team.apply()
    assert team.changed() == {}


@pytest.mark.parametrize("setting", choices("impersonate_shown"))
@pytest.mark.parametrize("key", [THE_KEY, None], ids=["key", "no key"])
def test_under_both_settings_of_what_is_masked(team, setting, key):
    """Whatever is shown of a connection that holds no secret: it is never in doubt, with or without a key."""
    team.key(key)
    team.sandbox.switch(impersonate_shown=setting)
    team.apply()
    assert "Telemetry/Lake" not in team.doubted()
    team.by_hand("sv=1", "Lake")
    assert "Telemetry/Lake" in team.changed()
    team.apply()
    assert team.changed() == {} and "Telemetry/Lake" not in team.doubted()


@pytest.mark.parametrize("scripted", [True, False])
@pytest.mark.parametrize("place", choices("export_identity_shown"))
def test_an_exports_identity_wherever_it_is_shown_or_not(team, place, scripted):
    team.sandbox.switch(export_identity_shown=place, csl_script_lists_exports=scripted)
    team.apply()
    assert "Telemetry/Job" not in team.doubted()
    team.database["continuousExports"]["Job"]["managedIdentity"] = "system"
    team.write()
    assert team.changed()["Telemetry/Job"] == ["managedIdentity"]
    team.apply()
    assert team.changed() == {} and "Telemetry/Job" not in team.doubted()


@pytest.mark.parametrize("shown", [pytest.param(one, id=f"query_shown={one}") for one in choices("query_shown")])
def test_a_text_that_the_service_reformats_is_no_difference(team, shown):
    team.sandbox.switch(query_shown=shown)
    team.apply()
    assert team.changed() == {} and "Telemetry/Job" not in team.doubted()
    team.sandbox.kql(
        ".create-or-alter continuous-export Job over (Events) to table Lake with"
        f" (managedIdentity='{_identity(team)}', intervalBetweenRuns=10m) <| Events | take 1",
        "Telemetry",
    )
    assert team.changed() == {"Telemetry/Job": ["query"]}
    team.apply()
    assert team.changed() == {}
    team.database["continuousExports"]["Job"]["query"] = "Events | take 7"
    team.write()
    assert team.changed() == {"Telemetry/Job": ["query"]}


def _identity(team) -> str:
    export = team.sandbox._world.store.all("continuous_export")[0][1]
    return str(export["properties"]["managedIdentity"])


def test_without_a_ledger_a_reformatted_text_differs_for_ever(kxrecon_sandbox, monkeypatch):
    """What the ledger is for: nothing else can tell the service's form from somebody's change."""
    from .conftest import Team

    team = Team(kxrecon_sandbox, monkeypatch, None)
    team.sandbox.switch(query_shown="respaced")
    told = team.run("apply", "--yes")
    assert told.code == 1 and "not converged" in told.text


@both
def test_without_a_key_a_secret_is_never_equal_and_nothing_of_it_is_kept(team):
    team.key(None)
    team.apply()
    doubted = team.doubted()
    assert set(doubted) == {"Telemetry/Out", "Telemetry/Recent"}
    assert all("KXRECON_LEDGER_KEY" in message for messages in doubted.values() for message in messages)
    bodies = {tuple(row["Entity"]): row["Body"] for row in team.rows()}
    assert "connections" not in bodies["Telemetry", "Out"]["written"]
    assert "body" not in bodies["Telemetry", "Recent"]["written"]
    team.secret("sv=1&sig=second")
    assert team.changed() == {} and "Telemetry/Out" in team.doubted()
    team.by_hand()
    assert team.changed() == {"Telemetry/Out": ["connections"]}, "the journal knows of it, key or no key"


def test_another_key_proves_nothing_and_is_said(team):
    team.apply()
    team.key("quite another key, just as long")
    assert team.changed() == {} and set(team.doubted()) == HIDDEN
    notes = [one.message for one in team.plan().findings if one.kind == "note"]
    assert any("KXRECON_LEDGER_KEY is another one: they prove nothing" in one for one in notes)
    team.key(None)
    notes = [one.message for one in team.plan().findings if one.kind == "note"]
    assert any("KXRECON_LEDGER_KEY is not set: they prove nothing" in one for one in notes)
    team.key("quite another key, just as long")
    team.apply("--reassert")
    assert team.doubted() == {}
    team.secret("sv=1&sig=second")
    assert team.changed() == {"Telemetry/Out": ["connections"]}


def test_a_short_key_is_refused_before_anything_is_written(team):
    team.key("tiny key")
    for verb in (("plan",), ("apply", "--yes"), ("history",)):
        told = team.run(*verb)
        assert told.code == 1 and "at least 16" in told.text and not told.writes
        assert "tiny key" not in told.text


def test_a_key_that_comes_later_seals_what_can_be_seen_and_leaves_the_rest_in_doubt(team):
    team.key(None)
    team.apply()
    team.key(THE_KEY)
    assert "Telemetry/Out" in team.doubted()
    team.apply()
    seals = {tuple(row["Entity"]): row["Body"].get("seal") for row in team.rows() if row["Event"] != "began"}
    assert seals["Telemetry", "Events"] not in (None, "plain")
    assert "Telemetry/Out" in team.doubted(), "what was written without a key is not known by having one"
    team.apply("--reassert")
    assert team.doubted() == {}


def test_a_secret_without_a_value_here_is_not_compared(team, monkeypatch):
    team.apply()
    monkeypatch.delenv("KXRECON_VAR_sas")
    assert team.changed() == {}
    assert any("no value here" in message for message in team.doubted()["Telemetry/Out"])


def test_named_entities_are_written_again_although_the_ledger_knows_them(team):
    team.apply()
    assert team.changed("--reassert") == {}
    assert team.changed("--reassert", "Telemetry/Out") == {"Telemetry/Out": ["connections"]}


@both
def test_no_secret_and_no_unkeyed_hash_of_one_in_the_ledger(team):
    import hashlib

    team.apply()
    team.secret("sv=1&sig=second")
    team.apply()
    team.key(None)
    team.secret("sv=1&sig=third")
    team.apply("--reassert")
    plans = [path.read_text() for path in (team.sandbox.folder / ".kxrecon" / "applied").iterdir()]
    assert plans and not any("sig=" in text for text in plans)
    kept = team.text() + "".join(path.read_text(errors="replace") for path in _files(team))
    for secret in ("sv=1&sig=first", "sv=1&sig=second", "sv=1&sig=third", "hush", THE_KEY):
        spelled = {secret, json.dumps(secret)[1:-1], secret.partition("sig=")[2] or secret}
        hashes = {hashlib.sha256(one.encode()).hexdigest()[:12] for one in spelled}
        assert not [one for one in spelled | hashes if one in kept], secret


def _files(team):
    """What is kept beside the ledger, but the sandbox, and the plan applied last: that holds the spec's own text."""
    found = [one for one in team.sandbox.folder.rglob("*.json*") if one.is_file()]
    return [one for one in found if not one.name.startswith("sandbox.") and one.parent.name != "applied"]


def test_the_switches_that_these_tests_turn_exist():
    assert {"impersonate_shown", "query_shown", "export_identity_shown"} <= {one for one in Switches.__slots__}
