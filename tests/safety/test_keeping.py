"""Exports keep their place through crashes, renames and other people's stops: whole runs on the embedded sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kxrecon import cli, journal
from kxrecon.commands import _flow
from kxrecon.errors import PlaneError
from kxrecon.kinds.kusto._journal import told as told_of
from kxrecon.model import Reading, Ref, Table
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.switches import Switches, save

COLUMNS = {"s": "Timestamp:datetime, Level:string", "s2": "Timestamp:datetime, Level:string, Msg:string"}
ALLOW = [{"hazard": "loses-cursor", "entity": "T/E", "until": "2099-12-31", "reason": "renamed"}]


def document(columns: str = "s", **exports: Any) -> dict[str, Any]:
    """The estate: a table, a function over it, an external table, and exports (E, if none is given)."""
    cluster = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/r/providers/Microsoft.Kusto/clusters/"
    names = [one.partition(":")[0] for one in COLUMNS[columns].split(", ")]
    exports = exports or {"E": {"query": "F()"}}
    common = {"over": ["Events"], "to": "X", "managedIdentity": "system", "intervalBetweenRuns": "10m"}
    content = {
        "tables": {"Events": {"columns": COLUMNS[columns]}},
        "functions": {"F": {"body": f"Events | project {', '.join(names)}"}},
        "externalTables": {
            "X": {"kind": "storage", "columns": COLUMNS[columns], "target": "blob", "path": "x", "dataFormat": "csv"}
        },
        "continuousExports": {name: without_none({**common, **more}) for name, more in exports.items()},
    }
    return {
        "version": 1,
        "cluster": {
            "uri": "https://telemetry.westeurope.kusto.windows.net",
            "resourceId": f"{cluster}telemetry",
            "identities": {"system": True},
        },
        "targets": {"blob": {"url": "https://contosolake.blob.core.windows.net/archive", "auth": "impersonate"}},
        "databases": {"T": content},
    }


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


RENAMED = {"E2": {"renamedFrom": "E", "query": "Events | project Timestamp, Level"}}
SPECS: dict[str, dict[str, Any]] = {
    "s": document(),
    "s2": document("s2"),
    "t": document(E={"query": "F()", "intervalBetweenRuns": "15m"}),
    "r": document(**RENAMED),
    "ra": {**document(**RENAMED), "allow": ALLOW},
    "r2": document("s2", E2={**RENAMED["E2"], "query": "Events | project Timestamp, Level, Msg"}),
}


class Estate:
    """A folder with the specs, and whoever works in it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        for name, spec in SPECS.items():
            Path(f"{name}.yaml").write_text(json.dumps(spec))

    def run(self, *argv: str) -> tuple[int, str]:
        code = cli.main(list(argv))
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err

    def apply(self, *argv: str) -> tuple[int, str]:
        return self.run("apply", *argv, "--sandbox", "--yes", "--no-color")

    def plan(self, spec: str, *argv: str) -> tuple[int, str]:
        return self.run("plan", f"{spec}.yaml", "--sandbox", "--no-color", *argv)

    def by_hand(self, command: str) -> str:
        code, out = self.run("sandbox", "kql", "--database", "T", command)
        assert code == 0, out
        return out

    def tick(self, advance: str = "10m") -> str:
        return self.run("sandbox", "tick", "--advance", advance)[1]

    def ingest(self, level: str) -> None:
        self.by_hand(f".ingest inline into table Events <| 2026-03-05,{level}")

    def exports(self) -> dict[str, bool]:
        """Whether each export runs."""
        store = Store(Path(".kxrecon/sandbox.db"))
        found = {key[2]: not body["isDisabled"] for key, body in store.all("continuous_export")}
        store.close()
        return found

    def killed(self, event: str, action: str, *argv: str) -> None:
        """An apply that is gone as soon as its journal has a line."""
        program = f"""
import os, sys
from kxrecon import cli
from kxrecon.journal import Journal
write = Journal._append
def last(self, line):
    write(self, line)
    if line["event"] == {event!r} and line.get("action", "") == {action!r}:
        os._exit(137)
Journal._append = last
sys.exit(cli.main(sys.argv[1:]))
"""
        command = [sys.executable, "-c", program, "apply", *argv, "--sandbox", "--yes"]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
        assert done.returncode == 137, (done.returncode, done.stdout, done.stderr)


@pytest.fixture
def estate(tmp_path, monkeypatch, capsys) -> Estate:
    monkeypatch.chdir(tmp_path)
    made = Estate(capsys)
    assert made.apply("s.yaml")[0] == 0
    return made


def rows() -> list[str]:
    lines = [line for path in Path(".kxrecon").rglob("*.csv") for line in path.read_text().splitlines()]
    return sorted(line.split(",")[1] for line in lines)


def switched(**values: Any) -> None:
    store = Store(Path(".kxrecon/sandbox.db"))
    save(store, Switches(**values))
    store.close()


CREATED = ("action-ended", "create:continuous_export:T/E2:1")


def test_an_old_export_is_not_dropped_before_what_lies_between_is_known_to_be_exported(estate):
    """Dead between the creation and the bounded export; the permission to drop is in the spec all the time."""
    estate.tick()
    estate.ingest("a")
    estate.killed(*CREATED, "ra.yaml")
    for _ in range(2):  # and it stays so
        code, out = estate.apply("ra.yaml")
        assert code == 1 and "never sent create:continuous_export:T/E2:backfill:2" in out, out
        assert "converged: the" not in out and "nothing to do" not in out
        assert estate.exports() == {"E": False, "E2": True}
    plan = json.loads(estate.plan("ra", "--json")[1])
    (told,) = [one for one in plan["findings"] if one["kind"] == "moved"]
    estate.by_hand(told["remedy"][told["remedy"].index(".export async") :])
    code, out = estate.apply("ra.yaml", "--settled", "T/E2")
    assert code == 0 and "converged" in out, out
    assert estate.exports() == {"E2": True}
    estate.tick()
    assert rows() == ["a"]
    assert estate.plan("ra", "--detailed-exitcode")[0] == 0


def test_what_the_journal_knows_outlives_the_next_apply_and_fails_it(estate):
    estate.ingest("a")
    estate.killed(*CREATED, "r.yaml")
    code, out = estate.plan("r")
    assert code == 1 and "never sent" in out
    code, out = estate.apply("r.yaml", "--json")
    record = json.loads(out)
    assert code == 1 and not record["converged"] and [one["export"] for one in record["moved"]] == ["T/E2"]
    code, out = estate.apply("r2.yaml", "--force")  # an apply that has something else to do
    assert code == 1 and "never sent" in out and "may lack records" in out, out
    assert "never sent" in estate.plan("r2")[1]
    assert estate.run("drift", "r2.yaml", "--sandbox")[0] == 1
    estate.by_hand(".drop continuous-export E")  # its place is gone: nobody can tell any more
    assert estate.apply("r2.yaml")[0] == 0


def test_pruning_drops_no_place_that_is_still_needed(estate):
    """Not even when renamedFrom: is gone from the spec."""
    estate.ingest("a")
    estate.killed(*CREATED, "ra.yaml")
    more = {**RENAMED["E2"], "renamedFrom": None}
    spec = {**document(E2=more), "allow": ALLOW, "prune": {"continuousExports": "all"}}
    for one in (spec, {**SPECS["ra"], "prune": {"continuousExports": "all"}}):
        Path("n.yaml").write_text(json.dumps(one))
        code, out = estate.apply("n.yaml")
        assert code == 1 and "never sent" in out and "E" in estate.exports(), out
    assert estate.apply("n.yaml", "--settled", "T/E2")[0] == 0 and estate.exports() == {"E2": True}


def test_a_rename_that_died_before_its_creation_goes_on_and_asks_nobody(estate):
    estate.ingest("a")
    estate.killed("action-ended", "update:continuous_export:T/E:stop", "ra.yaml")
    assert estate.exports() == {"E": False}
    code, out = estate.apply("ra.yaml")
    assert code == 0, out
    estate.tick()
    assert estate.exports() == {"E2": True} and rows() == ["a"]


def test_a_fresh_machine_drops_no_old_export_and_takes_somebodys_word(estate):
    assert estate.apply("r.yaml")[0] == 0
    Path(".kxrecon/journal.jsonl").unlink()
    code, out = estate.plan("ra")
    assert code == 0 and "it is not known here that what lay between them was exported" in out, out
    assert estate.apply("ra.yaml")[0] == 0 and "E" in estate.exports()
    assert estate.apply("ra.yaml", "--settled", "T/E2")[0] == 0
    assert estate.exports() == {"E2": True}
    code, out = estate.apply("ra.yaml", "--settled", "T/Nope")
    assert code == 1 and "there is no such export" in out


def test_a_cursor_that_was_reset_is_told_until_somebody_settles_it(estate, monkeypatch):
    """Killed after the run ended in the journal, and before anything was compared."""
    switched(cursor_on_alter="reset")
    estate.killed("run-ended", "", "t.yaml")
    for verb in (("plan", "t.yaml", "--sandbox"), ("apply", "t.yaml", "--sandbox", "--yes")):
        code, out = estate.run(*verb)
        assert code == 1 and "StartCursor was" in out and "--settled T/E" in out, out
    code, out = estate.apply("t.yaml", "--settled", "T/E")
    assert code == 0 and "StartCursor" not in out
    assert estate.plan("t")[0] == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), PlaneError("the network is gone")])
def test_a_cursor_that_was_reset_is_told_after_a_look_that_failed(estate, monkeypatch, error):
    switched(cursor_on_alter="reset")
    real, calls = _flow.plan_over, []

    def failing(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            raise error
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(_flow, "plan_over", failing)
        assert estate.apply("t.yaml")[0] == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "StartCursor was" in estate.plan("t")[1]
    assert estate.apply("t.yaml")[0] == 1


def test_a_ctrl_c_as_soon_as_the_run_has_ended_reports_every_outcome(estate, monkeypatch):
    real = journal.Journal.end

    def end(self, result):
        real(self, result)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "end", end)
        code, out = estate.apply("t.yaml", "--json")
    record = json.loads(out)
    assert code == 130 and record["interrupted"] and [one["result"] for one in record["outcomes"]] == ["done"]


def test_a_cursor_that_moved_stays_told_after_the_apply_that_told_it(estate):
    switched(cursor_on_alter="reset")
    code, out = estate.apply("t.yaml")
    assert (
        code == 1
        and out.count("StartCursor was") == 1
        and "kxrecon apply t.yaml --settled T/E" in " ".join(out.split())
    )
    assert "StartCursor was" in estate.plan("t")[1]


def test_a_stop_by_somebody_is_not_taken_for_the_pause_that_was_refused_because_of_it(estate):
    estate.plan("s2")
    estate.by_hand(".disable continuous-export E")
    code, out = estate.apply()
    assert code == 1 and "was changed" in out
    code, out = estate.plan("s2")
    assert "an apply of ours" not in out and "by .disable" in out, out
    estate.apply()
    assert estate.exports() == {"E": False}


def test_a_pause_that_somebody_ended_makes_no_later_stop_ours(estate):
    estate.plan("s2")
    estate.by_hand('.alter table Events docstring "hand"')
    code, _ = estate.apply()  # E is paused, then the table is refused
    assert code == 1 and estate.exports() == {"E": False}
    for command in (".enable", ".disable"):
        estate.by_hand(f"{command} continuous-export E")
        estate.tick("1d")
    estate.plan("s2")
    estate.apply()
    assert estate.exports() == {"E": False}


def test_whoever_stops_what_an_apply_let_stand_still_means_it():
    """Where the database's journal lists a command that changes nothing."""
    columns = ("EventTimestamp", "EntityName", "ChangeCommand", "Principal", "ClientRequestId")
    ours = ["2026-03-05T10:00:00Z", "E", ".disable continuous-export ['E']", "aadapp=1", "kxrecon;run;1"]
    theirs = ["2026-03-05T11:00:00Z", "E", ".disable continuous-export E", "aaduser=2", "KE;1"]
    reading = Reading(Ref("continuous_export", ("T", "E")), {})
    told = [told_of([reading], Table(columns, rows))["E"] for rows in ([ours], [ours, theirs], [theirs, ours])]
    assert [(one["disabledByUs"], one["disabledAt"][11:13]) for one in told] == [
        (True, "10"),
        (False, "11"),
        (False, "11"),
    ]


def test_a_pause_that_was_seen_to_be_over_is_forgotten_without_the_databases_journal(estate):
    """A later apply saw it run; whoever stops it after that is somebody else, whatever the cluster's journal shows."""
    estate.plan("s2")
    estate.by_hand('.alter table Events docstring "hand"')
    assert estate.apply()[0] == 1
    estate.by_hand(".enable continuous-export E")
    assert estate.apply("t.yaml")[0] == 0
    past = journal.history(Path(".kxrecon/journal.jsonl"), SPECS["s"]["cluster"]["uri"], "sandbox:.kxrecon/sandbox.db")
    assert past.begun == () and past.paused == frozenset()


def test_a_fresh_machine_does_not_call_an_unended_pause_converged(estate):
    estate.plan("s2")
    estate.by_hand('.alter table Events docstring "hand"')
    assert estate.apply()[0] == 1
    Path(".kxrecon/journal.jsonl").unlink()
    code, out = estate.apply("s2.yaml")
    assert code == 1 and "not converged: 1 export stands still" in out and "PAUSED: continuous_export T/E" in out, out
    assert estate.exports() == {"E": False}
    assert estate.run("drift", "s2.yaml", "--sandbox")[0] == 2


def test_a_rename_does_not_restart_what_somebody_stopped(estate):
    estate.by_hand(".disable continuous-export E")
    assert "restarts-export" in estate.plan("r")[1]
    code, out = estate.apply()
    assert code == 1 and "restarts-export" in out and estate.exports() == {"E": False}
    estate.plan("r")
    assert estate.apply("--allow", "restarts-export:T/E")[0] == 0


def test_a_rename_does_not_adopt_a_stop_that_came_after_its_plan(estate):
    estate.plan("r")
    estate.by_hand(".disable continuous-export E")
    code, out = estate.apply()
    assert code == 1 and "was changed" in out and estate.exports() == {"E": False}


def test_an_old_export_does_not_run_again_when_its_table_changes_with_its_name(estate):
    estate.ingest("a")
    code, out = estate.apply("r2.yaml")
    assert code == 0 and "(enable)" not in out, out
    assert estate.exports() == {"E": False, "E2": True}
    estate.tick()
    assert rows() == ["a"]


def test_an_export_waits_for_the_functions_that_its_query_calls(estate):
    """Somebody changes F after the plan: the table is done, F is refused, and nothing runs on half of it."""
    estate.plan("s2")
    estate.by_hand(".create-or-alter function F() { Events | project Timestamp, Level | take 5 }")
    code, out = estate.apply()
    assert code == 1 and "function T/F was changed" in out
    assert estate.exports() == {"E": False}
    assert estate.apply("s2.yaml", "--force")[0] == 0
    assert estate.exports() == {"E": True}


@pytest.mark.parametrize(
    "changed",
    [
        {"functions": {"G": {"body": "Events | take 5"}}},
        {"tables": {"Dim": {"columns": "Level:string, More:string"}}},
        {"functions": {"H": {"body": "print x=2"}}},
    ],
)
def test_a_change_of_what_a_query_reads_or_calls_is_made_while_its_export_stands_still(estate, changed):
    """A function alone, one that is called by another one, a dimension table."""
    spec = document("s", E={"query": "G() | lookup (Dim) on Level"})
    content = spec["databases"]["T"]
    content["functions"] |= {
        "H": {"body": "print x=1"},
        "G": {"body": "Events | where Level != tostring(toscalar(H()))"},
    }
    content["tables"]["Dim"] = {"columns": "Level:string"}
    Path("d.yaml").write_text(json.dumps(spec))
    assert estate.apply("d.yaml", "--force")[0] == 0
    for section, more in changed.items():
        content[section] |= more
    Path("d.yaml").write_text(json.dumps(spec))
    plan = json.loads(estate.plan("d", "--json")[1])
    phases = [action["phase"] for action in plan["actions"]]
    assert phases == ["disable", "apply", "enable"]


def test_nobody_stands_still_for_a_change_that_is_refused(estate):
    """Another type of a column is left to people."""
    spec = document()
    spec["databases"]["T"]["tables"]["Events"]["columns"] = "Timestamp:datetime, Level:long"
    Path("d.yaml").write_text(json.dumps(spec))
    plan = json.loads(estate.plan("d", "--json")[1])
    assert plan["actions"] == [] and "blocked" in {one["kind"] for one in plan["findings"]}


def test_an_old_export_that_stands_still_is_not_said_to_run(estate):
    assert estate.apply("r.yaml")[0] == 0
    out = estate.plan("r")[1]
    assert "stays, disabled, because E2 follows it" in out
    assert "runs on" not in out and ".drop continuous-export" not in out, out


def test_a_former_name_that_is_nobodys_is_told(estate):
    Path("n.yaml").write_text(json.dumps(document(E2={**RENAMED["E2"], "renamedFrom": "Nope"})))
    assert "is renamedFrom Nope, which is not there: it begins as a new export" in estate.plan("n")[1]


@pytest.mark.parametrize("other", ["E", "E3"])
def test_two_exports_never_follow_one(estate, other):
    more = {"query": "Events"} if other == "E" else RENAMED["E2"]
    Path("n.yaml").write_text(json.dumps(document(**RENAMED, **{other: more})))
    code, out = estate.apply("n.yaml")
    assert code == 2 and "would export the same records" in out, out
    assert estate.exports() == {"E": True}


LOGS = {"tables": {"Logs": {"columns": COLUMNS["s"]}}}


def reading(query: str, **more: Any) -> None:
    """A spec whose export reads what is named, without over."""
    spec = document(E={"query": query, "over": None, **more})
    spec["databases"]["T"]["tables"] |= LOGS["tables"]
    Path("o.yaml").write_text(json.dumps(spec))


def test_without_over_a_table_that_the_query_reads_from_now_on_is_a_fact_table(estate):
    """The default is all tables of the query; the service lists them, and that list is not kept against the spec."""
    reading("Events")
    assert estate.apply("o.yaml")[0] == 0
    reading("Events | union Logs")
    code, out = estate.plan("o")
    assert "may-reset-cursor" in out and "with over left out, it is all tables of the query" in out, out
    assert "['E'] to table" in out and "KX115: Events, Logs are all read by cursor" in out
    assert estate.apply()[0] == 1
    assert estate.apply("o.yaml", "--allow", "may-reset-cursor")[0] == 0
    assert estate.plan("o", "--detailed-exitcode")[0] == 0
    reading("Events | union Logs | take 5")  # nothing further: the list stays as it is
    out = estate.plan("o")[1]
    assert "keeps cursor" in out and "over (['Events'], ['Logs'])" in out


def test_without_over_what_somebody_told_apart_on_the_cluster_stays_and_is_told(estate):
    reading("Events | lookup Logs on Level", over=["Events"])
    assert estate.apply("o.yaml")[0] == 0
    spec = document(E={"query": "Events | lookup Logs on Level | union More", "over": None})
    spec["databases"]["T"]["tables"] |= {**LOGS["tables"], "More": {"columns": COLUMNS["s"]}}
    Path("o.yaml").write_text(json.dumps(spec))
    out = estate.plan("o")[1]
    assert "over (['Events'])" in out and "keeps cursor" in out and "KX115" not in out, out
    assert "More: read whole at each run, because over is Events on the cluster" in out
