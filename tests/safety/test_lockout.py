"""Nobody is locked out: what no permission can allow is not in the plan, and the plan says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kxrecon.derive import Derivation, derive
from kxrecon.kinds.arm import role_assignment
from kxrecon.kinds.kusto import database_role
from kxrecon.lockout import guarded
from kxrecon.model import HIDDEN, Entity, Reading, Ref, State
from kxrecon.observe import observe
from kxrecon.plan import draft
from kxrecon.scope import Directory, Scope

from .cluster_fake import Kusto, principal

ME, ONCALL, OLD, OTHER = (f"{number}0000000-0000-4000-8000-000000000000" for number in range(1, 5))
SCOPE = Scope(
    name="prod",
    databases=("D",),
    principals={"oncall": f"aadgroup={ONCALL}", "jane": "aaduser=jane@contoso.com"},
    declared=frozenset({("databases", "D", "roles")}),
)


def me(*ids: str, role: str = "Database D Admin"):
    return [["Database D", "", object_id, role] for object_id in ids]


def planned(kusto: Kusto, role: str, *exact: str):
    """Deleted principals, and findings as (principal, why), for a role that the spec lists exactly."""
    entities = list(database_role.desire(("D", role), {"exact": list(exact)}, SCOPE))
    seen = observe(SCOPE, {"kusto": kusto}, kinds=("database_role",))
    found = draft(Derivation(State({one.ref: one for one in entities})), seen.state, seen.scope)
    deleted = [change.ref.name[2] for action in found.actions for change in action.changes if change.verb == "delete"]
    return deleted, {one.ref.name[-1]: one.message for one in found.findings if one.kind == "blocked"}


def app(object_id: str) -> str:
    return f"aadapp={object_id}"


def test_who_is_not_listed_leaves_if_the_caller_stays_an_admin():
    kusto = Kusto(principals=[principal(ME, "Admin"), principal(OLD, "Admin")], caller=me(ME))
    assert planned(kusto, "admins", app(ME)) == ([app(OLD)], {})


def test_the_caller_never_drops_itself():
    kusto = Kusto(principals=[principal(ME, "Admin"), principal(OLD, "Admin")], caller=me(ME))
    deleted, kept = planned(kusto, "admins", app(OLD))
    assert deleted == [] and "who runs this" in kept[app(ME)]
    viewers = Kusto(principals=[principal(ME), principal(OLD)], caller=me(ME, role="Database D Viewer"))
    deleted, kept = planned(viewers, "viewers", app(OLD))
    assert deleted == [] and "who runs this" in kept[app(ME)]


def test_a_caller_who_cannot_be_read_might_be_anybody():
    kusto = Kusto(principals=[principal(OTHER, "Admin"), principal(OLD, "Admin")])
    deleted, kept = planned(kusto, "admins", app(OTHER))
    assert deleted == [] and "could not be read" in kept[app(OLD)]
    viewers = Kusto(principals=[principal(OTHER), principal(OLD)])
    assert planned(viewers, "viewers", app(OTHER))[0] == [app(OLD)]


def test_the_group_that_makes_the_caller_an_admin_stays():
    rows = [principal(OLD, "Admin"), principal(ONCALL, "Admin", prefix="aadgroup")]
    deleted, kept = planned(Kusto(principals=rows, caller=me(ONCALL)), "admins", app(OLD))
    assert deleted == [] and "only through this group" in kept["oncall"]
    nested = Kusto(principals=rows, caller=me(ME, role="Database D Viewer"))
    assert "only through this group" in planned(nested, "admins", app(OLD))[1]["oncall"]
    elsewhere = Kusto(principals=rows, caller=me(ME, role="AllDatabasesAdmin"))
    assert planned(elsewhere, "admins", app(OLD)) == (["oncall"], {})


def test_exact_is_refused_while_somebody_shown_has_no_object_id():
    shown = [principal(ME, "Admin"), principal(OLD, "Admin"), principal("", "Admin", fqn="aaduser=x@y.z")]
    deleted, kept = planned(Kusto(principals=shown, caller=me(ME)), "admins", app(ME))
    assert deleted == [] and all("without an object id" in why for why in kept.values()) and len(kept) == 2


def test_exact_is_refused_while_somebody_listed_may_be_one_of_those_shown():
    shown = [principal(ME, "Admin"), principal(OLD, "Admin", prefix="aaduser")]
    deleted, kept = planned(Kusto(principals=shown, caller=me(ME)), "admins", app(ME), "jane")
    assert deleted == [] and "jane is listed" in kept[f"aaduser={OLD}"]


def test_a_role_never_loses_its_last_admin():
    scope = Scope(name="prod", databases=("D",), declared=SCOPE.declared, prune={"grants": "owned"})
    row = principal(OLD, "Admin")
    row[5] = scope.mark
    kusto = Kusto(principals=[row], caller=me(ME, role="AllDatabasesAdmin"))
    seen = observe(scope, {"kusto": kusto}, kinds=("database_role",))
    found = draft(Derivation(State()), seen.state, seen.scope)
    assert found.actions == ()
    assert "last admin" in found.findings[0].message


EXPORT = Entity(Ref("continuous_export", ("D", "Theirs")), {"to": "T", "query": "E", "managedIdentity": "exporter"})
USAGE = Ref("managed_identity_policy", ("database", "D", "exporter", "AutomatedFlows"))
CLUSTER = Ref("managed_identity_policy", ("cluster", "exporter", "AutomatedFlows"))
VIEWER = Ref("database_role", ("D", "viewers", "exporter"))
IDENTITY = Ref("cluster_identity", ("exporter",))


def pruned(*refs: Ref, disabled: bool = False):
    """What is deleted of ``refs`` when a spec that knows nothing of the export prunes all that it owns."""
    scope = Scope(
        name="prod",
        databases=("D",),
        identities={"exporter": "/x"},
        prune={"grants": "owned", "identities": "all"},
        directory=Directory({"exporter": {"principalId": OLD}}, {OLD: "exporter"}),
    )
    entities = {ref: Entity(ref, {}, {"objectId": OLD}, owner=scope.mark) for ref in refs}
    export = Entity(EXPORT.ref, {**EXPORT.fields, "isDisabled": disabled})
    observed = State({**entities, export.ref: export})
    found = draft(derive(State(), observed, scope), observed, scope)
    deleted = {change.ref for action in found.actions for change in action.changes if change.verb == "delete"}
    return deleted, {one.ref: one.message for one in found.findings if one.kind == "blocked"}


def test_what_an_export_of_others_relies_on_stays():
    deleted, kept = pruned(USAGE, VIEWER, IDENTITY)
    assert deleted == set()
    assert set(kept) == {USAGE, VIEWER, IDENTITY}
    assert "continuous_export D/Theirs relies on it" in kept[USAGE]


def test_a_disabled_export_relies_on_nothing():
    deleted, kept = pruned(USAGE, VIEWER, disabled=True)
    assert deleted == {USAGE, VIEWER} and kept == {}


def test_one_of_two_levels_may_go_and_never_both():
    deleted, kept = pruned(USAGE, CLUSTER, VIEWER)
    assert USAGE in kept
    assert deleted == {CLUSTER}
    assert pruned(CLUSTER, VIEWER)[0] == set()


def test_an_admin_of_the_whole_cluster_is_as_safe():
    def role(object_id: str) -> Entity:
        return Entity(Ref("cluster_role", ("AllDatabasesAdmin", app(object_id))), {}, {"objectId": object_id})

    reading = Reading(Ref("database_role", ("D", "", "caller")), {"ids": (ME,), "admin": (ME,)})
    everybody = {one.ref: one for one in map(role, (ME, OLD, OTHER))}
    observed = State(everybody, {reading.ref: reading})
    left, told = guarded(State({role(OTHER).ref: role(OTHER)}), observed, SCOPE)
    assert left.entities.keys() == {role(OTHER).ref, role(ME).ref}
    assert ["who runs this" in one.message for one in told] == [True]
    assert guarded(State(), observed, SCOPE)[0].entities == everybody
    assert guarded(State({role(OTHER).ref: role(OTHER)}), State(everybody), SCOPE)[0].entities == everybody


THEIR_ID = "77777777-0000-4000-8000-000000000007"
THEIR_JOB = Entity(
    Ref("continuous_export", ("D", "TheirJob")),
    {"to": "T", "query": "E", "over": ("E",), "managedIdentity": THEIR_ID, "isDisabled": False},
)


def leaving(*gone: Entity, job: Entity = THEIR_JOB, scope: Scope = SCOPE, gaps=(), others: tuple[Entity, ...] = ()):
    """What would be taken away of ``gone`` beside a running export of others."""
    staying = {one.ref: one for one in (job, *others)}
    observed = State({**staying, **{one.ref: one for one in gone}}, {}, tuple(gaps))
    left, told = guarded(State(staying), observed, scope)
    return {one.ref for one in gone} - left.entities.keys(), {one.ref: one.message for one in told}


def test_an_identity_that_the_spec_does_not_name_is_recognised_by_its_ids():
    named = "/subscriptions/1/resourcegroups/g/providers/microsoft.managedidentity/userassignedidentities/theirs"
    identity = Entity(Ref("cluster_identity", (named,)), {"resourceId": named}, {"principalId": THEIR_ID})
    role = Entity(Ref("database_role", ("D", "viewers", app(THEIR_ID))), {}, {"objectId": THEIR_ID})
    wide = Entity(Ref("cluster_role", ("AllDatabasesViewer", app(THEIR_ID))), {}, {"objectId": THEIR_ID})
    gone, told = leaving(identity, role)
    assert gone == set() and "TheirJob uses it" in told[identity.ref] and "TheirJob relies on it" in told[role.ref]
    gone, told = leaving(wide)
    assert gone == set() and "TheirJob relies on it" in told[wide.ref]
    assert leaving(wide, others=(role,))[0] == {wide.ref}


def test_an_export_whose_identity_is_hidden_may_use_any():
    hidden = Entity(THEIR_JOB.ref, {**THEIR_JOB.fields, "managedIdentity": HIDDEN})
    identity = Entity(IDENTITY, {"resourceId": "/x"}, {"principalId": OLD})
    assert leaving(identity, job=hidden)[0] == set()
    assert leaving(identity)[0] == {IDENTITY}


@pytest.mark.parametrize("auth", ["impersonate", HIDDEN])
def test_what_lies_in_an_account_that_nobody_could_find_stays(auth):
    """Resource Graph leaves out, without a word, what the caller may not see; a masked table may impersonate."""
    table = Entity(
        Ref("external_table", ("D", "T")),
        {"kind": "storage", "connections": ({"uri": "https://acc.blob.core.windows.net/c", "auth": auth},)},
    )
    there = "/subscriptions/1/resourcegroups/g/providers/microsoft.storage/storageaccounts/{}/blobservices/default/containers/c"
    mine, other = (
        Entity(Ref("role_assignment", (there.format(account), "guid", app(THEIR_ID))), {}) for account in ("acc", "acd")
    )
    gone, told = leaving(mine, other, others=(table,))
    assert gone == {other.ref} and "account of its target is not known" in told[mine.ref]


def test_a_table_whose_way_in_is_masked_may_rely_on_any_grant_of_its_export():
    """The list of a directory, a user in SQL, a role: nobody can tell that it gets in by a secret instead."""
    scope = replace(SCOPE, directory=replace(SCOPE.directory, accounts={"acc.blob.core.windows.net": "/a"}))
    where = "/a/blobServices/default/containers/c"
    role = role_assignment.assignment(where, "Storage Blob Data Contributor", app(THEIR_ID), ())
    masked = {"uri": "https://acc.blob.core.windows.net/c/x", "auth": HIDDEN, "identity": HIDDEN, "secret": HIDDEN}
    table = Entity(Ref("external_table", ("D", "T")), {"kind": "storage", "connections": (masked,)})
    gone, told = leaving(role, scope=scope, others=(table,))
    assert gone == set() and "TheirJob may rely on it: how it gets in" in told[role.ref]
    key = replace(table, fields={"kind": "storage", "connections": ({**masked, "auth": "key"},)})
    assert leaving(role, scope=scope, others=(key,))[0] == {role.ref}


def test_exact_is_refused_while_an_identity_of_the_spec_could_not_be_read():
    """Any application that is shown may be that identity."""
    scope = Scope(name="prod", databases=("D",), declared=SCOPE.declared, identities={"exporter": "/x"})
    entities = list(database_role.desire(("D", "viewers"), {"exact": ["exporter"]}, scope))
    rows = [principal(OLD), principal(ONCALL, prefix="aadgroup")]
    seen = observe(scope, {"kusto": Kusto(principals=rows, caller=me(ME))}, kinds=("database_role",))
    found = draft(Derivation(State({one.ref: one for one in entities})), seen.state, seen.scope)
    deleted = [change.ref.name[2] for action in found.actions for change in action.changes if change.verb == "delete"]
    assert deleted == []
    assert any("exporter is listed" in one.message for one in found.findings), found.findings


def test_what_a_running_export_of_others_writes_to_reads_or_calls_stays():
    def function(name: str, body: str) -> Entity:
        return Entity(Ref("function", ("D", name)), {"parameters": "()", "body": body})

    job = Entity(THEIR_JOB.ref, {**THEIR_JOB.fields, "query": "Outer()"})
    inner, outer, unused = function("Inner", "{ E }"), function("Outer", "{ Inner() }"), function("Unused", "{ E }")
    used = Entity(Ref("table", ("D", "E")), {}), Entity(Ref("external_table", ("D", "T")), {"connections": ()})
    other = Entity(Ref("table", ("D", "Other")), {})
    gone, told = leaving(inner, outer, unused, *used, other, job=job)
    assert gone == {unused.ref, other.ref}
    assert "TheirJob uses it" in told[inner.ref]
    stopped = Entity(job.ref, {**job.fields, "isDisabled": True})
    assert len(leaving(inner, outer, unused, *used, other, job=stopped)[0]) == 6
