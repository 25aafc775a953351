"""apply --wait-healthy: green only when the exports run; red with the chain's verdict if they do not."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.commands import _healthy
from kxrecon.errors import PlaneError
from kxrecon.health import Health, default_timeout
from kxrecon.model import Action, Change, Entity, Ref
from kxrecon.plan import Plan
from kxrecon.sandbox.scheduler import tick
from kxrecon.sandbox.store import Store
from kxrecon.verify.gate import Clock, wait
from tests.ground import SPECS

from .conftest import DATABASE, URI

START = datetime(2026, 3, 1, tzinfo=UTC)


class Time:
    """A clock that moves only when somebody sleeps; ``meanwhile`` is what happens then."""

    def __init__(self, meanwhile=lambda: None):
        self.at, self.meanwhile = 0.0, meanwhile

    def sleep(self, seconds):
        assert seconds >= 0
        self.at += max(seconds, 0.001)
        self.meanwhile()

    def clock(self):
        return Clock(lambda: self.at, self.sleep)


def shown(result="Completed", run=START, message=""):
    return [Health("D/E", "ok", enabled=True, interval=600, last_run=run, result=result, message=message)]


def looks(*answers):
    """Each look gives the next answer, the last one for ever."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def later(minutes):
    return START + timedelta(minutes=minutes)


def test_the_run_that_was_there_before_does_not_count():
    time = Time()
    (left,) = wait(looks(shown()), ["D/E"], 1, 600, time.clock())
    assert (left.good, left.last) == (0, None)
    assert time.at >= 600


def test_a_good_run_after_the_apply_opens_the_gate():
    time = Time()
    assert wait(looks(shown(run=None), shown(run=None), shown()), ["D/E"], 1, 600, time.clock()) == []
    assert time.at < 600


def test_the_same_run_seen_twice_is_one_run():
    (left,) = wait(looks(shown(run=None), shown()), ["D/E"], 2, 600, Time().clock())
    assert left.good == 1


def test_a_failure_in_between_starts_the_count_again():
    answers = [shown(run=None), shown(run=later(1)), shown("Failed", later(2), "denied"), shown(run=later(3))]
    told = []
    (left,) = wait(looks(*answers), ["D/E"], 2, 900, Time().clock(), lambda one: told.append((one.good, one.failure)))
    assert told == [(1, ""), (0, "denied"), (1, "")]
    assert left.good == 1
    assert wait(looks(*answers, shown(run=later(4))), ["D/E"], 2, 900, Time().clock()) == []


def test_the_default_leaves_time_for_grants_and_one_interval_more():
    assert default_timeout(2, [600, 3600]) == 1800 + 3 * 3600


# ---- through the command, on the sandbox
def plan_of(*names, observed=None):
    refs = tuple(Ref("continuous_export", (DATABASE, name)) for name in names)
    changes = tuple(Change(ref, "create", observed, Entity(ref, {})) for ref in refs)
    action = Action("create", refs, "apply", "create", (), changes=changes)
    return Plan("sandbox", URI, "seed", (), "", "", (action,))


def options(estate, **more):
    given = {"wait_healthy": 1, "timeout": None, "disable_unhealthy": False, "max_parallel": 4, "variables": []}
    look = {
        "json": False,
        "markdown": False,
        "no_color": True,
        "sandbox": False,
        "sandbox_file": estate.path,
        "what": [],
    }
    return Namespace(**{**given, **look, **more})


def gate(estate, names, *, code=0, observed=None, **more):
    def meanwhile():
        estate.world.clock.advance(timedelta(minutes=10))
        tick(estate.store, estate.world.clock, estate.path.with_suffix(".files"))

    given = options(estate, **more)
    if not _healthy.awaited(given, code):
        return code
    with estate.planes(read_only=False) as planes:
        plan = plan_of(*names, observed=observed)
        seen = _healthy.gate(given, plan, estate.spec, planes, clock=Time(meanwhile).clock())
    return code if seen.healthy else 1


def test_exports_that_run_leave_the_exit_code_as_it_was(estate, capsys):
    assert gate(estate, ["EventsToBlob", "EventsToDwh"]) == 0
    out = capsys.readouterr().out
    assert "EventsToBlob: good run 1 of 1" in out and "EventsToDwh: good run 1 of 1" in out
    assert gate(estate, ["EventsToBlob"], code=2) == 2


def test_nothing_is_waited_for_if_nothing_changed_or_the_apply_failed(estate):
    estate.do(".delete database Telemetry policy managed_identity")
    assert gate(estate, ["EventsToDwh"], code=1) == 1
    assert gate(estate, []) == 0
    assert gate(estate, ["EventsToDwh"], wait_healthy=None) == 0


def test_an_export_that_does_not_run_is_named_with_its_broken_link(estate, capsys):
    estate.do(".delete database Telemetry policy managed_identity")
    assert gate(estate, ["EventsToDwh"], timeout=300, disable_unhealthy=True) == 1
    out = capsys.readouterr().out
    assert "that may be too short" in out
    assert "not healthy: Telemetry/EventsToDwh: its last run failed" in out
    assert "broken at policy" in out and "disabled again: Telemetry/EventsToDwh" in out
    assert estate.store.get("continuous_export", URI, DATABASE, "EventsToDwh")["isDisabled"] is True


def test_what_ran_before_is_not_disabled(estate):
    estate.do(".delete database Telemetry policy managed_identity")
    before = Entity(Ref("continuous_export", (DATABASE, "EventsToDwh")), {"isDisabled": False})
    assert gate(estate, ["EventsToDwh"], observed=before, timeout=300, disable_unhealthy=True) == 1
    assert estate.store.get("continuous_export", URI, DATABASE, "EventsToDwh")["isDisabled"] is False


@pytest.mark.parametrize("text", ["0m", "10", "m", "1w", "-5m"])
def test_a_span_is_a_number_and_a_unit(text, capsys):
    assert cli.main(["apply", "--wait-healthy", f"--timeout={text}"]) == 1
    assert "is not a number and s, m, h or d" in capsys.readouterr().err


# ---- through the whole verb
QUICKSTART = "quickstart.yaml"
APPLY = ("apply", QUICKSTART, "--sandbox", "--yes")
EXPORT = "Telemetry/ArchiveEvents"
WAIT = ("--wait-healthy", "--timeout", "15m")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    shutil.copy(SPECS / QUICKSTART, tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        code = cli.main(list(argv))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def edit(old, new):
    spec = Path(QUICKSTART)
    assert old in spec.read_text()
    spec.write_text(spec.read_text().replace(old, new))


@pytest.fixture
def ungranted(run):
    """Its creation works, its runs do not: nobody gives it the role on its target."""
    assert run(*APPLY)[0] == 0
    assert run("sandbox", "kql", "--database", "Telemetry", ".drop continuous-export ArchiveEvents")[0] == 0
    with closing(Store(Path(".kxrecon/sandbox.db"))) as store:
        for key, _ in store.all("role_assignment"):
            store.delete("role_assignment", *key)
    edit("managedIdentity: system", "managedIdentity: system\n        grants: off")
    return run


def test_a_document_tells_what_the_gate_saw_and_is_red_with_its_reason(ungranted):
    code, out, _ = ungranted(*APPLY, *WAIT, "--disable-unhealthy", "--json")
    record = json.loads(out)
    assert code == 1 and record["converged"] is False and record["verdict"].endswith(f" Not healthy: {EXPORT}.")
    health = record["health"]
    assert not health["healthy"] and health["waitedFor"] == [EXPORT] and health["timeoutSeconds"] == 900
    assert [one["export"] for one in health["notHealthy"]] == [EXPORT] == health["disabledAgain"]
    assert "its last run failed" in health["notHealthy"][0]["reason"]
    (chain,) = health["chains"]
    assert chain["export"] == EXPORT and chain["verdict"] == "broken" and chain["firstBroken"]


def test_a_comment_tells_it_too(ungranted):
    code, out, _ = ungranted(*APPLY, *WAIT, "--markdown")
    assert code == 1 and "### not healthy" in out and "its last run failed" in out and "❌ broken at" in out


def test_a_document_of_exports_that_run_says_so(run):
    code, out, _ = run(*APPLY, *WAIT, "--json")
    health = json.loads(out)["health"]
    assert code == 0 and health["healthy"] and health["waitedFor"] == [EXPORT] and health["notHealthy"] == []
    assert json.loads(run(*APPLY, "--json")[1])["health"] is None


def test_a_wait_that_ends_in_an_error_tells_what_was_applied_all_the_same(run, monkeypatch, capsys):
    def broken(*_, **__):
        raise PlaneError("the network is gone")

    monkeypatch.setattr(_healthy, "gate", broken)
    code, out, err = run(*APPLY, *WAIT, "--json")
    assert code == 1 and "the network is gone" in err and json.loads(out)["outcomes"]


def test_a_mended_grant_is_what_the_gate_is_for(run):
    assert run(*APPLY)[0] == 0
    kql = ("sandbox", "kql", "--database", "Telemetry")
    rows = json.loads(run(*kql, "--json", ".show database Telemetry principals")[1])
    viewer = next(one["PrincipalFQN"] for one in rows if "Viewer" in one["Role"])
    assert run(*kql, f".drop database Telemetry viewers ('{viewer}')")[0] == 0
    code, out, _ = run(*APPLY, *WAIT)
    assert code == 0 and "waiting up to" in out and f"{EXPORT}: good run 1 of 1" in out


def test_an_export_that_is_only_disabled_is_not_waited_for(run):
    assert run(*APPLY)[0] == 0
    edit("managedIdentity: system", "managedIdentity: system\n        isDisabled: true")
    code, out, _ = run(*APPLY, *WAIT)
    assert code == 0 and "no export to wait for" in out and "waiting up to" not in out
    assert "no export to wait for" in run(*APPLY, *WAIT)[1], "nor where nothing is left to do"


@pytest.mark.parametrize(
    "words", [("--timeout", "15m"), ("--disable-unhealthy",), ("--timeout", "1h", "--disable-unhealthy")]
)
def test_what_says_how_to_wait_needs_the_wait(run, words):
    code, _, err = run(*APPLY, *words)
    assert code == 1 and f"{words[0]} says how --wait-healthy waits: say --wait-healthy too" in err
    assert not Path(".kxrecon").exists()
