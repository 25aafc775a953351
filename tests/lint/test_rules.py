"""Each rule: one spec that triggers it, and one near miss that does not. Every rule has both, and a section."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kxrecon import cli
from kxrecon.commands.lint import findings, placed
from kxrecon.lint import check, rules
from kxrecon.model import Entity, Ref, State
from kxrecon.spec import load

DOCS = Path(__file__).parents[2] / "docs" / "lint.md"
FRAME = """\
version: 1
cluster: {{ uri: "https://t.westeurope.kusto.windows.net", identities: {{ system: true }} }}
targets: {{ lake: {{ url: "https://lake.blob.core.windows.net/archive", auth: impersonate }} }}
databases:
  Reference: {{ tables: {{ Levels: {{ columns: "Level:string, Rank:int" }} }} }}
  Telemetry:
    tables:
      Events: {{ columns: "Timestamp:datetime, Level:string"{policy} }}
      Levels: {{ columns: "Level:string" }}
    functions: {{ Cleaned: {{ body: "{{ Events | where isnotempty(Level) }}" }} }}
    externalTables:
      Archive: {{ kind: storage, dataFormat: {form}, columns: "Timestamp:datetime, Level:string", {place} }}
    continuousExports:
      Job: {{ to: Archive, query: {query}, {more} }}{others}
"""
DEFAULT = {
    "policy": "",
    "form": "parquet",
    "place": "target: lake, path: events",
    "query": "Events",
    "more": "over: [Events], managedIdentity: system, intervalBetweenRuns: 10m",
    "others": "",
}
MORE = DEFAULT["more"]
OTHER = "\n      Other: {{ to: {to}, query: Events, over: [Events], managedIdentity: system, intervalBetweenRuns: 1h }}"
JOIN = "\"Events | join kind=inner (database('Reference').Levels) on Level | project Timestamp, Level\""

# code → (what triggers it, what nearly does)
CASES = {
    "KX101": ({"query": '"Events | project Level, Timestamp"'}, {"query": "Cleaned() | where Level != ''"}),
    "KX110": ({"policy": ", ingestionTimePolicy: false"}, {"policy": ", ingestionTimePolicy: true"}),
    "KX111": (
        {"query": '"Events | where Timestamp > ago(1h)"'},
        {"query": "\"Events | where Timestamp > datetime(2026-01-01) and Level != 'ago(1h)'\""},
    ),
    "KX112": ({"query": '"Events | take 10"'}, {"query": "\"Events | where Level has '| take 10'\""}),
    "KX113": (
        {"query": '"Events | summarize Timestamp=max(Timestamp) by Level"'},
        {"query": '"Events // | summarize count()"'},
    ),
    "KX114": ({"more": MORE.replace("[Events]", "[Events, Levels]")}, {"query": "Cleaned()"}),
    "KX115": (
        {
            "query": '"Events | join kind=leftsemi Levels on Level"',
            "more": "managedIdentity: system, intervalBetweenRuns: 10m",
        },
        {"query": "Events", "more": "managedIdentity: system, intervalBetweenRuns: 10m"},
    ),
    "KX120": (
        {"query": "\"cluster('x').database('y').Events\""},
        {"query": "\"Events | where Level == 'cluster(1)'\""},
    ),
    "KX121": (
        {
            "query": JOIN,
            "more": "over: [Events], intervalBetweenRuns: 10m",
            "place": "connections: ['https://lake.blob.core.windows.net/a']",
        },
        {"query": JOIN},
    ),
    "KX122": ({"more": "over: [Events], intervalBetweenRuns: 10m"}, {}),
    "KX123": ({"place": "connections: ['https://lake.blob.core.windows.net/a']"}, {}),
    "KX124": (
        {"more": MORE.replace("10m", "1m")},
        {"more": MORE.replace("10m", "1m") + ", distributed: false"},
    ),
    "KX125": ({"more": MORE.replace("10m", "2d")}, {"more": MORE.replace("10m", "1d")}),
    "KX126": (
        {"form": "csv", "more": MORE + ", parquetRowGroupSize: 5000"},
        {"more": MORE + ", parquetRowGroupSize: 5000"},
    ),
    "KX127": ({"others": OTHER.format(to="Archive")}, {}),
    "KX130": ({"query": '"Events | where Level == "'}, {"query": "\"Foreign | where Level == 'a'\""}),
    "KX131": ({}, {}),
}


def spec_of(tmp_path, changes, tail=""):
    path = tmp_path / "spec.yaml"
    path.write_text(FRAME.format(**{**DEFAULT, **changes}) + tail)
    return load([str(path)])


def codes(spec):
    return {one.code for one in findings(spec).findings}


def test_the_plain_spec_has_no_findings(tmp_path):
    assert codes(spec_of(tmp_path, {})) == set()


@pytest.mark.parametrize("code", sorted(set(CASES) - {"KX131"}))
def test_a_rule_finds_its_case_and_not_the_near_miss(tmp_path, code):
    trigger, near = CASES[code]
    assert code in codes(spec_of(tmp_path, trigger))
    assert code not in codes(spec_of(tmp_path, near))


def test_a_source_that_is_nowhere_is_found_only_when_everything_was_read(tmp_path):
    spec = spec_of(tmp_path, {"query": "Evnts"})
    assert "KX102" not in codes(spec)
    seen = State({Ref("table", ("Telemetry", "Elsewhere")): Entity(Ref("table", ("Telemetry", "Elsewhere")), {})})
    assert "KX102" in {one.code for one in check(spec.document, spec.desired, seen).findings}
    there = Ref("table", ("Telemetry", "Evnts"))
    seen = State({there: Entity(there, {"columns": (("Timestamp", "datetime"), ("Level", "string"))})})
    assert "KX102" not in {one.code for one in check(spec.document, spec.desired, seen).findings}


def test_the_language_service_knows_what_a_join_gives(tmp_path):
    assert "KX101" not in codes(spec_of(tmp_path, {"query": JOIN}))
    wrong = JOIN.replace("| project Timestamp, Level", "| project Timestamp, Rank")
    (found,) = [one for one in findings(spec_of(tmp_path, {"query": wrong})).findings if one.code == "KX101"]
    assert "column 2 is Rank:int" in found.message


def test_every_rule_has_a_case_and_a_section():
    known = {one.code for one in rules()}
    assert set(CASES) | {"KX102"} == known
    sections = [line.split()[1] for line in DOCS.read_text().splitlines() if line.startswith("## KX")]
    assert sections == sorted(known)


@pytest.mark.parametrize(
    ("query", "line", "column"),
    [
        ('"Events | where Timestamp > ago(1h)"', 14, None),
        ("|\n          Events\n          | where Timestamp > ago(1h)\n       ", 16, 31),
    ],
    ids=["plain", "block"],
)
def test_a_finding_shows_its_place_inside_the_query(tmp_path, query, line, column):
    text = FRAME.format(**{**DEFAULT, "query": query})
    if column:
        head, _, tail = text.partition("      Job: { to: Archive, query: ")
        text = (
            head
            + "      Job:\n        to: Archive\n        over: [Events]\n        managedIdentity: system\n        intervalBetweenRuns: 10m\n"
        )
        text += "        query: " + query.rstrip() + "\n"
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    spec = load([str(path)])
    ((_, place),) = [(one, where) for one, where in placed(spec, findings(spec)) if one.code == "KX111"]
    assert text.splitlines()[place.line - 1][place.column - 1 :].startswith("ago(1h)")


def test_a_finding_in_a_query_file_shows_that_file(tmp_path):
    (tmp_path / "late.kql").write_text("Events\n| where Timestamp > ago(1h)\n")
    text = FRAME.format(**{**DEFAULT, "query": "X"}).replace("query: X", "queryFile: late.kql")
    (tmp_path / "spec.yaml").write_text(text)
    spec = load([str(tmp_path / "spec.yaml")])
    ((_, place),) = [(one, where) for one, where in placed(spec, findings(spec)) if one.code == "KX111"]
    assert (Path(place.file).name, place.line, place.column) == ("late.kql", 2, 21)


SILENCE = "silence: [ {{ rule: KX112, {entity}reason: a sample is what they want }} ]\n"


def test_a_silence_has_a_reason_and_stays_visible(tmp_path):
    case = CASES["KX112"][0]
    found = findings(spec_of(tmp_path, case, SILENCE.format(entity="entity: Telemetry/Job, ")))
    assert found.findings == () and found.silenced[0][1].reason == "a sample is what they want"
    assert codes(spec_of(tmp_path, case, SILENCE.format(entity="entity: Telemetry/Other, "))) == {"KX112"}
    assert codes(spec_of(tmp_path, case, SILENCE.format(entity=""))) == set()


@pytest.fixture
def run(tmp_path, capsys):
    def run(*argv):
        code = cli.main(list(argv))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_verb_fails_on_errors_only(run, tmp_path):
    path = str(tmp_path / "spec.yaml")
    spec_of(tmp_path, CASES["KX112"][0])
    code, out, _ = run("lint", path)
    assert code == 0 and f"{path}:" in out and "warning KX112: Telemetry/Job" in out
    assert run("lint", path, "--strict")[0] == 1
    spec_of(tmp_path, CASES["KX101"][0])
    code, out, _ = run("lint", path, "--json")
    document = json.loads(out)
    assert code == 1 and document["findings"][0]["code"] == "KX101" and document["findings"][0]["line"] > 1
    assert "| error KX101 |" in run("lint", path, "--markdown")[1]
    code, out, _ = run("lint", "--list")
    assert code == 0 and len(out.splitlines()) == len(rules())
    assert run("lint")[0] == 1


def test_findings_are_notes_of_validate(run, tmp_path):
    spec_of(tmp_path, CASES["KX112"][0])
    code, out, _ = run("validate", str(tmp_path / "spec.yaml"))
    assert code == 0 and "note: Telemetry/Job: KX112" in out


def test_without_the_extra_it_is_said_what_was_not_checked(monkeypatch, tmp_path):
    from kxrecon.lint import language

    monkeypatch.setattr(language, "find_spec", lambda name: None)
    language.available.cache_clear()
    try:
        found = findings(spec_of(tmp_path, {"query": '"Events | where Level == "'}))
        assert "kxrecon[kql]" in found.unchecked and found.findings == ()
    finally:
        language.available.cache_clear()
