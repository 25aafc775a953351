"""The witness itself: exchanges broken on purpose are caught, and every recorded exception is still needed."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from kxrecon.sandbox.embedded import embed

from . import clients
from .clients import ACCOUNT, CLUSTER, CONTAINER, EXPORTER, PERSON
from .contract import Exchange, find, judge
from .exceptions import EXCEPTIONS
from .published import examples
from .recorder import Recorder

GET = Exchange("GET", CLUSTER, {"api-version": "2023-08-15"}, None, 200, {}, None)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster as the sandbox answers it."""
    import requests

    with embed(tmp_path_factory.mktemp("witness") / "s.db", clients.INVENTORY) as opened, requests.Session() as session:
        session.trust_env = False
        return session.get(opened.arm + CLUSTER, params={"api-version": "2023-08-15"}).json()


def test_the_sandbox_answers_what_the_contract_says(cluster):
    assert judge(replace(GET, response=cluster)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("propertes",), {}),
        (("properties", "state"), "Sleeping"),
        (("properties", "provisioningState"), "InProgress"),
        (("properties", "enablePurge"), "no"),
        (("properties", "clusterUri"), "https://x"),
        (("identity", "type"), "SystemAssigned,UserAssigned"),
        (("identity", "userAssignedIdentities"), {EXPORTER: {"objectId": "x"}}),
        (("identity", "objectId"), "x"),
        (("sku", "tier"), "Premium"),
        (("sku", "capacity"), "2"),
        (("etag",), 7),
        (("location",), None),
        (("sku",), None),
    ],
)
def test_a_broken_answer_is_caught(cluster, path, value):
    broken = copy.deepcopy(cluster)
    *above, last = path
    place = broken
    for step in above:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    assert judge(replace(GET, response=broken))


@pytest.mark.parametrize(
    "exchange",
    [
        replace(GET, status=206, response={}),
        replace(GET, query={}, response={}),
        replace(GET, status=404, response={"code": "ResourceNotFound"}),
        replace(GET, method="PATCH", request={"identity": {"type": "Both"}}, response={}),
        replace(GET, method="PATCH", request={"identities": {}}, response={}),
        replace(GET, method="PATCH", request=None, response={}),
        replace(GET, path=CLUSTER + "/dreams", response={}),
        replace(
            GET, method="DELETE", path=f"{CONTAINER}/providers/Microsoft.Authorization/roleAssignments/x", status=202
        ),
    ],
)
def test_a_broken_exchange_is_caught(exchange):
    assert judge(exchange)


def test_every_exception_is_still_needed(tmp_path):
    """One exchange for each; an exception that nothing needs any more has to go."""
    import requests

    recorder = Recorder()
    calls = [
        (
            "PUT",
            CLUSTER + "/principalAssignments/ada",
            {"properties": {"principalId": PERSON, "principalType": "User", "role": "AllDatabasesMonitor"}},
        ),
        ("PATCH", CLUSTER, {"identity": {"type": "UserAssigned", "userAssignedIdentities": {EXPORTER: None}}}),
        ("GET", CONTAINER + "s", None),
        ("GET", ACCOUNT + "s", None),
        ("GET", ACCOUNT, None),
        ("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": "resources"}),
    ]
    versions = {"Kusto": "2023-08-15", "Storage": "2023-05-01", "ResourceGraph": "2021-03-01"}
    (account,) = clients.INVENTORY["storageAccounts"]
    combined = {**account, "networkAcls": {"bypass": "Logging, Metrics", "defaultAction": "Deny"}}
    inventory = {**clients.INVENTORY, "storageAccounts": [combined]}
    opened = embed(tmp_path / "s.db", inventory, middleware=recorder.around)
    with opened as sandbox, requests.Session() as session:
        session.trust_env = False
        for method, path, body in calls:
            version = next(one for name, one in versions.items() if f"Microsoft.{name}" in path)
            session.request(method, sandbox.arm + path, params={"api-version": version}, json=body)
    findings, reasons = recorder.verdict()
    assert not findings
    assert reasons == {reason for *_, reason in EXCEPTIONS}


@pytest.mark.parametrize("example", [pytest.param(one, id=one.file.stem) for one in examples()])
def test_microsofts_examples_pass_their_own_contract(example):
    """So the closed schemas do not refuse what the services really answer."""
    query = {"api-version": str(example.parameters.get("api-version", "2023-01-01"))}
    assert find(example.method, example.path), example.path
    for status, answer in example.responses.items():
        exchange = Exchange(example.method, example.path, query, None, int(status), {}, answer.get("body"))
        found = [one for one in judge(exchange) if one.part == "response" and answer.get("body")]
        assert not found, [str(one) for one in found]
