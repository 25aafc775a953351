"""The verbs through ``main(argv)`` on the embedded sandbox: the walking skeleton, from a bare cluster to drift."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kxrecon import cli

SPECS = Path(__file__).parents[2] / "specs"
SPEC = "quickstart.yaml"


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    """Run a command in an empty folder that holds the quickstart; returns (exit code, stdout, stderr)."""
    shutil.copy(SPECS / SPEC, tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*argv: str):
        return call(*argv)

    return run


@pytest.fixture
def applied(run):
    assert run("apply", SPEC, "--sandbox", "--yes")[0] == 0
    return run


def kql(run, command: str, database: str = "Telemetry"):
    code, out, err = run("sandbox", "kql", "--json", "--database", database, command)
    assert code == 0, err
    return json.loads(out)


def viewer(run) -> str:
    rows = kql(run, ".show database Telemetry principals")
    return next(row["PrincipalFQN"] for row in rows if "Viewer" in row["Role"])


def test_plan_apply_and_nothing_is_left_to_do(run):
    code, out, err = run("plan", SPEC, "--sandbox", "--detailed-exitcode")
    assert code == 2, err
    assert "needed by Telemetry/ArchiveEvents" in out
    assert "known after apply" in out
    assert "saved to .kxrecon/plan.json; to do it: kxrecon apply --sandbox" in out
    assert Path(".kxrecon/plan.json").stat().st_mode & 0o077 == 0

    code, out, err = run("apply", "--sandbox", "--yes")
    assert code == 0, out + err
    assert "converged: the cluster is what the spec says." in out

    code, out, _ = run("plan", SPEC, "--sandbox", "--detailed-exitcode")
    assert code == 0
    assert "nothing to do" in out
    assert run("drift", SPEC, "--sandbox")[0] == 0


def test_a_second_apply_sends_nothing(run):
    run("plan", SPEC, "--sandbox")
    assert run("apply", "--sandbox", "--yes")[0] == 0
    code, out, _ = run("apply", "--sandbox", "--yes", "--json")
    assert code == 0
    assert json.loads(out)["outcomes"] == []


def test_drift_names_the_missing_link_and_apply_restores_it(applied):
    kql(applied, f".drop database Telemetry viewers ('{viewer(applied)}')")
    code, out, _ = applied("drift", SPEC, "--sandbox")
    assert code == 2
    assert "+ database_role viewers system" in out
    assert "needed by Telemetry/ArchiveEvents" in out
    assert applied("apply", SPEC, "--sandbox", "--yes")[0] == 0
    assert applied("drift", SPEC, "--sandbox")[0] == 0


def test_drift_shows_both_sides_of_a_changed_field(applied):
    kql(applied, ".disable continuous-export ArchiveEvents")
    kql(
        applied,
        ".create-or-alter external table EventsArchive (Timestamp:datetime, Level:string) kind=storage "
        "dataformat=parquet (h@'https://contosolake.blob.core.windows.net/archive/events;impersonate')",
    )
    code, out, _ = applied("drift", SPEC, "--sandbox")
    assert code == 2
    assert "~ external_table EventsArchive" in out
    assert "Message:string" in out


def test_the_reports_of_a_plan_agree(run):
    code, out, _ = run("plan", SPEC, "--sandbox", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["digest"] == json.loads(Path(".kxrecon/plan.json").read_text())["digest"]
    _, markdown, _ = run("plan", SPEC, "--sandbox", "--markdown")
    assert markdown.count("<details>") == len(document["actions"])


def test_a_plan_is_bound_to_its_wire_its_spec_and_its_text(run):
    run("plan", SPEC, "--sandbox")
    code, _, err = run("apply", "--sandbox-file", "other.db", "--yes")
    assert code == 1 and "was made for sandbox:.kxrecon/sandbox.db" in err
    code, _, err = run("apply", "--yes")
    assert code == 1 and "not for azure" in err

    saved = Path(".kxrecon/plan.json")
    text = saved.read_text()
    saved.write_text(text.replace("AutomatedFlows", "AutomatedFlowz"))
    code, _, err = run("apply", "--sandbox", "--yes")
    assert code == 1 and "changed after it was saved" in err

    saved.write_text(text)
    spec = Path(SPEC)
    spec.write_text(spec.read_text().replace("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m"))
    code, _, err = run("apply", "--sandbox", "--yes")
    assert code == 1 and "changed since the plan was made" in err


def test_apply_asks_or_is_told_yes(run, monkeypatch):
    run("plan", SPEC, "--sandbox")
    code, _, err = run("apply", "--sandbox")
    assert code == 1 and "--yes" in err

    from kxrecon.commands import apply

    monkeypatch.setattr(apply, "on_terminal", lambda: True)
    monkeypatch.setattr(apply, "confirm", lambda question: False)
    code, out, _ = run("apply", "--sandbox")
    assert code == 1 and "nothing was done" in out
    monkeypatch.setattr(apply, "confirm", lambda question: "https://telemetry" in question and "sandbox:" in question)
    assert run("apply", "--sandbox")[0] == 0


def test_apply_refuses_another_digest(run):
    run("plan", SPEC, "--sandbox")
    code, _, err = run("apply", "--sandbox", "--yes", "--digest", "0" * 64)
    assert code == 1 and "nothing was done" in err


def test_an_inventory_needs_a_sandbox_and_has_to_be_one(run):
    code, _, err = run("plan", SPEC, "--inventory", "none.json")
    assert code == 1 and "--sandbox" in err
    Path("bad.json").write_text("[]")
    code, _, err = run("plan", SPEC, "--sandbox", "--inventory", "bad.json")
    assert code == 1 and "bad.json" in err


def test_the_inventory_of_a_spec_is_a_world_to_start_from(run):
    code, out, _ = run("sandbox", "inventory", SPEC)
    assert code == 0
    Path("world.json").write_text(out)
    assert run("plan", SPEC, "--sandbox", "--inventory", "world.json")[0] == 0


def test_a_sandbox_that_is_not_there_is_said(run):
    code, _, err = run("sandbox", "kql", ".show cluster")
    assert code == 1 and "there is no sandbox" in err


def test_a_command_that_the_sandbox_refuses_is_one_message(applied):
    code, _, err = applied("sandbox", "kql", "--database", "Telemetry", ".nonsense")
    assert code == 1 and "the sandbox refused" in err and "Traceback" not in err


def test_exports_run_and_a_broken_link_is_named(applied):
    rows = "2026-11-24T10:00:00Z,Info,first\n2026-11-24T10:00:01Z,Error,second"
    kql(applied, f".ingest inline into table Events <|\n{rows}")
    code, out, err = applied("sandbox", "tick", "--advance", "10m")
    assert code == 0, out + err
    assert "Telemetry/ArchiveEvents: 2 records in 1 file" in out
    assert [row["NumRecords"] for row in kql(applied, ".show continuous-export ArchiveEvents exported-artifacts")] == [
        2
    ]
    assert len(list(Path(".kxrecon/sandbox.files").rglob("*.parquet"))) == 1
    assert "no export was due" in applied("sandbox", "tick")[1]

    kql(applied, f".drop database Telemetry viewers ('{viewer(applied)}')")
    code, out, _ = applied("sandbox", "tick", "--advance", "10m", "--json")
    (run,) = json.loads(out)
    assert code == 1 and not run["succeeded"] and run["link"]
    assert applied("sandbox", "tick", "--advance", "soon")[0] == 1


def test_a_plan_that_could_read_nothing_fails(run):
    Path("empty.json").write_text('{"version": 1, "strict": true}')
    code, out, err = run("plan", SPEC, "--sandbox", "--inventory", "empty.json")
    assert (code, out) == (1, "")
    assert (
        "has no cluster https://telemetry.westeurope.kusto.windows.net" in err and "Telemetry/ArchiveEvents" not in err
    )
    for verb in ("drift", "verify", "status", "apply"):
        assert run(verb, SPEC, "--sandbox") == (1, "", err)


@pytest.mark.parametrize("spec", ["seed.yaml", "prod.yaml"])
def test_the_examples_converge_and_the_second_plan_is_empty(spec, tmp_path, monkeypatch, capsys):
    shutil.copytree(SPECS, tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["plan", f"specs/{spec}", "--sandbox"]) == 0
    assert cli.main(["apply", "--sandbox", "--yes"]) == 0, capsys.readouterr()
    assert cli.main(["plan", f"specs/{spec}", "--sandbox", "--detailed-exitcode"]) == 0
    assert cli.main(["sandbox", "tick", "--advance", "2d"]) == 0, capsys.readouterr().out
