"""The retired Data Lake Storage Gen1: with ``allowRetired`` it is planned as ever, and the sandbox says that it is gone."""

from __future__ import annotations

import pytest

from kxrecon.inventory import inventory
from tests.ground import SPECS, ground, spec_of

QS = (
    (SPECS / "quickstart.yaml")
    .read_text("utf-8")
    .replace("dataFormat: parquet", "dataFormat: csv\n        allowRetired: true")
)
URL = "https://contosolake.blob.core.windows.net/archive"
ACCOUNT = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/old/providers/Microsoft.DataLakeStore/accounts/contosolake"
ADL = "adl://ContosoLake.azuredatalakestore.net/archive"
LOOKED_UP = QS.replace(URL, ADL)
STATED = LOOKED_UP.replace("auth: impersonate", f"auth: impersonate, resourceId: {ACCOUNT}")
RAW = QS.replace("target: lake\n        path: events", f'connections: ["{ADL}/events;impersonate"]')
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


@pytest.mark.parametrize("text", [LOOKED_UP, STATED, RAW], ids=["looked up", "stated", "raw"])
def test_contributor_on_the_account_is_planned_and_assigned(tmp_path, text):
    spec = spec_of(text, tmp_path)
    with ground(tmp_path, spec) as opened:
        plan = opened.plan(spec)
        (ref,) = [ref for action in plan.actions for ref in action.refs if ref.kind == "role_assignment"]
        assert ref.name[0].endswith("/providers/microsoft.datalakestore/accounts/contosolake")
        assert ref.name[1:] == (CONTRIBUTOR, "system")
        outcomes = {one.action.partition(":")[2].partition(":")[0]: one for one in opened.apply(spec)}
        assert outcomes["role_assignment"].result == "done"
        assert "Gen1 is retired" in outcomes["external_table"].message
        assert outcomes["continuous_export"].result == "skipped"
        assert not [ref for action in opened.plan(spec).actions for ref in action.refs if ref.kind == "role_assignment"]


def test_an_account_that_nobody_shows_is_said(tmp_path):
    spec = spec_of(LOOKED_UP, tmp_path)
    with ground(tmp_path, spec, {**inventory(spec), "dataLakeStores": []}) as opened:
        plan = opened.plan(spec)
    (said,) = [one for one in plan.findings if "contosolake.azuredatalakestore.net" in one.message]
    assert said.kind == "blocked" and "was not found" in said.message and "resourceId" in said.remedy
    assert not [ref for action in plan.actions for ref in action.refs if ref.kind == "role_assignment"]


def test_a_storage_account_of_the_same_name_is_another_one(tmp_path):
    spec = spec_of(LOOKED_UP, tmp_path)
    other = {"name": "contosolake", "resourceId": ACCOUNT.replace("DataLakeStore/accounts", "Storage/storageAccounts")}
    with ground(tmp_path, spec, {**inventory(spec), "storageAccounts": [other]}) as opened:
        (ref,) = [ref for one in opened.plan(spec).actions for ref in one.refs if ref.kind == "role_assignment"]
    assert "/microsoft.datalakestore/" in ref.name[0]
