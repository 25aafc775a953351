"""One plan, applied lane by lane by identities that may each write in one place only."""

from __future__ import annotations

import json

import pytest

from kxrecon.testing import open_sandbox
from kxrecon.testing.words import Sent

from .test_rotation import IDENTITY, SPEC, apply, rotate

READS = ("Reader", "Storage Blob Data Reader")
CALLER = "99999999-0000-4000-8000-00000000000{}"


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        (tmp_path / "s.yaml").write_text(SPEC)
        yield opened


def lane(sandbox, name, *more):
    return sandbox.run("apply", "--yes", "--lane", name, *more)


def planes(sent: tuple[Sent, ...]) -> set[str]:
    return {one.service if one.service in ("arm", "dfs", "sql") else "kusto" for one in sent}


def test_each_lane_writes_only_its_own_and_the_last_converges(sandbox):
    assert sandbox.plan("s.yaml").code == 0
    first = lane(sandbox, "arm")
    assert first.code == 2 and planes(first.writes) == {"arm"}, first.text
    assert "first in lane kusto/Telemetry" in first.text
    second = lane(sandbox, "kusto")
    assert planes(second.writes) == {"kusto"}
    assert second.converged, second.text
    assert second.text.count("done in another lane") == 2
    assert sandbox.plan("s.yaml").is_empty


def test_what_waits_for_another_lane_is_not_done_and_is_said(sandbox):
    sandbox.plan("s.yaml")
    told = lane(sandbox, "kusto/Telemetry")
    assert told.code == 2 and planes(told.writes) == {"kusto"}
    assert "waits: for lane arm/cluster\n      create cluster_identity exporter\n  wait for this:\n" in told.text
    assert "      create continuous_export Telemetry/ToA\n" in told.text
    assert not sandbox.exports()


def test_a_plan_for_a_lane_shows_it_and_is_applied_in_no_other(sandbox):
    told = sandbox.run("plan", str(sandbox.root / "s.yaml"), "--lane", "kusto")
    assert "+ continuous_export ToA" in told.text and "+ role_assignment" not in told.text
    assert "#1 in arm/cluster" in told.text and "    arm/cluster: 1 action\n" in told.text
    refused = lane(sandbox, "arm")
    assert refused.code == 1 and "was made for --lane kusto" in refused.text
    done = sandbox.run("apply", "--yes")
    assert done.code == 2 and planes(done.writes) == {"kusto"}


def test_markdown_shows_the_lane_only(sandbox):
    told = sandbox.run("plan", str(sandbox.root / "s.yaml"), "--lane", "arm", "--markdown")
    assert "<summary>+ role" in told.text and "<summary>+ continuous" not in told.text, told.text[:1500]
    assert "**In other lanes**" in told.text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("azure", "'azure' is no lane: kusto, arm, adls, sql"),
        ("kusto/Telemetri", "this plan does nothing in lane 'kusto/Telemetri'"),
    ],
)
def test_a_lane_that_is_none_is_a_mistake(sandbox, name, told):
    done = sandbox.run("plan", str(sandbox.root / "s.yaml"), "--lane", name)
    assert done.code == 1 and told in done.text


def test_hazards_of_other_lanes_are_for_those_who_apply_them(sandbox):
    assert apply(sandbox).converged
    path = sandbox.root / "s.yaml"
    path.write_text(path.read_text().replace("contosolake", "movedlake") + "prune: { grants: owned }\n")
    sandbox.plan("s.yaml")
    done = lane(sandbox, "arm", "--allow", "removes-access")
    assert done.code == 2, done.text
    refused = lane(sandbox, "kusto")
    assert refused.code == 1 and "repoints-export:Telemetry/ToA" in refused.text
    assert "removes-access" not in refused.text
    allowed = [word for name in ("ToA", "ToB") for word in ("--allow", f"repoints-export:Telemetry/{name}")]
    assert lane(sandbox, "kusto", *allowed).code == 2
    assert lane(sandbox, "arm", "--allow", "removes-access").converged


def test_a_rotation_goes_from_lane_to_lane_and_back(sandbox):
    assert apply(sandbox).converged
    rotate(sandbox, "identity", "exporter", f"{IDENTITY}/two")
    told = [lane(sandbox, name) for name in ("arm", "kusto", "arm")]
    assert [one.code for one in told] == [2, 2, 0], told[1].text
    assert {one.principal_id for one in sandbox.grants()} == {
        doc["principalId"] for key, doc in sandbox._world.store.all("identity") if key[0].endswith("/two")
    }


def test_json_tells_for_which_lanes_a_plan_is(sandbox):
    told = sandbox.run("plan", str(sandbox.root / "s.yaml"), "--lane", "sql", "--lane", "arm", "--json")
    assert json.loads(told.text)["lanes"] == ["sql", "arm"]
