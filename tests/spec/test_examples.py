"""The specs that we publish: the good ones load without a word, each bad one gets the message it announces."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from kxrecon.errors import SpecError
from kxrecon.spec import load, raw_render
from kxrecon.spec.schema import main_schema, overlay_schema
from kxrecon.spec.source import Source
from kxrecon.spec.yaml import parse

SPECS = Path(__file__).resolve().parents[2] / "specs"
INVALID = sorted((SPECS / "invalid").glob("*.yaml"))
GOOD = ("quickstart", "seed", "dev", "test", "prod")


@pytest.mark.parametrize("name", GOOD)
def test_a_good_spec_loads_and_its_exports_find_what_they_name(name):
    spec = load([str(SPECS / f"{name}.yaml")], environ={})
    assert spec.name == name
    assert not spec.notes
    assert spec.desired.of_kind("continuous_export")
    for entity in spec.desired.entities.values():
        assert spec.place(entity.path) is not None


def test_the_estate_has_about_thirty_exports_in_three_databases():
    exports = load([str(SPECS / "prod.yaml")], environ={}).desired.of_kind("continuous_export")
    assert 28 <= len(exports) <= 32
    assert {export.ref.name[0] for export in exports} == {"Telemetry", "Devices", "Sales"}


@pytest.mark.parametrize("name", GOOD)
def test_a_rendered_spec_means_the_same(name, tmp_path):
    path = tmp_path / f"{name}.yaml"
    before = load([str(SPECS / f"{name}.yaml")], environ={})
    path.write_text(raw_render([str(SPECS / f"{name}.yaml")], environ={}, origins=True), "utf-8")
    after = load([str(path)], environ={})
    assert after.desired == before.desired
    assert after.scope == before.scope


@pytest.mark.parametrize("name", ["base", *GOOD])
def test_editors_are_content(name):
    path = SPECS / f"{name}.yaml"
    source = parse(str(path), path.read_text("utf-8"))
    assert isinstance(source, Source)
    overlay = "extends" in source.document or name == "base"
    schema = overlay_schema(main_schema()) if overlay else main_schema()
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert not [error.message for error in validator.iter_errors(source.document)]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_each_mistake_gets_the_message_it_announces(path, monkeypatch):
    monkeypatch.chdir(SPECS.parent)
    expected = path.read_text("utf-8").splitlines()[0]
    assert expected.startswith("# expect: ")
    with pytest.raises(SpecError) as caught:
        load([str(path.relative_to(SPECS.parent))], environ={})
    errors = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert len(errors) == 1, str(caught.value)
    assert expected.removeprefix("# expect: ") in str(errors[0])
    assert errors[0].place is not None
    assert errors[0].place.file.endswith(path.name)


def test_every_query_yields_the_columns_of_its_table():
    """Our examples name their columns in the query or export whole tables; the service wants them equal."""
    for name in GOOD:
        document = load([str(SPECS / f"{name}.yaml")], environ={}).document
        for database in document["databases"].values():
            for export in (database.get("continuousExports") or {}).values():
                assert _names(database["externalTables"][export["to"]]["columns"]) == _result(export["query"], database)


def _names(columns):
    return list(columns) if isinstance(columns, dict) else [part.split(":")[0].strip() for part in columns.split(",")]


def _result(query, database):
    body = query.strip()
    if body.endswith("()"):
        body = database["functions"][body[:-2]]["body"].strip()
    steps = [step.strip() for step in body.replace("\n", " ").split("|")]
    if steps[-1].startswith("project "):
        return [name.strip() for name in steps[-1].removeprefix("project ").split(",")]
    assert "join" not in body
    return _names(database["tables"][steps[0]]["columns"])


def test_retired_storage_is_planned_only_on_request(tmp_path):
    text = (SPECS / "invalid" / "retired-gen1.yaml").read_text("utf-8")
    path = tmp_path / "gen1.yaml"
    path.write_text(text.replace("dataFormat: parquet", "dataFormat: parquet, allowRetired: true"), "utf-8")
    assert load([str(path)], environ={}).desired.of_kind("external_table")


def test_the_digest_follows_meaning_not_layout(tmp_path):
    text = (SPECS / "quickstart.yaml").read_text("utf-8")
    one, two, three = (tmp_path / str(number) / "q.yaml" for number in range(3))
    for path in (one, two, three):
        path.parent.mkdir()
    one.write_text(text, "utf-8")
    source = parse("q", text)
    assert isinstance(source, Source)
    two.write_text(json.dumps(dict(reversed(source.document.items()))), "utf-8")
    three.write_text(text.replace("10m", "11m"), "utf-8")
    digests = [load([str(path)], environ={}).digest for path in (one, two, three)]
    assert digests[0] == digests[1] != digests[2]
