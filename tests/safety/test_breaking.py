"""What is proved to break every run is refused like any other danger: until somebody allowed that very thing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_runs import SPEC, applied, edit, kql, run  # noqa: F401  its fixtures

APPLY = ("apply", SPEC, "--sandbox", "--yes")
EXPORT = "Telemetry/ArchiveEvents"
WIDER = ('Events: { columns: "Timestamp:datetime, Level:string, Message:string" }', 'Events: { columns: "Timestamp:datetime, Level:string, Message:string, N:int" }')  # fmt: skip
SAID = "breaks-export: KX101 the query gives 4 columns, the external table has 3"


def test_a_change_that_breaks_a_running_export_is_refused(applied):  # noqa: F811
    edit(*WIDER)
    code, out, _ = applied("plan", SPEC, "--sandbox")
    assert code == 0 and SAID in out and "Wrong (" in out
    code, out, err = applied(*APPLY)
    assert code == 1 and SAID in err and f"--allow breaks-export:{EXPORT}" in err and "nothing was done" in err
    assert applied("apply", "--sandbox", "--yes")[0] == 1, "the saved plan too"
    assert "KX101" not in applied("verify", SPEC, "--sandbox")[1]


@pytest.mark.parametrize("allowed", ["--allow", "allow:", "silence:"])
def test_somebody_may_allow_it_and_is_told_all_the_same(applied, allowed):  # noqa: F811
    edit(*WIDER)
    spec, words = Path(SPEC), ()
    if allowed == "--allow":
        words = ("--allow", f"breaks-export:{EXPORT}")
    elif allowed == "allow:":
        spec.write_text(spec.read_text() + f"allow: [{{ hazard: breaks-export, entity: {EXPORT}, reason: why }}]\n")
    else:
        spec.write_text(spec.read_text() + f"silence: [{{ rule: KX101, entity: {EXPORT}, reason: why }}]\n")
    code, out, _ = applied(*APPLY, *words, "--json")
    record = json.loads(out)
    assert code == 0
    assert [one["entity"] for one in record["wrong"]] == ([] if allowed == "silence:" else [EXPORT])
    assert all(one["message"].startswith("KX101 ") and one["remedy"] for one in record["wrong"])
    if allowed == "--allow":
        again = applied(*APPLY)[1]
        assert "Wrong (" in again and "KX101" in again and "nothing to do" in again
        assert "Wrong&#58; Telemetry/ArchiveEvents&#58; KX101" in applied(*APPLY, "--markdown")[1]


def test_what_is_broken_in_the_same_way_already_blocks_nothing(applied):  # noqa: F811
    kql(applied, ".alter-merge table Events (N:int)")
    edit("intervalBetweenRuns: 10m", "intervalBetweenRuns: 5m")
    code, out, _ = applied(*APPLY)
    assert code == 0 and "Wrong (" in out and "KX101" in out and "breaks-export" not in out


def test_an_export_that_is_created_broken_is_refused_unless_it_stands_still(run):  # noqa: F811
    edit("query: Events", "query: Events | project Timestamp")
    code, _, err = run(*APPLY)
    assert code == 1 and "breaks-export: KX101" in err
    edit("query: Events", "isDisabled: true\n        query: Events")
    assert "breaks-export" not in run("plan", SPEC, "--sandbox")[1]
    edit("isDisabled: true", "isDisabled: false")
    assert "breaks-export" in run("plan", SPEC, "--sandbox")[1]


def test_a_function_under_the_query_breaks_it_too(run):  # noqa: F811
    edit("    externalTables:", "    functions: { F: { body: Events } }\n    externalTables:")
    edit("query: Events", "query: F()")
    assert run(*APPLY)[0] == 0
    edit("body: Events", 'body: "Events | project Level"')
    code, _, err = run(*APPLY)
    assert code == 1 and "breaks-export: KX101" in err
