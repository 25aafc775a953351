"""Requests to Resource Manager that no SDK would send: names, bodies, queries and headers with wounds."""

from __future__ import annotations

import json
import random
import re
from functools import cache

import pytest

from kxrecon.sandbox.arm.app import NEWEST, ROUTES, ArmApp, operation
from kxrecon.sandbox.clock import Clock
from kxrecon.sandbox.inventory import stock
from kxrecon.sandbox.store import Store
from kxrecon.sandbox.world import World
from tests.sandbox.fuzz.asked import HOST, Asked, answered
from tests.sandbox.fuzz.spoil import ROUNDS, scrambled, wounded
from tests.witness.arm import clients
from tests.witness.arm.contract import JUDGES, SPECIFICATION
from tests.witness.grammar.names import NASTY

CONTRIBUTOR = "/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
PLACES = {
    "subscriptionId": [clients.SUBSCRIPTION],
    "resourceGroupName": ["lake", "LAKE"],
    "clusterName": ["telemetry"],
    "databaseName": ["Telemetry"],
    "accountName": ["contosolake"],
    "containerName": ["archive", "fresh"],
    "resourceName": ["exporter"],
    "scope": [clients.CLUSTER, clients.CONTAINER, clients.ACCOUNT, clients.GROUP],
    "roleAssignmentName": ["44444444-0000-4000-8000-000000000001", "x"],
    "roleDefinitionId": [CONTRIBUTOR[-36:]],
    "immutabilityPolicyName": ["default"],
}
PERSON = {"principalId": clients.PERSON, "principalType": "User"}
BODIES = [
    {"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {clients.EXPORTER: {}}}},
    {"identity": {"type": "UserAssigned", "userAssignedIdentities": {clients.EXPORTER: None}}, "tags": {"a": "b"}},
    {"properties": {**PERSON, "role": "Viewer"}},
    {"properties": {**PERSON, "role": "AllDatabasesViewer", "tenantId": clients.SUBSCRIPTION}},
    {"properties": {**PERSON, "roleDefinitionId": CONTRIBUTOR, "description": "x", "condition": None}},
    {"properties": {"publicAccess": "None"}},
    {
        "query": "resources | where type =~ 'microsoft.storage/storageaccounts' and name in~ ('contosolake')"
        " | project id, hns = properties.isHnsEnabled | order by id asc",
        "subscriptions": [clients.SUBSCRIPTION],
        "options": {"$skipToken": "x", "$top": 3},
    },
]
GARBAGE = [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe{}", b"{}{}"]
FILTERS = ["atScope()", f"atScope() and assignedTo('{clients.PERSON}')", "principalId eq 'x'", "roleName eq 'Reader'"]


def world() -> World:
    """One of everything, in memory."""
    store = Store(":memory:")
    made = World(store, Clock(store))
    stock(made, clients.INVENTORY)
    return made


@cache
def imitated() -> list[tuple[str, str]]:
    """(method, path) of every operation of Microsoft's files that the sandbox has."""
    found = [("POST", "/providers/Microsoft.ResourceGraph/resources")] * 4
    for judge in JUDGES:
        for template, methods in json.loads((SPECIFICATION / judge).read_text())["paths"].items():
            named = [(method.upper(), template) for method in methods if method != "parameters"]
            found += [(method, path) for method, path in named if operation(method, tame(path))]
    return found


def tame(path: str) -> str:
    """A template with a name in each of its places."""
    return re.sub(r"\{(\w+)\}", lambda name: PLACES.get(name[1], ["x"])[0], path)


def request(order: random.Random) -> Asked:
    """A request, more or less."""
    method, path = order.choice(imitated())

    def place(name: re.Match[str]) -> str:
        return order.choice(NASTY if order.random() < 0.03 else PLACES.get(name[1], ["ada", "x"]))

    path = re.sub(r"\{(\w+)\}", place, path)
    path = path.upper() if order.random() < 0.1 else wounded(path, order) if order.random() < 0.05 else path
    provider = next((name for name in NEWEST if name.lower() in path.lower()), "Microsoft.Kusto")
    query = {"api-version": order.choice(["", "x", "2099-01-01"]) if order.random() < 0.03 else NEWEST[provider][0]}
    if order.random() < 0.4:
        query["$filter"] = order.choice(FILTERS) if order.random() < 0.5 else wounded(order.choice(FILTERS), order)
    if order.random() < 0.1:
        query["$skipToken"] = order.choice(["1", "-1", "9" * 30, "x"])
    headers = {"If-Match": order.choice(["*", "x", "", '"x"'])} if order.random() < 0.2 else {}
    if order.random() < 0.1:
        method = order.choice(["GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS"])
    body = b""
    if method in ("PUT", "PATCH", "POST") or order.random() < 0.05:
        body = json.dumps(scrambled(order.choice(BODIES), order)).encode()
        body = order.choice(GARBAGE) if order.random() < 0.05 else body
    return Asked(method, path, query, body, headers)


@pytest.mark.parametrize("seed", range(3 * ROUNDS))
def test_garbage_is_refused_in_arms_words_and_does_no_harm(seed):
    order = random.Random(f"arm/{seed}")
    app = ArmApp(world())
    changed = 0
    for _ in range(1500):
        asked = request(order)
        status, headers, _ = answered("arm", app, asked)
        changed += status < 300 and asked.method != "GET"
        for name in ("Azure-AsyncOperation", "Location"):
            if name in headers and order.random() < 0.7:
                path, _, query = headers[name].partition(HOST)[2].partition("?")
                answered("arm", app, Asked("GET", path, dict([query.split("=", 1)])))
    assert changed > 50, "nearly everything was refused: the requests are too wild to find anything"
    for path in (
        clients.CLUSTER,
        clients.ACCOUNT,
        clients.EXPORTER,
        f"{clients.GROUP}/providers/Microsoft.Kusto/clusters",
    ):
        provider = next(name for name in NEWEST if name in path)
        assert answered("arm", app, Asked("GET", path, {"api-version": NEWEST[provider][0]}))[0] == 200, path


def test_every_operation_of_the_sandbox_comes_up():
    asked = {operation(method, tame(path)) for method, path in imitated()}
    assert {one.name for one in ROUTES} - asked == set()
