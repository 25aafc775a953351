"""Every failure names the entity, what was sent, the service's own words and request id, and the next step."""

from __future__ import annotations

import json

import pytest

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.failed import told
from kxrecon.model import Request, Secret
from tests.e2e.conftest import Desk

REQUEST = Request("kusto", "D", (".create-or-alter external table T (a:int)\n(h@'https://x;", Secret("key"), "')"))


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (Throttled("slow down", permanent=False), "apply again later; it goes on from here"),
        (Unanswered("the connection broke", permanent=False), "what did arrive is not sent twice"),
        (PlaneError("no route", code="Unreachable", permanent=False), "can be reached"),
        (PlaneError("no right", status=403), "kxrecon permissions SPEC"),
        (PlaneError("busy", permanent=False), "apply again later"),
        (PlaneError("SEM0100: no such column"), "mend what the service names"),
    ],
)
def test_the_next_step_follows_from_what_happened(error, next_step):
    assert next_step in told(error, REQUEST).partition("Next: ")[2]


def test_words_code_request_id_and_the_request_with_its_secrets_by_name():
    error = PlaneError("SEM0100: no such column.", code="General_BadRequest", request_id="act-1")
    words = (
        "SEM0100: no such column. [General_BadRequest] (request act-1). Sent: .create-or-alter external table T (a:int)"
    )
    assert told(error, REQUEST).startswith(words)
    assert "«secret key»" in told(error, REQUEST)
    long = Request("kusto", "D", ("x" * 2000,))
    assert len(told(error, long)) < 760


@pytest.mark.parametrize(
    ("operation", "entity", "sent"),
    [
        (".create-or-alter continuous-export", "Telemetry/ArchiveEvents", "Sent: .create-or-alter continuous-export"),
        ("RoleAssignments_Create", "system", "roleAssignments.create"),
        (".add database", "Telemetry/viewers/system", "Sent: .add database"),
    ],
)
def test_a_failed_apply_says_all_of_it(tmp_path, monkeypatch, operation, entity, sent):
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    spec = desk.seed.replace("seed.yaml", "quickstart.yaml")
    desk.on("plan", spec)
    with desk.store() as store:
        refusal = {"event": "refused", "operation": operation, "chance": 1, "message": "the service's own words"}
        store.put("meta", ("weather",), {"rules": [refusal]})
    code, out = desk.on("apply", spec, "--yes", "--json")
    failed = [one for one in json.loads(out)["outcomes"] if one["result"] == "failed"]
    assert code == 1 and failed
    for one in failed:
        assert entity in " ".join(one["entities"]) and sent in one["message"], one
        assert "the service's own words" in one["message"] and "(request " in one["message"], one
        assert "Next: mend what the service names" in one["message"], one
