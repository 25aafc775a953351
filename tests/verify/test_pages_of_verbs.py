"""--html of plan, verify and status, and graph --svg, through the command line; verify and status over a fleet."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kxrecon import cli
from kxrecon.history import Files
from kxrecon.sandbox.scheduler import ingest, tick
from kxrecon.verify import status as asking
from tests.pages.reading import read, titles

from .conftest import DATABASE, SEED, URI
from .test_status import ask

QUICKSTART = SEED.parent / "quickstart.yaml"


def cards(path):
    return {card.all("h3")[0].text: card for card in read(Path(path).read_text(encoding="utf-8")).all("li", "card")}


def run_all(estate, **later):
    estate.world.clock.advance(timedelta(**later))
    ingest(estate.store, estate.world.clock, URI, DATABASE, "Events", [["2026-03-05T10:00:00Z", 1, "Error", "x"]])
    tick(estate.store, estate.world.clock, estate.path.with_suffix(".files"))


def test_verify_writes_a_page_beside_its_other_output(estate, run):
    estate.do(".delete database Telemetry policy managed_identity")
    code, out, _ = run("verify", str(SEED), "--html", "out/verify.html")
    assert code == 2 and out.endswith("page: out/verify.html\n")
    assert stat.S_IMODE(Path("out/verify.html").stat().st_mode) == 0o600
    found = cards("out/verify.html")
    assert len(found) == 5
    (broken,) = found["Telemetry/EventsToDwh"].all("li", "broken")
    printed = json.loads(run("verify", str(SEED), "EventsToDwh", "--json", "--html", "one.html")[1])
    (link,) = (one for one in printed["exports"][0]["links"] if one["verdict"] == "broken")
    assert [" ".join(fix["text"].split()) for fix in link["fixes"] if fix["where"] != "person"] == [
        one.text for one in broken.all("pre")
    ]
    assert list(cards("one.html")) == ["Telemetry/EventsToDwh"]


def test_a_plan_writes_a_page_that_names_what_applies_it(estate, run):
    estate.do(".drop continuous-export EventsToBlob")
    code, out, _ = run("plan", str(SEED), "--html", "plan.html", "--out", "saved.json")
    assert code == 0 and "page: plan.html" in out
    root = read(Path("plan.html").read_text(encoding="utf-8"))
    assert "create continuous_export EventsToBlob" in titles(root)
    command = next(one.text for one in root.all("pre") if "--digest" in one.text)
    assert command.startswith("kxrecon apply saved.json --sandbox-file ")
    argv = command.split()
    assert cli.main([*argv[1:], "--yes"]) == 0, "it does just that"


def test_a_page_that_cannot_be_written_is_said_and_nothing_else_is_lost(estate, run, tmp_path):
    (tmp_path / "folder").mkdir()
    code, out, err = run("verify", str(SEED), "--html", str(tmp_path / "folder"))
    assert code == 1 and "5 exports: 5 hold." in out
    assert f"--html {tmp_path / 'folder'} cannot be written: Is a directory" in err


def test_status_draws_runs_failures_and_lateness(estate, run):
    for _ in range(4):
        run_all(estate, hours=1)
    estate.do(".delete database Telemetry policy managed_identity")
    for _ in range(3):
        run_all(estate, hours=1)
    code, out, _ = run("status", str(SEED), "--html", "status.html", "--days", "1")
    assert code == 2 and out.endswith("page: status.html\n")
    found = cards("status.html")
    failing, well = found["Telemetry/EventsToDwh"], found["Telemetry/EventsToBlob"]
    assert "AutomatedFlows" in failing.text and "3 × Failure" in failing.text
    said = [one.attributes["aria-label"] for one in failing.all("svg", "chart")]
    assert said == ["Lateness: Late 1 time, the longest 2h 30m", "Files per run: 4 runs wrote 4 files, 1 to 1 each"]
    assert [one.attributes["aria-label"] for one in well.all("svg", "chart")][
        1
    ] == "Files per run: 7 runs wrote 7 files, 1 to 1 each"


def test_a_history_is_asked_of_so_many_exports_those_that_are_not_well_first(estate, monkeypatch):
    for _ in range(2):
        run_all(estate, hours=1)
    estate.do(".disable continuous-export EventsToLake")
    monkeypatch.setattr(asking, "HISTORIES", 2)
    found, asked = ask(estate, history=True)
    known = {one.export.partition("/")[2]: one for one in found.exports if one.history is not None}
    assert list(known) == ["EventsByRegion", "EventsToLake"]
    assert len(known["EventsToLake"].history.runs) == 2 and isinstance(known["EventsToLake"].history.runs[0], Files)
    assert all("not asked" in one.untold for one in found.exports if one.export.partition("/")[2] not in known)
    assert sum("exported-artifacts" in text for text in asked) == 2
    _, asked = ask(estate, history=True, only=frozenset({"EventsToDwh"}))
    assert [text for text in asked if "EventsToDwh" in text] == [
        ".show continuous-export ['EventsToDwh'] failures",
        ".show continuous-export ['EventsToDwh'] exported-artifacts",
    ]


def test_what_may_not_be_read_is_not_counted_as_nothing(estate, run):
    """Failures and files take a monitor of the database, the state of an export takes less (kusto.md, Read commands)."""
    run_all(estate, hours=1)
    estate.world.store.put("meta", ("caller",), {**estate.world.caller, "roles": ["AllDatabasesViewer"]})
    code, out, _ = run("status", str(SEED), "--html", "status.html")
    assert code == 0
    assert "    could not be read (denied:" in out.splitlines()[2] and "files" not in out.splitlines()[0]
    card = cards("status.html")["Telemetry/EventsToBlob"]
    assert "could not be read (denied:" in card.text and not card.all("svg", "chart")
    document = json.loads(run("status", str(SEED), "--artifacts", "--json")[1])
    assert {(one["files"], one["untold"] is None) for one in document["exports"]} == {(None, False)}


# ---- many clusters
@pytest.fixture
def fleet(tmp_path, monkeypatch, call, capsys):
    monkeypatch.chdir(tmp_path)
    Path("fleet").mkdir()
    for name in ("east", "west"):
        text = QUICKSTART.read_text()
        text = text.replace("https://telemetry.", f"https://{name}.").replace("clusters/telemetry", f"clusters/{name}")
        Path("fleet", f"{name}.yaml").write_text(text)
    Path("fleet/wrong.yaml").write_text("version: 1\ncluster: { uri: 'https://wrong.kusto.windows.net' }\nfoo: 1\n")
    assert cli.main(["apply", "fleet/east.yaml", "--sandbox", "--yes"]) == 0

    def run(verb, *argv):
        capsys.readouterr()
        return call(verb, *argv, "--sandbox")

    return run


def test_a_fleet_is_verified_together(fleet):
    code, out, _ = fleet("verify", "fleet", "--html", "verify.html")
    assert code == 1, "one cannot be asked"
    assert "east  https://east.westeurope.kusto.windows.net\n✓ Telemetry/ArchiveEvents  every link holds" in out
    assert "$ kxrecon apply fleet/west.yaml --sandbox\n" in out and "fleet/wrong.yaml:3:1: error" in out
    root = read(Path("verify.html").read_text(encoding="utf-8"))
    assert root.all("h1")[0].text == "2 exports: 1 broken, 1 hold on 3 clusters; 1 could not be asked"
    assert titles(root) == ["Telemetry/ArchiveEvents west", "Telemetry/ArchiveEvents east"]
    code, out, _ = fleet("verify", "fleet/east.yaml", "fleet/west.yaml", "--json")
    verdicts = {one["name"]: one["exports"][0]["verdict"] for one in json.loads(out)["specs"]}
    assert code == 2 and verdicts == {"east": "holds", "west": "broken"}
    assert fleet("verify", "fleet", "--shard", "1/3")[0] == 0
    assert "### kxrecon verify `west`: 1 export: 1 broken" in fleet("verify", "fleet", "--markdown")[1]
    code, _, err = fleet("verify", "fleet", "ArchiveEvent")
    assert code == 1 and "did you mean 'ArchiveEvents'?" in err


def test_the_status_of_a_fleet_is_one_page_and_one_scrape(fleet):
    code, out, _ = fleet("status", "fleet", "ArchiveEvents", "--html", "status.html")
    assert code == 1 and out.count("1 export,") == 2
    root = read(Path("status.html").read_text(encoding="utf-8"))
    assert root.all("h1")[0].text == "2 exports on 3 clusters: 1 to look after; 1 could not be asked"
    code, out, err = fleet("status", "fleet", "--openmetrics")
    assert out.count("# EOF") == out.count("# TYPE kxrecon_export_healthy gauge") == 1
    assert [line.rpartition(" ")[2] for line in out.splitlines() if line.startswith("kxrecon_export_healthy{")] == [
        "1",
        "0",
    ]
    assert "wrong: fleet/wrong.yaml:3:1: error: unknown field 'foo'" in err
    names = {
        one["name"]: one.get("exports", [{}])[0].get("state")
        for one in json.loads(fleet("status", "fleet", "--json")[1])["specs"]
    }
    assert names == {"east": "new", "west": "missing", "wrong": None}


def test_a_fleet_is_planned_on_one_page(fleet):
    fleet("plan", "fleet", "--html", "plan.html")
    root = read(Path("plan.html").read_text(encoding="utf-8"))
    assert root.all("h1")[0].text == "3 specs: 7 to create; 1 without a plan"
    assert [one.all("h2")[0].text for one in root.all("section", "group")] == ["On west 7"]


# ---- graph
def test_graph_draws_itself(estate, run):
    estate.do(".delete database Telemetry policy managed_identity")
    code, out, _ = run("graph", str(SEED), "--svg")
    tree = ElementTree.fromstring(out)
    texts = [one.text for one in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert code == 0 and texts.count("✗ runs as") == 3 and texts.count("export") == 5
