"""Every verb reads "several specs or a folder" in the same way."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from tests.estates.conftest import QUICKSTART, member, specs

EXPORT = "Telemetry/ArchiveEvents"
BROKEN = QUICKSTART.replace("dataFormat: parquet", "dataFormat: parkett")


@pytest.fixture
def fleet(tmp_path, monkeypatch, call):
    """Two clusters of a folder, applied; the exports of the second are others."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        offline = argv[0] in ("validate", "render", "diff")
        return call(*argv, *([] if offline else ["--sandbox"]))

    member("east")
    member("west", text=QUICKSTART.replace("ArchiveEvents", "KeepEvents"))
    return run


@pytest.mark.parametrize("paths", [["fleet"], ["fleet/east.yaml", "fleet/west.yaml"]])
def test_render_prints_a_document_for_each_spec(fleet, paths):
    code, out, err = fleet("render", *paths)
    assert code == 0 and err == ""
    documents = list(YAML(typ="safe").load_all(out))
    assert [one["cluster"]["uri"].partition(".")[0] for one in documents] == ["https://east", "https://west"]
    assert out.startswith("---\n# fleet/east.yaml\n") and "\n---\n# fleet/west.yaml\n" in out
    member("east", text=BROKEN)
    code, out, err = fleet("render", *paths)
    assert code == 1 and "fleet/east.yaml:" in err and "parkett" in err
    assert [one["cluster"]["uri"].partition(".")[0] for one in YAML(typ="safe").load_all(out)] == ["https://west"]
    assert not fleet("render", *paths, "--shard", "1/2")[1].startswith("---\n# fleet/west")


def test_a_tree_of_each_cluster(fleet):
    fleet("apply", "fleet", "--yes")
    code, out, _ = fleet("graph", "fleet")
    assert code == 0
    assert out.startswith("east  https://east.westeurope.kusto.windows.net\nexport Telemetry/ArchiveEvents")
    assert "\nwest  https://west.westeurope.kusto.windows.net\nexport Telemetry/KeepEvents" in out
    code, out, _ = fleet("graph", "fleet/west.yaml")
    assert code == 0 and out.startswith("export Telemetry/KeepEvents")


def test_a_drawing_of_several_clusters_names_each(fleet):
    fleet("apply", "fleet", "--yes")
    names = [f"{name} https://{name}.westeurope.kusto.windows.net" for name in ("east", "west")]
    code, out, _ = fleet("graph", "fleet", "--mermaid")
    assert code == 0 and out.count("flowchart LR") == 1
    assert [line for line in out.splitlines() if "subgraph" in line] == [
        f'  subgraph s{number}["{name}"]' for number, name in enumerate(names)
    ]
    assert out.count("  end\n") == 2 and out.count("linkStyle") == out.count("-->") + out.count("-.->")
    code, out, _ = fleet("graph", "fleet", "--dot")
    assert code == 0 and out.count("digraph") == 1 and out.count("subgraph cluster_") == 2
    assert all(f'  label="{name}";' in out for name in names)
    code, out, _ = fleet("graph", "fleet", "--svg")
    root = ElementTree.fromstring(out)
    space = "{http://www.w3.org/2000/svg}"
    assert code == 0 and [one.text for one in root.findall(f"{space}text")] == names
    drawings = root.findall(f"{space}g/{space}svg")
    assert len(drawings) == 2
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids)) == 3
    downs = [float(one.get("transform").partition("0 ")[2].rstrip(")")) for one in root.findall(f"{space}g")]
    assert downs[1] >= downs[0] + float(drawings[0].get("height"))
    assert float(root.get("height")) >= downs[1] + float(drawings[1].get("height"))


def test_explain_shows_an_export_of_each_cluster_that_has_it(fleet):
    member("north")
    fleet("apply", "fleet", "--yes")
    code, out, _ = fleet("explain", "fleet/north.yaml", "fleet/west.yaml", EXPORT)
    assert code == 0 and out.startswith("north  https://north.") and "https://west." not in out
    code, out, _ = fleet("explain", "fleet", EXPORT)
    assert code == 0 and out.count("\nexport Telemetry/ArchiveEvents") == 2 and "https://west." not in out
    code, _, err = fleet("explain", "fleet", "Telemetry/ArchiveEvent")
    assert code == 1 and "there is no export 'Telemetry/ArchiveEvent'; did you mean 'Telemetry/ArchiveEvents'?" in err
    member("east", text=BROKEN)
    code, out, _ = fleet("explain", "fleet", EXPORT)
    assert code == 1 and "parkett" in out and out.count("\nexport Telemetry/ArchiveEvents") == 1
    code, out, err = fleet("graph", "fleet", "--dot")
    assert code == 1 and "parkett" in err and out.count("subgraph cluster_") == 2


def test_folders_are_compared_by_the_names_of_their_specs(fleet):
    other = Path("other")
    other.mkdir()
    for name in ("east", "west"):
        (other / f"{name}.yaml").write_text(Path(f"fleet/{name}.yaml").read_text())
    code, out, _ = fleet("diff", "fleet", "other", "--detailed-exitcode")
    assert code == 0 and out.count("equal") >= 2
    (other / "west.yaml").rename(other / "north.yaml")
    (other / "east.yaml").write_text(Path("fleet/east.yaml").read_text().replace("10m", "20m"))
    assert fleet("diff", "fleet", "other")[0] == 0
    code, out, _ = fleet("diff", "fleet", "other", "--detailed-exitcode")
    assert code == 2 and out.startswith("east.yaml\n- fleet/east.yaml, + other/east.yaml\n")
    assert "intervalBetweenRuns  10m → 20m" in out
    assert [line.rpartition("  ")[2] for line in out.splitlines() if line.startswith(("north.yaml", "west.yaml"))] == [
        "only in the second",
        "only in the first",
    ]
    code, out, _ = fleet("diff", "fleet", "other", "--json")
    found = specs(out)
    assert code == 0 and len(found["east.yaml"]["differences"]) == 1
    assert found["north.yaml"]["first"] is None and found["west.yaml"]["second"] is None
    (other / "east.yaml").write_text(BROKEN)
    code, out, _ = fleet("diff", "fleet", "other")
    assert code == 1 and "other/east.yaml:" in out
    code, _, err = fleet("diff", "fleet", "other/east.yaml")
    assert code == 1 and "a spec with a spec, or a folder with a folder" in err


@pytest.mark.parametrize("paths", [["fleet"], ["fleet/east.yaml", "fleet/west.yaml"]])
def test_a_rotation_is_of_one_spec(fleet, paths):
    before = [Path(f"fleet/{name}.yaml").read_text() for name in ("east", "west")]
    for words in (("identity", "--from", "system", "--to", "x"), ("target", "--from", "lake", "--to", "x"), ("done",)):
        code, _, err = fleet("rotate", words[0], *paths, *words[1:])
        assert code == 1
        assert "rotate edits one spec, and these are 2: name one of fleet/east.yaml, fleet/west.yaml" in err
    assert [Path(f"fleet/{name}.yaml").read_text() for name in ("east", "west")] == before


@pytest.mark.parametrize("words", [("validate",), ("lint",), ("permissions",), ("history", "--ledger", "file:l.jsonl")])
def test_a_share_of_a_fleet_is_looked_at_by_verbs_that_only_look(tmp_path, monkeypatch, call, words):
    monkeypatch.chdir(tmp_path)
    files = [member(name) for name in ("east", "west")]
    verb, *more = words
    shares = []
    for number in (1, 2):
        code, out, err = call(verb, "fleet", "--shard", f"{number}/3", *more)
        assert code == 0, err
        shares.append(out)
    code, out, _ = call(verb, "fleet", "--shard", "3/3", "--json", *more)
    assert code == 0 and json.loads(out)["specs"] == []
    assert [[file in share for file in files] for share in shares] == [[True, False], [False, True]]
