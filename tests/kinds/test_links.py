"""What already gives a link, what a removal sends, and what must be there before."""

from __future__ import annotations

import pytest

from kxrecon.errors import SpecError
from kxrecon.kinds import World, kind
from kxrecon.kinds.adls import acl_entry
from kxrecon.kinds.arm import role_assignment
from kxrecon.kinds.kusto import database_role, function, managed_identity_policy
from kxrecon.kinds.sql import sql_grant
from kxrecon.leaves import request_unknowns, shown_text
from kxrecon.model import Change, Entity, Failure, Gap, Reading, Ref, State, Table
from kxrecon.scope import Directory, Scope

SUBSCRIPTION = "/subscriptions/s"
ACCOUNT = f"{SUBSCRIPTION}/resourceGroups/Lake/providers/Microsoft.Storage/storageAccounts/contosolake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/archive"
CONTRIBUTOR = "Storage Blob Data Contributor"


def state(*items):
    entities = {item.ref: item for item in items if isinstance(item, Entity)}
    readings = {item.ref: item for item in items if isinstance(item, Reading)}
    return State(entities, readings, tuple(item for item in items if isinstance(item, Gap)))


def deletion(entity):
    return Change(entity.ref, "delete", entity, None)


def row(scope, role, symbol="exporter", condition=None, via=()):
    made = role_assignment.assignment(scope, role, symbol, ())
    return Entity(made.ref, {"condition": condition}, attributes={"via": via, "assignmentName": "x"})


# --- role assignments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "given"),
    [
        (row(ACCOUNT, CONTRIBUTOR), True),
        (row(f"{SUBSCRIPTION}/resourceGroups/lake", "Storage Blob Data Owner"), True),
        (row(SUBSCRIPTION, CONTRIBUTOR), True),
        (row("/", CONTRIBUTOR), True),
        (row(f"{SUBSCRIPTION}/resourceGroups/other", CONTRIBUTOR), False),
        (row(f"{CONTAINER}2", CONTRIBUTOR), False),
        (row(ACCOUNT, "Storage Blob Data Reader"), False),
        (row(SUBSCRIPTION, "Owner"), False),
        (row(SUBSCRIPTION, "Contributor"), False),
        (row(ACCOUNT, CONTRIBUTOR, condition="@Resource…"), False),
        (row(ACCOUNT, CONTRIBUTOR, symbol="system"), False),
    ],
)
def test_role_is_given_by_wider_scope_and_role_but_never_by_management_roles(found, given):
    wanted = role_assignment.assignment(CONTAINER, CONTRIBUTOR, "exporter", ())
    assert bool(role_assignment.covers(wanted, state(found))) is given


def test_condition_counts_only_if_the_target_accepts_it():
    wanted = role_assignment.assignment(CONTAINER, CONTRIBUTOR, "exporter", (), accept_conditional=True)
    assert role_assignment.covers(wanted, state(row(ACCOUNT, CONTRIBUTOR, condition="@Resource…")))


def test_role_is_given_through_a_group_and_from_a_management_group():
    wanted = role_assignment.assignment(CONTAINER, CONTRIBUTOR, "exporter", ())
    above = "/providers/microsoft.management/managementgroups/root"
    reading = Reading(Ref("role_assignment", ("exporter",)), {"groups": ("writers",), "above": {"s": (above,)}})
    through = row(above, CONTRIBUTOR, "writers", via=("exporter",))
    assert "through writers" in role_assignment.covers(wanted, state(reading, through))
    foreign = row(above, CONTRIBUTOR, "writers", via=("system",))
    assert role_assignment.covers(wanted, state(reading, foreign)) is None


def test_assignment_waits_for_identity_and_container():
    wanted = role_assignment.assignment(CONTAINER, CONTRIBUTOR, "exporter", ())
    needs = {need.ref for need in role_assignment.needs(wanted)}
    assert needs == {Ref("cluster_identity", ("exporter",)), Ref("container", ("contosolake", "archive"))}


def test_unread_cluster_leaves_assignments_unknown():
    scope = Scope(cluster_id="/subscriptions/s/x/telemetry", identities={"exporter": "/subscriptions/s/y"})
    answers = {next(iter(kind("cluster_identity").reads(scope, {}))): Failure("denied", "no")}
    assert [type(found) for found in role_assignment.observe(answers, scope)] == [Gap]


# --- Kusto -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "usage", "given"),
    [("cluster", "AutomatedFlows", True), ("cluster", "All", True), ("cluster", "ExternalTable", False)]
    + [("database", "All", True), ("database", "ExternalTable", False)],
)
def test_usage_is_given_by_all_and_by_the_cluster(level, usage, given):
    wanted = managed_identity_policy.usage("database", "Telemetry", "exporter", "AutomatedFlows", ())
    seen = state(managed_identity_policy.usage(level, "Telemetry", "exporter", usage, ()))
    assert bool(managed_identity_policy.covers(wanted, seen)) is given


def test_removed_usage_rewrites_the_list_with_all_that_stays():
    gone = managed_identity_policy.usage("database", "Telemetry", "system", "ExternalTable", ())
    stays = managed_identity_policy.usage("database", "Telemetry", "system", "AutomatedFlows", ())
    foreign = managed_identity_policy.usage("database", "Telemetry", "f" * 8, "SqlRequest", ())
    elsewhere = managed_identity_policy.usage("database", "Other", "system", "All", ())
    scope = Scope(directory=Directory({"f" * 8: {"principalId": "oid"}}))
    world = World(scope, state(gone, stays, foreign), state(stays, foreign, elsewhere))
    (step,) = managed_identity_policy.act([deletion(gone)], world)
    assert shown_text(step.requests[0].text) == (
        ".alter database ['Telemetry'] policy managed_identity "
        '```[{"ObjectId":"oid","AllowedUsages":"SqlRequest"},{"ObjectId":"system","AllowedUsages":"AutomatedFlows"}]```'
    )
    assert [hazard.hazard for hazard in step.hazards] == ["removes-access"]


def test_last_usage_goes_with_the_policy():
    gone = managed_identity_policy.usage("cluster", "", "system", "All", ())
    (step,) = managed_identity_policy.act([deletion(gone)], World(Scope(), state(gone), state()))
    assert shown_text(step.requests[0].text) == ".delete cluster policy managed_identity"


def test_removal_without_effect_says_so():
    gone = managed_identity_policy.usage("database", "Telemetry", "system", "AutomatedFlows", ())
    wider = managed_identity_policy.usage("cluster", "", "system", "All", ())
    (step,) = managed_identity_policy.act([deletion(gone)], World(Scope(), state(gone, wider), state(wider)))
    assert "no effect yet" in step.hazards[0].reason


def test_rewritten_list_waits_for_an_identity_that_the_plan_attaches():
    identity = Entity(Ref("cluster_identity", ("exporter",)), {})
    gone = managed_identity_policy.usage("database", "Telemetry", "system", "All", ())
    wanted = managed_identity_policy.usage("database", "Telemetry", "exporter", "All", ())
    scope = Scope(identities={"exporter": "/x"}, directory=Directory({"exporter": {"principalId": "oid"}}))
    before, after = state(gone), state(identity, wanted)
    (step,) = managed_identity_policy.act([deletion(gone)], World(scope, before, after))
    assert [leaf.ref for leaf in request_unknowns(step.requests[0])] == [identity.ref]
    (step,) = managed_identity_policy.act([Change(wanted.ref, "create", None, wanted)], World(scope, before, after))
    assert not list(request_unknowns(step.requests[0]))


@pytest.mark.parametrize(
    ("ref", "given"),
    [
        (Ref("database_role", ("Telemetry", "admins", "exporter")), True),
        (Ref("database_role", ("Telemetry", "users", "exporter")), True),
        (Ref("cluster_role", ("AllDatabasesViewer", "exporter")), True),
        (Ref("cluster_role", ("AllDatabasesMonitor", "exporter")), False),
        (Ref("database_role", ("Telemetry", "unrestrictedviewers", "exporter")), False),
        (Ref("database_role", ("Other", "admins", "exporter")), False),
        (Ref("database_role", ("Telemetry", "admins", "system")), False),
    ],
)
def test_viewing_is_given_by_wider_roles(ref, given):
    wanted = database_role.grant("Telemetry", "viewers", "exporter", ())
    assert bool(database_role.covers(wanted, state(Entity(ref, {})))) is given


def test_last_admin_is_never_dropped():
    last = Entity(Ref("database_role", ("Telemetry", "admins", "aaduser=x")), {}, attributes={"fqn": "aaduser=x"})
    (step,) = database_role.act([deletion(last)], World(Scope(), state(last), state()))
    assert step.requests == ()
    assert [hazard.hazard for hazard in step.hazards] == ["locks-out"]


def test_two_principals_with_one_name_are_not_taken_for_each_other():
    scope = Scope(databases=("D",), directory=Directory(symbols={"aadgroup=ops": "ops"}))
    rows = [["Database D Viewer", "Ops", f"id{n}", f"aadgroup=id{n};t"] for n in (1, 2)]
    (read,) = database_role.reads(scope, {})
    table = Table(("Role", "PrincipalDisplayName", "PrincipalObjectId", "PrincipalFQN"), rows)
    found = [entity.ref.name[2] for entity in database_role.observe({read: table}, scope)]
    assert found == ["ops", "aadgroup=id2"]


def test_function_waits_for_what_its_body_names():
    body = (
        'let x = 1; // Comment()\nEvents | where S == "Text()" | invoke Clean() | union database("o").Far(), [\'My T\']'
    )
    needs = {need.ref for need in function.needs(Entity(Ref("function", ("D", "F")), {"body": body}))}
    assert {Ref("function", ("D", "Clean")), Ref("table", ("D", "Events")), Ref("table", ("D", "My T"))} <= needs
    names = {ref.name[1] for ref in needs}
    assert not names & {"Comment", "Text", "Far", "F"}


# --- Data Lake and SQL -------------------------------------------------------------------------------------


def test_entries_reach_from_the_root_to_the_target():
    found = acl_entry.entries("h", "fs", "/a/b/", "exporter", ("why",))
    assert [(one.ref.name[2], one.fields["access"], one.fields["default"]) for one in found] == [
        ("/", "--x", None),
        ("/a", "--x", None),
        ("/a/b", "rwx", "rwx"),
    ]
    (root,) = acl_entry.entries("h", "fs", "/", "exporter", ())
    assert root.fields == {"access": "rwx", "default": "rwx"}


def test_removed_entry_leaves_both_lists():
    (gone,) = acl_entry.entries("h", "fs", "/", "exporter", ())
    scope = Scope(directory=Directory({"exporter": {"principalId": "oid"}}))
    (step,) = acl_entry.act([deletion(gone)], World(scope, state(gone), state()))
    assert step.requests[0].body["remove"] == [{"scope": "access", "id": "oid"}, {"scope": "default", "id": "oid"}]


def test_new_table_takes_grants_on_its_schema():
    found = sql_grant.grants(
        ("Srv,1433", "Dwh"), "exporter", "[my].[T]", create=True, doc={"extra": ["select"]}, reasons=()
    )
    assert [entity.ref.name for entity in found] == [
        ("srv", "Dwh", "exporter"),
        ("srv", "Dwh", "exporter", "CONNECT", "DATABASE"),
        ("srv", "Dwh", "exporter", "CREATE TABLE", "DATABASE"),
        ("srv", "Dwh", "exporter", "ALTER", "SCHEMA::my"),
        ("srv", "Dwh", "exporter", "INSERT", "SCHEMA::my"),
        ("srv", "Dwh", "exporter", "UPDATE", "SCHEMA::my"),
        ("srv", "Dwh", "exporter", "SELECT", "SCHEMA::my"),
    ]


@pytest.mark.parametrize(
    ("roles", "granted", "denied", "given"),
    [
        (("db_datawriter",), (), (), True),
        (("db_owner",), (), (), True),
        (("db_ddladmin",), (), (), False),
        (("loaders",), (("INSERT", "SCHEMA::DBO"),), (), True),
        ((), (("CONTROL", "DATABASE"),), (), True),
        ((), (("INSERT", "OBJECT::dbo.events"),), (), True),
        ((), (("INSERT", "SCHEMA::other"),), (), False),
        ((), (("UPDATE", "DATABASE"),), (), False),
        (("db_datawriter",), (), (("INSERT", "OBJECT::dbo.Events"),), False),
        (("db_datawriter", "db_denydatawriter"), (), (), False),
        (("db_owner",), (), (("CONTROL", "SCHEMA::dbo"),), False),
    ],
)
def test_permission_is_given_by_roles_and_wider_grants_unless_denied(roles, granted, denied, given):
    name = ("srv", "Dwh", "exporter")
    wanted = Entity(Ref("sql_grant", (*name, "INSERT", "OBJECT::dbo.Events")), {})
    reading = Reading(Ref("sql_user", name), {"roles": roles, "granted": granted, "denied": denied})
    assert bool(sql_grant.covers(wanted, state(reading))) is given


def test_revoke_and_drop_name_the_user_as_it_is():
    name = ("srv", "Dwh", "exporter")
    user = Entity(Ref("sql_user", name), {"name": "job"})
    gone = Entity(Ref("sql_grant", (*name, "INSERT", "OBJECT::dbo.Events")), {"denied": None})
    world = World(Scope(), state(user, gone), state())
    (step,) = sql_grant.act([deletion(gone)], world)
    assert shown_text(step.requests[0].text) == "REVOKE INSERT ON OBJECT::[dbo].[Events] FROM [job]"
    (step,) = kind("sql_user").act([deletion(user)], world)
    assert shown_text(step.requests[0].text) == "DROP USER [job]"
    assert step.hazards[0].hazard == "removes-access"


def test_new_grant_under_a_deny_warns():
    name = ("srv", "Dwh", "exporter")
    wanted = Entity(Ref("sql_grant", (*name, "INSERT", "OBJECT::dbo.Events")), {"denied": None})
    values = {"roles": (), "granted": (), "denied": (("INSERT", "DATABASE"),)}
    world = World(Scope(), state(Reading(Ref("sql_user", name), values)), state(wanted))
    (step,) = sql_grant.act([Change(wanted.ref, "create", None, wanted)], world)
    assert "no effect" in step.notes[0]


def test_role_that_nobody_knows_is_a_mistake_of_the_spec():
    with pytest.raises(SpecError, match="unknown role 'Blob Writer'"):
        role_assignment.assignment(CONTAINER, "Blob Writer", "exporter", ())
