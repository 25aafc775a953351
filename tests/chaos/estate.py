"""An estate whose exports run, and what it shall become: every export has to stand still on the way."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from kxrecon.spec import Spec
from tests.ground import Ground, spec_of
from tests.laws.estates import HEAD

COLUMNS = "Timestamp:datetime, Level:string"
OUT = {"kind": "storage", "columns": COLUMNS, "dataFormat": "csv"}
BEFORE: dict[str, Any] = {
    **HEAD,
    "databases": {
        "Telemetry": {
            "tables": {"Events": {"columns": COLUMNS}},
            "externalTables": {
                "Blob": {**OUT, "target": "blob", "path": "a"},
                "Lake": {**OUT, "target": "lake", "path": "b"},
            },
            "continuousExports": {
                "ToBlob": {
                    "over": ["Events"],
                    "to": "Blob",
                    "query": "Events",
                    "managedIdentity": "exporter",
                    "intervalBetweenRuns": "10m",
                },
                "ToLake": {
                    "over": ["Events"],
                    "to": "Lake",
                    "query": "Events",
                    "managedIdentity": "system",
                    "intervalBetweenRuns": "10m",
                },
            },
        }
    },
}


def after() -> dict[str, Any]:
    """Other file names in both targets, another interval, one more export."""
    document = deepcopy(BEFORE)
    content = document["databases"]["Telemetry"]
    for table in content["externalTables"].values():
        table["fileExtension"] = ".txt"
    content["continuousExports"]["ToLake"]["intervalBetweenRuns"] = "20m"
    content["externalTables"]["Third"] = {**OUT, "target": "folder"}
    content["continuousExports"]["ToThird"] = {**content["continuousExports"]["ToBlob"], "to": "Third"}
    return document


def specs(folder: Path) -> tuple[Spec, Spec]:
    """Before and after; one file name, as one spec that was edited."""
    return spec_of(json.dumps(BEFORE), folder), spec_of(json.dumps(after()), folder)


ROWS = [[f"2026-03-05T10:00:{second:02}Z", "info"] for second in range(60)]


def running(ground: Ground, spec: Spec) -> None:
    """Applied, with seven rows exported and five that wait."""
    assert not ground.converge(spec).actions
    ground.ingest("Events", ROWS[:7])
    runs = ground.tick(minutes=15)
    assert len(runs) == 2 and all(run.records == 7 for run in runs), runs
    ground.ingest("Events", ROWS[7:12])


def cursors(ground: Ground) -> dict[str, int]:
    """Where each export stands."""
    return {key[-1]: int(one["cursor"]) for key, one in ground.store.all("continuous_export")}


def exported(ground: Ground) -> dict[str, int]:
    """How many rows the artifacts of each export hold."""
    found: dict[str, int] = {}
    for key, one in ground.store.all("artifact"):
        found[key[2]] = found.get(key[2], 0) + int(one["records"])
    return found


def nothing_ahead(ground: Ground, before: dict[str, int]) -> None:
    """No cursor went back, and none is ahead of what its artifacts hold (nothing was ingested: not one record)."""
    now, rows = cursors(ground), exported(ground)
    assert all(now.get(name, -1) >= place for name, place in before.items()), (before, now)
    for key, one in ground.store.all("continuous_export"):
        assert one["cursor"] == one["startCursor"] or rows.get(key[-1]), (key, one)


def nothing_lost_nothing_twice(ground: Ground, before: dict[str, int]) -> None:
    """No cursor went back; what ran before exports the rest, each row once."""
    now = cursors(ground)
    assert all(now[name] >= before[name] for name in before), (before, now)
    ground.ingest("Events", ROWS[12:15])
    runs = ground.tick(minutes=60)
    assert all(run.succeeded for run in runs), runs
    rows = exported(ground)
    assert (rows["ToBlob"], rows["ToLake"]) == (15, 15), rows
