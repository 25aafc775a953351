"""Requests that mean nothing get ARM's envelope, never a traceback."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kxrecon.sandbox.arm.app import ROUTES, ArmApp, operation

from .conftest import ACCOUNT, CLUSTER, CONTAINER, GROUP, SUBSCRIPTION, Arm


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NotFound"),
        ("GET", f"{GROUP}/providers/Microsoft.Compute/virtualMachines/x", 404, "InvalidResourceNamespace"),
        ("GET", f"{GROUP}/providers/Microsoft.Kusto/lakes/x", 404, "InvalidResourceType"),
        ("PUT", CLUSTER, 405, "HttpMethodNotAllowed"),
        ("GET", CLUSTER + "x", 404, "ResourceNotFound"),
        ("GET", CLUSTER.replace("/lake/", "/other/"), 404, "ResourceNotFound"),
        ("GET", CLUSTER + "/databases/Nope", 404, "ResourceNotFound"),
        ("GET", ACCOUNT + "x", 404, "ResourceNotFound"),
        ("GET", CONTAINER + "x", 404, "ContainerNotFound"),
        ("PUT", ACCOUNT + "/blobServices/default/containers/UPPER", 400, "InvalidResourceName"),
        ("GET", f"{SUBSCRIPTION}/providers/Microsoft.Kusto/locations/x/operationResults/y", 404, "OperationNotFound"),
        ("GET", f"{CLUSTER}/providers/Microsoft.ManagedIdentity/identities/default", 404, "ResourceNotFound"),
    ],
)
def test_refusals(arm, method, path, status, code):
    assert arm.code(method, path) == (status, code)


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("latest", "InvalidApiVersionParameter"),
        ("2001-01-01", "NoRegisteredProviderFound"),
    ],
)
def test_api_versions(arm, version, code):
    assert arm.code("GET", CLUSTER, query={"api-version": version}) == (400, code)


def test_paths_are_compared_without_case_and_extra_slashes(arm):
    status, body, _ = arm("GET", CLUSTER.upper().replace("/LAKE", "//LAKE") + "/")
    assert status == 200 and body["id"] == CLUSTER.replace("clusters", "Clusters")


@pytest.mark.parametrize(
    "query",
    [
        "resources | where name =~ 'contosolake' | project name",
        "Resources | where name in ('contosolake') and type =~ 'Microsoft.Storage/storageAccounts' | project name",
        'resources | where tolower(name) == "contosolake" | take 1 | project name',
        "resources // all\n| where not(type has 'kusto') and kind == 'StorageV2' | project name",
        "resources | where properties.primaryEndpoints.blob startswith 'https://contosolake.' | project name",
        "resources | where name !in~ ('telemetry','exporter','other') | order by name asc | project name",
        "resources | where properties['provisioningState'] == 'Succeeded' and isnotempty(kind) | project name",
    ],
)
def test_resource_graph(arm, query):
    _, body, _ = arm("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": query})
    assert body["data"] == [{"name": "contosolake"}]
    assert (body["totalRecords"], body["count"], body["resultTruncated"]) == (1, 1, "false")


@pytest.mark.parametrize(
    "query", ["", "nothing", "resources |", "resources | join x", "resources | where (", "resources | where a == '"]
)
def test_resource_graph_refuses_what_it_does_not_know(arm, query):
    refused = arm.code("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": query})
    assert refused == (400, "BadRequest")


def test_resource_graph_pages_and_scopes(arm):
    path, asked = "/providers/Microsoft.ResourceGraph/resources", {"query": "resources", "options": {"$top": 3}}
    _, first, _ = arm("POST", path, asked)
    assert len(first["data"]) == 3
    asked["options"]["$skipToken"] = first["$skipToken"]
    _, second, _ = arm("POST", path, asked)
    assert "$skipToken" not in second
    assert len({row["id"] for row in first["data"] + second["data"]}) == first["totalRecords"] == 4
    assert arm("POST", path, {"query": "resources", "subscriptions": ["other"]})[1]["data"] == []


PATHS = [
    CLUSTER,
    ACCOUNT,
    CONTAINER,
    CLUSTER + "/principalAssignments/x",
    CLUSTER + "/databases/Telemetry/principalAssignments/x",
]
PATHS += [f"{CONTAINER}/providers/Microsoft.Authorization/roleAssignments/{'0' * 8}-0000-0000-0000-{'0' * 12}"]
PATHS += [
    "/providers/Microsoft.ResourceGraph/resources",
    f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments",
]
WORDS = st.sampled_from(["identity", "type", "properties", "query", "options", "principalId", "role", "principalType"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["UserAssigned", "App", "resources"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE"]),
    path=st.sampled_from(PATHS) | st.text(max_size=40),
    body=JSON | st.binary(max_size=30),
    text=st.text(max_size=20),
)
def test_no_request_breaks_the_sandbox(arm: Arm, method, path, body, text):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer, _ = arm(
        method, "/" + quote(path.lstrip("/"), safe="/$"), content, query={"$filter": text, "$skipToken": text}
    )
    assert status < 500
    if status >= 400:
        assert set(answer["error"]) == {"code", "message"}


def test_every_operation_has_its_own_name_and_docstring():
    assert len({(one.method, one.pattern.pattern) for one in ROUTES}) == len(ROUTES)
    assert all(one.name and one.provider for one in ROUTES)
    assert operation("GET", "//" + CLUSTER) == "Clusters_Get"
    assert operation("GET", "/x") == ""
    assert callable(ArmApp.answer)
