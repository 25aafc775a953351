"""Bad days: each event happens when the forecast says so, and the world is what it would be after it."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

import pytest
import requests

from kxrecon.sandbox.embedded import embed
from kxrecon.sandbox.forecast import EVENTS, KUSTO_REFUSALS, REFUSALS, Event, Forecast, Occasion, Rule, from_document

GROUP = "/subscriptions/s/resourceGroups/g/providers"
CLUSTER = f"{GROUP}/Microsoft.Kusto/clusters/telemetry"
URI = "https://telemetry.westeurope.kusto.windows.net"
ADA = "22222222-0000-4000-8000-000000000001"
ACCOUNT = f"{GROUP}/Microsoft.Storage/storageAccounts/lake"
INVENTORY = {
    "clusters": [{"uri": URI, "resourceId": CLUSTER, "databases": {"Telemetry": {}}}],
    "storageAccounts": [{"name": "lake", "resourceId": ACCOUNT, "containers": ["a"], "hierarchicalNamespace": True}],
    "principals": [{"objectId": ADA, "type": "User"}],
}


class Client:
    """Plain requests to one sandbox."""

    def __init__(self, opened):
        self.opened, self.session = opened, requests.Session()
        self.session.trust_env = False

    def arm(self, method, path, body=None, version="2023-08-15"):
        return self.session.request(method, self.opened.arm + path, params={"api-version": version}, json=body)

    def patch(self):
        return self.arm("PATCH", CLUSTER, {"identity": {"type": "SystemAssigned"}})

    def kusto(self, text):
        return self.session.post(self.opened.kusto[URI] + "/v1/rest/mgmt", json={"db": "Telemetry", "csl": text})


@pytest.fixture
def under(tmp_path):
    """``under(rule, …)`` → a client of a sandbox with that weather."""
    opened = []

    def start(*rules):
        context = embed(tmp_path / "s.db", INVENTORY, forecast=Forecast(rules))
        client = Client(context.__enter__())
        opened.append((context, client))
        return client

    yield start
    for context, client in opened:
        client.session.close()
        context.__exit__(None, None, None)


@pytest.mark.parametrize("kind", sorted(REFUSALS))
def test_arm_refuses_once_in_its_own_words(under, kind):
    client = under(Rule(Event(kind, retry_after=3), "Clusters_Update", at=(1,)))
    answer = client.patch()
    status, code, message = REFUSALS[kind]
    assert (answer.status_code, answer.json()["error"]) == (status, {"code": code, "message": message})
    assert answer.headers["Retry-After"] == "3"
    assert client.patch().status_code == 202


@pytest.mark.parametrize("kind", sorted(KUSTO_REFUSALS))
def test_kusto_refuses_once_in_its_own_words(under, kind):
    client = under(Rule(Event(kind), ".show databases", at=(2,)))
    assert client.kusto(".show databases").status_code == 200
    answer = client.kusto("  .SHOW   databases | project DatabaseName")
    assert answer.status_code == KUSTO_REFUSALS[kind][0]
    assert answer.json()["error"]["@permanent"] == (kind == "refused")
    assert "Retry-After" not in answer.headers
    assert client.kusto(".show databases").status_code == 200


def test_504_after_the_write_was_applied(under):
    client = under(Rule(Event("gateway-timeout-after"), "Clusters_Update", at=(1,)))
    assert client.patch().status_code == 504
    assert client.patch().json()["error"]["code"] == "RequestConflict"


def test_connections_cut_before_and_after(under):
    client = under(
        Rule(Event("cut-before"), "Clusters_Update", at=(1,)), Rule(Event("cut-after"), "Clusters_Update", at=(2,))
    )
    with pytest.raises(requests.ConnectionError):
        client.patch()
    assert not client.opened.world.store.all("operation")
    with pytest.raises(requests.ConnectionError):
        client.patch()
    assert len(client.opened.world.store.all("operation")) == 1


@pytest.mark.parametrize(("kind", "status"), [("operation-failed", "Failed"), ("operation-canceled", "Canceled")])
def test_a_long_running_operation_that_ends_badly(under, kind, status):
    client = under(Rule(Event(kind, code="InternalError", message="no capacity"), "Clusters_Update", at=(1,)))
    path = client.patch().headers["Azure-AsyncOperation"].removeprefix(client.opened.arm).partition("?")[0]
    client.arm("GET", path)
    body = client.arm("GET", path).json()
    assert body["status"] == status
    assert body.get("error") == ({"code": "InternalError", "message": "no capacity"} if status == "Failed" else None)
    assert client.arm("GET", CLUSTER).json()["identity"]["type"] == "None"


def test_a_grant_that_counts_later(under):
    from kxrecon.sandbox.arm.rights import effective

    client = under(Rule(Event("delayed-grant", seconds=600), "RoleAssignments_Create", at=(1,)))
    role = "/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    properties = {"roleDefinitionId": role, "principalId": ADA, "principalType": "User"}
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    assert client.arm("PUT", path, {"properties": properties}, "2022-04-01").status_code == 201
    world = client.opened.world
    assert not list(effective(world, ADA, ACCOUNT))
    world.clock.advance(timedelta(minutes=11))
    assert list(effective(world, ADA, ACCOUNT))


def test_a_second_writer_between_two_requests(under):
    def other(world):
        world.store.put("cluster", (URI,), {**world.store.get("cluster", URI), "etag": '"theirs"'})

    client = under(Rule(Event("second-writer", hook=other), "Clusters_Update", at=(1,)))
    etag = client.arm("GET", CLUSTER).json()["etag"]
    client.session.headers["If-Match"] = etag
    assert client.patch().status_code == 412


def test_time_that_passes_and_time_that_is_waited(under):
    client = under(
        Rule(Event("later", seconds=86400), "Clusters_Get", at=(1,)),
        Rule(Event("slow", seconds=0.05), "Clusters_Get", at=(2,)),
    )
    before = client.opened.world.clock.now()
    client.arm("GET", CLUSTER)
    assert client.opened.world.clock.now() - before >= timedelta(days=1)
    start = time.monotonic()
    client.arm("GET", CLUSTER)
    assert time.monotonic() - start >= 0.05


def test_ids_in_another_letter_case(under):
    client = under(Rule(Event("other-case"), "Clusters_Get", at=(1,)))
    first, second = client.arm("GET", CLUSTER).json(), client.arm("GET", CLUSTER).json()
    assert first["id"] == second["id"].lower() != second["id"]
    assert first["type"] == second["type"]


def test_data_lake_has_weather_too(under):
    client = under(Rule(Event("throttled", retry_after=0), "getAccessControl", at=(1,)))
    url = client.opened.dfs + "/lake/a/x?action=getAccessControl"
    first, second = client.session.head(url), client.session.head(url)
    assert (first.status_code, first.headers["x-ms-error-code"]) == (429, "TooManyRequests")
    assert second.status_code == 200


def test_a_stopped_cluster(tmp_path):
    stopped = {"clusters": [{**INVENTORY["clusters"][0], "state": "Stopped"}]}
    with embed(tmp_path / "s.db", stopped) as opened:
        client = Client(opened)
        assert client.arm("GET", CLUSTER).json()["properties"]["state"] == "Stopped"
        assert client.kusto(".show databases").status_code >= 400
        client.session.close()


def test_a_forecast_is_pure_and_seeded():
    rule = Rule(Event("throttled"), "RoleAssignments_*", chance=0.3)
    occasions = [Occasion("arm", "PUT", "RoleAssignments_Create", nth, nth) for nth in range(1, 301)]
    first, second, other = ([bool(Forecast((rule,), seed).event(one)) for one in occasions] for seed in (1, 1, 2))
    assert first == second != other
    assert 50 < sum(first) < 130
    assert not Forecast((rule,), 1).event(Occasion("arm", "GET", "Clusters_Get", 1, 1))


def test_the_weather_can_be_kept_in_the_file(tmp_path):
    document = {"seed": 1, "rules": [{"event": "throttled", "operation": "Clusters_Get", "at": [1], "retryAfter": 0}]}
    path = tmp_path / "s.db"
    with embed(path, INVENTORY) as opened:
        opened.world.store.put("meta", ("weather",), document)
    with embed(path, INVENTORY) as opened:
        client = Client(opened)
        assert [client.arm("GET", CLUSTER).status_code for _ in range(2)] == [429, 200]
        client.session.close()
    assert from_document(document).rules[0].event == Event("throttled", retry_after=0)
    with pytest.raises(ValueError, match="hail"):
        from_document({"rules": [{"event": "hail"}]})


def test_every_event_is_listed():
    assert len(set(EVENTS)) == len(EVENTS) and set(REFUSALS) < set(EVENTS)
