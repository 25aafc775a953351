"""What kxrecon does with each fact that nobody could confirm, under each of its possibilities."""

from __future__ import annotations

import json

import pytest

from kxrecon.model import Request
from tests.facts.switched import under

OTHER = "managedIdentity='system', intervalBetweenRuns=10m"


def job(peer):
    return peer.stored("continuous_export", "Job")[1]


def by_hand(peer, properties, query="Events"):
    """Somebody's own definition of the export."""
    peer.ground.kql(f".create-or-alter continuous-export Job over (Events) to table Out with ({properties}) <| {query}")


def fields(plan):
    return sorted(part.field for action in plan.actions for change in action.changes for part in change.fields)


@under("cursor_on_alter")
def test_a_cursor_that_moves_is_told_and_one_that_stays_is_not(peer, switched, tmp_path):
    from kxrecon.commands.apply import _Apply

    spec = peer.other(intervalBetweenRuns="15m")
    before = job(peer)["startCursor"]
    options = peer.ground.options()
    from kxrecon.commands import _flow

    plan, seen = _flow.plan_over(options, spec, peer.ground.clients)
    (effect,) = [action.cursor for action in plan.actions if action.cursor]
    assert effect.label == "keeps cursor" and "unconfirmed" in effect.reason
    assert plan.positions and plan.positions[0].start_cursor == before
    _Apply(options, plan, spec, peer.ground.clients)._execute(seen.scope, seen.state)
    assert (job(peer)["startCursor"] == before) is (switched == "kept")


@under("omitted_properties")
def test_what_the_spec_leaves_out_survives_a_change(peer, switched):
    policy = peer.stored("continuous_export", "Job")[1]["properties"]["managedIdentity"]
    by_hand(
        peer,
        f"managedIdentity='{policy}', intervalBetweenRuns=10m, forcedLatency=7m, sizeLimit=200000000, isDisabled=true",
    )
    assert not peer.ground.plan(peer.spec).actions
    assert not peer.ground.converge(peer.other(intervalBetweenRuns="15m")).actions
    kept = job(peer)
    assert kept["properties"]["forcedLatency"] == 7 * 600_000_000 and kept["properties"]["sizeLimit"] == 200_000_000
    assert kept["isDisabled"] is True


@under("export_identity_shown")
def test_another_identity_is_found_wherever_it_is_shown(peer, switched):
    peer.ground.kql(
        '.alter-merge database Telemetry policy managed_identity ```[{"ObjectId":"system","AllowedUsages":"AutomatedFlows"}]```'
    )
    by_hand(peer, OTHER)
    assert fields(peer.ground.plan(peer.spec)) == ["managedIdentity"]
    assert not peer.ground.converge(peer.spec).actions
    assert job(peer)["properties"]["managedIdentity"] != "system"


@under("csl_script_lists_exports")
def test_an_identity_that_is_nowhere_is_said_to_be_unverifiable(peer, switched):
    plan = peer.ground.plan(peer.spec)
    assert not plan.actions
    unseen = [one for one in plan.findings if one.kind == "unverifiable" and "managedIdentity" in one.message]
    assert bool(unseen) is not switched, plan.findings


@under("enable_when_enabled")
def test_an_export_that_somebody_enabled_meanwhile_is_not_enabled_again(peer, switched):
    peer.ground.kql(".disable continuous-export Job")
    spec = peer.other(isDisabled=False)
    plan = peer.ground.plan(spec)
    assert [request.text for action in plan.actions for request in action.requests] == [
        (".enable continuous-export ['Job']",)
    ]
    peer.ground.kql(".enable continuous-export Job")
    peer.ground.sent.clear()
    assert {one.result for one in peer.ground.apply(spec, plan)} == {"done"}
    assert peer.commands(".enable") == []


@under("missing_export")
def test_an_export_that_is_gone_is_dropped_without_complaint(peer, switched):
    spec = peer.other(database={"continuousExports": {}}, top={"prune": {"continuousExports": "all"}})
    plan = peer.ground.plan(spec)
    assert [action.verb for action in plan.actions] == ["delete"]
    peer.ground.kql(".drop continuous-export Job")
    assert {one.result for one in peer.ground.apply(spec, plan)} == {"done"}
    assert peer.ground.clients["kusto"].write(
        Request("kusto", "Telemetry", (".drop continuous-export ['Job']",), accepts=("BadRequest_EntityNotFound",))
    )


@under("missing_target")
def test_a_first_apply_makes_the_table_before_the_export(peer, switched):
    peer.under()
    assert not peer.ground.converge(peer.spec).actions
    order = [text.split()[1] for text in peer.commands(".create-or-alter")]
    assert order.index("external") < order.index("continuous-export")


@under("export_identity_checked")
def test_a_first_apply_sets_the_policy_before_the_export(peer, switched):
    peer.under()
    assert not peer.ground.converge(peer.spec).actions
    (policy,) = peer.commands("policy managed_identity")
    (export,) = peer.commands("continuous-export")
    assert peer.commands().index(policy) < peer.commands().index(export)


@under("impersonate_shown")
def test_a_connection_is_compared_as_far_as_it_is_shown(peer, switched):
    plan = peer.ground.plan(peer.spec)
    masked = [one for one in plan.findings if one.kind == "unverifiable" and "connections" in one.message]
    assert not plan.actions and bool(masked) is (switched == "masked"), plan.findings
    columns = "Timestamp:datetime, Level:string"
    connection = "https://contosoexport.blob.core.windows.net/events;key"
    peer.ground.kql(f".create-or-alter external table Out ({columns}) kind=storage dataformat=csv (h@'{connection}')")
    assert not peer.ground.plan(peer.spec).actions  # a key is masked under either
    peer.ground.kql(
        f".create-or-alter external table Out ({columns}) kind=storage dataformat=csv (h@'{connection.replace('events', 'else')}')"
    )
    assert fields(peer.ground.plan(peer.spec))


@under("policy_column")
def test_a_usage_that_is_gone_is_missed(peer, switched):
    peer.ground.kql(".delete database Telemetry policy managed_identity")
    missed = [ref.kind for action in peer.ground.plan(peer.spec).actions for ref in action.refs]
    assert missed == ["managed_identity_policy"]
    assert not peer.ground.converge(peer.spec).actions


@under("system_in_policy")
def test_the_system_identity_is_known_by_either_name(peer, switched):
    spec = peer.other(managedIdentity="system")
    assert not peer.ground.converge(spec).actions
    entries = json.dumps(peer.ground.kql(".show database Telemetry policy managed_identity"))
    assert ('\\"ObjectId\\":\\"system\\"' in entries) is (switched == "system")


@under("repeated_role_assignment")
def test_a_role_that_is_assigned_again_is_no_error(peer, switched):
    peer.under()
    plan = peer.ground.plan(peer.spec)
    assert not peer.ground.converge(peer.spec).actions
    ((scope, name), row) = peer.ground.store.all("role_assignment")[0]
    properties = {field: row[field] for field in ("roleDefinitionId", "principalId", "principalType", "description")}
    again = Request(
        "arm",
        "",
        ("roleAssignments.create",),
        {"scope": scope, "name": name, "properties": properties},
        accepts=("RoleAssignmentExists",),
    )
    assert peer.ground.clients["arm"].write(again)
    assert plan.actions and len(peer.ground.store.all("role_assignment")) == 1


@under("bool_wire")
def test_a_disabled_export_is_seen_in_every_form_of_a_boolean(peer, switched):
    assert not peer.ground.plan(peer.other(isDisabled=False)).actions
    peer.ground.kql(".disable continuous-export Job")
    assert fields(peer.ground.plan(peer.other(isDisabled=False))) == ["isDisabled"]


@under("dynamic_wire")
def test_a_connection_elsewhere_is_seen_in_every_form_of_a_dynamic(peer, switched):
    assert not peer.ground.plan(peer.spec).actions
    columns = "Timestamp:datetime, Level:string"
    there = "https://contosoexport.blob.core.windows.net/elsewhere;impersonate"
    peer.ground.kql(f".create-or-alter external table Out ({columns}) kind=storage dataformat=csv (h@'{there}')")
    found = fields(peer.ground.plan(peer.spec))
    assert found and all(name.startswith("connections") for name in found), found


@under("missing_database")
def test_a_database_that_is_missing_is_named(peer, switched):
    for key, _ in peer.ground.store.all("database"):
        peer.ground.store.delete("database", *key)
    plan = peer.ground.plan(peer.spec)
    assert not plan.actions
    assert any("Telemetry" in one.message and "does not exist" in one.message for one in plan.findings), plan.findings


def shown(peer, word, change):
    """From now on a change is made to the rows that commands with ``word`` are answered with."""

    def tamper(sent, answer):
        if word in sent.text and "Tables" in answer:
            table = answer["Tables"][0]
            names = [column["ColumnName"] for column in table["Columns"]]
            table["Rows"] = change(names, table["Rows"])
        return answer

    peer.ground.tamper = tamper


@pytest.mark.parametrize("form", ["null", None, "", "[]", "no row"])
def test_a_policy_that_is_not_set_is_none_in_every_form(peer, form):
    peer.ground.kql(".delete database Telemetry policy managed_identity")

    def unset(names, rows):
        at = names.index("Policy")
        return [] if form == "no row" else [[*row[:at], form, *row[at + 1 :]] for row in rows]

    shown(peer, ".show database ['Telemetry'] policy managed_identity", unset)
    try:
        plan = peer.ground.plan(peer.spec)
    finally:
        peer.ground.tamper = None
    assert [ref.kind for action in plan.actions for ref in action.refs] == ["managed_identity_policy"]
    assert not [one for one in plan.findings if one.kind == "unknown"]


@pytest.mark.parametrize(("kind", "differs"), [("Blob", False), ("Adl", False), ("Delta", True)])
def test_a_table_is_storage_by_whatever_type_it_is_shown(peer, kind, differs):
    def typed(names, rows):
        at = names.index("TableType")
        return [[*row[:at], kind, *row[at + 1 :]] for row in rows]

    shown(peer, ".show external tables", typed)
    try:
        assert ("kind" in fields(peer.ground.plan(peer.spec))) is differs
    finally:
        peer.ground.tamper = None
