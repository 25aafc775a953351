"""What was reviewed is what runs: plans that are stale, old, of another wire or of another spec."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kxrecon.commands import apply as apply_verb

PLAN = Path(".kxrecon/plan.json")


def test_a_stale_entity_is_refused_and_the_others_go_on(seeded):
    seeded.change("table", "Regions", docString="theirs")
    seeded.kql(".drop continuous-export EventsToLake")
    assert len(seeded.json("plan", seeded.seed)["actions"]) == 2
    seeded.change("table", "Regions", docString="theirs, later")
    code, told = seeded.on("apply", "--yes")
    assert code == 1
    assert "table Reference/Regions was changed: nothing was sent" in told
    with seeded.store() as store:
        (table,) = [one for key, one in store.all("table") if key[-1] == "Regions"]
        assert table["docString"] == "theirs, later"
        assert [key for key, _ in store.all("continuous_export") if key[-1] == "EventsToLake"]
    assert seeded.on("apply", seeded.seed, "--yes")[0] == 0


def test_force_does_not_lift_a_stale_plan(seeded):
    seeded.change("table", "Regions", docString="theirs")
    seeded.on("plan", seeded.seed)
    seeded.change("table", "Regions", docString="theirs, later")
    code, told = seeded.on("apply", "--yes", "--force")
    assert code == 1 and "was changed" in told


def test_running_state_does_not_make_a_plan_stale(seeded):
    seeded.change("table", "Regions", docString="theirs")
    seeded.on("plan", seeded.seed)
    seeded.green()
    assert seeded.on("apply", "--yes")[0] == 0


def test_a_plan_of_yesterday_is_refused(seeded, monkeypatch):
    seeded.kql(".drop continuous-export EventsToLake")
    seeded.on("plan", seeded.seed)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + timedelta(hours=25)

    monkeypatch.setattr(apply_verb, "datetime", Later)
    code, told = seeded.on("apply", "--yes")
    assert code == 1 and "older than 24 hours" in told


def test_a_plan_of_another_wire_or_spec_is_refused(seeded):
    spec = Path("mine.yaml")
    shutil.copytree(Path(seeded.seed).parent / "kql", "kql")
    shutil.copy(seeded.seed, spec)
    seeded.kql(".drop continuous-export EventsToLake")
    seeded.on("plan", str(spec))
    code, told = seeded.run("apply", "--yes", "--sandbox-file", "elsewhere.db")
    assert code == 1 and "was made for" in told
    spec.write_text(spec.read_text().replace("intervalBetweenRuns: 1h", "intervalBetweenRuns: 2h"))
    code, told = seeded.on("apply", "--yes")
    assert code == 1 and "changed since the plan was made" in told


def test_an_edited_plan_is_refused(seeded):
    seeded.kql(".drop continuous-export EventsToLake")
    seeded.on("plan", seeded.seed)
    PLAN.write_text(PLAN.read_text().replace("EventsToLake", "EventsToLakes"))
    code, told = seeded.on("apply", "--yes")
    assert code == 1 and "changed after it was saved" in told
