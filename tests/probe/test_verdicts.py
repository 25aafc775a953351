"""Under each setting of each switch the probes say what the setting is, and leave nothing behind."""

from __future__ import annotations

import pytest

from kxrecon.probe.catalog import PROBES
from tests.facts.test_table import FACTS, values
from tests.probe.world import EVERYTHING, answers, documents, probe

SWITCH = {row["id"]: row["switch"] for row in FACTS if row.get("switch")}
SETTINGS = {name: [{"True": True, "False": False}.get(one, one) for one in listed] for name, listed in values().items()}
ROUNDS = {
    "as-shipped": dict.fromkeys(SETTINGS, 0),
    "all-turned": dict.fromkeys(SETTINGS, 1),
    "mixed": {name: number % 2 for number, name in enumerate(sorted(SETTINGS))},
    "mixed-turned": {name: 1 - number % 2 for number, name in enumerate(sorted(SETTINGS))},
}


def expected(one, setting) -> str:
    """What a probe has to answer under a setting of its fact's switch."""
    hidden = one.id == "export-identity-shown" and setting["export_identity_shown"] == "script"
    if hidden and not setting["csl_script_lists_exports"]:
        return "nowhere"
    value = setting[SWITCH[one.fact]]
    return {True: "yes", False: "no"}.get(value, value)


@pytest.mark.parametrize("turned", ROUNDS.values(), ids=ROUNDS)
def test_the_verdict_is_the_setting(cluster, turned):
    setting = {name: SETTINGS[name][at] for name, at in turned.items()}
    cluster.switch(**setting)
    before = documents(cluster)
    told, report = probe(cluster, *EVERYTHING, "--yes")
    assert told.code == 0, told.text
    found = answers(report)
    switched = [one for one in PROBES if one.fact in SWITCH]
    assert {one.id: found[one.id] for one in switched} == {one.id: expected(one, setting) for one in switched}
    assert {one["result"] for one in report["found"]} == {"told"} and not report["left"]
    assert documents(cluster) == before


def test_every_switch_of_a_fact_is_asked_by_a_probe():
    assert {probe.fact for probe in PROBES} >= SWITCH.keys()
    assert set(SWITCH.values()) == SETTINGS.keys()
    assert all(len(listed) == 2 for listed in SETTINGS.values()), "a third setting takes a third round"
