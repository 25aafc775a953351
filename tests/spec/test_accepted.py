"""``allow:``, ``ignore:`` and ``silence:``: what could never count, or counts for ever, is said at its place."""

from __future__ import annotations

import pytest

from kxrecon.errors import SpecError
from tests.spec.conftest import FRAME, loaded, problems

HERE = "Telemetry/ArchiveEvents"


def allow(**fields: str) -> str:
    entry = {"hazard": "restarts-export", "entity": HERE, "until": "2026-12-01", "reason": "why", **fields}
    return "allow:\n  - { " + ", ".join(f"{key}: {value}" for key, value in entry.items() if value) + " }\n"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (allow(until="2026-13-01"), "there is no day '2026-13-01'"),
        (allow(until="2026-02-30"), "there is no day '2026-02-30'"),
        (f"ignore:\n  - {{ entity: {HERE}, reason: why, until: 2026-02-30 }}\n", "there is no day '2026-02-30'"),
        (allow(hazard="loses-cursr"), "'loses-cursr' is not one of loses-cursor, "),
        (allow(hazard="loses-cursr"), "did you mean 'loses-cursor'?"),
        (allow(hazard="locks-out"), "'locks-out' is not one of "),
        (allow(hazard="loses-cursor", entity=""), "loses-cursor is never allowed for all at once (name the export with entity:)"),
        (allow(hazard="repoints-export", entity=""), "repoints-export is never allowed for all at once"),
        (allow(reason=""), "'reason' is missing"),
    ],
)  # fmt: skip
def test_what_could_never_count_is_an_error_at_its_place(write, section, said):
    write(base=FRAME + section)
    (found,) = problems("base")
    assert said in found
    assert found.startswith(f"base.yaml:{FRAME.count(chr(10)) + 2}:")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (allow(entity="T/Nope"), "the spec has no 'T/Nope': this counts only if the cluster has it"),
        (allow(entity="Telemetry/ArchiveEvent"), f"did you mean '{HERE}'?"),
        (allow(until=""), "this permission never ends (until: gives it a last day)"),
        ("ignore:\n  - { entity: T/Nope, reason: why }\n", "the spec has no 'T/Nope'"),
        ("silence:\n  - { rule: KX101, entity: T/Nope, reason: why }\n", "the spec has no 'T/Nope'"),
    ],
)
def test_what_only_a_plan_can_tell_is_a_note(write, section, said):
    write(base=FRAME + section)
    (note,) = loaded("base").notes
    assert said in str(note) and note.severity == "note" and note.place is not None


def test_a_permission_that_means_something_is_none_of_these(write):
    write(base=FRAME + allow() + f"ignore:\n  - {{ entity: {HERE}, field: query, reason: why, until: 2027-01-31 }}\n")
    assert loaded("base").notes == ()
    with pytest.raises(SpecError, match="did you mean"):
        write(base=FRAME + allow(hazard="drop-data"))
        loaded("base")
