"""Two applies of one spec at the same time, and somebody else's hand between plan and write."""

from __future__ import annotations

import threading

import pytest

from kxrecon.sandbox.forecast import Event, Forecast, Rule
from kxrecon.sandbox.inventory import stock
from tests.chaos.estate import cursors, nothing_lost_nothing_twice, running, specs
from tests.dumps import same
from tests.ground import Simulated, example, ground


def together(*acts) -> list[BaseException]:
    """Run all of them at once; what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(len(acts))

    def one(act) -> None:
        start.wait()
        try:
            act()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.parametrize("number", range(2))
def test_two_first_applies_end_where_one_ends(tmp_path, number):
    spec = example("seed.yaml")
    with ground(tmp_path, spec, time=Simulated()) as opened:
        bare = opened.snapshot()
        opened.converge(spec)
        goal = opened.dump()
        opened.restore(bare)
        plans = [opened.plan(spec), opened.plan(spec)]
        raised = together(*(lambda plan=plan: opened.apply(spec, plan) for plan in plans))
        assert raised == []
        assert not opened.converge(spec).actions
        same(opened.dump(), goal)


def test_two_changes_under_running_exports_lose_and_double_nothing(tmp_path):
    before, after = specs(tmp_path)
    with ground(tmp_path, before, time=Simulated()) as opened:
        running(opened, before)
        start, places = opened.snapshot(), cursors(opened)
        opened.converge(after)
        goal = opened.dump()
        opened.restore(start)
        plans = [opened.plan(after), opened.plan(after)]
        raised = together(*(lambda plan=plan: opened.apply(after, plan) for plan in plans))
        assert raised == []
        for _ in range(2):
            opened.apply(after)
        assert not opened.plan(after).actions
        same(opened.dump(), goal)
        nothing_lost_nothing_twice(opened, places)


def test_a_second_writer_on_the_cluster_loses_no_identity(tmp_path):
    spec = example("seed.yaml")
    theirs = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/x/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"

    def attach(world):
        ((key, cluster),) = world.store.all("cluster")
        block = cluster["identity"]
        stock(world, {"identities": [{"resourceId": theirs}]})
        known = {**cluster, "etag": '"theirs"', "identity": {**block, "user": [*block["user"], theirs.lower()]}}
        world.store.put("cluster", key, known)

    with ground(tmp_path, spec, time=Simulated()) as opened:
        opened.forecast = Forecast((Rule(Event("second-writer", hook=attach), "Clusters_Update", at=(1,)),))
        opened.apply(spec)
        opened.apply(spec)
        ((_, cluster),) = opened.store.all("cluster")
        assert theirs.lower() in cluster["identity"]["user"]
        assert len(cluster["identity"]["user"]) == 2 and cluster["identity"]["system"]
        assert not opened.plan(spec).actions
