"""Apply sends what is left to do, each thing once, and always says what was done and what was not begun."""

from __future__ import annotations

import threading
from dataclasses import replace

from kxrecon.apply import ALREADY, Applier
from kxrecon.errors import Unanswered
from kxrecon.model import HIDDEN, Action, Change, Entity, Ref, Request
from kxrecon.observe import observe
from kxrecon.plan import Plan, fingerprint
from kxrecon.scope import Scope

from .cluster_fake import Kusto, export, principal

IDS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(9)]
SCOPE = Scope(databases=("D",), declared=frozenset({("databases", "D", "continuousExports")}))


def grant(number: int, *after: str) -> Action:
    """Add one principal to the viewers of D."""
    ref = Ref("database_role", ("D", "viewers", f"aadapp={IDS[number]}"))
    change = Change(ref, "create", None, Entity(ref, {}))
    request = Request("kusto", "D", (f".add database D viewers ('aadapp={IDS[number]};tenant')",))
    return Action(f"a{number}", (ref,), "apply", "create", (request,), after, changes=(change,), fingerprints=(None,))


def switch(phase: str, *, after: tuple[str, ...] = ()) -> Action:
    """Disable or enable the export E, as around a change of what it writes to."""
    ref = Ref("continuous_export", ("D", "E"))
    stopped, running = Entity(ref, {"isDisabled": True}), Entity(ref, {"isDisabled": False})
    before, wanted = (running, stopped) if phase == "disable" else (stopped, running)
    request = Request("kusto", "D", (f".{phase} continuous-export E",))
    change = Change(ref, "update", before, wanted)
    return Action(phase, (ref,), phase, "update", (request,), after, changes=(change,), fingerprints=("planned",))


def applier(kusto: Kusto, *actions: Action, **more) -> Applier:
    plan = Plan("test", "https://c", "s", ("s.yaml",), "d", "now", actions)
    options = {"workers": 2, "pause": lambda seconds: None, **more}
    return Applier(plan, {"kusto": kusto}, SCOPE, {}, **options)


def test_what_is_as_wanted_is_not_sent_again():
    kusto = Kusto(principals=[principal(IDS[1])])
    outcomes = applier(kusto, grant(1), grant(2)).run()
    assert [(one.result, one.message) for one in outcomes] == [("done", ALREADY), ("done", "")]
    assert len(kusto.sent) == 1 and IDS[2] in kusto.sent[0]


def test_a_lost_answer_is_looked_after_before_anything_is_repeated():
    kusto = Kusto()

    def lose(text):
        kusto.obey(text)
        raise Unanswered("the connection broke")

    kusto.on_write = lose
    (outcome,) = applier(kusto, grant(1)).run()
    assert (outcome.result, len(kusto.sent)) == ("done", 1)
    assert "a fresh read shows it" in outcome.message


def test_a_lost_write_is_a_failure_and_what_waits_for_it_is_skipped():
    kusto = Kusto()

    def lose(text):
        raise Unanswered("the connection broke")

    kusto.on_write = lose
    outcomes = applier(kusto, grant(1), grant(2, "a1")).run()
    assert [one.result for one in outcomes] == ["failed", "skipped"]
    assert "does not show it" in outcomes[0].message


def rewrite() -> Action:
    """Write the export E again, of which the identity is not shown."""
    ref = Ref("continuous_export", ("D", "E"))
    seen = {"managedIdentity": HIDDEN}
    change = Change(ref, "update", Entity(ref, seen), Entity(ref, {"managedIdentity": "system"}))
    request = Request("kusto", "D", (".create-or-alter continuous-export E …",))
    return Action("again", (ref,), "apply", "update", (request,), (), changes=(change,))


def test_a_lost_answer_about_what_nobody_sees_is_no_proof_that_it_arrived():
    """The export looks as it did before, as far as it is shown: it has to be sent again, or to be a failure."""
    hidden = export("E")
    hidden[6] = "{}"
    losses = [True, False]

    def lose(text):
        if losses and losses.pop(0):
            raise Unanswered("the connection broke")

    kusto = Kusto(exports=[hidden], on_write=lose)
    run = applier(kusto, replace(rewrite(), fingerprints=(fingerprint(seen_in(kusto)),)), pause=lambda seconds: None)
    (outcome,) = run.run()
    assert (outcome.result, outcome.message, len(kusto.sent)) == ("done", "", 2)
    losses[:] = [True] * 9
    run = applier(kusto, replace(rewrite(), fingerprints=(fingerprint(seen_in(kusto)),)), pause=lambda seconds: None)
    (outcome,) = run.run()
    assert outcome.result == "failed" and "does not show it" in outcome.message


def seen_in(kusto: Kusto) -> Entity:
    """The export E as it is read."""
    return observe(SCOPE, {"kusto": kusto}, kinds=("continuous_export",)).state.entities[
        Ref("continuous_export", ("D", "E"))
    ]


def test_a_pause_does_not_adopt_what_somebody_else_stopped():
    """Between plan and apply on-call stops the export: starting it again afterwards would undo that."""
    kusto = Kusto(exports=[export("E", disabled=True)])
    outcomes = applier(kusto, switch("disable"), switch("enable", after=("disable",))).run()
    assert [one.result for one in outcomes] == ["failed", "skipped"]
    assert "was changed" in outcomes[0].message
    assert kusto.sent == []


def test_a_pause_of_our_own_that_was_cut_off_is_gone_on_with():
    kusto = Kusto(exports=[export("E", disabled=True)])
    ref = Ref("continuous_export", ("D", "E"))
    run = applier(kusto, switch("disable"), switch("enable", after=("disable",)), paused=frozenset({ref}))
    assert [one.result for one in run.run()] == ["done", "done"]
    assert kusto.sent == [".enable continuous-export E"]


def test_a_changed_entity_is_refused_and_the_rest_goes_on():
    kusto = Kusto(exports=[export("E")])
    outcomes = applier(kusto, switch("disable"), grant(1)).run()
    assert [one.result for one in outcomes] == ["failed", "done"]
    assert "since the plan was made" in outcomes[0].message


def test_ctrl_c_lets_what_is_in_flight_finish_and_tells_the_rest_apart(monkeypatch):
    kusto = Kusto()
    sending, go_on = threading.Event(), threading.Event()

    def slowly(text):
        sending.set()
        assert go_on.wait(10)

    kusto.on_write = slowly
    from kxrecon import apply

    real, hits = apply.wait, []

    def interrupted(*arguments, **named):
        if not hits:
            hits.append(sending.wait(10))
            raise KeyboardInterrupt
        go_on.set()
        return real(*arguments, **named)

    monkeypatch.setattr(apply, "wait", interrupted)
    outcomes = applier(kusto, grant(1), grant(2, "a1"), grant(3, "a2")).run()
    assert [one.result for one in outcomes] == ["done", "not-begun", "not-begun"]
    assert len(kusto.sent) == 1


def test_what_cannot_be_recorded_is_not_sent():
    def full(event):
        raise OSError(28, "No space left on device")

    kusto = Kusto()
    outcomes = applier(kusto, grant(1), grant(2, "a1"), on_event=full).run()
    assert [one.result for one in outcomes] == ["failed", "not-begun"]
    assert "No space left" in outcomes[0].message
    assert kusto.sent == []


def test_a_disk_that_fills_up_after_the_write_does_not_hide_that_it_was_done():
    def full_at_the_end(event):
        if event.what == "ended":
            raise OSError(28, "No space left on device")

    kusto = Kusto()
    outcomes = applier(kusto, grant(1), grant(2, "a1"), on_event=full_at_the_end).run()
    assert [one.result for one in outcomes] == ["done", "not-begun"]
    assert "No space left" in outcomes[0].message


def test_a_defect_is_kept_for_the_report_and_stops_the_rest():
    def broken(text):
        raise RuntimeError("boom")

    kusto = Kusto(on_write=broken)
    run = applier(kusto, grant(1), grant(2, "a1"))
    outcomes = run.run()
    assert outcomes[0].result == "failed" and "boom" in outcomes[0].message
    assert outcomes[1].result == "not-begun"
    assert isinstance(run.defect, RuntimeError)


def test_fingerprints_do_not_count_what_is_not_a_field():
    ref = Ref("database_role", ("D", "viewers", "x"))
    assert fingerprint(Entity(ref, {}, {"notes": "a"})) == fingerprint(Entity(ref, {}, {"notes": "b"}))
