"""An export stands still only for a change that is made, and what an apply of ours stopped starts again in any case."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kxrecon.sandbox.forecast import Event, Rule
from kxrecon.testing import open_sandbox

SPECS = Path(__file__).parents[2] / "specs"
TABLE = 'Events: { columns: "Timestamp:datetime, Level:string, Message:string" }'
EXPORT = "update continuous_export Telemetry/ArchiveEvents"


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        shutil.copy(SPECS / "quickstart.yaml", tmp_path / "s.yaml")
        assert opened.apply("s.yaml").converged
        yield opened


def edit(sandbox, *pairs: str) -> None:
    spec = sandbox.root / "s.yaml"
    text = spec.read_text()
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    spec.write_text(text)


def refuse_the_table(sandbox) -> None:
    """Ask for a type that would null what is in the table's column, which no permission lifts."""
    edit(sandbox, TABLE, TABLE.replace("Level:string", "Level:dynamic"))


def cut_off_in_a_pause(sandbox) -> None:
    """Let an apply stop the export and then fail, so that it is ours to start again."""
    edit(sandbox, "path: events", "path: events\n        compressed: true")
    sandbox.weather(Rule(Event("refused"), ".create-or-alter external", chance=1.0))
    assert sandbox.apply("s.yaml").code == 1
    sandbox.weather()
    assert sandbox.export("ArchiveEvents").is_disabled
    edit(sandbox, "\n        compressed: true", "")


def test_nothing_stands_still_for_a_change_that_is_refused(sandbox):
    refuse_the_table(sandbox)
    planned = sandbox.plan("s.yaml")
    assert planned.actions == ()
    assert [one for one in planned.findings if one.startswith("blocked")] == [
        "blocked: drops-data: a new type for Level would null what is in it"
    ]
    assert sandbox.apply("s.yaml").writes == ()
    assert not sandbox.export("ArchiveEvents").is_disabled


def test_what_an_export_stands_still_for_is_changed_as_a_whole(sandbox):
    refuse_the_table(sandbox)
    edit(sandbox, "path: events", "path: events\n        compressed: true")
    planned = sandbox.plan("s.yaml")
    assert planned.actions == ()
    assert "blocked: waits for table Telemetry/Events, which is blocked" in planned.findings


def test_nothing_stands_still_for_an_export_whose_own_change_waits(sandbox):
    refuse_the_table(sandbox)
    edit(sandbox, "intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    assert sandbox.plan("s.yaml").actions == ()


def test_what_we_stopped_starts_again_whatever_is_refused(sandbox):
    cut_off_in_a_pause(sandbox)
    refuse_the_table(sandbox)
    planned = sandbox.plan("s.yaml")
    assert planned.actions == (EXPORT,)
    assert not any("waits for" in one for one in planned.findings)
    assert sandbox.apply("s.yaml").code == 2
    assert not sandbox.export("ArchiveEvents").is_disabled


def test_it_starts_as_it_was_where_its_own_change_waits(sandbox):
    cut_off_in_a_pause(sandbox)
    refuse_the_table(sandbox)
    edit(sandbox, "intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    planned = sandbox.plan("s.yaml")
    assert planned.actions == (EXPORT,)
    assert "blocked: waits for table Telemetry/Events, which is blocked" in planned.findings
    told = sandbox.apply("s.yaml")
    assert [one.text for one in told.writes] == [".enable continuous-export ['ArchiveEvents']"]
    assert not sandbox.export("ArchiveEvents").is_disabled


def test_it_starts_though_a_link_of_it_is_left_to_others(sandbox):
    cut_off_in_a_pause(sandbox)
    edit(sandbox, "        interval", "        grants: check\n        interval")
    sandbox.kql(".drop database ['Telemetry'] viewers ('aadapp=" + identity(sandbox) + "')", "Telemetry")
    assert sandbox.plan("s.yaml").actions == (EXPORT,)


def test_the_old_export_goes_on_where_its_successor_is_refused(sandbox):
    """What lies between the two could not be bounded."""
    edit(
        sandbox,
        "      ArchiveEvents:",
        "      Archive2:\n        renamedFrom: ArchiveEvents",
        "query: Events",
        "query: 'union Events'",
    )
    planned = sandbox.plan("s.yaml")
    assert planned.actions == ()
    assert any("cannot be bounded" in one for one in planned.findings)


def identity(sandbox) -> str:
    rows = sandbox.kql(".show database ['Telemetry'] principals", "Telemetry")
    return next(one["PrincipalObjectId"] for one in rows if "kxrecon/" in str(one["Notes"]))
