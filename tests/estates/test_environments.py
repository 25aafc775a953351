"""Environments: what differs between two of them, where a value comes from, and what is refused between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon.commands._gate import check_answer
from kxrecon.errors import PlanError
from kxrecon.model import Reading, Ref, State
from kxrecon.spec import load

SPECS = Path(__file__).parents[2] / "specs"
DEV, PROD = str(SPECS / "dev.yaml"), str(SPECS / "prod.yaml")


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        return call(*argv)

    return run


def test_diff_shows_both_sides_of_each_difference(run):
    code, out, _ = run("diff", DEV, PROD, "--json", "--detailed-exitcode")
    assert code == 2
    found = {(one["kind"], one["name"]): one for one in json.loads(out)["differences"]}
    assert found["continuous_export", "Sales/LargeOrders"]["what"] == "only in the second"
    assert found["database_role", "Telemetry/users/analysts"]["what"] == "only in the first"
    assert found["continuous_export", "Telemetry/ArchiveEvents"]["fields"] == [
        {"field": "intervalBetweenRuns", "first": "1h", "second": "5m"}
    ]
    errors = {one["field"]: one["second"] for one in found["continuous_export", "Telemetry/ErrorsToDwh"]["fields"]}
    assert errors == {"forcedLatency": "2m"}
    assert ("table", "Telemetry/Events") not in found


def test_the_text_reads_from_the_first_to_the_second(run):
    _, out, _ = run("diff", DEV, PROD)
    assert "+ continuous_export LargeOrders" in out and "~ continuous_export ArchiveEvents" in out
    assert "intervalBetweenRuns  1h → 5m" in out
    code, out, _ = run("diff", PROD, PROD, "--detailed-exitcode")
    assert code == 0 and out.strip().splitlines()[-1].endswith(" equal.")


def test_render_tells_the_file_of_each_value(run):
    _, out, _ = run("render", PROD, "--origins")
    line = next(one for one in out.splitlines() if "forcedLatency: 2m" in one)
    assert "prod.yaml:" in line
    assert any("base.yaml:" in one for one in out.splitlines())


def mixed(text):
    return text.replace("Microsoft.Kusto/clusters/telemetry", "Microsoft.Kusto/clusters/other")


def test_a_spec_that_mixes_two_clusters_is_refused_before_anything_is_read(run):
    Path("mixed.yaml").write_text(mixed((SPECS / "quickstart.yaml").read_text()))
    for verb in ("plan", "drift", "apply"):
        code, _, err = run(verb, "mixed.yaml", "--sandbox")
        assert code == 1
        assert "mixed.yaml:" in err and "names the cluster 'other'" in err
    assert not Path(".kxrecon/sandbox.db").exists()


@pytest.mark.parametrize(
    ("shown", "refused"),
    [
        ("https://telemetry.westeurope.kusto.windows.net", False),
        ("https://Telemetry.WestEurope.kusto.windows.net/", False),
        ("https://telemetry.northeurope.kusto.windows.net", True),
        ("https://telemetry.westeurope.kusto.usgovcloudapi.net", True),
        ("", False),
    ],
)
def test_two_clusters_of_one_name_are_told_apart_by_what_azure_says(shown, refused):
    spec = load([str(SPECS / "quickstart.yaml")], environ={})
    ref = Ref("cluster_identity", ("",))
    observed = State(readings={ref: Reading(ref, {"uri": shown})})
    if not refused:
        return check_answer(spec, observed)
    with pytest.raises(PlanError, match=r"quickstart.yaml:\d+:\d+: cluster.uri is .* is at https://telemetry"):
        check_answer(spec, observed)
    return None


def test_a_saved_plan_is_for_its_own_cluster(run):
    spec = Path("moved.yaml")
    spec.write_text((SPECS / "quickstart.yaml").read_text())
    assert run("plan", "moved.yaml", "--sandbox")[0] == 0
    text = mixed(spec.read_text()).replace("https://telemetry.", "https://other.")
    spec.write_text(text)
    code, _, err = run("apply", "--sandbox", "--yes")
    assert code == 1
    assert "was made for https://telemetry." in err and "now names https://other." in err
