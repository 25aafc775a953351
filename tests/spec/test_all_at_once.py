"""Loading tells all problems at once, and none that is there only because of another one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ruamel.yaml import YAML

from kxrecon.errors import SpecError
from kxrecon.spec import load
from tests.ground import SPECS

QS = YAML(typ="safe").load((SPECS / "quickstart.yaml").read_text("utf-8"))
JOB = "databases.Telemetry.continuousExports.ArchiveEvents"
TABLE = "databases.Telemetry.externalTables.EventsArchive"
EXPORTER = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/a/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
GONE = object()


def problems(tmp_path, changes: dict[str, Any], severity: str = "error") -> list[str]:
    """The errors of the quickstart with some values changed."""
    document = deepcopy(QS)
    for path, value in changes.items():
        *steps, last = path.split(".")
        here = document
        for step in steps:
            here = here.setdefault(step, {})
        if value is GONE:
            del here[last]
        else:
            here[last] = value
    file = tmp_path / "spec.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(document, out)
    try:
        load([str(file)], environ={})
    except SpecError as error:
        return sorted(one.message for one in error.problems if one.severity == severity)
    return []


WRONG = {
    "to": ({f"{JOB}.to": "EventArchive"}, "unknown external table 'EventArchive'"),
    "interval": ({f"{JOB}.intervalBetweenRuns": "30s"}, "intervalBetweenRuns 30s is under a minute"),
    "identity": ({f"{JOB}.managedIdentity": "exporter"}, "unknown identity 'exporter'"),
    "size": ({f"{JOB}.sizeLimit": 5}, "'5' is not a size in bytes from 100 MB (100000000) to 1 GB (1073741824)"),
    "format": ({f"{TABLE}.dataFormat": "xml"}, "'xml' is not one of csv, tsv, json, parquet"),
    "partition": (
        {f"{TABLE}.partitions": [{"name": "Day", "type": "datetime", "startOfDay": "Time"}]},
        "unknown column 'Time'",
    ),
    "path": ({f"{TABLE}.pathFormat": "Day("}, "neither a text in quotes"),
    "cluster": ({"cluster.uri": "telemetry"}, "'telemetry' is not"),
    "prune": ({"prune": {"exports": "all"}}, "unknown field 'exports'"),
    "role": ({"databases.Telemetry.roles": {"viewers": {"add": [7, "nobody"]}}}, "unknown principal 'nobody'"),
    "policy": ({"databases.Telemetry.managedIdentityPolicy": {"nobody": ["All"]}}, "unknown identity 'nobody'"),
    "assignment": (
        {"roleAssignments": {"a": {"principal": "x", "role": "Reader", "scope": "/"}, "b": {"role": 7}}},
        "unknown principal 'x'",
    ),
    "rotation": ({"rotations": {"identities": {"new": {"from": "old"}}}}, "unknown identity 'old'"),
    "date": ({"allow": [{"hazard": "drops-data", "until": "2026-13-01", "reason": "x"}]}, "2026-13-01"),
    "file": ({"databases.Telemetry.functions": {"F": {"bodyFile": "gone.kql"}}}, "cannot read"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_problem_is_told_among_all_others(tmp_path, name):
    mine, message = WRONG[name]
    alone = problems(tmp_path, mine)
    assert any(message in one for one in alone), alone
    for other, (changes, _) in WRONG.items():
        both = problems(tmp_path, {**changes, **mine})
        if {other, name} not in OF_ONE:
            assert sorted({*alone, *problems(tmp_path, changes)}) == sorted(set(both)), other


OF_ONE = [{"partition", "path"}]  # a path format may name what a wrong partition was to be


def test_everything_wrong_is_told_in_one_go(tmp_path):
    changes = {key: value for one, _ in WRONG.values() for key, value in one.items()}
    told = problems(tmp_path, changes)
    for name, (_, message) in WRONG.items():
        assert name == "path" or any(message in one for one in told), (name, told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"targets": {"lake": "x"}}, ["'x' is not a mapping"]),
        ({"targets": []}, ["a list is not a mapping"]),
        ({"targets": {"lake": {"url": 7, "auth": "impersonate"}}}, ["'7' is not"]),
        ({TABLE: "x"}, ["'x' is not a mapping"]),
        ({f"{TABLE}.columns": GONE}, ["'columns' is missing"]),
        ({f"{TABLE}.kind": "disk"}, ["'disk' is not"]),
        ({"databases.Telemetry.externalTables": 3}, ["'3' is not a mapping"]),
        ({f"{TABLE}.columns": "Timestamp:datetim", f"{TABLE}.pathFormat": "Day"}, ["datetim"]),
        ({"cluster.identities": {"exporter": 7}, f"{JOB}.managedIdentity": "exporter"}, ["'7' is not"]),
        ({"cluster.identities": 7, f"{JOB}.managedIdentity": "exporter"}, ["'7' is not a mapping"]),
        ({"principals": {"oncall": 7}, "databases.Telemetry.roles": {"viewers": {"add": ["oncall"]}}}, ["'7' is not"]),
        ({f"{JOB}.query": GONE, f"{JOB}.queryFile": "gone.kql"}, ["cannot read"]),
        ({f"{JOB}.intervalBetweenRuns": GONE, f"{JOB}.intervalBetweenRun": "10m"}, ["unknown field 'intervalBetweenRun'"]),
        ({f"{TABLE}.dataFormat": GONE, f"{TABLE}.dataformat": "csv"}, ["unknown field 'dataformat'"]),
        (
            {
                "cluster.identities": {"exporter": 7},
                "targets": {"lake": {"url": "https://a.blob.core.windows.net/c", "auth": "managedIdentity", "identity": "exporter"}},
            },
            ["'7' is not"],
        ),
        ({"databases": []}, ["a list is not a mapping"]),
        ({"cluster": "x"}, ["'x' is not a mapping"]),
    ],
)  # fmt: skip
def test_no_problem_is_a_mere_consequence_of_another(tmp_path, changes, told):
    found = problems(tmp_path, changes)
    assert len(found) == len(told) and all(part in one for part, one in zip(told, found, strict=True)), found


def test_items_of_a_list_keep_their_places_when_others_are_taken_out(tmp_path):
    file = tmp_path / "spec.yaml"
    text = (SPECS / "quickstart.yaml").read_text("utf-8")
    file.write_text(
        text.replace("    tables:", "    roles: { viewers: { add: [7, nobody, 8, stranger] } }\n    tables:"), "utf-8"
    )
    with pytest.raises(SpecError) as error:
        load([str(file)], environ={})
    places = {one.path[-1]: one.message for one in error.value.problems}
    assert "nobody" in places[1] and "stranger" in places[3] and sorted(places) == [0, 1, 2, 3]


@pytest.mark.parametrize("wound", ["name: !secret x\n", "---\nversion: 1\n"])
def test_what_yaml_means_but_a_spec_does_not_hides_nothing_else(tmp_path, wound):
    file = tmp_path / "spec.yaml"
    text = (
        (SPECS / "quickstart.yaml")
        .read_text("utf-8")
        .replace("dataFormat: parquet", "dataFormat: xml, pathFormat: 'Day('")
    )
    text = text.replace("to: EventsArchive", "to: EventArchive").replace("xml, pathFormat", "xml\n        pathFormat")
    file.write_text(wound + text if wound[0] == "n" else text + wound, "utf-8")
    with pytest.raises(SpecError) as error:
        load([str(file)], environ={})
    assert len(error.value.problems) == 4, error.value
