"""Who judges what: the operations of the sandbox that Microsoft's own files know, and what only newer ones do."""

from __future__ import annotations

import json
import re

from kxrecon.sandbox.arm.app import ROUTES, operation
from tests.witness.tally import tally

from . import newer
from .contract import JUDGES, SPECIFICATION, Exchange, judge
from .exceptions import EXCEPTIONS
from .recorder import TITLE

# Operations without a file of Microsoft's here, and why.
WITHOUT = {"Resources": "Resource Graph has no contract file here; its shape is held by its SDK's own deserialiser"}
# Operations that only a file derived from an SDK knows: none, so that no answer is judged by its own maker.
DERIVED_ONLY: set[str] = set()


def _named(paths) -> set[str]:
    """The sandbox's operations among the paths of a contract."""
    asked = [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda name: "default" if "Policy" in name[1] else "x", template))
        for template, methods in paths.items()
        for method in methods
        if method != "parameters"
    ]
    return {operation(method, path.partition("?")[0]) for method, path in asked} - {""}


def test_every_operation_has_a_judge_or_a_reason():
    official = set().union(*(_named(json.loads((SPECIFICATION / one).read_text("utf-8"))["paths"]) for one in JUDGES))
    derived = set().union(*(_named(newer.derived(name)["paths"]) for name in newer.DERIVED))
    imitated = {one.name for one in ROUTES}
    assert imitated - official - derived == set(WITHOUT)
    assert imitated & derived - official == DERIVED_ONLY
    counted = tally(TITLE)
    counted.count("operations of the sandbox with an official contract", len(imitated & official))
    counted.count("operations that only a file derived from an SDK knows", len(DERIVED_ONLY))
    counted.count("operations without any contract file", len(WITHOUT))


def test_reasons_for_operations_without_a_contract_are_recorded_exceptions():
    assert set(WITHOUT.values()) <= {reason for *_, reason in EXCEPTIONS}


def test_what_an_exception_calls_newer_stands_in_the_newer_files():
    role = "AllDatabasesMonitor"
    properties = {"principalId": "x", "principalType": "App", "role": role}
    assert list(newer.wrong("ClusterPrincipalAssignments_CreateOrUpdate", {"properties": properties})) == []
    assert role in newer.derived("kusto-2025-02-14")["definitions"]["ClusterPrincipalRole"]["enum"]


def test_the_newer_schema_refuses_what_it_does_not_have():
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kusto/clusters/c"
    query = {"api-version": newer.VERSION}
    wrong = {"identity": {"type": "Both", "systemAssigned": True}}
    found = judge(Exchange("PATCH", path, query, wrong, 202, {}, None))
    assert {(one.where, one.what.partition(" ")[0]) for one in found if "2025" in one.part} == {
        ("$.identity.type", "'Both'"),
        ("$.identity", "Additional"),
    }
    properties = {"principalId": "x", "principalType": "ServicePrincipal", "role": "Owner"}
    sent = {"properties": properties}
    found = judge(Exchange("PUT", f"{path}/principalAssignments/a", query, sent, 201, {}, None))
    assert sum("2025" in one.part for one in found) == 2
