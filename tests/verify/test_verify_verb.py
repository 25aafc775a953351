"""verify, explain and graph through the command line."""

from __future__ import annotations

import json

import pytest

from kxrecon import cli
from kxrecon.commands import _saved
from kxrecon.report import graph
from kxrecon.verdicts import Edge, Node, Picture
from kxrecon.verify import survey

from .conftest import DATABASE, SEED, URI


def test_a_broken_link_is_on_top_in_every_form(estate, run):
    assert run("verify", str(SEED))[0] == 0
    who = estate.principal("system")
    estate.do(f".drop database Telemetry viewers ('aadapp={who}')")
    code, out, _ = run("verify", str(SEED))
    assert code == 2
    lines = out.splitlines()
    assert lines[0].startswith("✗ Telemetry/EventsTo") and "broken at role" in lines[0]
    assert lines[1].split()[:2] == ["✗", "role"]
    assert "in database Telemetry: .add database ['Telemetry'] viewers" in lines[2]
    document = json.loads(run("verify", str(SEED), "EventsToBlob", "--json")[1])
    assert [one["firstBroken"] for one in document["exports"]] == ["role"]
    assert "**role**" in run("verify", str(SEED), "--markdown")[1]
    assert run("verify", str(SEED), "EventsToDwh")[0] == 0


def test_strict_fails_on_what_is_unknown(run):
    export = "Telemetry/EventsByRegion"
    bare = ("--cluster", URI, export)
    assert run("verify", *bare)[0] == 0
    assert run("verify", *bare, "--strict")[0] == 1


def test_exports_of_no_spec_are_verified_too(estate, run):
    resource = estate.spec.scope.cluster_id
    code, out, _ = run("verify", "--cluster", URI, "--resource-id", resource, "--json")
    document = json.loads(out)
    assert code == 0 and len(document["exports"]) == 5
    estate.do(f".drop database Telemetry viewers ('aadapp={estate.principal('exporter')}')")
    code, out, _ = run("verify", "--cluster", URI, "--resource-id", resource, "EventsToDwh", "--json")
    assert code == 2 and json.loads(out)["exports"][0]["firstBroken"] == "role"


@pytest.mark.parametrize("given", ["nonsense", "/", "/subscriptions", "/subscriptions/s/resourceGroups/g"])
@pytest.mark.parametrize("verb", ["verify", "status", "import"])
def test_an_id_that_is_no_cluster_s_is_refused(run, verb, given):
    code, _, err = run(verb, "--cluster", URI, "--resource-id", given)
    assert code == 1 and f"{given!r} is not the Azure resource id of a cluster, /subscriptions/ID/" in err


@pytest.mark.parametrize("verb", ["verify", "status", "graph"])
def test_an_address_without_its_scheme_is_refused(run, verb):
    code, _, err = run(verb, "--cluster", URI.removeprefix("https://"))
    assert code == 1 and "--cluster takes the cluster's address, https://NAME" in err


def test_a_spec_has_its_own_resource_id(estate, run):
    code, _, err = run("verify", str(SEED), "--resource-id", estate.spec.scope.cluster_id)
    assert code == 1 and "a spec has cluster.resourceId" in err
    other = estate.spec.scope.cluster_id.rpartition("/")[0] + "/another"
    code, _, err = run("verify", "--cluster", URI, "--resource-id", other)
    assert code == 1 and "names the cluster 'another'" in err


def test_without_a_spec_accounts_are_found_in_every_subscription_and_fixes_carry_no_mark(estate, run):
    estate.do(f".drop database Telemetry viewers ('aadapp={estate.principal('system')}')")
    bare = ("--cluster", URI, "--resource-id", estate.spec.scope.cluster_id)
    elsewhere = "/subscriptions/99999999-9999-4999-8999-999999999999/"
    for (key,), document in list(estate.store.all("account")):
        path = elsewhere + document["resourceId"].partition("/subscriptions/")[2].partition("/")[2]
        estate.store.put("account", (key,), {**document, "resourceId": path})
    code, out, _ = run("verify", *bare, "--whole")
    assert code == 2 and "is not shown to this caller" not in out
    assert ".add database ['Telemetry'] viewers" in out and "kxrecon/" not in out


def test_the_command_that_mends_names_every_file_of_the_spec(run, tmp_path):
    over = tmp_path / "over.json"
    change = {"intervalBetweenRuns": "5m"}
    over.write_text(json.dumps({"databases": {"Telemetry": {"continuousExports": {"EventsToBlob": change}}}}))
    code, out, _ = run("verify", str(SEED), str(over), "EventsToBlob", "--whole")
    (line,) = {line.partition("$ ")[2] for line in out.splitlines() if "$ kxrecon apply" in line}
    assert code == 2 and f"{SEED} {over} --sandbox-file" in line
    assert cli.main([*line.split()[1:], "--yes"]) == 0
    assert run("verify", str(SEED), str(over), "EventsToBlob")[0] == 0


def test_a_part_of_a_spec_is_told_from_a_plan_by_its_content():
    schema = json.loads((SEED.parents[1] / "schemas" / "kxrecon.schema.json").read_text())
    assert frozenset(schema["properties"]) == _saved._OF_SPECS


def test_a_missing_right_is_not_an_absent_grant(estate, run):
    estate.world.store.put("meta", ("caller",), {**estate.world.caller, "roles": {}})
    code, out, _ = run("verify", str(SEED), "EventsToBlob", "--json")
    links = {link["link"]: link for link in json.loads(out)["exports"][0]["links"]}
    assert links["network"]["verdict"] != "broken" and links["grant"]["verdict"] != "broken", links


def test_a_wrong_command_line_is_said(run):
    code, _, err = run("verify")
    assert code == 1 and "name a spec" in err
    code, _, err = run("verify", str(SEED), "--cluster", URI)
    assert code == 1 and "one or the other" in err
    code, _, err = run("explain", str(SEED))
    assert code == 1 and "which export?" in err


@pytest.mark.parametrize("verb", ["explain", "verify", "graph", "status"])
def test_names_may_stand_behind_options(estate, call, verb):
    code, out, err = call(verb, str(SEED), "--sandbox-file", str(estate.path), "EventsToBlob")
    assert code == 0 and "EventsToBlob" in out and "EventsToDwh" not in out, err
    code, out, err = call(verb, "--sandbox-file", str(estate.path), str(SEED), "--no-color", "EventsToBlob")
    assert code == 0 and "EventsToBlob" in out and "EventsToDwh" not in out, err
    code, _, err = call(verb, str(SEED), "--sandbox-file", str(estate.path), "EventsToBlob", "--bogus", "x")
    assert code == 1 and "unrecognized arguments: --bogus x" in err


def test_explain_draws_one_export(run):
    code, out, _ = run("explain", str(SEED), "EventsByRegion")
    assert code == 0
    assert out.startswith("export Telemetry/EventsByRegion\n├─ ✓ reads table Telemetry/Events\n")
    assert "may read database Reference" in out and "✓ callout" in out
    assert "EventsToBlob" not in out


def test_graph_speaks_mermaid_and_dot(estate, run):
    estate.lose("role_assignment")
    code, out, _ = run("graph", str(SEED), "--mermaid")
    assert code == 0 and out.startswith("flowchart LR\n")
    assert out.count('"export: ') == 5 and "✗ may write" in out and "#cf222e" in out
    assert out.count('"identity: exporter"') == 1
    code, out, _ = run("graph", str(SEED), "EventsToDwh", "--dot")
    assert code == 0 and out.startswith("digraph kxrecon {") and out.endswith("}\n")


def test_hostile_names_stay_text_in_pictures():
    nodes = (Node("a", "table", '"]; click n0 "javascript:x" <b>'), Node("b", "export", 'x\\"];\n--> evil'))
    picture = Picture(nodes, (Edge("a", "b", "read by", "unknown"),))
    drawn = graph.mermaid([("", picture)])
    assert drawn.count("\n") == 5 and "<b>" not in drawn and 'click n0 "' not in drawn
    lines = graph.dot([("", picture)]).splitlines()
    assert len(lines) == 7 and r"label=\"" not in graph.dot([("", picture)])


def questions(estate):
    """How many questions a survey of the whole cluster asks, by plane."""
    counted = {}

    class Counting:
        def __init__(self, name, plane):
            self.name, self.plane = name, plane

        def read(self, read):
            counted[self.name] = counted.get(self.name, 0) + 1
            return self.plane.read(read)

    with estate.planes() as planes:
        asking = {name: Counting(name, plane) for name, plane in planes.items()}
        known = survey(estate.spec.scope, estate.spec.desired, asking, everything=True)
    return counted, len(list(known.subjects()))


def test_the_number_of_reads_does_not_grow_with_healthy_exports(estate):
    before, few = questions(estate)
    key = (URI, DATABASE, "EventsToBlob")
    job = estate.store.get("continuous_export", *key)
    for number in range(40):
        name = f"Copy{number}"
        estate.store.put("continuous_export", (URI, DATABASE, name), {**job, "name": name})
    after, many = questions(estate)
    assert (few, many) == (5, 45)
    assert after == before
