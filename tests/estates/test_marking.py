"""plan --adopt: what is there already gets the spec's mark, without anybody losing access, and never over another's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.inventory import stock

from .raw import CLUSTER, LAKE, PRINCIPAL, WRITER, Estate, Feed
from .test_import_laws import estate_of

VIEWER = f"aadapp={PRINCIPAL['exporter']}"


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".kxrecon").mkdir()
    with estate_of(tmp_path / ".kxrecon", [Feed(name="Archive")], name="sandbox.db"):
        pass

    def run(*argv):
        return call(*argv, "--sandbox")

    done = run("import", "--cluster", CLUSTER, "--auth", "impersonate", "--out", ".")
    assert done[0] == 0, done
    return run


def world(change):
    with embed(Path(".kxrecon/sandbox.db")) as ends:
        return change(Estate(ends))


def roles():
    def read(estate):
        store = estate.ends.world.store
        kept = [(key[2], row["notes"]) for key, row in store.all("role", CLUSTER, "database")]
        rows = [(row.get("description"), row.get("condition")) for _, row in store.all("role_assignment")]
        return sorted(kept), rows

    return world(read)


def planned(run, *more):
    code, out, err = run("plan", "telemetry.yaml", "--json", "--adopt", *more)
    assert code == 0, err
    return json.loads(out)


def noted(text):
    def write(estate):
        note = f" '{text}'" if text else ""
        who = f"('{VIEWER};{estate.tenant}')"
        for name in ("Telemetry", "Reference"):
            estate.kql(name, f".drop database {name} viewers {who}")
            estate.kql(name, f".add database {name} viewers {who}{note}")

    world(write)


def test_nothing_is_marked_unless_it_is_asked_for(run):
    code, out, _ = run("plan", "telemetry.yaml", "--json")
    assert code == 0 and json.loads(out)["actions"] == []


def test_a_grant_without_a_mark_gets_it_in_place(run):
    noted("")
    plan = planned(run)
    assert {action["verb"] for action in plan["actions"]} == {"mark"}
    assert {action["refs"][0]["$ref"][0] for action in plan["actions"]} == {"database_role", "role_assignment"}
    assert all(action["hazards"] == [] for action in plan["actions"])
    sent = [request for action in plan["actions"] for request in action["requests"]]
    assert not any(".drop" in str(request["text"]) or "delete" in str(request["text"]) for request in sent)

    code, out, err = run("apply", "--yes")
    assert code == 0, out + err
    assert "converged" in out
    kept, rows = roles()
    assert ("Telemetry", "kxrecon/telemetry") in kept
    assert rows == [("kxrecon/telemetry", None)]
    assert planned(run)["actions"] == []


def test_it_is_shown_as_a_mark(run):
    noted("")
    _, out, _ = run("plan", "telemetry.yaml", "--adopt")
    assert "= database_role viewers exporter" in out and "to mark" in out
    assert "(none) → kxrecon/telemetry" in out


def test_what_somebody_wrote_stays_behind_the_mark_and_needs_a_word(run):
    plan = planned(run)
    hazards = [one for action in plan["actions"] for one in action["hazards"]]
    assert {one["hazard"] for one in hazards} == {"rewords-note"}
    code, _, err = run("apply", "--yes")
    assert code == 1 and "--allow rewords-note:Telemetry/viewers/exporter" in err
    assert run("apply", "--yes", "--allow", "rewords-note")[0] == 0
    assert ("Telemetry", "kxrecon/telemetry by hand") in roles()[0]
    assert planned(run)["actions"] == []


def test_another_mark_is_never_overwritten(run):
    noted("kxrecon/theirs since spring")
    plan = planned(run)
    assert {action["refs"][0]["$ref"][0] for action in plan["actions"]} == {"role_assignment"}
    (told,) = {one["message"] for one in plan["findings"] if one["kind"] == "blocked"}
    assert told == "carries the mark kxrecon/theirs, so it does not get the mark kxrecon/telemetry"


def test_a_mark_that_comes_between_plan_and_apply_stays(run):
    noted("")
    planned(run)
    noted("kxrecon/theirs")
    code, out, _ = run("apply", "--yes")
    assert code == 1 and "got the mark kxrecon/theirs" in out
    assert {note for _, note in roles()[0] if note} == {"kxrecon/theirs"}


def test_a_condition_on_an_assignment_is_sent_again_as_it_was(run):
    noted("")
    condition = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'archive'"

    def conditioned(estate):
        (key, row), *_ = estate.ends.world.store.all("role_assignment")
        estate.ends.world.store.put("role_assignment", key, {**row, "condition": condition, "conditionVersion": "2.0"})

    world(conditioned)
    text = Path("telemetry.yaml").read_text()
    Path("telemetry.yaml").write_text(re.sub(r"(\n +)auth: impersonate", r"\g<0>\1acceptConditional: true", text))
    planned(run)
    assert run("apply", "--yes")[0] == 0
    assert roles()[1] == [("kxrecon/telemetry", condition)]


def test_a_plane_that_is_only_checked_is_not_marked(run):
    noted("")
    Path("telemetry.yaml").write_text(Path("telemetry.yaml").read_text() + "manage: { arm: check }\n")
    assert {action["refs"][0]["$ref"][0] for action in planned(run)["actions"]} == {"database_role"}


def test_other_peoples_grants_are_left_alone(run):
    noted("")

    def others(estate):
        where = f"{LAKE}/blobServices/default/containers/open"
        row = {"scope": where, "role": WRITER, "principalId": PRINCIPAL["exporter"]}
        stock(estate.ends.world, {"roleAssignments": [row]})
        estate.kql("Telemetry", f".add database Telemetry users ('{VIEWER};{estate.tenant}')")

    world(others)
    marked = {tuple(action["refs"][0]["$ref"]) for action in planned(run)["actions"]}
    assert not any("users" in ref or ref[1].endswith("/open") for ref in marked)


def test_a_role_that_the_spec_states_gets_the_mark_when_it_is_made(run):
    noted("")
    path = Path("telemetry.yaml")
    said = "oncall: 'aadgroup=6f0e9c1e-0000-4000-8000-000000000001;contoso.com'"
    text = path.read_text().replace("targets:", f"principals: {{ {said} }}\nprune: {{ grants: owned }}\ntargets:", 1)
    path.write_text(text.replace("  Telemetry:\n", "  Telemetry:\n    roles: { viewers: { add: [oncall] } }\n", 1))
    assert run("apply", "telemetry.yaml", "--yes")[0] == 0
    assert "kxrecon/telemetry" in {note for _, note in roles()[0]}
    assert planned(run)["actions"] != [] and not any("oncall" in str(one["refs"]) for one in planned(run)["actions"])
    path.write_text(path.read_text().replace("    roles: { viewers: { add: [oncall] } }\n", ""))
    code, out, err = run("plan", "telemetry.yaml", "--json")
    assert code == 0, err
    assert [one["id"] for one in json.loads(out)["actions"]] == ["delete:database_role:Telemetry/viewers/oncall"]
