"""What prod.yaml promises, proved on every pull request without an Azure account."""

import pytest

from kxrecon.testing import Event, Rule

SPEC = "specs/prod.yaml"
ORDERS = [
    {"Timestamp": "2026-03-05T10:00:00Z", "OrderId": 1, "Country": "NL", "Amount": 9.5},
    {"Timestamp": "2026-03-05T10:00:01Z", "OrderId": 2, "Country": "XX", "Amount": 0.0},
]


def test_prod_converges_runs_green_and_tells_drift(kxrecon_sandbox):
    sandbox = kxrecon_sandbox
    assert sandbox.apply(SPEC).converged
    assert sandbox.plan(SPEC).is_empty
    sandbox.ingest("Orders", ORDERS)
    assert all(run.succeeded for run in sandbox.tick("1h"))
    for grant in sandbox.grants("Storage Blob Data Contributor"):
        sandbox.revoke(grant)
    assert sandbox.drift(SPEC).code == 2


@pytest.fixture
def prod(kxrecon_sandbox):
    """prod.yaml applied, two orders waiting for the next run."""
    assert kxrecon_sandbox.apply(SPEC).converged
    kxrecon_sandbox.ingest("Orders", ORDERS)
    return kxrecon_sandbox


def test_test_orders_are_not_archived(prod):
    (run,) = prod.tick("10m")
    assert (run.export, run.records) == ("ArchiveOrders", 1)
    (file,) = prod.artifacts("ArchiveOrders")
    assert "/archive/orders/" in file.path and file.records == 1


def test_without_the_grant_the_export_fails_and_loses_nothing(prod):
    (grant,) = prod.grants("Storage Blob Data Contributor")
    prod.revoke(grant)
    assert not prod.tick("10m")[0].succeeded
    assert "shoplake" in prod.failures("ArchiveOrders")[0].details
    assert prod.artifacts("ArchiveOrders") == []
    assert prod.apply(SPEC).converged
    prod.advance("1h")  # role assignments take a while to count
    assert sum(run.records for run in prod.tick("10m")) == 1


def test_whoever_breaks_a_link_by_hand_is_noticed(prod):
    prod.kql(".delete database Shop policy managed_identity")
    told = prod.drift(SPEC)
    assert told.code == 2 and "managed_identity_policy" in told.text
    assert not told.writes  # drift only reads


def test_a_day_of_throttling_only_takes_longer(kxrecon_sandbox):
    kxrecon_sandbox.weather(
        Rule(Event("throttled", retry_after=0), "RoleAssignments_Create", at=(1, 2)),
        Rule(Event("cut-after"), ".create-or-alter continuous-export", at=(1,)),
    )
    assert kxrecon_sandbox.apply(SPEC).converged


def test_it_converges_whichever_way_kusto_treats_the_cursor(kxrecon_sandbox):
    kxrecon_sandbox.switch(cursor_on_alter="reset", omitted_properties="kept")
    assert kxrecon_sandbox.apply(SPEC).converged
    assert kxrecon_sandbox.plan(SPEC).is_empty
