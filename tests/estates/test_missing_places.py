"""A place to write to that is not there is said by plan, apply and drift, with what makes it, and nothing is begun."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kxrecon.inventory import inventory
from kxrecon.spec import load
from kxrecon.testing import open_sandbox

SPECS = Path(__file__).parents[2] / "specs"
LAKE = 'lake: { url: "https://contosolake.blob.core.windows.net/archive", auth: impersonate'
ABSENT = "blocked: does not exist, so no run could write there"


@pytest.fixture
def sandbox(tmp_path):
    with open_sandbox(tmp_path, root=tmp_path) as opened:
        yield opened


def spec(sandbox, more="", target=LAKE):
    shutil.copy(SPECS / "quickstart.yaml", sandbox.root / "s.yaml")
    path = sandbox.root / "s.yaml"
    text = path.read_text()
    assert LAKE in text
    path.write_text(text.replace(LAKE, target + more))
    return str(path)


def stock(sandbox, path, *, containers=False):
    """The world that the spec takes for granted and nothing else, with or without its containers."""
    document = inventory(load([path]))
    for account in document["storageAccounts"]:
        account["containers"] = account["containers"] if containers else []
    sandbox.stock({**document, "strict": True})


@pytest.mark.parametrize("more", ["", ", grantScope: account", ", grant: none"])
def test_a_container_that_is_not_there_is_said_and_nothing_waits_in_vain(sandbox, more):
    stock(sandbox, path := spec(sandbox, more))
    planned = sandbox.plan("s.yaml")
    assert ABSENT in planned.findings
    assert "set createContainer: true on its target, or: az storage container-rm create --name archive" in planned.text
    assert not any("external_table" in one or "continuous_export" in one for one in planned.actions)
    told = sandbox.apply("s.yaml")
    assert told.code == 2 and "container contosolake/archive" in told.text and "failed" not in told.text.lower()
    assert sandbox.run("drift", path).code == 2
    spec(sandbox, more + ", createContainer: true")
    assert sandbox.apply("s.yaml").converged


def test_an_account_that_is_not_there_is_said_even_where_its_container_is_made(sandbox):
    stock(sandbox, spec(sandbox))
    group = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/nobody"
    target = f'lake: {{ url: "https://nobody.blob.core.windows.net/archive", auth: impersonate, resourceId: {account}'
    spec(sandbox, ", createContainer: true", target=target)
    planned = sandbox.plan("s.yaml")
    assert any(one.startswith("blocked: cannot exist: its storage account") for one in planned.findings)
    made = [one.split()[1] for one in planned.actions]
    assert not {"container", "role_assignment", "external_table", "continuous_export"} & set(made)


def test_a_container_that_is_deleted_later_is_drift(sandbox):
    stock(sandbox, path := spec(sandbox), containers=True)
    assert sandbox.apply("s.yaml").converged
    sandbox._world.store.delete("container", "contosolake", "archive")
    drift = sandbox.run("drift", path)
    assert drift.code == 2 and "container contosolake/archive" in drift.text


def test_a_container_that_may_not_be_read_is_not_called_missing(sandbox):
    from kxrecon.testing import Event, Rule

    spec(sandbox)
    assert sandbox.apply("s.yaml").converged
    sandbox.weather(Rule(Event("refused"), "BlobContainers_Get", chance=1.0))
    assert ABSENT not in sandbox.plan("s.yaml").findings


LISTED = 'lake: { url: "https://contosolake.dfs.core.windows.net/archive/team/x", auth: impersonate, grant: acl'


def test_a_directory_that_is_not_there_is_said_and_nothing_is_granted_in_it(sandbox):
    stock(sandbox, path := spec(sandbox, target=LISTED), containers=True)
    planned = sandbox.plan("s.yaml")
    assert {
        "blocked: the directory /team does not exist in archive",
        "blocked: the directory /team/x does not exist in archive",
    } <= set(planned.findings)
    assert (
        "az storage fs directory create --account-name contosolake --file-system archive --name team/x" in planned.text
    )
    assert [one for one in planned.actions if "acl_entry" in one] == [
        "create acl_entry contosolake.dfs.core.windows.net/archive///system"
    ]
    assert not any("continuous_export" in one for one in planned.actions)
    told = sandbox.apply("s.yaml")
    assert told.code == 2 and "PathNotFound" not in told.text
    assert sandbox.run("drift", path).code == 2


def test_where_the_file_system_is_missing_its_container_is_said(sandbox):
    stock(sandbox, spec(sandbox, target=LISTED))
    planned = sandbox.plan("s.yaml")
    assert ABSENT in planned.findings
    assert not any("acl_entry" in one for one in planned.actions)


def test_a_file_system_for_lists_is_made_where_its_target_says_so(sandbox):
    spec(sandbox, ", createContainer: true", target=LISTED.replace("/team/x", ""))
    assert sandbox.apply("s.yaml").converged
