"""The plans of a fleet: saved as one, applied as one and nothing else; every option means the same as for one spec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli, fleetfile, planfile
from kxrecon.errors import PlanError
from tests.estates.conftest import QUICKSTART, member, specs

EAST = ["--cluster", "https://east.westeurope.kusto.windows.net", "--database", "Telemetry"]
PLAN = Path(".kxrecon/plan.json")
HANDED = QUICKSTART + "manage: { arm: check }\n"


def results(out):
    return {name: one["result"] for name, one in specs(out).items()}


@pytest.fixture
def fleet(run):
    """Two clusters, and another spec that was planned before them."""
    for number, name in enumerate(("east", "west")):
        member(name, wave=number)
    Path("dev.yaml").write_text(QUICKSTART)
    assert run("plan", "dev.yaml")[0] == 0
    return run


def test_apply_does_the_plans_that_were_made_last_and_nothing_else(fleet):
    code, out, _ = fleet("plan", "fleet")
    assert code == 0 and out.endswith("saved to .kxrecon/plan.json; to do it: kxrecon apply --sandbox\n")
    code, out, err = fleet("apply", "--yes")
    assert code == 0, out + err
    assert out.startswith("east  https://east.") and "\nwest  https://west." in out
    assert "https://telemetry." not in out, "the plan that was saved before is not the one that was seen last"
    assert "kxrecon plan" not in out and out.count("7 of 7") == 2
    assert fleet("drift", "fleet")[0] == 0
    assert fleet("drift", "dev.yaml")[0] == 2


def test_plans_of_a_fleet_are_checked_as_every_saved_plan_is(fleet):
    fleet("plan", "fleet")
    Path("fleet/east.yaml").write_text(Path("fleet/east.yaml").read_text().replace("10m", "20m"))
    code, out, _ = fleet("apply", "--yes", "--json")
    assert code == 1 and results(out) == {"east": "failed", "west": "not begun"}
    assert "changed since the plan was made: run plan again" in specs(out)["east"]["error"]
    code, out, _ = fleet("apply", "--yes", "--json", "--sandbox-file", "other.db")
    assert code == 1 and "the plan was made for sandbox:.kxrecon/sandbox.db" in specs(out)["east"]["error"]


def test_a_spec_without_a_plan_holds_the_waves_behind_it(fleet):
    fleet("plan", "fleet")
    good = Path("fleet/east.yaml").read_text()
    Path("fleet/east.yaml").write_text(good.replace("dataFormat: parquet", "dataFormat: parkett"))
    assert fleet("plan", "fleet")[0] == 1
    assert not Path(".kxrecon/plans/east.json").exists(), "the plan of an earlier run is no plan of this one"
    Path("fleet/east.yaml").write_text(good)
    code, out, _ = fleet("apply", "--yes", "--json")
    assert code == 1 and results(out) == {"east": "failed", "west": "not begun"}
    assert "parkett" in specs(out)["east"]["error"]


def test_some_plans_of_a_fleet_can_be_applied_and_a_folder_of_them(fleet):
    fleet("plan", "fleet")
    member("north", wave=0)
    assert fleet("plan", "fleet/north.yaml", "--out", "north.json")[0] == 0
    code, out, err = fleet("apply", ".kxrecon/plans/west.json", "north.json", "--yes", "--json")
    assert code == 0, err
    assert list(results(out)) == ["north", "west"], "each in the wave that its spec names"
    code, out, err = fleet("apply", ".kxrecon/plans", "--yes", "--json")
    assert code == 0 and list(results(out)) == ["east", "west"], err
    code, _, err = fleet("apply", ".kxrecon/plans", ".kxrecon/plan.json", "--yes")
    assert code == 1 and "there are two plans of fleet/east.yaml" in err
    code, _, err = fleet("apply", ".kxrecon/plans", "fleet", "--yes")
    assert code == 1 and "apply takes plans, or specs, not both" in err


def test_files_of_an_earlier_fleet_are_gone(fleet):
    fleet("plan", "fleet")
    Path("fleet/west.yaml").unlink()
    fleet("plan", "fleet")
    assert [one.name for one in Path(".kxrecon/plans").iterdir()] == ["east.json"]


def test_plans_of_a_fleet_are_saved_where_out_says(fleet):
    before = PLAN.read_text()
    code, out, _ = fleet("plan", "fleet", "--out", "all.json")
    assert code == 0 and "saved to all.json; to do it: kxrecon apply all.json --sandbox\n" in out
    assert PLAN.read_text() == before and not Path(".kxrecon/plans").exists()
    code, out, _ = fleet("apply", "all.json", "--yes", "--shard", "1/2", "--json")
    assert code == 0 and list(results(out)) == ["east"]


def test_a_digest_is_of_all_plans(fleet):
    _, out, _ = fleet("plan", "fleet", "--json", "--html", "plan.html")
    digest = json.loads(out)["digest"]
    assert f"kxrecon apply --sandbox --digest {digest}" in Path("plan.html").read_text()
    for what in ((), ("fleet",)):
        code, out, err = fleet("apply", *what, "--yes", "--digest", "0" * 64)
        assert code == 1 and f"these plans have the digest {digest}" in err and "nothing was done" in err, what
    assert fleet("drift", "fleet/east.yaml")[0] == 2
    assert fleet("apply", "fleet", "--yes", "--digest", digest.upper())[0] == 0
    assert fleet("drift", "fleet")[0] == 0
    code, _, err = fleet("apply", "fleet", "--yes", "--digest", digest)
    assert code == 1, "there are other plans now"


def test_every_edit_of_the_plans_of_a_fleet_is_refused(fleet):
    fleet("plan", "fleet")
    document = json.loads(PLAN.read_text())
    for edit in (
        lambda one: one["specs"].pop(),
        lambda one: one["specs"][1].update(wave=0),
        lambda one: one["specs"][1].update(files=["other.yaml"]),
        lambda one: one["specs"][1].update(plan=None),
        lambda one: one["specs"][1].update(plan=[]),
        lambda one: one["specs"][1].pop("plan"),
        lambda one: one["specs"][1]["plan"].update(created="2030-01-01T00:00:00+00:00"),
        lambda one: one["specs"][1]["plan"]["actions"].pop(),
        lambda one: one.update(digest="0"),
        lambda one: one.update(specs=3),
    ):
        other = json.loads(json.dumps(document))
        edit(other)
        with pytest.raises(PlanError):
            fleetfile.parts_of(other, PLAN)
    member("west", text=QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett"))
    fleet("plan", "fleet")
    unplanned = json.loads(PLAN.read_text())
    unplanned["specs"][1]["error"] = None
    with pytest.raises(PlanError, match="changed after it was saved"):
        fleetfile.parts_of(unplanned, PLAN)
    with pytest.raises(PlanError, match="the plans of a fleet"):
        planfile.load(PLAN)


def test_the_outcome_of_a_fleet_is_one_document(fleet):
    code, out, _ = fleet("apply", "fleet", "--yes", "--json")
    document = specs(out)
    assert code == 0 and list(document) == ["east", "west"]
    east = document["east"]
    assert (east["cluster"], east["wave"], east["files"], east["result"], east["error"]) == (
        "https://east.westeurope.kusto.windows.net",
        0,
        ["fleet/east.yaml"],
        "ok",
        None,
    )
    assert east["converged"] and len(east["outcomes"]) == 7


def test_the_outcome_of_a_fleet_in_markdown_has_a_table_names_and_errors(fleet):
    member("east", text=QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett"))
    member("north")
    code, out, _ = fleet("apply", "fleet", "--yes", "--markdown")
    assert code == 1 and out.startswith("## kxrecon apply: 3 specs\n")
    assert "| north | 0 | https://north.westeurope.kusto.windows.net | 7 | 0 | 0 | 0 | 7 of 7 | ok |" in out
    assert "**east**: fleet/east.yaml:" in out and out.count("### kxrecon apply") == 1
    assert "### kxrecon apply `north`\n" in out and "| west | 1 |" in out


def test_what_was_done_is_told_when_an_apply_ends_in_the_middle(fleet, monkeypatch):
    """The second of two clusters meets a defect, or somebody who presses Ctrl-C: the first is told all the same."""
    from kxrecon.commands import _flow

    original = _flow.plan

    def plan(options, spec):
        if spec.name == "west":
            raise KeyboardInterrupt
        return original(options, spec)

    monkeypatch.setattr(_flow, "plan", plan)
    member("south", wave=2)
    code, out, _ = fleet("apply", "fleet", "--yes", "--json")
    assert code == 130 and results(out) == {"east": "ok", "west": "failed", "south": "not begun"}
    assert specs(out)["west"]["error"] == "it came to no end"


def test_what_others_have_to_run_has_a_folder_for_each_spec(fleet):
    for name in ("east", "west"):
        member(name, text=HANDED)
    code, out, err = fleet("plan", "fleet", "--handover", "ho")
    assert code == 0, err
    found = sorted(str(one.relative_to("ho")) for one in Path("ho").rglob("*.sh"))
    assert {one.partition("/")[0] for one in found} == {"east", "west"} and len(found) >= 2
    assert f"for others to run, in this order: ho/east/arm-cluster.sh, ho/{found[0]}" in out


def test_lanes_of_a_fleet(fleet):
    code, out, _ = fleet("plan", "fleet", "--lane", "arm")
    assert code == 0 and "cluster_identity" in out and "continuous_export" not in out
    assert [len(one["plan"]["actions"]) for one in specs(fleet("plan", "fleet", "--lane", "arm", "--json")[1]).values()]
    code, out, _ = fleet("apply", "--yes", "--json", "--stop-on-failure")
    assert code == 2 and results(out) == {"east": "pending", "west": "not begun"}
    done = [one for one in specs(out)["east"]["outcomes"] if one["result"] == "done"]
    assert {name.partition(" ")[0] for one in done for name in one["entities"]} == {
        "cluster_identity",
        "role_assignment",
    }
    for verb in (("plan",), ("apply", "--yes")):
        code, _, err = fleet(*verb, "fleet", "--lane", "kustos")
        assert code == 1 and "'kustos' is no lane" in err
    code, _, err = fleet("plan", "fleet", "--lane", "kusto/Telemetri")
    assert code == 1 and "does nothing in lane 'kusto/Telemetri'" in err


def test_drift_of_a_fleet_is_told_from_pending_by_the_plans_that_were_saved(fleet):
    fleet("plan", "fleet")
    assert fleet("apply", "--yes")[0] == 0
    assert cli.main(["sandbox", "kql", *EAST, ".drop continuous-export ArchiveEvents"]) == 0
    Path("fleet/west.yaml").write_text(Path("fleet/west.yaml").read_text().replace("10m", "20m"))
    fleet("schema")
    PLAN.rename("reviewed.json")
    for more in ((), ("--plan", "reviewed.json")):
        code, out, _ = fleet("drift", "fleet", *more)
        assert code == 2 and "about east\n\nDrift: changed on the cluster" in out and "about west\n\nPending" in out
    Path("other.yaml").write_text(Path("fleet/east.yaml").read_text().replace("Telemetry", "Archive"))
    code, _, err = fleet("drift", "other.yaml", "--plan", "reviewed.json")
    assert code == 1 and "reviewed.json is a plan of east for https://east." in err and "not of other" in err


def test_who_changed_a_fleet_last(fleet):
    assert fleet("apply", "fleet", "--yes")[0] == 0
    assert cli.main(["sandbox", "kql", *EAST, ".drop continuous-export ArchiveEvents"]) == 0
    fleet("schema")
    code, out, _ = fleet("drift", "fleet", "--blame")
    assert code == 2 and "DROP-CONTINUOUS-EXPORT with .drop" in out


def test_an_entity_that_an_option_names_may_be_of_one_spec_of_a_fleet(fleet):
    text = Path("fleet/east.yaml").read_text()
    Path("fleet/east.yaml").write_text(text.replace("EventsArchive", "Vault"))
    assert fleet("apply", "fleet", "--yes")[0] == 0
    code, out, err = fleet("plan", "fleet", "--json", "--reassert", "Telemetry/Vault")
    assert code == 0, err + out
    assert {name: len(one["plan"]["actions"]) > 0 for name, one in specs(out).items()} == {"east": True, "west": False}
    code, out, err = fleet("drift", "fleet", "--ignore", "Telemetry/Vault=we know")
    assert code == 0, out + err
    for verb, *named in (
        ("plan", "--reassert", "Telemetry/Valt"),
        ("drift", "--ignore", "Telemetry/Valt=why"),
        ("apply", "--yes", "--reassert", "Telemetry/Valt"),
    ):
        code, out, err = fleet(verb, "fleet", *named)
        assert code == 1 and f"{named[-2]} {named[-1]}: none of these specs" in err, verb
    code, out, _ = fleet("drift", "fleet", "--ignore", "nonsense")
    assert code == 1 and "--ignore takes PATH=REASON" in out
