"""What always holds, whatever the estate: each law of the design on generated estates."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from kxrecon.sandbox.scheduler import why
from tests.dumps import same

from .conftest import law
from .estates import estates, shuffled


def unmet(ground) -> list[str]:
    """Exports with a broken link, and external references that lead nowhere."""
    store = ground.store
    found = []
    for (uri, database, name), export in store.all("continuous_export"):
        if store.get("external_table", uri, database, export["externalTable"]) is None:
            found.append(f"{name}: no external table {export['externalTable']}")
        found += [
            f"{name}: {one.link}: {one.details}"
            for one in why(store, uri, database, name)
            if one.holds is False and one.link != "job"
        ]
    return found


@law(16, estates())
def test_apply_then_plan_is_empty_and_drift_free(country, document):
    (spec,) = country.bare(document)
    left = country.ground.converge(spec)
    assert not left.actions, [(one.id, one.changes) for one in left.actions]
    assert not left.blocked
    assert not unmet(country.ground)
    before = len(country.ground.sent)
    country.ground.apply(spec, left)
    assert all(one.is_read for one in country.ground.sent[before:])


@law(5, estates())
def test_every_prefix_of_a_plan_leaves_nothing_without_what_it_needs(country, document):
    (spec,) = country.bare(document)
    plan = country.ground.plan(spec)
    for action in plan.actions:
        alone = replace(plan, actions=(replace(action, after=()),))
        assert [one.result for one in country.ground.apply(spec, alone)] == ["done"]
        assert not unmet(country.ground), action.id
    assert not country.ground.plan(spec).actions


@law(12, estates(), st.integers(0, 99))
def test_the_plan_does_not_depend_on_the_order_of_the_input(country, document, seed):
    (spec,) = country.bare(document)
    other = country.spec(shuffled(document, random.Random(seed)))
    assert country.ground.plan(spec).actions == country.ground.plan(other).actions


@law(8, estates(), estates())
def test_without_prune_nothing_is_deleted_or_taken_away(country, one, two):
    first, second = country.bare(one, two)
    country.ground.converge(first)
    before = set(country.ground.dump())
    plan = country.ground.plan(second)
    assert all(action.verb != "delete" for action in plan.actions)
    country.ground.apply(second, plan)
    assert before <= set(country.ground.dump())


MANAGED = (
    "table",
    "function",
    "external_table",
    "continuous_export",
    "role",
    "role_assignment",
    "sql_permission",
    "policy",
)


def damage(ground, seed: int) -> int:
    """Somebody's bad afternoon: whole things gone, identities detached, lists shortened, texts and intervals changed."""
    order, store = random.Random(seed), ground.store
    done = 0
    for kind in MANAGED:
        for key, document in store.all(kind):
            chance = order.random()
            if chance < 0.3:
                store.delete(kind, *key)
                done += 1
            elif chance < 0.5 and kind == "continuous_export":
                properties = {**document["properties"], "intervalBetweenRuns": 77_000_000_000}
                store.put(kind, key, {**document, "properties": properties})
                done += 1
            elif (
                chance < 0.5
                and kind == "external_table"
                and (document.get("pathFormat") or not document.get("partitions"))
            ):
                store.put(kind, key, {**document, "columns": [["Other", "string"]]})
                done += 1
    for key, document in store.all("cluster"):
        if order.random() < 0.3:
            store.put(
                "cluster", key, {**document, "identity": {"system": document["identity"].get("system"), "user": []}}
            )
            done += 1
    for key, _ in store.all("path"):
        if order.random() < 0.3:
            store.delete("path", *key)
            done += 1
    return done


@law(15, estates(), st.integers(0, 10_000))
def test_from_any_drifted_state_apply_ends_where_it_ends_from_an_empty_one(country, document, seed):
    (spec,) = country.bare(document)
    country.ground.converge(spec)
    goal = country.ground.dump()
    damage(country.ground, seed)
    left = country.ground.converge(spec)
    assert not left.actions
    same(country.ground.dump(), goal)
    assert not unmet(country.ground)


@law(6, estates(), st.integers(0, 10_000))
def test_planning_sends_only_reads_and_changes_nothing(country, document, seed):
    (spec,) = country.bare(document)
    country.ground.converge(spec)
    damage(country.ground, seed)
    before = country.ground.dump()
    country.ground.sent.clear()
    country.ground.plan(spec)
    assert country.ground.sent and all(one.is_read for one in country.ground.sent)
    same(country.ground.dump(), before)
