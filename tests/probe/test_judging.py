"""How answers are judged that the sandbox does not give, and what is done until exports have run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kxrecon.commands import _wire
from kxrecon.model import Failure, Read, Table
from kxrecon.planes.connect import connect
from kxrecon.probe.catalog import PROBES
from kxrecon.probe.conversation import Conversation
from kxrecon.probe.furniture import SAMPLE, cursor
from kxrecon.probe.model import CannotTell, Given, Scene, Told
from kxrecon.probe.run import POLL, Pace, experiment, look_only
from kxrecon.sandbox.embedded import embed
from kxrecon.scope import Scope
from tests.probe.world import CLUSTER, EXPORTER, STORAGE, probe

BY_ID = {one.id: one for one in PROBES}
GIVEN = Given("D", storage=STORAGE, identities=("system", EXPORTER))
OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def judged(name, told=(), before=None, after=None, unmade=None):
    scene = Scene(GIVEN, told or (Told("."),), before or {}, after or {}, {} if unmade is None else unmade)
    return BY_ID[name].judge(scene).answer


def exports(**cells):
    row = {
        "Name": cursor("query"),
        "StartCursor": "1",
        "ExportedTo": OLD,
        "LastRunTime": OLD,
        "LastRunResult": "Completed",
    }
    row |= cells
    return {"exports": Table(tuple(row), [list(row.values())])}


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        ({}, "kept"),
        ({"ExportedTo": NEW}, "kept"),
        ({"StartCursor": "2"}, "reset"),
        ({"ExportedTo": None}, "reset"),
        ({"ExportedTo": "2025-12-31T00:00:00Z"}, "reset"),
    ],
)
def test_a_cursor_is_kept_if_neither_place_moves_back(after, answer):
    assert judged("export-cursor-query", before=exports(), after=exports(**after)) == answer


@pytest.mark.parametrize(
    ("told", "before", "unmade", "why"),
    [
        ((Told(".", refusal="a syntax error"),), exports(), {}, "a syntax error"),
        ((Told("."),), exports(StartCursor=None, ExportedTo=None), {}, "--record"),
        ((Told("."),), exports(), {cursor("query"): "no room"}, "no room"),
        ((Told("."),), exports(Name="Other"), {}, "not listed"),
    ],
)
def test_a_cursor_that_proves_nothing_stays_open(told, before, unmade, why):
    with pytest.raises(CannotTell, match=why):
        judged("export-cursor-query", told, before, exports(), unmade)


def test_a_refusal_for_another_reason_is_no_answer():
    refused = (Told(".", refusal="the disk is full", code="Other"),)
    for name in ("export-omitted-identity", "role-assignment-repeated"):
        with pytest.raises(CannotTell, match="the disk is full"):
            judged(name, refused)
    there = (Told(".", refusal="exists", code="RoleAssignmentExists"),)
    with pytest.raises(CannotTell, match="somebody else"):
        judged("role-assignment-described", there)
    for name in ("export-without-target", "export-size-limit", "export-enable-twice", "script-multiline-query"):
        with pytest.raises(CannotTell, match="no such identity"):
            judged(name, refused, unmade={SAMPLE: "no such identity"})
    assert judged("export-size-limit", refused) == "less"
    assert judged("export-drop-missing", refused) == "Other" and judged("export-drop-missing") == "ok"
    assert "Other" not in BY_ID["export-drop-missing"].counts_on


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ("null", "null"),
        (None, "null"),
        ("", "empty"),
        ("[]", "empty"),
        ([], "empty"),
        ("[\"['D'].['T']\"]", "resolved"),
    ],
)
def test_fact_tables_that_were_not_stated(row, answer):
    shown = {"exports": Table(("Name", "CursorScopedTables"), [["KxreconProbeNoOver", row]])}
    assert judged("export-without-over", after=shown) == answer


def test_secrets_that_are_shown_are_called_visible_and_not_repeated():
    string = f"{STORAGE}/x?sig=aW52ZW50ZWQgYnkga3hyZWNvbjsgb3BlbnMgbm90aGluZw%3D"
    shown = {
        "external tables": Table(
            ("TableName", "ConnectionStrings", "Properties"), [["KxreconProbeSigned", [string], ""]]
        )
    }
    verdict = BY_ID["external-table-signature-shown"].judge(Scene(GIVEN, (), {}, shown, {}))
    assert verdict.answer == "visible" and "aW52" not in json.dumps(verdict)
    assert "visible" not in BY_ID["external-table-signature-shown"].counts_on


def test_an_answer_in_an_unknown_form_stays_open():
    class Odd:
        def read(self, read):
            return Table(("Else",), [["{"]])

    found = {one.id: one for one in look_only(Conversation({"kusto": Odd()}, "D"), Given("D")).found}
    assert found["wire-bool"].result == "open" and "unknown form" in found["wire-bool"].why
    assert found["policy-column"].answer == "another"


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (Failure("denied", "no right", "Forbidden"), "no right"),
        (Failure("unreachable", "no route"), "no route"),
        (Failure("failed", "odd", "NoToken"), "odd"),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(failure, raised):
    class Silent:
        def read(self, read):
            return failure

    with pytest.raises(CannotTell, match=raised):
        Conversation({"kusto": Silent()}, "D").say(Read("kusto", "D", ".show version"))


def test_an_answer_that_is_not_counted_on_comes_first_and_is_exit_2(cluster, monkeypatch):
    original = Conversation.say

    def say(self, what):
        told = original(self, what)
        return replace(told, code="Gone_For_Good") if "Missing" in told.text and told.text.startswith(".drop") else told

    monkeypatch.setattr(Conversation, "say", say)
    told, report = probe(cluster, "--yes")
    (odd,) = [one for one in report["found"] if one["surprising"]]
    assert told.code == 2 and (odd["id"], odd["answer"]) == ("export-drop-missing", "Gone_For_Good")
    listed = [line for line in told.text.splitlines() if line.startswith(("  !", "  ✓"))]
    assert listed[0].startswith("  ! export-drop-missing") and "was not found" in told.text


@pytest.mark.parametrize("runs", [True, False])
def test_exports_get_time_for_their_first_run(cluster, runs):
    """The clock of the sandbox moves while the probe waits; an export that never runs is not waited for for ever."""
    paused = []

    def pause(seconds):
        paused.append(seconds)
        if runs and len(paused) == 2:
            cluster.tick("2m")

    given = Given("Scratch", storage=STORAGE, identities=("system",), record=True)
    with embed(cluster.file) as ends:
        wire = _wire.Wire("sandbox", ends.kusto, ends.arm, ends.dfs, ends.sql)
        planes = connect(wire, Scope(cluster_uri=CLUSTER), read_only=False)
        try:
            run = experiment(Conversation(planes, "Scratch"), given, Pace(wait=60.0, pause=pause))
        finally:
            for plane in planes.values():
                plane.close()
    found = {one.id: one for one in run.found}
    assert paused == [POLL] * (2 if runs else 4)
    assert found["export-cursor-query"].answer == "kept"
    shown = " ".join(one.answered for one in found["export-cursor-query"].seen)
    assert ('"LastRunResult": null' in shown) is not runs
