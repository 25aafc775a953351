"""The published schemas: what they accept, what they say, and that both regex engines agree."""

from __future__ import annotations

import json
import re

import jsonschema
import jsonschema_rs
import pytest

from kxrecon.spec.explain import explain
from kxrecon.spec.schema import MAIN, OVERLAY, main_schema, overlay_schema, schema_path, schema_text, strict_schema
from kxrecon.spec.validate import validate
from tests.spec.conftest import FRAME, problems


def test_both_schemas_are_valid_and_one_is_made_from_the_other():
    for name in (MAIN, OVERLAY):
        schema = json.loads(schema_path(name).read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema_rs.Draft202012Validator(schema)
        assert not [ref for ref in references(schema) if not ref.startswith("#/$defs/")]
    assert json.loads(schema_text(overlay=True)) == overlay_schema(main_schema())
    assert json.loads(schema_text()) == main_schema()


def walk(schema):
    yield schema
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from walk(value)


def references(schema):
    return [part["$ref"] for part in walk(schema) if isinstance(part, dict) and isinstance(part.get("$ref"), str)]


def fields(schema, at=""):
    """Every field of the spec with its schema, conditions left aside."""
    for name, part in schema.get("properties", {}).items():
        yield f"{at}/{name}", part
        yield from fields(part, f"{at}/{name}")
    for name, part in schema.get("$defs", {}).items():
        yield from fields(part, f"{at}/{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key], at)


def test_every_field_is_described():
    definitions = main_schema()["$defs"]
    for name, part in fields(main_schema()):
        target = definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else {}
        assert part.get("description") or target.get("description"), name


def test_every_example_is_valid_where_it_stands():
    schema = main_schema()
    for part in walk(schema):
        if isinstance(part, dict) and isinstance(part.get("examples"), list):
            complete = {**part, "$defs": schema["$defs"]} if part is not schema else schema
            if "$defs" not in part or part is schema:
                validator = jsonschema_rs.Draft202012Validator(complete)
                for example in part["examples"]:
                    assert validator.is_valid(example), example


def patterns():
    found = {
        part["pattern"]
        for part in walk(main_schema())
        if isinstance(part, dict) and isinstance(part.get("pattern"), str)
    }
    return sorted(found | {"^x-"})


SAMPLES = [
    "", "a", "A1", "lake", "a b", "a-b", "a.b", "_x", "1x", "é", "a\n", "\na", "x-a", "10m", "1.5d", "01:30:00", "1.00:00:00",
    "time(1h)", "1 h", "10", "10 minutes", "A:long", "A:long, B:string", "A", ":", "2026-12-01", "2026-12-1", "loses-cursor",
    "https://c.blob.core.windows.net/a", "https://c.blob.core.windows.net/a?x=1", "https://c.blob.core.windows.net/a;k",
    "abfss://f@c.dfs.core.windows.net/", "adl://c.azuredatalakestore.net/a", "http://x", "https://c.kusto.windows.net",
    "https://c.kusto.windows.net/", "https://c.kusto.windows.net/db", "c.database.windows.net", "c.database.windows.net,1433",
    "/subscriptions/1/resourceGroups/r", "/subscriptions/", "6f0e9c1e-0000-4000-8000-000000000001", "aadgroup=x;y", "a\r\nb",
    "٣m", "１０m", "a\u2028b", "a\x00b",
]  # fmt: skip


@pytest.mark.parametrize("pattern", patterns())
def test_both_regex_engines_judge_alike(pattern):
    assert pattern.isascii()
    assert not re.search(r"\\[dwbp]", pattern), "classes whose Unicode reach differs between the engines"
    fast = jsonschema_rs.Draft202012Validator({"pattern": pattern})
    slow = jsonschema.Draft202012Validator({"pattern": pattern})
    differing = [text for text in SAMPLES if fast.is_valid(text) != slow.is_valid(text)]
    assert all(text.endswith("\n") for text in differing), differing  # Python's $ matches before a last newline


def test_where_only_the_fast_validator_refuses_its_words_are_shown():
    document = {"version": 1, "name": "a\n"}
    assert not list(explain(strict_schema(), document, ()))
    (problem,) = validate(document)
    assert problem.path == ("name",)


def test_a_valid_document_has_no_problems():
    assert validate({"version": 1}) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("to: EventsArchive", "too: EventsArchive"), ["12:40: error: Telemetry/ArchiveEvents: unknown field 'too' (did you mean 'to'?)"]),
        (("10m", "10m, DISTRIBUTED: true"), ["unknown field 'DISTRIBUTED' (did you mean 'distributed'?)"]),
        (("10m", "10m, distribution: per_nodes"), ["'per_nodes' is not one of single, per_node, per_shard (did you mean 'per_node'?)"]),
        (("over: [Events]", "over: Events"), ["'Events' is not a list"]),
        (("over: [Events]", "over: []"), ["a list is not allowed: the list is empty"]),
        (("over: [Events]", "over: [Events, Events]"), ["a list is not allowed: an item appears twice"]),
        (("query: Events", "query: ''"), ["'' is not allowed: it is empty"]),
        (("query: Events", "query: 5"), ["'5' is not a text (quote it)"]),
        (("query: Events", "query: { a: b }"), ["a mapping is not a text"]),
        (("target: lake", "target: true"), ["true is not a text (quote it)"]),
        (("EventsArchive: {", "'Events/Archive': {"), ["the name 'Events/Archive' is not a name of ASCII letters"]),
        (("lake: {", "lake: { typo: 1,"), ["targets/lake: unknown field 'typo'"]),
        (("auth: impersonate", "auth: managedIdentity"), ["targets/lake: auth managedIdentity needs an identity"]),
        (("auth: impersonate", "auth: sas"), ["targets/lake: this auth needs a secret"]),
        (("auth: impersonate", "auth: impersonate, server: x"), ["'url' does not go with a target that has a server", "'database' is missing"]),
        (("target: lake,", ""), ["Telemetry/EventsArchive: a table needs a target, or connections of its own"]),
        (("target: lake,", 'target: lake, connections: ["https://c.blob.core.windows.net/a"],'), ["'target' does not go with connections"]),
        (("version: 1", "version: 2"), ["1:1: error: '2' is not version 1: this kxrecon reads no other"]),
        (("version: 1\n", ""), ["'version' is missing"]),
        (("cluster: {", "clusters: 1\ncluster: {"), ["unknown field 'clusters' (did you mean 'cluster'?)"]),
        (("targets:", "principals: [a]\ntargets:"), ["2:1", "a list is not a mapping"]),
        (("    tables:", "    tabels: {}\n    tables:"), ["unknown field 'tabels' (did you mean 'tables'?)"]),
        (("dataFormat:", "format:"), ["unknown field 'format' (did you mean 'dataFormat' or 'pathFormat'?)"]),
        (("    tables:", "    roles: { viewer: { add: [] } }\n    tables:"), ["unknown field 'viewer' (did you mean 'viewers'?)"]),
        (("    tables:", "    managedIdentityPolicy: { system: [AutomatedFlow] }\n    tables:"), ["(did you mean 'AutomatedFlows'?)"]),
        (("cluster: {", "cluster: { identities: { system: false },"), ["false is not true: leave the line out"]),
    ],
)  # fmt: skip
def test_messages_name_the_place_and_the_nearest_right_thing(write, change, told):
    assert change[0] in FRAME
    write(base=FRAME.replace(change[0], change[1], 1))
    found = "\n".join(problems("base"))
    missing = [words for words in told if words not in found]
    if "2:1" in missing and re.search(r"base\.yaml:\d+:1: ", found):
        missing.remove("2:1")
    assert not missing, found


@pytest.mark.parametrize("name", ["0", "7", "007", "+7"])
def test_an_entry_whose_name_is_a_number_is_explained_as_any_other(write, name):
    """The fast validator tells such a name as an index."""
    write(main=FRAME.replace("      EventsArchive: { kind", f'      "{name}": {{ kinds'))
    told = problems("main")
    assert any("kinds" in line and "main.yaml:10:" in line and name in line for line in told), told


def test_all_problems_come_at_once_in_file_order(write):
    write(
        base=FRAME.replace("dataFormat: parquet", "dataFormat: parqet").replace(
            'Level:string" }\n', 'Level:strin" }\n      Events: { columns: "A:long" }\n', 1
        )
        + "      Other: { over: [Events], to: EventsArchiv, query: Events, managedIdentity: sytem, intervalBetweenRuns: 5s }\n"
        + "      More: { over: [Events], to: Nothing, queryFile: nope.kql, intervalBetweenRuns: 5m }\n"
        + "      Last: { over: [Events], to: Nothing, query: Events, intervalBetweenRuns: 5m }\n"
    )
    found = problems("base")
    assert [line.split(": ")[0].split(":")[1] for line in found] == sorted(
        [line.split(": ")[0].split(":")[1] for line in found], key=int
    )
    text = "\n".join(found)
    for words in (
        "'parqet'",
        "'Events' appears twice",
        "under a minute",
        "sytem",
        "nope.kql",
        "unknown external table 'Nothing'",
    ):
        assert words in text, text


def test_ten_thousand_wrong_entries_are_cut_short():
    tables = {f"T{number}": {"columns": 5} for number in range(3000)}
    found = validate({"version": 1, "databases": {"D": {"tables": tables}}})
    assert 900 <= len(found) <= 1000


def test_the_overlay_schema_takes_parts_and_nulls():
    validator = jsonschema_rs.Draft202012Validator(overlay_schema(main_schema()))
    assert validator.is_valid(
        {"databases": {"D": {"continuousExports": {"X": None, "Y": {"intervalBetweenRuns": "5m"}}}}}
    )
    assert validator.is_valid({"targets": {"lake": {"url": None}}, "cluster": None})
    assert not validator.is_valid({"databases": {"D": {"continuousExports": {"Y": {"intervalBetweenRun": "5m"}}}}})
    assert not validator.is_valid({"databases": {"D": {"externalTables": {"Y": {"dataFormat": "avro"}}}}})
