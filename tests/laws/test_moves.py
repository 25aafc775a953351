"""Exports that get another identity or another place: at no point of the plan does a running one lack what it needs."""

from __future__ import annotations

import copy
from dataclasses import replace
from unittest import mock

import pytest

from kxrecon.journal import Journal

from .estates import HEAD
from .test_laws import unmet

OTHER = {"system": "exporter", "exporter": "system"}


WHERE = ("blob", "lake", "folder", "dwh")
COLUMNS = "Timestamp:datetime, Level:string"


def estate(who):
    """An export to each kind of target; one of them reads another database through a function."""
    tables = {name: {"kind": "storage", "dataFormat": "csv", "target": name, "path": "p"} for name in WHERE}
    tables["dwh"] = {"kind": "sql", "table": "dbo.Events", "target": "dwh"}
    exports = {
        name: {"over": ["Events"], "to": name, "query": "Events", "managedIdentity": one, "intervalBetweenRuns": "10m"}
        for name, one in zip(WHERE, who, strict=True)
    }
    exports["blob"]["query"] = "Chosen()"
    here = {
        "tables": {"Events": {"columns": COLUMNS}},
        "functions": {"Chosen": {"body": "Events"}},
        "externalTables": {name: {"columns": COLUMNS, **table} for name, table in tables.items()},
        "continuousExports": exports,
    }
    there = {"tables": {"Levels": {"columns": "Level:string"}}}
    return {**HEAD, "databases": {"Here": here, "There": there}}


def moved(document, what):
    """The same estate after somebody edited the spec: exports run as the other identity, targets lie elsewhere."""
    found = copy.deepcopy({**document, "prune": {"grants": "owned"}})
    for database in found["databases"].values():
        for export in database.get("continuousExports", {}).values():
            if "identity" in what:
                export["managedIdentity"] = OTHER[export["managedIdentity"]]
    for target in found["targets"].values() if "place" in what else ():
        for key in ("url", "server"):
            if key in target:
                target[key] = target[key].replace("contoso", "moved")
    if "query" in what:
        found["databases"]["Here"]["functions"]["Chosen"]["body"] = "Events | lookup database('There').Levels on Level"
    return found


def lacking(ground):
    """What running exports lack; those that stand still meanwhile may."""
    disabled = {key[2] for key, one in ground.store.all("continuous_export") if one.get("isDisabled")}
    return [one for one in unmet(ground) if one.split(":", 1)[0] not in disabled]


GRANTS = ("role_assignment", "database_role", "managed_identity_policy", "acl_entry", "sql_user", "sql_grant")


def hostile(plan):
    """The same plan in the worst order that its edges allow: what takes away first, what gives last."""
    left, done, chosen = list(plan.actions), set(), []

    def late(action):
        return action.refs[0].kind in GRANTS and action.verb != "delete", action.verb != "delete"

    while left:
        action = min((one for one in left if set(one.after) <= done), key=late)
        left.remove(action)
        done.add(action.id)
        chosen.append(replace(action, after=tuple(one.id for one in chosen[-1:])))
    return replace(plan, actions=tuple(chosen))


# Not identity and query at once: between the function and the export a run may fail, once, and lose nothing.
@pytest.mark.parametrize(
    ("what", "back"),
    [
        (("identity",), False),
        (("place",), False),
        (("query",), False),
        (("query",), True),
        (("identity", "place"), True),
    ],
)
def test_in_any_order_that_the_plan_allows_a_running_export_never_lacks_anything(country, what, back):
    who = ("system", "exporter", "exporter", "exporter")
    one, other = estate(who), moved(estate(who), what)
    before, after = country.bare(*((other, {**one, "prune": other["prune"]}) if back else (one, other)))
    country.ground.converge(before)
    assert not lacking(country.ground)
    lacked = []
    note = Journal.note

    def noted(journal, event):
        note(journal, event)
        if event.outcome is not None:
            lacked.extend((event.action.id, one) for one in lacking(country.ground))

    plan = hostile(country.ground.plan(after))

    with mock.patch.object(Journal, "note", noted):
        outcomes = country.ground.apply(after, plan, workers=1)
    assert {one.result for one in outcomes} == {"done"}, outcomes
    assert not lacked
    assert not country.ground.plan(after).actions
