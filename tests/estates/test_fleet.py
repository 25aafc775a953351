"""Many clusters: one plan and one outcome each, told together, in waves and shards."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kxrecon import cli
from kxrecon.commands._saved import short_names
from kxrecon.errors import UsageError
from kxrecon.fleet import Member, members, shard
from tests.estates.conftest import QUICKSTART, member, specs


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        offline = argv[0] in ("validate", "lint", "schema")
        return call(*argv, *([] if offline else ["--sandbox"]))

    return run


def test_a_folder_is_planned_as_one_fleet(run):
    for name in ("east", "west", "north"):
        member(name)
    Path("fleet/notes.yaml").write_text("version: 1\nvariables: { env: x }\n")
    code, out, err = run("plan", "fleet", "--json")
    assert code == 0, err
    found = specs(out)
    assert sorted(found) == ["east", "north", "west"], "a file that names no cluster is no member"
    assert {one["plan"]["cluster_uri"] for one in found.values()} == {
        f"https://{name}.westeurope.kusto.windows.net" for name in found
    }
    assert sorted(one.name for one in Path(".kxrecon/plans").iterdir()) == ["east.json", "north.json", "west.json"]
    assert run("apply", ".kxrecon/plans/east.json", "--yes")[0] == 0
    _, out, _ = run("plan", "fleet", "--json")
    assert {name: len(one["plan"]["actions"]) > 0 for name, one in specs(out).items()} == {
        "east": False,
        "north": True,
        "west": True,
    }


def test_equal_changes_are_told_once(run):
    for name in ("east", "west"):
        member(name)
    member("north", text=QUICKSTART.replace("intervalBetweenRuns: 10m", "intervalBetweenRuns: 20m"))
    _, out, _ = run("plan", "fleet")
    assert out.count("+ external_table EventsArchive") == 1
    assert out.count("+ continuous_export ArchiveEvents") == 2
    assert "on east, north, west" in out and "on east, west" in out
    _, out, _ = run("plan", "fleet", "--markdown")
    assert out.startswith("## kxrecon plan: 3 specs") and out.count("<details>") == 3


def test_apply_and_drift_of_a_fleet_have_one_exit_code(run):
    paths = [member(name) for name in ("east", "west")]
    assert run("drift", *paths)[0] == 2
    code, out, err = run("apply", *paths, "--yes")
    assert code == 0, out + err
    assert out.count("converged: the cluster is what the spec says.") == 2
    code, out, _ = run("drift", "fleet")
    assert code == 0 and out.count("Cannot be verified") == 1 and "about east, west\n" in out
    cli.main(
        [
            "sandbox",
            "kql",
            "--cluster",
            "https://west.westeurope.kusto.windows.net",
            "--database",
            "Telemetry",
            ".drop continuous-export ArchiveEvents",
        ]
    )
    run("schema")
    code, out, _ = run("drift", "fleet", "--json")
    assert code == 2
    assert {name: one["result"] for name, one in specs(out).items()} == {"east": "ok", "west": "pending"}


def by_hand(run, name, command):
    where = ["--cluster", f"https://{name}.westeurope.kusto.windows.net", "--database", "Telemetry"]
    assert cli.main(["sandbox", "kql", *where, command]) == 0
    run("schema")


def test_drift_of_a_fleet_tells_who_moved_and_who_did_it(run):
    for name in ("east", "west"):
        member(name)
    assert run("plan", "fleet")[0] == 0
    assert run("apply", "fleet", "--yes")[0] == 0
    by_hand(run, "west", ".drop continuous-export ArchiveEvents")
    code, out, _ = run("drift", "fleet", "--blame")
    assert code == 2 and "Drift: changed on the cluster" in out and "Pending" not in out
    assert "DROP-CONTINUOUS-EXPORT with .drop continuous-export ArchiveEvents" in out
    assert run("plan", "fleet")[0] == 0
    _, out, _ = run("drift", "fleet", "--json")
    kinds = {name: {one["kind"] for one in spec["plan"]["findings"]} for name, spec in specs(out).items()}
    assert "drift" in kinds["west"] and not {"drift", "pending"} & kinds["east"]


def test_what_is_wrong_with_one_is_said_of_that_one(run):
    member("east")
    member("west", text=QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett"))
    code, out, _ = run("plan", "fleet", "--json")
    assert code == 1
    found = specs(out)
    assert found["east"]["result"] == "ok" and found["east"]["plan"]["actions"]
    assert found["west"]["result"] == "failed" and "fleet/west.yaml:" in found["west"]["error"]


def test_a_wave_begins_when_the_one_before_is_converged(run):
    member("canary", text=QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett"))
    member("rest", wave=1)
    code, out, _ = run("apply", "fleet", "--yes")
    assert code == 1
    assert "not begun" in out and "converged" not in out
    member("canary")
    code, out, _ = run("apply", "fleet", "--yes")
    assert code == 0
    assert out.index("https://canary.") < out.index("https://rest.")


def test_a_wave_that_is_not_healthy_holds_the_next_if_that_is_asked(run):
    member("canary")
    assert run("apply", "fleet", "--yes")[0] == 0
    run("sandbox", "tick", "--advance", "3h")
    canary = ["--cluster", "https://canary.westeurope.kusto.windows.net", "--database", "Telemetry"]
    member("rest", wave=1)
    run("schema")
    assert cli.main(["sandbox", "kql", *canary, ".disable continuous-export ArchiveEvents"]) == 0
    code, out, _ = run("apply", "fleet", "--yes", "--wait-healthy")
    assert code == 1 and "Telemetry/ArchiveEvents is disabled" in out and "not begun" in out
    assert "converged: the cluster is what the spec says." not in out
    code, out, _ = run("apply", "fleet", "--yes")
    assert code == 0, "nobody asked for health"


def test_a_wave_goes_on_when_its_exports_ran_well(run):
    for number, name in enumerate(("canary", "rest")):
        member(name, wave=number)
    code, out, err = run("apply", "fleet", "--yes", "--wait-healthy")
    assert code == 0, out + err
    assert out.index("good run 1 of 1") < out.index("https://rest.")


def test_a_failure_stops_the_others_only_if_asked(run):
    member("a", text=QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett"))
    member("b")
    code, out, _ = run("apply", "fleet", "--yes", "--stop-on-failure")
    assert code == 1 and "converged" not in out
    code, out, _ = run("apply", "fleet", "--yes")
    assert code == 1 and out.count("converged: the cluster is what the spec says.") == 1


def test_two_specs_that_claim_the_same_entity_are_both_named(run):
    path = Path(member("east"))
    Path("fleet/other.yaml").write_text(path.read_text())
    code, out, err = run("plan", "fleet", "--json")
    assert code == 1
    for one in specs(out).values():
        assert "is claimed by two specs: fleet/east.yaml and fleet/other.yaml" in one["error"]
    code, out, err = run("apply", "fleet", "--yes")
    assert code == 1 and "nothing was done" in err and "continuous_export Telemetry/ArchiveEvents" in err


def in_folder(folder, stem, *, cluster="telemetry", more=""):
    """The quickstart in a folder of its own."""
    Path(folder).mkdir(exist_ok=True)
    path = Path(folder, f"{stem}.yaml")
    own = QUICKSTART.replace("https://telemetry.", f"https://{cluster}.")
    path.write_text(own.replace("clusters/telemetry", f"clusters/{cluster}") + more)
    return str(path)


def test_two_specs_of_one_cluster_with_one_stem_are_told_apart_by_their_files(run):
    paths = [in_folder("a", "exports", more="name: a\n"), in_folder("b", "exports", more="name: b\n")]
    code, out, _ = run("plan", "a", "b", "--json")
    found = specs(out)
    assert code == 1 and sorted(found) == paths
    for one in found.values():
        assert "continuous_export Telemetry/ArchiveEvents of" in one["error"]
        assert "is claimed by two specs: a/exports.yaml and b/exports.yaml" in one["error"]
    code, _, err = run("apply", "a", "b", "--yes")
    assert code == 1 and "nothing was done" in err
    assert run("plan", paths[0], f"./{paths[0]}")[0] == 0, "one spec that is named twice claims nothing twice"


def test_two_specs_of_one_cluster_with_one_name_are_an_error_that_names_both(run):
    in_folder("a", "exports")
    bare = QUICKSTART.partition("databases:")[0] + "databases: { Telemetry: {} }\n"
    Path("b").mkdir()
    Path("b/exports.yaml").write_text(bare)
    told = "a/exports.yaml and b/exports.yaml are both named exports on https://telemetry.westeurope.kusto.windows.net"
    code, out, _ = run("plan", "a", "b", "--json")
    assert code == 1
    assert all(told in one["error"] and one["error"].endswith("name:") for one in specs(out).values())
    assert "claimed" not in out
    code, _, err = run("apply", "a", "b", "--yes")
    assert code == 1 and "nothing was done" in err and told in err
    Path("b/exports.yaml").write_text(bare + "name: others\n")
    assert run("plan", "a", "b")[0] == 0


def test_one_name_on_two_clusters_is_told_apart_in_plan_files_report_and_summary(run):
    paths = [in_folder("eu", "prod", cluster="east"), in_folder("us", "prod", cluster="west", more="wave: 1\n")]
    code, out, err = run("plan", "eu", "us")
    assert code == 0, err
    assert "on eu/prod.yaml, us/prod.yaml\n" in out
    assert [line.split()[:2] for line in out.splitlines()[-3:-1]] == [["eu/prod.yaml", "0"], ["us/prod.yaml", "1"]]
    saved = {one.name: json.loads(one.read_text())["cluster_uri"] for one in Path(".kxrecon/plans").iterdir()}
    assert saved == {
        "eu-prod.json": "https://east.westeurope.kusto.windows.net",
        "us-prod.json": "https://west.westeurope.kusto.windows.net",
    }
    assert sorted(specs(run("plan", "eu", "us", "--json")[1])) == paths
    code, out, _ = run("apply", "eu", "us", "--yes")
    assert code == 0 and "eu/prod.yaml" in out and "us/prod.yaml" in out


def test_files_of_different_specs_are_never_one():
    names = ["prod", "a/b-c.yaml", "a-b/c.yaml", "../x/y.yml", "/x/y.yaml"]
    assert len(set(short_names(names).values())) == len(names)
    assert short_names(names)["prod"] == "prod"


def test_files_without_a_cluster_are_merged_over_the_one_before(run):
    east = member("east")
    Path("faster.yaml").write_text(
        "version: 1\ndatabases: { Telemetry: { continuousExports: { ArchiveEvents: { intervalBetweenRuns: 5m } } } }\n"
    )
    code, out, err = run("plan", east, "faster.yaml", "--json")
    assert code == 0, err
    assert json.loads(out)["spec_files"] == [east, "faster.yaml"]
    west = member("west")
    code, out, _ = run("plan", east, "faster.yaml", west, "--json")
    assert [one["plan"]["spec_files"] for one in json.loads(out)["specs"]] == [[east, "faster.yaml"], [west]]


def test_a_shard_plans_its_share(run):
    for name in ("a", "b", "c"):
        member(name)
    shares = [set(specs(run("plan", "fleet", "--shard", f"{number}/2", "--json")[1])) for number in (1, 2)]
    assert shares[0] | shares[1] == {"a", "b", "c"} and not shares[0] & shares[1]


@given(st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=30), st.integers(1, 7), st.randoms())
def test_shards_are_whole_disjoint_even_and_do_not_depend_on_order(clusters, count, random):
    fleet = [Member((f"{number}.yaml",), cluster) for number, cluster in enumerate(clusters)]
    parts = [shard(fleet, f"{number}/{count}", {}) for number in range(1, count + 1)]
    assert sorted(one.files for part in parts for one in part) == sorted(one.files for one in fleet)
    homes = [{one.cluster for one in part} for part in parts]
    assert sum(map(len, homes)) == len(set(clusters)), "no cluster is in two shards"
    assert max(map(len, homes)) - min(map(len, homes)) <= 1
    shuffled = random.sample(fleet, len(fleet))
    for number, home in enumerate(homes, 1):
        assert {one.cluster for one in shard(shuffled, f"{number}/{count}", {})} == home
    pod = {"JOB_COMPLETION_INDEX": str(count - 1), "JOB_COMPLETIONS": str(count)}
    assert shard(fleet, "auto", pod) == parts[-1]


@pytest.mark.parametrize("which", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_a_shard_that_is_none_is_an_error(which):
    with pytest.raises(UsageError, match="--shard takes i/n"):
        shard([Member(("a.yaml",), "a")], which, {})


@pytest.mark.parametrize("environ", [{}, {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "2"}])
def test_a_pod_has_to_know_its_place(environ):
    with pytest.raises(UsageError, match="JOB_COMPLETION_INDEX"):
        shard([Member(("a.yaml",), "a")], "auto", environ)


def test_a_folder_without_specs_is_an_error(tmp_path):
    (tmp_path / "base.yaml").write_text("version: 1\n")
    with pytest.raises(UsageError, match="no spec that names a cluster"):
        members([str(tmp_path)], {}, {})


def test_clusters_are_read_at_the_same_time(run, monkeypatch):
    """Three plans meet at a barrier: they would wait for ever if one came after the other."""
    from kxrecon.commands import _flow

    for name in ("a", "b", "c"):
        member(name)
    barrier = threading.Barrier(3, timeout=60)
    original = _flow.plan_over

    def plan_over(options, spec, clients):
        barrier.wait()
        return original(options, spec, clients)

    monkeypatch.setattr(_flow, "plan_over", plan_over)
    assert run("plan", "fleet", "--json")[0] == 0


def test_validate_and_lint_look_at_each_spec_of_a_folder(run):
    member("east")
    member("west", text=QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett"))
    code, out, err = run("validate", "fleet")
    assert code == 1 and "fleet/east.yaml: valid" in out and "fleet/west.yaml:" in out
    assert "fleet/west.yaml: 1 error" in err
    code, out, _ = run("validate", "fleet", "--json")
    document = json.loads(out)
    assert code == 1 and document["valid"] is False
    assert [one["valid"] for one in document["specs"]] == [True, False]
    member("west")
    assert run("validate", "fleet/east.yaml", "fleet/west.yaml")[0] == 0
    code, out, _ = run("lint", "fleet")
    assert code == 0 and out.count("no findings") == 2 and "fleet/west.yaml" in out
    assert [one["files"] for one in json.loads(run("lint", "fleet", "--json")[1])["specs"]] == [
        ["fleet/east.yaml"],
        ["fleet/west.yaml"],
    ]
    assert run("lint", "fleet", "--markdown")[1].count("## `fleet/") == 2


def test_a_file_of_a_folder_that_cannot_be_read_is_not_passed_over(run):
    member("east")
    member("west", text="cluster: [\n")
    for verb in ("validate", "drift", "plan"):
        code, out, _ = run(verb, "fleet")
        assert code == 1 and "fleet/west.yaml:3:1: error: not valid YAML" in out, verb


@pytest.mark.parametrize("words", [("lint",), ("permissions",), ("history", "--ledger", "file:ledger.jsonl")])
def test_verbs_that_only_look_go_through_a_folder_and_past_a_spec_that_fails(run, words):
    member("a", text="cluster: [\n")
    member("b")
    verb, *more = words
    wrong = "fleet/a.yaml:3:1: error: not valid YAML"
    code, out, _ = run(verb, "fleet", *more)
    assert code == 1 and wrong in out and out.index(wrong) < out.index("fleet/b.yaml")
    code, out, _ = run(verb, "fleet", *more, "--json")
    first, second = json.loads(out)["specs"]
    assert code == 1 and first["files"] == ["fleet/a.yaml"] and wrong in first["error"]
    assert second.keys() - {"files"} and "error" not in second
    member("a")
    assert run(verb, "fleet", *more)[0] == 0


def test_markdown_of_a_folder_tells_a_spec_that_fails_too(run):
    member("a", text="cluster: [\n")
    member("b")
    code, out, _ = run("lint", "fleet", "--markdown")
    assert (
        code == 1
        and out.startswith("## `fleet/a.yaml`\n\n```\nfleet/a.yaml:3:1: error:")
        and "## `fleet/b.yaml`" in out
    )


def test_a_base_with_a_cluster_of_its_overlays_is_no_member(run):
    base = QUICKSTART.replace("https://telemetry.", "https://tele${env}.").replace(
        "clusters/telemetry", "clusters/tele${env}"
    )
    Path("fleet").mkdir()
    Path("fleet/base.yaml").write_text(base + "variables: { env: {} }\n")
    for name in ("dev", "prod"):
        Path(f"fleet/{name}.yaml").write_text(f"extends: [base.yaml]\nvariables: {{ env: {name} }}\n")
    code, out, err = run("apply", "fleet", "--yes")
    assert code == 0, out + err
    told = "fleet/base.yaml is no spec of its own but a base, of dev.yaml, prod.yaml: the variable 'env' has no value"
    assert err.count(told) == 1
    code, out, err = run("plan", "fleet", "--json")
    assert code == 0 and sorted(specs(out)) == ["dev", "prod"] and told in err
    assert run("validate", "fleet")[0] == 0
    code, out, err = run("plan", "fleet/base.yaml", "fleet/dev.yaml", "--json")
    assert code == 0 and json.loads(out)["spec_name"] == "dev", "a base and its overlay are one spec"


def test_a_spec_without_the_value_of_a_variable_fails_if_no_other_extends_it(run):
    member("east")
    member("west", text=QUICKSTART.replace("https://telemetry.", "https://tele${env}.") + "variables: { env: {} }\n")
    code, out, _ = run("plan", "fleet", "--json")
    assert code == 1 and "the variable 'env' has no value" in specs(out)["west"]["error"]


def test_what_a_plan_was_made_for_is_named_again_as_it_was_named(run):
    """A file that a spec extends may be a spec of its own: named beside it, it would be planned and applied, too."""
    member("prod")
    Path("fleet/dev.yaml").write_text(
        "extends: [prod.yaml]\nname: dev\nwave: 1\n"
        "cluster: { uri: https://dev.westeurope.kusto.windows.net, resourceId: null }\nmanage: { arm: check }\n"
    )
    code, out, err = run("apply", "fleet/dev.yaml", "--yes")
    assert code != 0, out + err
    assert "kxrecon plan fleet/dev.yaml --sandbox" in out and "fleet/prod.yaml" not in out
    run("plan", "fleet/dev.yaml")
    assert json.loads(Path(".kxrecon/plan.json").read_text())["spec_files"] == ["fleet/dev.yaml"]
    assert run("apply", "--yes", "--json")[0] == code
