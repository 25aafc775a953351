"""Exports keep their place, and where they may not have, it is said with the repair."""

from __future__ import annotations

import pytest

from kxrecon import cursors
from kxrecon.apply import Applier
from kxrecon.derive import Derivation
from kxrecon.errors import PlaneError
from kxrecon.model import Allow, Entity, Position, Reading, Ref, State, Table
from kxrecon.observe import observe
from kxrecon.plan import Circumstances, Plan, draft, requests_text
from kxrecon.planes.kusto_operations import follow, is_async
from kxrecon.planes.retry import Budget, Clock, Retry
from kxrecon.rename import unfinished
from kxrecon.scope import Scope
from kxrecon.surroundings import Stored

from .cluster_fake import Kusto, export

SCOPE = Scope(
    databases=("D",), identities={"system": ""}, declared=frozenset({("databases", "D", "continuousExports")})
)
OLD, NEW = Ref("continuous_export", ("D", "Old")), Ref("continuous_export", ("D", "New"))
FIELDS = {"over": ("Events",), "to": "Lake", "query": "Events\n| where Level == 'x'", "managedIdentity": "system"}
WANTED = {**FIELDS, "intervalBetweenRuns": 6_000_000_000}


def wanted(ref: Ref = NEW, fields=WANTED, **attributes) -> Entity:
    return Entity(ref, {**fields, "isDisabled": False} if ref == NEW else fields, attributes)


def made(kusto: Kusto, *entities: Entity, allow=()):
    seen = observe(SCOPE, {"kusto": kusto}, kinds=("continuous_export",))
    desired = State({one.ref: one for one in entities})
    return draft(Derivation(desired), seen.state, seen.scope, Circumstances(allow=allow)), seen.state


def position(cursor: str, exported: str | None) -> Position:
    return Position(OLD, cursor, exported)


def state(cursor: str, exported: str | None) -> State:
    return State({OLD: Entity(OLD, FIELDS)}, {OLD: Reading(OLD, {"startCursor": cursor, "exportedTo": exported})})


MORNING, NOON = "2026-11-24T08:00:00Z", "2026-11-24T12:00:00Z"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (position("100", MORNING), state("100", MORNING)),
        (position("100", MORNING), state("100", NOON)),
        (position("100", None), state("100", NOON)),
    ],
)
def test_an_export_may_go_on(before, after):
    assert cursors.moved([before], (), after) == ()


@pytest.mark.parametrize(
    ("after", "risk"),
    [
        (state("200", None), f"records ingested after {MORNING} and up to cursor 200 are not exported"),
        (state("50", None), "may be exported again"),
        (state("100", None), "may be exported twice"),
        (State(), "is gone"),
    ],
)
def test_any_other_move_is_told_with_what_is_at_risk(after, risk):
    (move,) = cursors.moved([position("100", MORNING)], (), after)
    assert risk in move.message
    assert not move.expected


def test_the_repair_is_a_bounded_export_of_the_same_query():
    (move,) = cursors.moved([position("100", MORNING)], (), state("200", None))
    assert move.repair == (
        f".export async to table ['Lake'] <| Events | where ingestion_time() > datetime({MORNING}) and "
        "cursor_before_or_at(\"200\")\n| where Level == 'x'"
    )


def test_a_query_that_cannot_be_bounded_is_not_bounded_wrongly():
    for query in ("EventsForLake()", "let x = 1; Events", "union Events, Other", "Other | take 1", "Events, Other"):
        export = Entity(OLD, {**FIELDS, "query": query})
        assert cursors.backfill(export, (), "1", Stored()) is None
    two = Entity(OLD, {**FIELDS, "over": ("Events", "Other")})
    assert cursors.backfill(two, (), "1", Stored()) is None
    bracketed = Entity(OLD, {**FIELDS, "query": "['Events']"})
    assert "['Events'] | where cursor_before" in "".join(map(str, cursors.backfill(bracketed, (), "1", Stored()) or ()))


FUNCTIONS = {"F": "Events | take 5", "G": "F() | take 1", "Dims": "Other | take 5"}
AGAIN = {
    "over, and the fact again": [
        "Events | union (Events | where Level == 'x')",
        "Events | join kind=inner (['Events']) on Level",
        "Events | join (table('Events')) on Level",
        "Events | where Level in (Events)",
        "Events | union *",
        "Events | union Ev*",
    ],
    "over, and functions": [
        "Events | union F()",
        "Events | join (G()) on Level",
        "Events | invoke F()",
        "Events | union Unknown()",
        "Events | invoke unknown()",
        "Events | where Level != toscalar(G())",
    ],
    "all tables": [
        "Events | union Logs",
        "Events | union isfuzzy=true Logs",
        "Events | join kind=inner (Logs) on Level",
        "Events | lookup Dim on Level",
        "Events | where Level in (Allowed)",
        "Events | where Level !in~ ((Allowed | project Level))",
        "Events | where Level in (['Allowed'])",
        "Events | extend x=toscalar(Logs | count)",
        "Events | union Dims()",
        "F | take 5",
    ],
}
ONCE = {
    ("Events",): [
        "Events | join kind=inner (Dim) on Level",
        "Events | lookup Dims() on Level",
        "Events | where Level == 'Events' // Events",
    ],
    None: [
        "Events | where Level in ('a', 'b') and Timestamp > ago(1d)",
        "Events | summarize n=count() by Level | where n * 2 > 4",
        "Events | extend Day=startofday(Timestamp) | project-away Level",
        "Events | where Level in (dynamic(['a']))",
    ],
}


def bounded(query: str, over: tuple[str, ...] | None) -> bool:
    stored = Stored(State({ref: Entity(ref, {"body": body}) for ref, body in FUNCTION_STATE}))
    return cursors.backfill(Entity(OLD, {**FIELDS, "query": query, "over": over}), (), "1", stored) is not None


FUNCTION_STATE = [(Ref("function", ("D", name)), body) for name, body in FUNCTIONS.items()]


@pytest.mark.parametrize("what", list(AGAIN))
def test_a_query_that_may_read_a_fact_table_again_is_not_bounded(what):
    over = None if what == "all tables" else ("Events",)
    assert [query for query in AGAIN[what] if bounded(query, over)] == []


@pytest.mark.parametrize("over", list(ONCE))
def test_a_query_that_reads_its_fact_table_once_is_bounded(over):
    assert [query for query in ONCE[over] if not bounded(query, over)] == []


@pytest.mark.parametrize("more", [{"over": None, "query": "Events | union Logs"}, {"query": "Events | union (Events)"}])
def test_a_backfill_with_a_second_fact_is_refused(more):
    fields = {name: value for name, value in {**WANTED, **more}.items() if value is not None}
    found, _ = made(Kusto(), wanted(fields=fields, backfill=True))
    assert found.actions == ()
    assert any(one.kind == "blocked" and "cannot be bounded" in one.message for one in found.findings)


def test_a_rename_that_nobody_can_bound_stops_nothing():
    found, _ = made(Kusto(exports=[export("Old")]), wanted(fields={**WANTED, "query": "F()"}, renamedFrom="Old"))
    assert found.actions == ()


def test_the_plan_records_where_the_exports_it_touches_stand_and_its_digest_does_not_move_with_them():
    digests = set()
    for exported in (MORNING, NOON):
        kusto = Kusto(exports=[export("Old", exported=exported), export("Other", exported=exported)])
        found, _ = made(kusto, wanted(OLD, {**WANTED, "query": "Events | take 5"}))
        assert found.positions == (Position(OLD, "100", exported),)
        plan = Plan("t", "c", "s", (), "d", "now", found.actions, positions=found.positions)
        digests.add(plan.digest)
        assert found.actions[0].cursor is not None and found.actions[0].cursor.label == "keeps cursor"
    assert len(digests) == 1


def test_a_renamed_export_stops_first_starts_second_and_what_lies_between_is_exported_once():
    kusto = Kusto(exports=[export("Old", exported=MORNING)])
    found, _ = made(kusto, wanted(renamedFrom="Old"))
    assert [(one.verb, one.phase, one.refs[0].name[1]) for one in found.actions] == [
        ("update", "stop", "Old"),
        ("create", "apply", "New"),
        ("create", "backfill", "New"),
    ]
    assert found.actions[1].after == (found.actions[0].id,) and found.actions[2].after == (found.actions[1].id,)
    (stop,) = requests_text(found.actions[0])
    assert stop.startswith(".disable continuous-export")
    (fill,) = requests_text(found.actions[2])
    assert "ingestion_time() > datetime(«known after apply: continuous_export(D/Old).exportedTo»)" in fill
    assert 'cursor_before_or_at("«known after apply: continuous_export(D/New).startCursor»")\n| where Level' in fill
    assert not [hazard for action in found.actions for hazard in action.hazards]
    assert [one.kind for one in found.findings if one.ref == OLD] == ["left-behind"]


def test_the_old_export_is_dropped_last_and_only_where_the_spec_allows_it_by_name():
    kusto = Kusto(exports=[export("Old", exported=MORNING)])
    found, _ = made(kusto, wanted(renamedFrom="Old"), allow=[Allow("loses-cursor", "D/Old")])
    last = found.actions[-1]
    assert (last.verb, last.refs, [one.hazard for one in last.hazards]) == ("delete", (OLD,), ["loses-cursor"])
    assert any("backfill" in need for need in last.after)
    unnamed, _ = made(kusto, wanted(renamedFrom="Old"), allow=[Allow("loses-cursor")])
    assert all(action.verb != "delete" for action in unnamed.actions)


def test_two_names_for_one_export_are_refused():
    kusto = Kusto(exports=[export("Old")])
    found, _ = made(kusto, wanted(renamedFrom="Old"), wanted(OLD, WANTED))
    assert any(one.kind == "blocked" and "renamedFrom" in one.message for one in found.findings)


def test_the_places_are_read_when_the_old_export_has_come_to_rest():
    kusto = Kusto(exports=[export("Old", exported=MORNING)])

    def obey(text):
        if text.startswith(".disable"):
            kusto.exports[0][11] = NOON  # the run that was under way
        if text.startswith(".create-or-alter"):
            kusto.exports.append(export("New", cursor="777"))
        return {"told": "operation 1 completed"} if ".export" in text else None

    kusto.on_write = obey
    found, seen = made(kusto, wanted(renamedFrom="Old"))
    plan = Plan("t", "https://c", "s", (), "d", "now", found.actions)
    outcomes = Applier(plan, {"kusto": kusto}, SCOPE, {}).run()
    assert [(one.result, one.message) for one in outcomes][-1] == ("done", "operation 1 completed")
    assert [one.result for one in outcomes] == ["done"] * 3
    assert f"datetime({NOON})" in kusto.sent[-1] and 'cursor_before_or_at("777")' in kusto.sent[-1]


def test_an_old_export_that_runs_for_the_first_time_before_it_stops_is_not_exported_twice():
    """When the plan is made it has exported nothing; what it exported by the time it rests is left out all the same."""
    for ran, bound in ((NOON, NOON), (None, cursors.NEVER)):
        kusto = Kusto(exports=[export("Old", cursor="55")])

        def obey(text, kusto=kusto, ran=ran):
            if text.startswith(".disable"):
                kusto.exports[0][11] = ran
            if text.startswith(".create-or-alter"):
                kusto.exports.append(export("New", cursor="777"))
            return {"told": "operation 1 completed"} if ".export" in text else None

        kusto.on_write = obey
        found, _ = made(kusto, wanted(renamedFrom="Old"))
        plan = Plan("t", "https://c", "s", (), "d", "now", found.actions)
        assert [one.result for one in Applier(plan, {"kusto": kusto}, SCOPE, {}).run()] == ["done"] * 3
        assert f'cursor_after("55") and ingestion_time() > datetime({bound}) and' in kusto.sent[-1], kusto.sent[-1]


@pytest.mark.parametrize(("sent", "told"), [(False, "never sent"), (True, "did not see the end")])
def test_a_bounded_export_that_nobody_saw_end_is_told_with_its_command(sent, told):
    kusto = Kusto(exports=[export("Old", exported=NOON, disabled=True), export("New", cursor="777")])
    _, seen = made(kusto, wanted(renamedFrom="Old"))
    (finding,) = unfinished([cursors.Fill("create:continuous_export:D/New:backfill:2", NEW, OLD, sent)], seen)
    assert told in finding.message and (".show operations" in finding.remedy) == sent
    assert f'ingestion_time() > datetime({NOON}) and cursor_before_or_at("777")' in finding.remedy


def test_a_backfill_goes_with_the_creation_and_never_with_an_export_that_is_there():
    found, _ = made(Kusto(), wanted(backfill=True))
    (fill,) = requests_text(found.actions[1])
    assert "<| Events | where cursor_before_or_at(" in fill
    again, _ = made(Kusto(exports=[export("New")]), wanted(backfill=True, fields=FIELDS))
    assert all(action.phase != "backfill" for action in again.actions)


def test_a_backfill_that_nobody_can_bound_is_refused_with_its_export():
    found, _ = made(Kusto(), wanted(fields={**WANTED, "query": "EventsForLake()"}, backfill=True))
    assert found.actions == ()
    assert any(one.kind == "blocked" and "cannot be bounded" in one.message for one in found.findings)


OPERATION = "11111111-2222-4333-8444-555555555555"


def operations(*states: str):
    rows = iter(states)
    slept: list[float] = []
    retry = Retry(Budget(operation=100, poll=15), Clock(now=lambda: sum(slept), sleep=slept.append, random=lambda: 0.5))
    show = lambda text: Table(("OperationId", "State", "Status"), [[OPERATION, next(rows), "why"]])  # noqa: E731
    return follow(Table(("OperationId",), [[OPERATION]]), show, retry), slept


def test_an_operation_is_followed_to_its_end():
    assert is_async(".export async to table T <| T") and not is_async(".export to table async <| T")
    assert operations("InProgress", "Completed") == (f"operation {OPERATION} completed", [15])
    with pytest.raises(PlaneError, match=f"{OPERATION} ended as Failed: why"):
        operations("InProgress", "Failed")
    with pytest.raises(PlaneError, match=f"still InProgress; it goes on, see .show operations {OPERATION}"):
        operations(*["InProgress"] * 20)
