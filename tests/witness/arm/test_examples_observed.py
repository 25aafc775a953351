"""Microsoft's published answers, through the real SDKs and planes, as the kinds understand them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kxrecon.kinds import NAMES
from kxrecon.model import Ref, State
from kxrecon.observe import observe
from kxrecon.planes.arm import ArmPlane
from kxrecon.planes.credentials import LocalCredential
from kxrecon.planes.hosts import CLOUDS
from kxrecon.planes.retry import Budget, Clock, Retry
from kxrecon.planes.terms import Terms
from kxrecon.sandbox.server import Listener
from kxrecon.scope import Scope, Target
from tests.witness.tally import tally

from .published import examples
from .recorder import TITLE

SUBSCRIPTION = "/subscriptions/12345678-1234-1234-1234-123456789098"
CLUSTER = f"{SUBSCRIPTION}/resourceGroups/kustorptest/providers/Microsoft.Kusto/clusters/kustoCluster"
IDENTITY = (
    "/subscriptions/subid/resourceGroups/rgName/providers/Microsoft.ManagedIdentity/userAssignedIdentities/resourceName"
)
ACCOUNT = "/subscriptions/subscription-id/resourceGroups/res9871/providers/Microsoft.Storage/storageAccounts/sto6217"
HOLDER = "ce2ce14e-85d7-4629-bdbc-454d0519d987"
HOST = "sto6217.blob.core.windows.net"
TARGET = {"url": f"https://{HOST}/container1634", "resourceId": ACCOUNT, "auth": "impersonate"}


@pytest.fixture(scope="module")
def plane() -> Iterator[ArmPlane]:
    """ARM as the examples have it: what no example answers is not there."""
    answers = {one.path.lower(): one.responses["200"]["body"] for one in examples() if one.method == "GET"}
    asked: set[str] = set()

    def app(environ, start_response):
        path = "/" + environ["PATH_INFO"].strip("/").lower()
        asked.add(path)
        found = answers.get(path)
        body = {"error": {"code": "ResourceNotFound", "message": path}} if found is None else found
        start_response("404 Not Found" if found is None else "200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    terms = Terms(read_only=True, retry=Retry(Budget(), Clock(lambda: 0.0, lambda seconds: None, lambda: 1.0)), run="r")
    with Listener(app) as listener:
        opened = ArmPlane(listener.url, CLOUDS["public"], LocalCredential(), terms)
        yield opened
        opened.close()
    tally(TITLE).count("published answers read by the kinds", len(asked & answers.keys()))


def seen(plane: ArmPlane, kinds: tuple[str, ...], **scope: object) -> State:
    """What the kinds make of the examples; nothing may be unreadable."""
    state = observe(Scope(**scope), {"arm": plane}, kinds=kinds, workers=1).state
    assert state.gaps == (), state.gaps
    return state


def test_a_cluster_and_its_system_identity(plane):
    state = seen(plane, ("cluster_identity",), cluster_id=CLUSTER, identities={"system": ""})
    [entity] = state.of_kind("cluster_identity")
    assert entity.ref.name == ("system",)
    assert entity.attributes["principalId"] == "faabad1f-4876-463c-af9d-6ba2d2d2394c"
    assert entity.attributes["tenantId"] == "b932977f-6277-4ab7-a2cd-5bd21f07aaf4"
    values = state.readings[Ref("cluster_identity", ("",))].values
    assert (values["etag"], values["location"], values["provisioningState"]) == ("abcd123", "westus", "Succeeded")


def test_an_identity_that_is_not_attached(plane):
    state = seen(plane, ("cluster_identity",), cluster_id=CLUSTER, identities={"exporter": IDENTITY})
    ids = state.readings[Ref("cluster_identity", ("exporter",))].values
    assert ids["principalId"] == "25cc773c-7f05-40fc-a104-32d2300754ad"
    assert ids["clientId"] == "4024ab25-56a8-4370-aea6-6389221caf29"


def test_the_roles_of_a_cluster(plane):
    state = seen(plane, ("cluster_role",), cluster_id=CLUSTER)
    app = "aadapp=98765432-1234-1234-1234-123456789123"
    assert {entity.ref.name for entity in state.of_kind("cluster_role")} == {
        ("AllDatabasesAdmin", app),
        ("AllDatabasesViewer", app),
    }
    assert {entity.attributes["assignmentName"] for entity in state.of_kind("cluster_role")} == {"kustoprincipal1"}


def test_role_assignments_of_a_subscription(plane):
    subscription = "a925f2f7-5c63-4b7b-8799-25a5f97bc3b2"
    principals = {"ada": f"aaduser={HOLDER}"}
    declared = frozenset({("roleAssignments",)})
    state = seen(plane, ("role_assignment",), subscriptions=(subscription,), principals=principals, declared=declared)
    [entity] = state.of_kind("role_assignment")
    assert entity.ref.name == (f"/subscriptions/{subscription}", "0b5fe924-9a61-425c-96af-cfe6e287ca2d", "ada")
    assert entity.attributes["assignmentName"] == "b0f43c54-e787-4862-89b1-a653fa9cf747"
    assert entity.attributes["principalType"] == "User" and entity.fields == {"condition": None}


def test_a_container(plane):
    state = seen(plane, ("container",), targets={"lake": Target("lake", TARGET)})
    [entity] = state.of_kind("container")
    assert entity.fields == {"exists": True}
    assert entity.attributes["hasImmutabilityPolicy"] is True and entity.attributes["hasLegalHold"] is True


def test_what_no_example_has_is_absent_and_no_accident(plane):
    scope = Scope(cluster_id=CLUSTER + "x", identities={"system": ""})
    state = observe(scope, {"arm": plane}, kinds=("cluster_identity", "cluster_role"), workers=1).state
    assert {gap.failure.reason for gap in state.gaps} == {"absent"} and not state.entities


def test_every_kind_of_the_plane_is_here():
    named = {"cluster_identity", "cluster_role", "role_assignment", "container"}
    assert {name for name, plane_name in NAMES.items() if plane_name == "arm"} == named
