"""Role assignments: who counts where, and what is refused."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from kxrecon.sandbox.arm.rights import effective
from kxrecon.sandbox.switches import Switches, save

from .conftest import ACCOUNT, ADA, ALL_TEAMS, CONTAINER, GROUP, SUBSCRIPTION, TEAM

DATA_CONTRIBUTOR = "/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
PROVIDER = "/providers/Microsoft.Authorization/roleAssignments"


def grant(arm, scope, principal, kind="User", *, name=None, **more):
    properties = {"roleDefinitionId": DATA_CONTRIBUTOR, "principalId": principal, "principalType": kind, **more}
    path = f"{scope}{PROVIDER}/{name or uuid.uuid4()}"
    return arm("PUT", path, {"properties": properties})


def listed(arm, scope, text=None):
    status, body, _ = arm("GET", scope + PROVIDER, query={"$filter": text} if text else None)
    assert status == 200, body
    return [(row["properties"]["scope"], row["properties"]["principalId"]) for row in body["value"]]


def test_filters(arm):
    for scope, principal, kind in (
        (SUBSCRIPTION, ALL_TEAMS, "Group"),
        (GROUP, ADA, "User"),
        (CONTAINER, ADA, "User"),
        (CONTAINER, TEAM, "Group"),
    ):
        assert grant(arm, scope, principal, kind)[0] == 201
    everything = [(CONTAINER, ADA), (CONTAINER, TEAM), (GROUP, ADA), (SUBSCRIPTION, ALL_TEAMS)]
    assert sorted(listed(arm, ACCOUNT)) == sorted(everything)
    assert sorted(listed(arm, ACCOUNT, "atScope()")) == sorted([(GROUP, ADA), (SUBSCRIPTION, ALL_TEAMS)])
    assert sorted(listed(arm, ACCOUNT, f"principalId eq '{ADA}'")) == sorted([(CONTAINER, ADA), (GROUP, ADA)])
    assert sorted(listed(arm, CONTAINER, f"atScope() and assignedTo('{ADA}')")) == sorted(everything)
    assert listed(arm, GROUP, f"atScope() and assignedTo('{ADA}')") == [(SUBSCRIPTION, ALL_TEAMS), (GROUP, ADA)]
    assert listed(arm, CONTAINER, f"assignedTo('{TEAM}')") == []


@pytest.mark.parametrize(
    "text", ["color eq 'red'", "atScope() or atScope()", "atScope() and", "assignedTo()", "(", "'"]
)
def test_a_filter_that_is_not_understood_is_refused(arm, text):
    assert arm.code("GET", ACCOUNT + PROVIDER, query={"$filter": text}) == (400, "UnsupportedQuery")


def test_the_same_grant_under_another_name_exists(arm):
    name = str(uuid.uuid4())
    assert grant(arm, CONTAINER, ADA, name=name)[0] == 201
    for other in (name, str(uuid.uuid4())):
        status, body, _ = grant(arm, CONTAINER.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), ADA, name=other)
        assert (status, body["error"]["code"]) == (409, "RoleAssignmentExists")
    save(arm.world.store, Switches(repeated_role_assignment="ok"))
    assert grant(arm, CONTAINER, ADA, name=name)[0] == 200


def test_who_what_and_where_cannot_be_changed_but_the_description_can(arm):
    name = str(uuid.uuid4())
    grant(arm, CONTAINER, ADA, name=name, description="kxrecon/lake")
    for scope, principal, kind in ((ACCOUNT, ADA, "User"), (CONTAINER, TEAM, "Group")):
        status, body, _ = grant(arm, scope, principal, kind, name=name)
        assert (status, body["error"]["code"]) == (400, "RoleAssignmentUpdateNotPermitted")
    status, body, _ = grant(arm, CONTAINER, ADA, name=name, description="another")
    assert status == 200 and body["properties"]["description"] == "another"


@pytest.mark.parametrize(
    ("principal", "kind", "more", "status", "code"),
    [
        (str(uuid.UUID(int=7)), "ServicePrincipal", {}, 400, "PrincipalNotFound"),
        (ADA, "ServicePrincipal", {}, 400, "UnmatchedPrincipalType"),
        ("ada", "User", {}, 400, "InvalidPrincipalId"),
        (ADA, "Robot", {}, 400, "InvalidPrincipalType"),
        (ADA, "User", {"roleDefinitionId": f"/x/{uuid.UUID(int=7)}"}, 404, "RoleDefinitionDoesNotExist"),
        (ADA, "User", {"colour": "red"}, 400, "InvalidRequestContent"),
    ],
)
def test_what_is_refused(arm, principal, kind, more, status, code):
    answered, body, _ = grant(arm, CONTAINER, principal, kind, **more)
    assert (answered, body["error"]["code"]) == (status, code)
    assert listed(arm, CONTAINER) == []


def test_a_missing_principal_type_means_user(arm):
    properties = {"roleDefinitionId": DATA_CONTRIBUTOR, "principalId": TEAM}
    refused = arm.code("PUT", f"{CONTAINER}{PROVIDER}/{uuid.uuid4()}", {"properties": properties})
    assert refused == (400, "UnmatchedPrincipalType")


def test_scopes_that_do_not_exist(arm):
    for scope in (ACCOUNT + "x", CONTAINER + "x", ACCOUNT.replace("/lake/", "/other/")):
        status, body, _ = grant(arm, scope, ADA)
        assert (status, body["error"]["code"]) == (404, "ResourceNotFound")


def test_a_grant_counts_after_its_delay(arm):
    arm.world.store.put("meta", ("propagation",), {"seconds": 600})
    grant(arm, ACCOUNT, TEAM, "Group")
    assert listed(arm, ACCOUNT) == [(ACCOUNT, TEAM)]
    assert list(effective(arm.world, ADA, CONTAINER)) == []
    arm.world.clock.advance(timedelta(minutes=11))
    assert len(list(effective(arm.world, ADA, CONTAINER))) == 1


def test_a_caller_without_the_right_cannot_grant(arm):
    own = {"objectId": ADA, "displayName": "Ada", "roles": ["Contributor"]}
    arm.world.store.put("meta", ("caller",), own)
    status, body, _ = grant(arm, CONTAINER, TEAM, "Group")
    assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")
    assert "roleAssignments/write" in body["error"]["message"]
    arm.world.store.put("meta", ("caller",), {**own, "roles": ["Role Based Access Control Administrator"]})
    status, body, _ = grant(arm, CONTAINER, TEAM, "Group")
    assert status == 201 and body["properties"]["createdBy"] == body["properties"]["updatedBy"] == ADA


def test_the_caller_s_permissions(arm):
    own = {"objectId": ADA, "displayName": "Ada", "roles": [{"role": "Reader", "scope": GROUP}]}
    arm.world.store.put("meta", ("caller",), own)
    _, body, _ = arm("GET", ACCOUNT + "/providers/Microsoft.Authorization/permissions")
    assert [one["actions"] for one in body["value"]] == [["*/read"]]
    _, body, _ = arm("GET", SUBSCRIPTION + "/providers/Microsoft.Authorization/permissions")
    assert body["value"] == []
