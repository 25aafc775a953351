"""Documented behaviour that no other test shows."""

from __future__ import annotations

import uuid

import pytest

from tests.facts.switched import under


def test_a_database_answered_in_another_letter_case_is_the_same(peer):
    def lower(sent, answer):
        if "schema as json" in sent.text:
            rows = answer["Tables"][0]["Rows"]
            rows[0][0] = rows[0][0].replace('"Telemetry"', '"TELEMETRY"')
        return answer

    peer.ground.tamper = lower
    try:
        assert not peer.ground.plan(peer.spec).actions
    finally:
        peer.ground.tamper = None


@under("repeated_role_assignment")
def test_a_repeated_role_assignment_is_a_conflict_or_not(peer, switched):
    import requests

    ((scope, name), document) = peer.ground.store.all("role_assignment")[0]
    url = f"{peer.ground.ends.arm}{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    kept = ("roleDefinitionId", "principalId", "principalType", "description")
    body = {"properties": {field: document[field] for field in kept if field in document}}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.put(url, params={"api-version": "2022-04-01"}, json=body)
    assert answer.status_code == (200 if switched == "ok" else 409), answer.text
    assert uuid.UUID(name)


@pytest.mark.parametrize("usage", ["ExternalTable"])
def test_an_identity_in_a_connection_is_allowed_both_usages(peer, usage):
    """Unconfirmed whether both are needed: kxrecon asks for both, which is enough either way."""
    top = {
        "targets": {
            "blob": {
                "url": "https://contosoexport.blob.core.windows.net/events",
                "auth": "managedIdentity",
                "identity": "exporter",
            }
        }
    }
    plan = peer.ground.plan(peer.other(top=top))
    wanted = {ref.name[-1] for action in plan.actions for ref in action.refs if ref.kind == "managed_identity_policy"}
    ((_, policy),) = peer.ground.store.all("policy")
    assert wanted == {usage} and "AutomatedFlows" in str(policy)


def test_an_export_writes_into_an_immutable_container(peer):
    from kxrecon.verify import chains
    from kxrecon.verify.estate import survey

    ground = peer.ground
    for key, container in ground.store.all("container"):
        ground.store.put("container", key, {**container, "immutability": {"days": 100, "state": "Locked"}})
    ground.ingest("Events", [["2026-01-01T00:00:00Z", "Info"]])
    (run,) = ground.tick(minutes=60)
    assert run.succeeded, run
    desired = peer.spec.desired
    (chain,) = chains(survey(peer.spec.scope, desired, ground.readers))
    assert any("immutable" in link.evidence for link in chain.links), chain
