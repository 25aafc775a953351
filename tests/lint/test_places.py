"""A finding stands at file, line and column inside the query, however the YAML writes it and wherever it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from kxrecon.commands.lint import findings, placed
from kxrecon.errors import Place
from kxrecon.kql_text import normalise_query
from kxrecon.spec import load, yaml
from kxrecon.spec.inside import scalars, whole
from kxrecon.spec.yaml import parse

HEAD = """\
version: 1
cluster: { uri: "https://t.westeurope.kusto.windows.net", identities: { system: true } }
targets: { lake: { url: "https://lake.blob.core.windows.net/archive", auth: impersonate } }
"""
BODY = """\
databases:
  Telemetry:
    tables: { Events: { columns: "Timestamp:datetime, Level:string" } }
    externalTables:
      Archive: { kind: storage, dataFormat: parquet, columns: "Timestamp:datetime, Level:string", target: lake, path: e }
    continuousExports:
      Job:
        over: [Events]
        to: Archive
        managedIdentity: system
        intervalBetweenRuns: 10m
"""
TAIL = "        isDisabled: false\n"
FORMS = {
    "plain": "query: Events | where Level != 'ä🦆' | where Timestamp > ago(1h)",
    "plain over lines": "query: Events\n          | where Level != 'x'\n\n          | where Timestamp > ago(1h)",
    "single-quoted": "query: 'Events | where Level != ''it''''s'' | where Timestamp > ago(1h)'",
    "double-quoted": r'''query: "Events\n\t| where Level != \"\u00e4\U0001F986\\\" | where Timestamp > ago(1h)"''',
    "double-quoted over lines": "query: \"Events | where \\\n          Level != 'x' |\n\n          where Timestamp > ago(1h)\"",
    "literal": "query: |\n          Events\n            | where Level != 'x'   \n\n          | where Timestamp > ago(1h)",
    "literal, stripped, indented, with a comment": "query: |2- # why\n            Events\n          | where Timestamp > ago(1h)",
    "folded": "query: >-\n          Events\n          | where Level != 'x'\n\n          | where Timestamp > ago(1h)",
    "with an anchor and a tag": "query: &mine !!str |\n          Events\n          | where Timestamp > ago(1h)",
    "a quoted key": '"query" : Events | where Timestamp > ago(1h)',
    "an explicit key": "? query\n        : Events | where Timestamp > ago(1h)",
}


def only(spec, code="KX111"):
    ((_, place),) = [(one, where) for one, where in placed(spec, findings(spec, deep=False)) if one.code == code]
    return place


def shown(place):
    return Path(place.file).read_text(encoding="utf-8-sig").splitlines()[place.line - 1][place.column - 1 :]


@pytest.mark.parametrize("form", FORMS)
def test_in_every_form_of_a_scalar(form, tmp_path):
    (tmp_path / "spec.yaml").write_text(HEAD + BODY + f"        {FORMS[form]}\n" + TAIL, encoding="utf-8")
    assert shown(only(load([str(tmp_path / "spec.yaml")]))).startswith("ago(1h)")


def test_in_a_flow_mapping_with_windows_line_ends(tmp_path):
    job = '{ to: Archive, over: [Events], query: "Events\\r\\n| where Timestamp > ago(1h)", managedIdentity: system, intervalBetweenRuns: 10m }'
    text = HEAD + BODY.partition("      Job:")[0] + f"      Job: {job}\n"
    (tmp_path / "spec.yaml").write_bytes(text.replace("\n", "\r\n").encode())
    assert shown(only(load([str(tmp_path / "spec.yaml")]))).startswith("ago(1h)")


def test_behind_an_alias_the_place_is_that_of_its_anchor(tmp_path):
    anchor = "variables: { late: &late 'Events | where Timestamp > ago(1h)' }\n"
    (tmp_path / "spec.yaml").write_text(HEAD + anchor + BODY + "        query: *late\n")
    spec = load([str(tmp_path / "spec.yaml")])
    place = only(spec)
    assert (place.line, shown(place)) == (4, "ago(1h)' }")


def test_behind_a_merge_key_the_place_is_in_what_is_merged(tmp_path):
    base = (
        BODY.replace("      Job:\n", "      Job: &job\n")
        + "        query: |\n          Events\n          | where Timestamp > ago(1h)\n"
    )
    more = "      Other:\n        <<: *job\n        isDisabled: true\n"
    (tmp_path / "spec.yaml").write_text(HEAD + base + more)
    spec = load([str(tmp_path / "spec.yaml")])
    places = [where for one, where in placed(spec, findings(spec, deep=False)) if one.code == "KX111"]
    assert len(places) == 2 and len(set(places)) == 1 and shown(places[0]).startswith("ago(1h)")


@pytest.fixture
def layered(tmp_path):
    """A base file with the export, and an overlay of it."""

    def write(base, overlay):
        (tmp_path / "base.yaml").write_text(HEAD + BODY + base)
        head = "version: 1\nextends: [base.yaml]\ndatabases: { Telemetry: { continuousExports: { Job: "
        (tmp_path / "prod.yaml").write_text(f"{head}{overlay} }} }} }}\n")
        return load([str(tmp_path / "prod.yaml")])

    return write


def test_an_overlay_that_says_nothing_of_the_query(layered):
    place = only(layered("        query: Events | where Timestamp > ago(1h)\n", "{ isDisabled: true }"))
    assert Path(place.file).name == "base.yaml" and shown(place).startswith("ago(1h)")


def test_an_overlay_s_own_query(layered):
    place = only(layered("        query: Events\n", '{ query: "Events | where Timestamp > ago(1h)" }'))
    assert Path(place.file).name == "prod.yaml" and shown(place).startswith("ago(1h)")


def test_an_overlay_s_query_in_place_of_a_file(layered, tmp_path):
    (tmp_path / "q.kql").write_text("Events")
    overlay = '{ queryFile: null, query: "Events | where Timestamp > ago(1h)" }'
    place = only(layered("        queryFile: q.kql\n", overlay))
    assert Path(place.file).name == "prod.yaml" and shown(place).startswith("ago(1h)")


def test_an_overlay_s_file_in_place_of_a_query(layered, tmp_path):
    (tmp_path / "late.kql").write_bytes(b"\xef\xbb\xbf// late\r\nEvents\r\n| where Timestamp > ago(1h)\r\n")
    place = only(layered("        query: Events\n", "{ query: null, queryFile: late.kql }"))
    assert (Path(place.file).name, place.line, place.column) == ("late.kql", 3, 21)


@pytest.mark.parametrize(
    "body",
    [
        'body: "{ Events | where Timestamp > ago(1h) }"',
        "body: |\n          {\n            Events\n            | where Timestamp > ago(1h)\n          }",
        "bodyFile: F.kql",
    ],
    ids=["quoted", "block", "file"],
)
def test_in_a_stored_function(body, tmp_path):
    (tmp_path / "F.kql").write_text("{\n    Events | where Timestamp > ago(1h)\n}\n")
    functions = f"    functions:\n      Late:\n        {body}\n"
    text = HEAD + BODY.replace("    externalTables:", functions + "    externalTables:") + "        query: Late()\n"
    (tmp_path / "spec.yaml").write_text(text)
    assert shown(only(load([str(tmp_path / "spec.yaml")]))).startswith("ago(1h)")


def test_a_query_file_that_is_gone_leaves_the_place_of_its_name(tmp_path):
    (tmp_path / "late.kql").write_text("Events | where Timestamp > ago(1h)")
    (tmp_path / "spec.yaml").write_text(HEAD + BODY + "        queryFile: late.kql\n")
    spec = load([str(tmp_path / "spec.yaml")])
    checked = findings(spec, deep=False)
    (tmp_path / "late.kql").unlink()
    ((_, place),) = placed(spec, checked)
    assert shown(place) == "queryFile: late.kql"


CHARACTERS = st.text(st.sampled_from("aB|'\"\\ \n\t#:&*!%@`{}[],>-?ä🦆\u2028\x85"), min_size=1, max_size=40)
STYLES = {
    "literal": lambda text: "|+\n" + "".join(f"  {line}\n" for line in text.split("\n")),
    "folded": lambda text: ">+\n" + "".join(f"  {line}\n" for line in text.split("\n")),
    "single": lambda text: "'" + text.replace("'", "''").replace("\n", "\n\n  ") + "'",
    "double": json.dumps,
    "double, unescaped": lambda text: (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\n\n  ") + '"'
    ),
    "plain": lambda text: text.replace("\n", "\n\n  "),
}


def taken_apart(written, pure):
    """The visible characters of the query, and its value, by one of the two parsers."""
    with pytest.MonkeyPatch.context() as patch:
        if pure:
            patch.setattr(yaml, "CParser", None)
        source = parse("f.yaml", written)
        value = None if isinstance(source, list) else source.document.get("query")
        return (scalars(source, [at := Place("f.yaml", 2, 1)]).get(at) if isinstance(value, str) else None), value


@pytest.mark.parametrize("pure", [False, True], ids=["C", "Python"])
@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=CHARACTERS)
def test_every_visible_character_has_its_own_place(style, pure, text):
    """Whatever the parser makes of a scalar: each visible character of the value is found where it stands."""
    written = f"# c\nquery: {STYLES[style](text)}\nnext: 1\n"
    try:
        visible, value = taken_apart(written, pure)
    except YAMLError:
        return
    if not isinstance(value, str) or not value.strip():
        return
    query = normalise_query(value)
    lines = written.split("\n")
    for offset, char in enumerate(query):
        if not char.isspace():
            place = visible.place(query, offset)
            there = lines[place.line - 1][place.column - 1 :]
            assert there[0] == char or there[0] == "\\"


def test_a_text_that_is_not_what_the_file_holds_has_no_place():
    file = whole("q.kql", "Events | where A > 1")
    assert file.place("Events | where B > 1", 15) is None
    assert file.place("", 0) is None
    assert file.place("Events | where A > 1", 15) == Place("q.kql", 1, 16)
