"""Whatever stops a run, nothing of it stays, or what stays is said and can be taken away from anywhere."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.model import Failure, Table
from kxrecon.planes import connect
from kxrecon.planes.retry import UNREACHABLE
from kxrecon.probe import commands
from kxrecon.probe.clear import clear
from kxrecon.probe.commands import EVENTS, PREFIX
from kxrecon.probe.conversation import Conversation
from kxrecon.probe.model import Told
from tests.probe.world import ACCOUNT, CLUSTER, EVERYTHING, EXPORTER, ONCALL, answers, documents, probe

BEGUN = (1, 2, 9, 23, 40, 70)
"""Writes of a run with everything: the note, furniture, exports, trials, and the first that clears up."""


class Killed(BaseException):
    """The process is gone: nothing is caught, nothing is cleared up."""


@contextmanager
def disturbed(monkeypatch, plan):
    """Each write goes through ``plan(number, write)``, counted from 1."""
    original, count = connect.LazyPlane.write, [0]

    def write(self, request):
        count[0] += 1
        return plan(count[0], lambda: original(self, request))

    with monkeypatch.context() as patch:
        patch.setattr(connect.LazyPlane, "write", write)
        yield count


@pytest.mark.parametrize("number", BEGUN)
def test_an_interrupt_ends_the_asking_and_nothing_stays(cluster, monkeypatch, number):
    before = documents(cluster)

    def plan(at, write):
        if at == number:
            raise KeyboardInterrupt
        return write()

    with disturbed(monkeypatch, plan):
        told, report = probe(cluster, *EVERYTHING, "--yes")
    late = number == BEGUN[-1]  # everything was asked, and clearing up goes on
    assert told.code == (0 if late else 130) and (report["stopped"] == "interrupted") is not late
    assert ("interrupted" in {one["why"] for one in report["found"]}) is not late
    assert documents(cluster) == before and not report["left"]


def test_interrupts_while_it_clears_up_cost_a_step_each(cluster, monkeypatch):
    before = documents(cluster)
    steps = []

    def plan(at, write):
        if at == 30:
            raise KeyboardInterrupt
        if at > 30:
            steps.append(at)
            if len(steps) in (1, 2, 7):
                raise KeyboardInterrupt
        return write()

    with disturbed(monkeypatch, plan):
        told, report = probe(cluster, *EVERYTHING, "--yes")
    assert told.code == 130 and not report["left"] and "once more" in told.text and documents(cluster) == before


@pytest.mark.parametrize("number", BEGUN)
def test_what_a_killed_run_left_is_found_from_anywhere(cluster, monkeypatch, number):
    before = documents(cluster)

    def plan(at, write):
        if at >= number:
            raise Killed
        return write()

    with disturbed(monkeypatch, plan), pytest.raises(Killed):
        probe(cluster, *EVERYTHING, "--yes")
    if number == 1:
        assert documents(cluster) == before
        return
    assert documents(cluster) != before
    assert probe(cluster, "--yes")[0].code == 1  # first things first
    told, _ = probe(cluster, "--clean-up")
    assert told.code == 1 and not told.writes and "say --yes" in told.text
    told, _ = probe(cluster, "--clean-up", "--yes")
    assert told.code == 0 and "nothing of the probe is left" in told.text and documents(cluster) == before
    assert "nothing of the probe is in Scratch" in probe(cluster, "--clean-up")[0].text


def test_lost_answers_lose_nothing(cluster, monkeypatch):
    before = documents(cluster)

    def plan(at, write):
        answer = write()
        if at % 3 == 0:
            raise Unanswered("the connection broke", permanent=False)
        return answer

    with disturbed(monkeypatch, plan):
        told, report = probe(cluster, *EVERYTHING, "--yes")
    assert told.code == 0 and documents(cluster) == before and not report["left"]
    assert "open" in {one["result"] for one in report["found"]}
    wrong = {"export-enable-twice": "error", "export-without-target": "accepted", "role-add-twice": "error"}
    assert not wrong.items() & answers(report).items()


def test_a_cluster_that_asks_to_slow_down_answers_nothing(cluster, monkeypatch):
    def plan(at, write):
        if at > 20:
            raise Throttled("slow down", permanent=False)
        return write()

    with disturbed(monkeypatch, plan):
        told, report = probe(cluster, *EVERYTHING, "--yes")
    assert told.code == 1 and {"slow down"} >= {one["why"].rpartition(": ")[2] for one in report["left"][:-1]}
    assert "error" not in {one["answer"] for one in report["found"] if one["id"] != "export-missing"}


def test_a_network_that_is_gone_is_not_asked_again(cluster, monkeypatch):
    reads, original = [], connect.LazyPlane.read

    def gone(at, write):
        if at > 25:
            raise PlaneError("cannot reach", code=UNREACHABLE, permanent=False)
        return write()

    def read(self, asked):
        if count[0] > 25:
            reads.append(asked)
            return Failure("unreachable", "cannot reach", UNREACHABLE)
        return original(self, asked)

    before = documents(cluster)
    with disturbed(monkeypatch, gone) as count:
        monkeypatch.setattr(connect.LazyPlane, "read", read)
        told, report = probe(cluster, *EVERYTHING, "--yes")
    assert told.code == 1 and len(reads) <= 3 and "cannot reach" in report["stopped"]
    assert report["stopped"] in {one["why"] for one in report["found"]}
    assert f"kxrecon probe {CLUSTER} --database Scratch --clean-up --sandbox-file" in told.text
    assert [one["why"] for one in report["left"]] and "cannot reach" in report["left"][0]["why"]
    monkeypatch.undo()
    assert probe(cluster, "--clean-up", "--yes")[0].code == 0 and documents(cluster) == before


def test_what_the_note_speaks_of_goes_before_the_note(cluster, monkeypatch):
    """A policy that cannot be taken away keeps the table that says that it is ours."""
    original = Conversation.say

    def say(self, what):
        text = "".join(map(str, getattr(what, "text", what)))
        if text.startswith(".delete database"):
            return Told(text, refusal="not today")
        return original(self, what)

    monkeypatch.setattr(Conversation, "say", say)
    told, report = probe(cluster, "--identity", "system", "--yes")
    assert told.code == 1 and [one["what"] for one in report["left"]][1:] == [f"table {EVENTS}"]
    assert [row["TableName"] for row in cluster.kql(".show tables", "Scratch")] == [EVENTS]
    monkeypatch.undo()
    assert probe(cluster, "--clean-up", "--yes")[0].code == 0
    assert cluster.kql(".show tables", "Scratch") == []


def test_a_note_cannot_aim_at_what_is_not_ours(cluster):
    """Whoever may write a docstring may not choose what somebody with more rights deletes."""
    other = "99999999-0000-4000-8000-000000000000"
    scope = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{other}?api-version=2022-04-01"
    role = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    subscription = ACCOUNT.partition("/resourceGroups")[0]
    cluster.arm(
        "PUT",
        scope,
        {
            "properties": {
                "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
                "principalId": EXPORTER,
                "principalType": "ServicePrincipal",
            }
        },
    )
    noted = {"roleAt": ACCOUNT, "objectId": EXPORTER, "name": other, "policy": True, "monitor": "x') admins ('y"}
    for note in (
        json.dumps({PREFIX: noted}),
        "{",
        "[]",
        json.dumps({PREFIX: [1]}),
        json.dumps({PREFIX: {"monitor": 7}}),
    ):
        cluster.kql(commands.table(EVENTS, note), "Scratch")
        told, _ = probe(cluster, "--clean-up", "--yes")
        assert told.code == 0, told.text
        assert [one.id.rpartition("/")[2] for one in cluster.grants("Reader")] == [other]


def test_clearing_goes_on_until_a_look_shows_nothing(cluster):
    schema = json.dumps({"Databases": {"D": {"Tables": {EVENTS: {"DocString": ""}}, "Functions": None}}})

    class Stubborn:
        """A service that says done and does nothing."""

        def read(self, read):
            if "as json" in read.text:
                return Table(("DatabaseSchema",), [[schema]])
            return Table(("Name", "Policy"), [] if "exports" in read.text else [["", "null"]])

        def write(self, request):
            return {}

    (left,) = clear(Conversation({"kusto": Stubborn()}, "D"), "D")
    assert "still listed" in left.why


def test_the_monitor_is_dropped_only_if_it_is_there(cluster):
    told, _ = probe(cluster, "--principal", ONCALL, "--yes")
    dropped = [one for one in told.writes if one.text.startswith(".drop database")]
    assert told.code == 0 and len(dropped) == 2  # the two of the probe; by then nobody is left to be dropped
