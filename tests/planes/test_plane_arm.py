"""The ARM plane against a scripted server: nothing registered, every 409 by its code, operations seen to their end."""

from __future__ import annotations

import copy
import dataclasses

import pytest
from planes_fake import Answered, serving

from kxrecon.errors import PlaneError, Throttled
from kxrecon.model import Failure, Read, Request
from kxrecon.planes import WriteRefused
from kxrecon.planes.arm import ArmPlane
from kxrecon.planes.arm_identity import merged
from kxrecon.planes.credentials import LocalCredential
from kxrecon.planes.hosts import CLOUDS

SUB = "/subscriptions/22222222-2222-4222-8222-222222222222"
GROUP = f"{SUB}/resourceGroups/rg/providers"
CLUSTER = f"{GROUP}/Microsoft.Kusto/clusters/telemetry"
OURS = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
THEIRS = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/foreign"
ACCOUNT = f"{GROUP}/Microsoft.Storage/storageAccounts/contosolake"
CONTAINER = f"{ACCOUNT}/blobServices/default/containers/archive"

GET = Read("arm", "", "clusters.get", (("resourceId", CLUSTER),))
ROLE = Request(
    "arm",
    "",
    ("roleAssignments.create",),
    {
        "scope": CONTAINER,
        "name": "0f0e9c1e-0000-4000-8000-000000000001",
        "properties": {"roleDefinitionId": "/x/1", "principalId": "p", "description": "kxrecon/s"},
    },
    accepts=("RoleAssignmentExists",),
)


def identity(ensure=(), remove=()):
    return Request(
        "arm", "", ("clusters.identity",), {"resourceId": CLUSTER, "ensure": list(ensure), "remove": list(remove)}
    )


def error(status, code, message="m", headers=None):
    return Answered(status, {"error": {"code": code, "message": message}}, headers or {})


@pytest.fixture
def plane(terms):
    opened = []

    def make(fake, on=terms):
        opened.append(ArmPlane(fake.url, CLOUDS["public"], LocalCredential(), on))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


class Script:
    """Answers in turn; the last for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, _):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Azure:
    """One cluster with an identity block that behaves as documented; faults are put in by tests."""

    def __init__(self, block=None, state="Succeeded"):
        self.block, self.etag = block, 1
        self.states = [state]
        self.patch_faults, self.polls, self.bodies = [], [], []
        self.url = ""

    def shown(self):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        properties = {"provisioningState": state}
        shown = {"id": CLUSTER, "name": "telemetry", "location": "westeurope", "etag": f'"{self.etag}"'}
        return {**shown, "properties": properties, **({"identity": self.block} if self.block else {})}

    def __call__(self, asked):
        if "/operationResults/" in asked.path:
            return self.polls.pop(0) if self.polls else Answered(body={"status": "Succeeded"})
        if asked.method == "GET":
            return Answered(body=copy.deepcopy(self.shown()))
        if self.patch_faults:
            return self.patch_faults.pop(0)(self, asked)
        return self.patched(asked)

    def patched(self, asked):
        if asked.headers.get("if-match") != f'"{self.etag}"':
            return error(412, "PreconditionFailed")
        self.bodies.append(asked.body["identity"])
        self.apply(asked.body["identity"])
        place = f"{self.url}{SUB}/providers/Microsoft.Kusto/locations/westeurope/operationResults/1"
        return Answered(202, body=self.shown(), headers={"Azure-AsyncOperation": place})

    def apply(self, sent):
        kinds = {one.strip() for one in sent["type"].split(",")}
        users = dict((self.block or {}).get("userAssignedIdentities") or {})
        for key, value in (sent.get("userAssignedIdentities") or {}).items():
            users[key] = {"principalId": f"p-{key[-3:]}"} if value is not None else None
        users = {key: value for key, value in users.items() if value is not None and "UserAssigned" in kinds}
        self.block = {"type": sent["type"], **({"userAssignedIdentities": users} if users else {})}
        if "SystemAssigned" in kinds:
            self.block["principalId"] = "p-sys"
        self.etag += 1


@pytest.fixture
def azure(plane):
    def use(world, request, on=None):
        with serving(world) as fake:
            world.url = fake.url
            one = plane(fake, on) if on else plane(fake)
            return one.write(request), fake

    return use


BOTH = {
    "type": "SystemAssigned,UserAssigned",
    "principalId": "s",
    "userAssignedIdentities": {THEIRS: {"clientId": "c"}},
}
SYSTEM = {"type": "SystemAssigned", "principalId": "s"}
USER = {"type": "UserAssigned", "userAssignedIdentities": {THEIRS: {}}}


@pytest.mark.parametrize(
    ("block", "ensure", "remove", "type_", "users"),
    [
        (None, ["system"], [], "SystemAssigned", None),
        ({"type": "None"}, [OURS], [], "UserAssigned", {OURS: {}}),
        (SYSTEM, [OURS], [], "SystemAssigned, UserAssigned", {OURS: {}}),
        (USER, ["system"], [], "SystemAssigned, UserAssigned", {THEIRS: {}}),
        (USER, [OURS], [], "UserAssigned", {OURS: {}, THEIRS: {}}),
        (BOTH, [OURS], [], "SystemAssigned, UserAssigned", {OURS: {}, THEIRS: {}}),
        (BOTH, [], [THEIRS.upper()], "SystemAssigned", None),
        (BOTH, [OURS], [THEIRS], "SystemAssigned, UserAssigned", {OURS: {}, THEIRS: None}),
        (BOTH, [], ["system"], "UserAssigned", {THEIRS: {}}),
        (SYSTEM, [], ["system"], "None", None),
    ],
)
def test_type_is_computed_and_never_loses_anybody(block, ensure, remove, type_, users):
    patch = merged(block, ensure, remove)
    assert patch["type"] == type_
    assert patch.get("userAssignedIdentities") == users


@pytest.mark.parametrize(
    ("block", "ensure", "remove"),
    [(BOTH, ["system", THEIRS.replace("resourceGroups", "resourcegroups")], []), (BOTH, [], [OURS]), (None, [], [])],
)
def test_what_is_so_already_sends_nothing(block, ensure, remove):
    assert merged(block, ensure, remove) is None


def test_an_identity_is_added_under_if_match_waited_for_and_read_again(azure):
    world = Azure(copy.deepcopy(BOTH))
    world.polls = [Answered(body={"status": "Running"}, headers={"Retry-After": "0"})] * 2
    answer, fake = azure(world, identity([OURS]))
    assert set(answer["identity"]["userAssignedIdentities"]) == {OURS, THEIRS}
    assert answer["identity"]["principalId"] == "p-sys"
    assert len(world.bodies) == 1
    methods = [one.method for one in fake.asked]
    assert methods[0:2] == ["GET", "PATCH"]
    assert methods[-1] == "GET"


def test_a_second_run_sends_no_patch(azure):
    _, fake = azure(Azure(copy.deepcopy(BOTH)), identity([THEIRS, "system"]))
    assert [one.method for one in fake.asked] == ["GET"]


def test_somebody_elses_change_meanwhile_is_merged_with(azure):
    world = Azure(copy.deepcopy(SYSTEM))

    def meanwhile(self, asked):
        self.apply({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {THEIRS: {}}})
        return self.patched(asked)

    world.patch_faults = [meanwhile]
    answer, _ = azure(world, identity([OURS]))
    assert set(answer["identity"]["userAssignedIdentities"]) == {OURS, THEIRS}


def test_applied_and_then_unanswered_is_seen_by_the_next_read(azure):
    world = Azure(copy.deepcopy(SYSTEM))

    def applied_then_504(self, asked):
        self.patched(asked)
        return error(504, "GatewayTimeout")

    world.patch_faults = [applied_then_504]
    azure(world, identity([OURS]))
    assert len(world.bodies) == 1


@pytest.mark.parametrize(
    "fault",
    [
        error(409, "RequestConflict", "provisioning state is not terminal"),
        error(409, "ServiceIsInMaintenance"),
        error(429, "TooManyRequests", headers={"Retry-After": "1"}),
        error(503, "ServiceUnavailable"),
        Answered(cut=True),
    ],
)
def test_a_busy_or_broken_cluster_is_tried_again(azure, fault):
    world = Azure(copy.deepcopy(SYSTEM))
    world.patch_faults = [lambda *_: fault, lambda *_: fault]
    azure(world, identity([OURS]))
    assert len(world.bodies) == 1


def test_a_cluster_in_motion_is_waited_for_before_it_is_written(azure, hand):
    world = Azure(copy.deepcopy(SYSTEM))
    world.states = ["Updating", "Running", "Succeeded"]
    _, fake = azure(world, identity([OURS]))
    assert [one.method for one in fake.asked[:4]] == ["GET", "GET", "GET", "PATCH"]
    assert hand.slept[:2] == [15.0, 15.0]


def test_an_operation_that_outlasts_an_hour_is_said_to_be_still_running(azure, hand):
    world = Azure(copy.deepcopy(SYSTEM))
    world.polls = [Answered(body={"status": "Running"}, headers={"Retry-After": "300"})] * 100
    with pytest.raises(PlaneError, match="still running after 60 minutes") as caught:
        azure(world, identity([OURS]))
    assert caught.value.code == "StillRunning"
    assert "plan and apply again" in str(caught.value)
    assert 3000 <= hand.at <= 3600


def test_a_cluster_that_never_settles_is_still_running(azure, hand):
    with pytest.raises(PlaneError, match="still running"):
        azure(Azure(copy.deepcopy(SYSTEM), state="Updating"), identity([OURS]))
    assert hand.at <= 3600


@pytest.mark.parametrize(
    ("poll", "code", "words"),
    [
        (
            Answered(body={"status": "Failed", "error": {"code": "IdentityGone", "message": "why"}}),
            "IdentityGone",
            ": why",
        ),
        (Answered(body={"status": "Canceled"}), "Canceled", ": the operation ended as Canceled"),
        (error(404, "NotFound"), "NotFound", ""),
    ],
)
def test_an_operation_that_ends_badly_is_an_error_with_the_services_words(azure, poll, code, words):
    world = Azure(copy.deepcopy(SYSTEM))
    world.polls = [poll] * 20
    world.apply = lambda sent: None
    with pytest.raises(PlaneError) as caught:
        azure(world, identity([OURS]))
    assert caught.value.code == code and words in str(caught.value) and "invalid status" not in str(caught.value)


def test_a_passing_failure_of_a_poll_is_not_one_of_the_operation(azure):
    world = Azure(copy.deepcopy(SYSTEM))
    world.polls = [error(503, "Busy"), error(429, "TooManyRequests"), Answered(body={"status": "Succeeded"})]
    azure(world, identity([OURS]))
    assert len(world.bodies) == 1


def test_success_that_did_not_happen_is_not_believed(azure):
    world = Azure(copy.deepcopy(SYSTEM))
    world.apply = lambda sent: None
    with pytest.raises(PlaneError) as caught:
        azure(world, identity([OURS]))
    assert caught.value.code == "NotApplied"


def test_a_poll_url_elsewhere_gets_no_token(azure):
    world = Azure(copy.deepcopy(SYSTEM))
    elsewhere = Answered(202, body={}, headers={"Azure-AsyncOperation": "http://localhost:1/operationResults/1"})
    world.patch_faults = [lambda *_: elsewhere] * 20
    with pytest.raises(PlaneError) as caught:
        azure(world, identity([OURS]))
    assert caught.value.code == "UntrustedHost"


def test_a_provider_is_never_registered(plane, reading):
    with serving(Script(error(409, "MissingSubscriptionRegistration", "The subscription is not registered"))) as fake:
        failure = plane(fake, reading).read(GET)
    assert failure.code == "MissingSubscriptionRegistration"
    assert "az provider register" in failure.message
    assert fake.lines() == [f"GET {CLUSTER}"]


def test_read_only_lets_only_resource_graph_be_posted(plane, reading):
    page = {"totalRecords": 1, "count": 1, "resultTruncated": "false", "data": [{"id": ACCOUNT}]}
    with serving(Script(Answered(body=page))) as fake:
        one = plane(fake, reading)
        arguments = (("subscriptions", "22222222-2222-4222-8222-222222222222"), ("query", "resources"))
        assert one.read(Read("arm", "", "resources.query", arguments)) == {"data": [{"id": ACCOUNT}]}
        with pytest.raises(WriteRefused):
            one.write(ROLE)
        with pytest.raises(WriteRefused):
            # Even an SDK call that the plane does not know is stopped at the gate.
            one._clients.kusto("s").clusters.begin_start("rg", "telemetry")
    assert fake.lines() == ["POST /providers/Microsoft.ResourceGraph/resources"]


def test_resource_graph_is_read_to_its_last_page(plane):
    def page(row, more):
        body = {"totalRecords": 2, "count": 1, "resultTruncated": "false", "data": [row]}
        return Answered(body={**body, **({"$skipToken": "t2"} if more else {})})

    with serving(Script(page({"id": "1"}, True), page({"id": "2"}, False))) as fake:
        arguments = (("subscriptions", "s1,s2"), ("query", "resources"))
        rows = plane(fake).read(Read("arm", "", "resources.query", arguments))
    assert rows == {"data": [{"id": "1"}, {"id": "2"}]}
    assert fake.asked[0].body["subscriptions"] == ["s1", "s2"]
    assert fake.asked[1].body["options"]["$skipToken"] == "t2"


@pytest.mark.parametrize("total", [float("inf"), float("nan"), 1e400, [], "many"])
def test_a_number_that_is_none_is_a_failed_read_that_names_it(plane, total):
    page = {"totalRecords": total, "count": 1, "resultTruncated": "false", "data": [{"id": ACCOUNT}]}
    with serving(Script(Answered(body=page))) as fake:
        found = plane(fake).read(Read("arm", "", "resources.query", (("subscriptions", "s1"), ("query", "resources"))))
    assert isinstance(found, Failure) and "resources.query" in found.message


def test_lists_follow_their_pages_and_answer_rest_names(plane):
    def row(number):
        properties = {
            "roleDefinitionId": f"/r/{number}",
            "principalId": "p",
            "scope": SUB,
            "condition": "@c",
            "createdBy": "x",
        }
        return {"id": f"/ra/{number}", "name": str(number), "type": "t", "properties": properties}

    with serving(lambda asked: Answered(body=pages.pop(0))) as fake:
        pages = [{"value": [row(1)], "nextLink": f"{fake.url}/next?page=2"}, {"value": [row(2)]}]
        arguments = (("scope", SUB), ("assignedTo", "o'id"))
        rows = plane(fake).read(Read("arm", "", "roleAssignments.list", arguments))
    assert rows == [row(1), row(2)]
    assert "$filter=assignedTo('o''id')" in fake.asked[0].query


def test_a_role_assignment_that_exists_is_accepted_and_others_409_not(plane):
    with serving(Script(error(409, "RoleAssignmentExists", "The role assignment already exists."))) as fake:
        assert plane(fake).write(ROLE) == {"accepted": "RoleAssignmentExists"}
    with serving(Script(error(409, "ScopeLocked"))) as fake:
        with pytest.raises(PlaneError) as caught:
            plane(fake).write(ROLE)
        assert caught.value.code == "ScopeLocked"
        assert len(fake.asked) == 1


def test_a_role_assignment_always_says_its_principals_type(plane):
    with serving(Script(Answered(201, {"id": "x", "properties": {}}))) as fake:
        plane(fake).write(ROLE)
        assert fake.asked[0].body["properties"]["principalType"] == "ServicePrincipal"
        typed = {**ROLE.body, "properties": {**ROLE.body["properties"], "principalType": "Group"}}
        plane(fake).write(dataclasses.replace(ROLE, body=typed))
        assert fake.asked[1].body["properties"]["principalType"] == "Group"
        assert (
            fake.asked[0].path == f"{CONTAINER}/providers/Microsoft.Authorization/roleAssignments/{ROLE.body['name']}"
        )


@pytest.mark.parametrize(
    "fault",
    [
        error(400, "PrincipalNotFound", "Principal p does not exist in the directory"),
        error(400, "400-BadRequest", "[BadRequest] Entity ID 'p' was not found in AAD tenant 't'"),
    ],
)
def test_an_identity_that_entra_does_not_know_yet_is_waited_for(plane, hand, fault):
    with serving(Script(fault, fault, fault, Answered(201, {"id": "x", "properties": {}}))) as fake:
        plane(fake).write(ROLE)
    assert 0 < sum(hand.slept) < 120


def test_an_identity_that_never_comes_ends_within_the_write_budget(plane, hand, terms):
    with serving(Script(error(400, "PrincipalNotFound"))) as fake, pytest.raises(PlaneError) as caught:
        plane(fake).write(ROLE)
    assert caught.value.code == "PrincipalNotFound"
    assert sum(hand.slept) <= terms.retry.budget.write


def test_throttled_patch_without_retry_after_is_tried_again_and_ends_as_throttled(plane):
    with serving(Script(error(429, "TooManyRequests"))) as fake:
        with pytest.raises(Throttled):
            plane(fake).write(ROLE)
        assert len(fake.asked) > 3


def test_deleting_what_is_gone_is_no_error(plane):
    with serving(Script(Answered(204))) as fake:
        body = {"scope": CONTAINER, "name": "n"}
        assert plane(fake).write(Request("arm", "", ("roleAssignments.delete",), body)) == {}


def test_cluster_principals_are_written_one_after_the_other_and_waited_for(plane):
    name = f"{CLUSTER}/principalAssignments/kxrecon-1"
    shown = {
        "id": name,
        "name": "telemetry/kxrecon-1",
        "properties": {"principalId": "p", "role": "AllDatabasesViewer"},
    }

    def answer(asked):
        if asked.path == CLUSTER:
            return Answered(body={"id": CLUSTER, "properties": {"provisioningState": "Succeeded"}})
        if asked.method == "PUT":
            return Answered(201, shown, {"Azure-AsyncOperation": f"{fake.url}{SUB}/operationResults/1"})
        return Answered(body={"status": "Succeeded"} if "operationResults" in asked.path else shown)

    properties = {"principalId": "p", "principalType": "App", "role": "AllDatabasesViewer"}
    body = {"resourceId": CLUSTER, "name": "kxrecon-1", "properties": properties}
    with serving(answer) as fake:
        assert plane(fake).write(Request("arm", "", ("clusterPrincipals.create",), body)) == shown
    assert [one.body for one in fake.asked if one.method == "PUT"] == [{"properties": properties}]


def test_a_container_is_created_with_the_accounts_defaults(plane):
    with serving(Script(Answered(201, {"id": CONTAINER, "name": "archive", "properties": {}}))) as fake:
        answer = plane(fake).write(Request("arm", "", ("blobContainers.create",), {"resourceId": CONTAINER}))
    assert answer["name"] == "archive"
    assert fake.lines() == [f"PUT {CONTAINER}"]
    assert fake.asked[0].body in (None, {})


@pytest.mark.parametrize(
    ("text", "arguments", "path"),
    [
        (
            "systemIdentity.get",
            (("scope", CLUSTER),),
            f"{CLUSTER}/providers/Microsoft.ManagedIdentity/identities/default",
        ),
        ("userAssignedIdentities.get", (("resourceId", OURS),), OURS),
        ("storageAccounts.get", (("resourceId", ACCOUNT),), ACCOUNT),
        ("blobContainers.get", (("resourceId", CONTAINER),), CONTAINER),
    ],
)
def test_single_resources_are_answered_as_sent(plane, text, arguments, path):
    sent = {"id": path, "name": "n", "properties": {"principalId": "p", "notInAnyModel": {"a": [1]}}}
    with serving(Script(Answered(body=sent))) as fake:
        assert plane(fake).read(Read("arm", "", text, arguments)) == sent
    assert fake.lines() == [f"GET {path}"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("clusterPrincipals.list", (("resourceId", CLUSTER),)),
        ("blobContainers.list", (("resourceId", ACCOUNT),)),
        ("roleDefinitions.list", (("scope", SUB), ("roleName", "Storage Blob Data Contributor"))),
    ],
)
def test_lists_answer_lists(plane, text, arguments):
    with serving(Script(Answered(body={"value": [{"id": "/x", "name": "n", "type": "t"}]}))) as fake:
        rows = plane(fake).read(Read("arm", "", text, arguments))
    assert [row["id"] for row in rows] == ["/x"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(404, "ResourceNotFound"), "absent"),
        (error(403, "AuthorizationFailed"), "denied"),
        (error(401, "InvalidAuthenticationToken"), "denied"),
        (Answered(200, raw=b"<html>", headers={"Content-Type": "text/html"}), "failed"),
        (Answered(200, raw=b'{"id": '), "failed"),
        (Answered(200, body=[1]), "failed"),
        (Answered(200, raw=b""), "failed"),
        (Answered(302, raw=b"", headers={"Location": "http://127.0.0.1:9/"}), "failed"),
    ],
)
def test_reads_that_fail_are_failures_that_name_the_read(plane, answer, reason):
    with serving(Script(answer)) as fake:
        failure = plane(fake).read(GET)
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert "clusters.get" in failure.message
    assert len(fake.asked) == 1


@pytest.mark.parametrize("bad", [{"value": 7}, {"value": [1]}, {"no": "value"}, [], "x"])
def test_lists_of_the_wrong_shape_are_failures(plane, bad):
    with serving(Script(Answered(body=bad))) as fake:
        failure = plane(fake).read(Read("arm", "", "roleAssignments.list", (("scope", SUB), ("assignedTo", "o"))))
    assert failure == [] or isinstance(failure, Failure)


def test_an_id_that_is_none_is_told_before_anything_is_sent(plane):
    with serving(Script(Answered(body={}))) as fake:
        failure = plane(fake).read(Read("arm", "", "clusters.get", (("resourceId", "telemetry"),)))
    assert failure.code == "InvalidResourceId"
    assert fake.asked == []


def test_the_proxy_of_the_environment_is_not_asked_for_loopback(plane, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(Script(Answered(body={"id": CLUSTER}))) as fake:
        assert plane(fake).read(GET) == {"id": CLUSTER}


def test_a_password_in_netrc_does_not_replace_the_token(plane, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(Script(Answered(body={"id": CLUSTER}))) as fake:
        one = plane(fake)
        one._session.trust_env = True  # as it is for Azure
        one.read(GET)
    assert fake.asked[0].headers["authorization"] == "Bearer sandbox"
