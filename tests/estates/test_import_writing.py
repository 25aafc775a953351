"""The YAML that import writes: what a URL, a name or a text may hold, every reader of YAML reads it as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kxrecon import cli
from kxrecon.sandbox.embedded import embed
from kxrecon.spec.yaml import parse
from kxrecon.takeover.write import to_yaml

from .raw import CLUSTER, Estate, Feed
from .test_import_laws import estate_of, planned_afresh, taken

TEXTS = (
    "https://flatlake.blob.core.windows.net/archive",
    "a:b",
    ":a",
    "a: b",
    "[x]",
    "{y}",
    "a, b",
    "x #y",
    "?z",
    "-",
    "null",
    "1.0",
    "",
    "it's",
    '"quoted"',
    "*a",
    "&a",
    "!t",
    "%p",
    "@at",
    "`tick",
    "a\tb",
)


def read_back(value, *path):
    document = value
    for step in reversed(path):
        document = {step: document}
    found = parse("s.yaml", to_yaml(document, {}, (), ()))
    assert not isinstance(found, list), (found, to_yaml(document, {}, (), ()))
    here = found.document
    for step in path:
        here = here[step]
    return here


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", ["value", "item", "key", "plain"])
def test_every_text_is_read_back_as_it_was(text, form):
    value = {"value": {"url": text, "auth": "x"}, "item": {"connections": [text]}, "key": {text: "x"}, "plain": text}
    assert read_back(value[form], "targets", "lake") == value[form]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12))
def test_whatever_a_text_holds(text):
    assert read_back({"a": text, "b": [text]}, "x", "y") == {"a": text, "b": [text]}


def test_a_url_on_a_line_is_in_quotes():
    text = to_yaml({"targets": {"lake": {"url": "https://a.blob.core.windows.net/c", "auth": "key"}}}, {}, (), ())
    assert 'lake: {url: "https://a.blob.core.windows.net/c", auth: key}' in text


def test_a_database_whose_name_a_spec_refuses_is_left_out_and_said(tmp_path):
    databases = ("Telemetry", "Größen", "Reference")
    with embed(tmp_path / "s.db") as bare:
        Estate(bare, databases=databases)
    with embed(tmp_path / "s.db") as ends:
        estate = Estate(ends, databases=databases)
        estate.feed(Feed(name="A"))
        estate.feed(Feed(name="B", database="Größen"))
        result, _ = taken(ends)
        spec, plan = planned_afresh(ends, result)
    assert list(spec.document["databases"]) == ["Telemetry"]
    assert plan.actions == () and result.residue == ()
    (said,) = (one for one in result.left_out if "Größen/B:" in one)
    assert said.startswith("continuous_export Größen/B: its database Größen: ") and "ASCII letters" in said, said
    assert f"#   {said}" in result.text


def test_a_spec_that_cannot_be_read_is_kept_where_the_error_says(tmp_path, monkeypatch, capsys):
    with estate_of(tmp_path, [Feed(name="A")]):
        pass
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kxrecon.takeover.estate.to_yaml", lambda *_: "version: 1\ndatabases: {a: :}\n")
    asked = ["import", "--cluster", CLUSTER, "--sandbox-file", "s.db"]
    assert cli.main([*asked, "--out", "specs"]) == 1
    told = capsys.readouterr().err
    place = Path(".kxrecon/import-telemetry/telemetry.yaml")
    assert f"{place}:2:" in told and place.read_text() == "version: 1\ndatabases: {a: :}\n", told
    assert not Path("specs").exists()
