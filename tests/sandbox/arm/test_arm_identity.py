"""The identity block of a cluster: what stays, what goes, what gets a new principalId."""

from __future__ import annotations

from datetime import timedelta

import pytest

from .conftest import CLUSTER, EXPORTER, OTHER

BOTH = "SystemAssigned, UserAssigned"


def test_adding_one_identity_keeps_the_others(arm):
    arm.patch_identity({"type": "UserAssigned", "userAssignedIdentities": {EXPORTER: {}}})
    block = arm.patch_identity(
        {"type": BOTH, "userAssignedIdentities": {OTHER.upper().replace("SUBSCR", "subscr"): {}}}
    )
    assert block["type"] == BOTH
    assert sorted(block["userAssignedIdentities"]) == sorted([EXPORTER, OTHER])
    assert all(set(one) == {"principalId", "clientId"} for one in block["userAssignedIdentities"].values())


def test_null_removes_one_and_the_type_follows(arm):
    arm.patch_identity({"type": BOTH, "userAssignedIdentities": {EXPORTER: {}, OTHER: {}}})
    block = arm.patch_identity({"type": BOTH, "userAssignedIdentities": {EXPORTER: None}})
    assert list(block["userAssignedIdentities"]) == [OTHER]
    block = arm.patch_identity({"type": BOTH, "userAssignedIdentities": {OTHER: None}})
    assert block["type"] == "SystemAssigned" and "userAssignedIdentities" not in block


def test_a_narrower_type_drops_identities_and_a_readded_system_identity_is_another(arm):
    first = arm.patch_identity({"type": BOTH, "userAssignedIdentities": {EXPORTER: {}}})["principalId"]
    assert arm.world.principal(first)["displayName"] == "telemetry"
    block = arm.patch_identity({"type": "UserAssigned"})
    assert "principalId" not in block and list(block["userAssignedIdentities"]) == [EXPORTER]
    assert arm.world.principal(first) is None
    assert arm.patch_identity({"type": "SystemAssigned"})["principalId"] != first
    assert arm.patch_identity({"type": "None"}) == {"type": "None"}


def test_the_type_may_be_written_without_a_space(arm):
    assert arm.patch_identity({"type": "SystemAssigned,UserAssigned"})["type"] == "SystemAssigned"


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ({"type": "Sometimes"}, "InvalidRequestContent"),
        ({}, "InvalidRequestContent"),
        ([], "InvalidRequestContent"),
        ({"type": 7}, "InvalidRequestContent"),
        ({"type": "SystemAssigned", "userAssignedIdentities": {EXPORTER: {}}}, "InvalidIdentityValues"),
        ({"type": "UserAssigned", "userAssignedIdentities": {EXPORTER: {"name": "x"}}}, "InvalidIdentityValues"),
        ({"type": "UserAssigned", "userAssignedIdentities": {EXPORTER: "yes"}}, "InvalidIdentityValues"),
        ({"type": "UserAssigned", "userAssignedIdentities": {"exporter": {}}}, "LinkedInvalidPropertyId"),
        ({"type": "UserAssigned", "userAssignedIdentities": {EXPORTER + "x": {}}}, "FailedIdentityOperation"),
        ({"type": "UserAssigned", "userAssignedIdentities": []}, None),
    ],
)
def test_wrong_blocks_change_nothing(arm, block, code):
    before = arm("GET", CLUSTER)[1]
    status, body, _ = arm("PATCH", CLUSTER, {"identity": block})
    if code:
        assert (status, body["error"]["code"]) == (400, code)
        assert arm("GET", CLUSTER)[1] == before


def test_the_change_is_made_when_the_operation_ends(arm):
    status, body, headers = arm("PATCH", CLUSTER, {"identity": {"type": "SystemAssigned"}})
    assert status == 202 and headers["Retry-After"] == "0"
    assert body["identity"]["type"] == "None"
    assert body["properties"]["provisioningState"] == "Running"
    assert arm.code("PATCH", CLUSTER, {"tags": {}}) == (409, "RequestConflict")
    assert arm("GET", CLUSTER)[1]["identity"]["type"] == "None"
    after = arm("GET", CLUSTER)[1]
    assert after["identity"]["type"] == "SystemAssigned" and after["etag"] != body["etag"]


def test_an_operation_that_nobody_follows_ends_by_itself(arm):
    arm("PATCH", CLUSTER, {"identity": {"type": "SystemAssigned"}})
    arm.world.clock.advance(timedelta(minutes=6))
    assert arm("GET", CLUSTER)[1]["properties"]["provisioningState"] == "Succeeded"


def test_if_match(arm):
    etag = arm("GET", CLUSTER)[1]["etag"]
    assert arm.code("PATCH", CLUSTER, {"tags": {}}, headers={"If-Match": '"other"'}) == (412, "PreconditionFailed")
    assert arm("PATCH", CLUSTER, {"tags": {"a": "b"}}, headers={"If-Match": etag})[0] == 202


def test_a_caller_needs_a_right_on_the_identity_too(arm):
    arm.world.store.put("meta", ("caller",), {"objectId": "me", "displayName": "me", "roles": []})
    assert arm.code("GET", CLUSTER) == (403, "AuthorizationFailed")
    own = {"objectId": "me", "displayName": "me", "roles": [{"role": "Contributor", "scope": CLUSTER}]}
    arm.world.store.put("meta", ("caller",), own)
    block = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {EXPORTER: {}}}}
    assert arm.code("PATCH", CLUSTER, block) == (403, "LinkedAuthorizationFailed")
    own["roles"].append({"role": "Managed Identity Operator", "scope": EXPORTER})
    arm.world.store.put("meta", ("caller",), own)
    assert arm("PATCH", CLUSTER, block)[0] == 202
