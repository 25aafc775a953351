"""``extends``, RFC 7396, ``defaults`` and nulls: what several files make together, and who set a value last."""

from __future__ import annotations

import copy

from json_merge_patch import merge as merge_patch

from kxrecon.spec.files import merge, read
from tests.spec.conftest import FRAME, loaded, problems

EXPORT = ("databases", "Telemetry", "continuousExports", "ArchiveEvents")

# RFC 7396, appendix A: original, patch, result.
RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


def test_the_library_merges_as_the_rfc_says():
    for original, patch, result in RFC_7396:
        assert merge_patch(copy.deepcopy(original), patch) == result


def test_merging_changes_no_source(write):
    write(
        base="a: {b: 1, c: [1, {d: 2}]}\nsame: &s {x: 1}\nagain: *s\n",
        top="extends: [base.yaml]\na: {b: 2, e: {f: 1}}\nagain: {y: 2}\n",
    )
    sources, unreadable = read(["top.yaml"])
    before = copy.deepcopy([source.document for source in sources])
    merged = merge(sources)
    assert not unreadable
    assert merged["a"] == {"b": 2, "c": [1, {"d": 2}], "e": {"f": 1}}
    assert (merged["same"], merged["again"]) == ({"x": 1}, {"x": 1, "y": 2})
    merged["a"]["b"] = 3
    merged["a"]["e"]["f"] = 3
    assert [source.document for source in sources] == before


def test_an_overlay_wins_and_is_cited(write):
    write(
        base=FRAME,
        prod="extends: [base.yaml]\ndatabases:\n  Telemetry:\n    continuousExports:\n      ArchiveEvents: { intervalBetweenRuns: 5m }\n",
    )
    spec = loaded("prod")
    assert spec.name == "prod"
    assert spec.files == ("base.yaml", "prod.yaml")
    assert spec.document["databases"]["Telemetry"]["continuousExports"]["ArchiveEvents"]["intervalBetweenRuns"] == "5m"
    assert str(spec.place((*EXPORT, "intervalBetweenRuns"))) == "prod.yaml:5:24"
    assert str(spec.place((*EXPORT, "to"))).startswith("base.yaml:12:")
    assert str(spec.place((*EXPORT, "nonsense"))) == "prod.yaml:5:7"
    assert str(spec.place(("nonsense",))) == "prod.yaml:1:1"


def test_null_removes_an_entry_and_a_field(write):
    write(
        base=FRAME.replace("10m }", "10m, forcedLatency: 5m }"),
        one="extends: [base.yaml]\ndatabases: { Telemetry: { continuousExports: { ArchiveEvents: { forcedLatency: null } } } }\n",
        two="extends: [base.yaml]\ndatabases: { Telemetry: { continuousExports: { ArchiveEvents: null } } }\n",
    )
    assert "forcedLatency" not in loaded("one").document["databases"]["Telemetry"]["continuousExports"]["ArchiveEvents"]
    assert loaded("two").document["databases"]["Telemetry"]["continuousExports"] == {}


def test_null_that_removes_nothing_is_a_misspelt_name(write):
    write(
        base=FRAME,
        top="extends: [base.yaml]\ndatabases: { Telemetry: { continuousExports: { ArchivEvents: null } } }\n",
    )
    assert problems("top") == [
        "top.yaml:2:48: error: 'ArchivEvents' has no value, and no extended file sets one to remove "
        "(did you mean 'ArchiveEvents'?)"
    ]


def test_several_files_on_the_command_line_merge_in_order(write):
    write(base=FRAME, a="name: a\npolicyScope: cluster\n", b="name: b\n")
    spec = loaded("base", "a", "b")
    assert (spec.name, spec.scope.policy_scope) == ("b", "cluster")


def test_a_file_extended_twice_is_laid_down_once(write):
    write(
        base=FRAME + "policyScope: database\n",
        one="extends: [base.yaml]\npolicyScope: cluster\n",
        two="extends: [base.yaml]\ncloud: usgov\n",
        top="extends: [one.yaml, two.yaml]\n",
    )
    spec = loaded("top")
    assert (spec.scope.policy_scope, spec.scope.cloud) == ("cluster", "usgov")
    assert spec.files == ("base.yaml", "one.yaml", "two.yaml", "top.yaml")


def test_extending_in_circles_and_into_nothing_is_told(write):
    write(a="extends: [b.yaml]\n", b="extends: [a.yaml]\n", c="extends:\n  - base.yml\n", base=FRAME)
    assert problems("a") == ["b.yaml:1:11: error: 'a.yaml' extends itself: a.yaml → b.yaml → a.yaml"]
    assert problems("c") == [
        "c.yaml:2:5: error: cannot read 'base.yml': No such file or directory (did you mean 'base.yaml'?)"
    ]


def test_defaults_lie_under_entries_and_are_cited(write):
    frame = FRAME.replace(", dataFormat: parquet", "").replace("managedIdentity: system, ", "")
    write(
        base=frame
        + "defaults:\n  externalTables: { dataFormat: csv, compressed: true }\n  continuousExports: { managedIdentity: system }\n",
        top="extends: [base.yaml]\ndefaults: { externalTables: { dataFormat: tsv } }\n",
    )
    spec = loaded("top")
    table = spec.document["databases"]["Telemetry"]["externalTables"]["EventsArchive"]
    assert (table["dataFormat"], table["compressed"], table["target"]) == ("tsv", True, "lake")
    path = ("databases", "Telemetry", "externalTables", "EventsArchive")
    assert str(spec.place((*path, "dataFormat"))) == "top.yaml:2:31"
    assert str(spec.place((*path, "compressed"))) == "base.yaml:14:38"


def test_null_keeps_a_default_away_from_one_entry(write):
    write(
        base=FRAME.replace("10m }", "10m, forcedLatency: null }")
        + "defaults: { continuousExports: { forcedLatency: 5m, sizeLimit: 200000000 } }\n"
    )
    export = loaded("base").document["databases"]["Telemetry"]["continuousExports"]["ArchiveEvents"]
    assert "forcedLatency" not in export
    assert export["sizeLimit"] == 200000000


def test_defaults_of_another_kind_stay_away(write):
    write(
        base=FRAME.replace(
            "targets:\n", "targets:\n  dwh: { server: contoso.database.windows.net, database: Dwh }\n"
        ).replace(
            "    continuousExports:",
            '      Sql: { kind: sql, columns: "A:long", target: dwh, table: dbo.A }\n      Raw: { columns: "A:long", connections: ["https://c.blob.core.windows.net/a;impersonate"] }\n    continuousExports:',
        )
        + "defaults:\n  targets: { auth: impersonate, grantScope: account }\n  externalTables: { kind: storage, dataFormat: csv, target: lake, path: x }\n"
    )
    spec = loaded("base")
    tables = spec.document["databases"]["Telemetry"]["externalTables"]
    assert set(tables["Sql"]) == {"kind", "columns", "target", "table"}
    assert set(tables["Raw"]) == {"kind", "columns", "connections", "dataFormat"}
    assert set(spec.document["targets"]["dwh"]) == {"server", "database", "auth"}
    assert spec.document["targets"]["lake"]["grantScope"] == "account"


def test_bodies_are_read_beside_the_file_that_names_them(write):
    folder = write(top="extends: [inner/base.yaml]\n")
    (folder / "inner" / "kql").mkdir(parents=True)
    (folder / "inner" / "base.yaml").write_text(FRAME.replace("query: Events", "queryFile: kql/events.kql"), "utf-8")
    (folder / "inner" / "kql" / "events.kql").write_text("Events\r\n| where Level != '${x}'\r\n", "utf-8")
    before = loaded("top")
    export = before.document["databases"]["Telemetry"]["continuousExports"]["ArchiveEvents"]
    assert export["query"] == "Events\n| where Level != '${x}'\n"
    assert "queryFile" not in export
    (folder / "inner" / "kql" / "events.kql").write_text("Events\n", "utf-8")
    assert loaded("top").digest != before.digest


def test_odd_body_files_are_told_at_the_line_that_names_them(write):
    folder = write(base=FRAME.replace("query: Events", "queryFile: q.kql"))
    where = "base.yaml:12:59: error: "
    assert problems("base")[0].startswith(f"{where}cannot read 'q.kql': No such file")
    (folder / "q.kql").mkdir()
    assert problems("base") == [f"{where}'q.kql' is not a file"]
    (folder / "q.kql").rmdir()
    (folder / "q.kql").write_bytes(b"")
    assert problems("base") == [f"{where}'q.kql' is empty"]
    (folder / "q.kql").write_bytes(b"Events\n// caf\xe9\n")
    assert problems("base") == ["q.kql:2:7: error: the file is not UTF-8 text (save it as UTF-8)"]


def test_files_that_are_not_utf8_or_too_large(write, monkeypatch):
    folder = write()
    (folder / "latin.yaml").write_bytes(b"version: 1\n# caf\xe9\n")
    (folder / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + FRAME.encode())
    assert problems("latin") == ["latin.yaml:2:6: error: the file is not UTF-8 text (save it as UTF-8)"]
    assert loaded("bom").scope.cluster_uri
    with (folder / "huge.yaml").open("wb") as huge:
        huge.truncate(100_000_000)
    assert "is too large: 100 MB" in problems("huge")[0]
