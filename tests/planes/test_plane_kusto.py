"""The Kusto plane against a scripted server: rows, request properties, errors, hostile answers."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import urlsplit

import pytest
from planes_fake import Answered, serving

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.model import Failure, Read, Request, Table
from kxrecon.planes import WriteRefused
from kxrecon.planes.credentials import LocalCredential
from kxrecon.planes.kusto import KustoPlane, is_repeatable

SHOW = Read("kusto", "Telemetry", ".show external tables")
ALTER = Request("kusto", "Telemetry", (".alter-merge database Telemetry policy managed_identity '[]'",))
EXPORT = Request("kusto", "Telemetry", (".create-or-alter continuous-export E to table T <| X",))


def tables(columns=("Name", "Kind"), rows=(("a", None), ("b", 1))):
    described = [{"ColumnName": name, "DataType": "String"} for name in columns]
    return {"Tables": [{"TableName": "Table_0", "Columns": described, "Rows": [list(row) for row in rows]}]}


def refused(status, code, message, *, permanent=True, kind="KustoBadRequestException"):
    error = {
        "code": code,
        "message": "Request is invalid and cannot be executed.",
        "@type": f"Kusto.Data.Exceptions.{kind}",
        "@message": message,
        "@permanent": permanent,
    }
    return Answered(status, {"error": error}, {"x-ms-activity-id": "act-1"})


class Scripted:
    """Metadata is always answered; commands get the answers in turn, the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, asked):
        if asked.path.endswith("/auth/metadata"):
            return Answered(404)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def plane(terms):
    opened = []

    def make(fake, on=terms):
        opened.append(KustoPlane(fake.url, LocalCredential(), on))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def commands(fake):
    return [one for one in fake.asked if one.path == "/v1/rest/mgmt"]


def test_rows_are_the_cells_as_they_come(plane):
    with serving(Scripted(Answered(body=tables()))) as fake:
        assert plane(fake).read(SHOW) == Table(("Name", "Kind"), [["a", None], ["b", 1]])


def test_a_read_says_who_asks_and_that_it_only_reads(plane):
    with serving(Scripted(Answered(body=tables()))) as fake:
        one = plane(fake)
        one.read(SHOW)
        one.read(dataclasses.replace(SHOW, target=""))
        assert one.requests == 3  # the metadata once
        first, second = commands(fake)
    assert first.headers["x-ms-client-request-id"] == "kxrecon;run1;1"
    assert second.headers["x-ms-client-request-id"] == "kxrecon;run1;2"
    assert first.headers["x-ms-app"].startswith("kxrecon/")
    assert first.headers["authorization"] == "Bearer sandbox"
    assert json.loads(first.body["properties"])["Options"]["request_readonly"] is True
    assert (first.body["db"], first.body["csl"]) == ("Telemetry", ".show external tables")


def test_a_write_is_not_marked_read_only_and_answers_rows(plane):
    with serving(Scripted(Answered(body=tables()))) as fake:
        assert plane(fake).write(ALTER) == {"columns": ["Name", "Kind"], "rows": [["a", None], ["b", 1]]}
        assert "request_readonly" not in commands(fake)[0].body["properties"]


def test_read_only_sends_no_command_but_show(plane, reading):
    with serving(Scripted(Answered(body=tables()))) as fake:
        one = plane(fake, reading)
        with pytest.raises(WriteRefused):
            one.write(ALTER)
        with pytest.raises(WriteRefused):
            one.read(Read("kusto", "", "  .drop table X"))
        assert fake.asked == []


def test_the_proxy_of_the_environment_is_not_asked_for_loopback(plane, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(Scripted(Answered(body=tables()))) as fake:
        assert isinstance(plane(fake).read(SHOW), Table)


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (refused(400, "General_BadRequest", "SEM0100: no such column"), "failed", "SEM0100"),
        (
            refused(
                400,
                "BadRequest_EntityNotFound",
                "Entity ID 'X' of kind 'T' was not found.",
                kind="EntityNotFoundException",
            ),
            "absent",
            "Entity ID 'X'",
        ),
        (
            refused(404, "NotFound", "Entity name 'D' does not exist.", kind="EntityNameDoesNotExistException"),
            "absent",
            "Entity name 'D'",
        ),
        (refused(403, "Forbidden", "Principal 'aadapp=1' is not authorized"), "denied", "not authorized"),
        (Answered(401), "denied", ""),
    ],
)
def test_refusals_of_a_read_are_failures_with_the_services_words(plane, answer, reason, words):
    with serving(Scripted(answer)) as fake:
        failure = plane(fake).read(SHOW)
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert words in failure.message
    assert len(commands(fake)) == 1


def test_the_request_id_is_told(plane):
    with serving(Scripted(refused(400, "General_BadRequest", "no"))) as fake:
        assert "act-1" in plane(fake).read(SHOW).message


@pytest.mark.parametrize(
    "answer",
    [
        Answered(200, raw=b'{"Tables": [', headers={}),
        Answered(200, raw=b"<html>sign in</html>", headers={"Content-Type": "text/html"}),
        Answered(200, raw=b""),
        Answered(200, body=[]),
        Answered(200, body={"Tables": []}),
        Answered(200, body={"Tables": None}),
        Answered(200, body={"Tables": [{"Columns": [], "Rows": [["x"]]}]}),
        Answered(200, body={"Tables": [{"Columns": [{"ColumnName": "A"}], "Rows": [["x"]]}]}),
        Answered(200, body={"Tables": [{"Columns": [{"ColumnName": "A", "DataType": "String"}], "Rows": [[1, 2]]}]}),
        Answered(200, body={"Tables": [{"Columns": [{"ColumnName": "A", "DataType": "String"}], "Rows": {"a": 1}}]}),
        Answered(200, body="text"),
        Answered(400, body={"unexpected": True}),
        Answered(400, raw=b"Bad Gateway", headers={"Content-Type": "text/plain"}),
    ],
)
def test_a_hostile_answer_is_a_failure_that_names_the_read(plane, answer):
    with serving(Scripted(answer)) as fake:
        failure = plane(fake).read(SHOW)
    assert isinstance(failure, Failure)
    assert failure.reason == "failed"
    assert failure.code == "MalformedAnswer" or "400" in failure.message or "Bad Gateway" in failure.message
    assert ".show external tables" in failure.message or "Bad Gateway" in failure.message
    assert len(commands(fake)) == 1


def test_a_redirect_is_not_followed(plane):
    with serving(Scripted(Answered(body=tables()))) as elsewhere:
        away = Answered(307, raw=b"", headers={"Location": elsewhere.url + "/v1/rest/mgmt"})
        with serving(Scripted(away)) as fake:
            failure = plane(fake).read(SHOW)
        assert failure.code == "Redirect"
        assert elsewhere.asked == []


def test_an_error_inside_a_row_of_a_200_is_an_error(plane):
    inside = {"OneApiErrors": [{"error": {"code": "LimitsExceeded", "message": "m", "@message": "too much memory"}}]}
    body = tables()
    body["Tables"][0]["Rows"] = [inside]
    with serving(Scripted(Answered(body=body))) as fake, pytest.raises(PlaneError, match="too much memory") as caught:
        plane(fake).write(ALTER)
    assert caught.value.code == "LimitsExceeded"


def test_a_failed_status_beside_the_rows_is_an_error(plane):
    def table(name, columns, rows):
        described = [{"ColumnName": one, "DataType": "String"} for one in columns]
        return {"TableName": name, "Columns": described, "Rows": rows}

    status = table(
        "Table_1",
        ("Timestamp", "Severity", "SeverityName", "StatusCode", "StatusDescription", "ClientActivityId"),
        [["t", 2, "Error", 1, "query was cancelled", "c"]],
    )
    contents = table(
        "Table_2",
        ("Ordinal", "Kind", "Name", "Id", "PrettyName"),
        [[0, "QueryResult", "PrimaryResult", "1", ""], [1, "QueryStatus", "QueryStatus", "2", ""]],
    )
    body = {"Tables": [tables()["Tables"][0], status, contents]}
    with serving(Scripted(Answered(body=body))) as fake:
        failure = plane(fake).read(SHOW)
    assert "query was cancelled" in failure.message


def test_throttled_is_tried_again_after_what_was_asked(plane, hand):
    slow = refused(429, "TooManyRequests", "throttled", permanent=False)
    slow.headers["Retry-After"] = "3"
    with serving(Scripted(slow, slow, Answered(body=tables()))) as fake:
        assert isinstance(plane(fake).read(SHOW), Table)
    assert hand.slept == [3.0, 3.0]


def test_throttled_is_tried_again_even_if_it_says_permanent(plane):
    slow = refused(429, "TooManyRequests", "throttled", permanent=True)
    with serving(Scripted(slow, Answered(body=tables()))) as fake:
        plane(fake).write(EXPORT)
    assert len(commands(fake)) == 2


def test_throttled_for_ever_ends_as_throttled(plane):
    with (
        serving(Scripted(refused(429, "TooManyRequests", "throttled", permanent=False))) as fake,
        pytest.raises(Throttled),
    ):
        plane(fake).write(ALTER)


def test_what_is_not_permanent_is_tried_again(plane):
    passing = refused(409, "Conflict", "state", permanent=False)
    with serving(Scripted(passing, Answered(body=tables()))) as fake:
        plane(fake).write(EXPORT)
    assert len(commands(fake)) == 2


def test_a_gateways_page_with_503_is_tried_again(plane):
    gone = Answered(503, body={"message": "no backend"})
    with serving(Scripted(gone, Answered(body=tables()))) as fake:
        assert isinstance(plane(fake).read(SHOW), Table)


@pytest.mark.parametrize("lost", [Answered(cut=True), refused(504, "Timeout", "timed out", permanent=False)])
def test_an_unanswered_write_is_repeated_only_if_it_may_be(plane, lost):
    with serving(Scripted(lost, Answered(body=tables()))) as fake:
        plane(fake).write(ALTER)
        assert len(commands(fake)) == 2
    with serving(Scripted(lost, Answered(body=tables()))) as fake:
        with pytest.raises(Unanswered):
            plane(fake).write(EXPORT)
        assert len(commands(fake)) == 1


def test_nobody_there(plane, hand):
    with serving(Scripted(Answered(body=tables()))) as fake:
        pass
    failure = plane(fake).read(SHOW)
    assert (failure.reason, failure.code) == ("unreachable", "Unreachable")
    assert failure.message == f"cannot reach {urlsplit(fake.url).netloc}: it refuses the connection"
    assert len(hand.slept) == 2


def test_accepted_codes_are_answers(plane):
    request = dataclasses.replace(ALTER, accepts=("BadRequest_EntityNotFound",))
    with serving(Scripted(refused(400, "BadRequest_EntityNotFound", "gone"))) as fake:
        assert plane(fake).write(request) == {"accepted": "BadRequest_EntityNotFound"}


def test_a_secret_that_the_service_echoes_is_masked(plane):
    command = ".create external table T (a:int) kind=storage (h@'https://a/c;TOPSECRET==')"
    echo = refused(400, "BadRequest_SyntaxError", f"Syntax error near TOPSECRET== in {command}")
    with serving(Scripted(echo)) as fake, pytest.raises(PlaneError) as caught:
        plane(fake).write(Request("kusto", "D", (command,)))
    assert "TOPSECRET" not in str(caught.value)
    assert "Syntax error near" in str(caught.value)


@pytest.mark.parametrize(
    ("command", "may"),
    [
        (".create-or-alter external table T (a:int) kind=storage", True),
        (".alter-merge cluster policy managed_identity '[]'", True),
        (".add database D viewers ('aadapp=1')", True),
        (".create-merge table T (a:int)", True),
        (".create table T (a:int)", True),
        (".drop external table T ifexists", True),
        (".create function ifnotexists F() {1}", True),
        (".create-or-alter function F() {1}", True),
        (".create function F() {1}", False),
        (".drop database D viewers ('aadapp=1')", False),
        (".create-or-alter continuous-export E to table T <| X", False),
        (".enable continuous-export E", False),
        (".drop continuous-export E", False),
        (".set-or-append T <| X", False),
        (".set T <| X", False),
    ],
)
def test_which_commands_may_be_repeated_unseen(command, may):
    assert is_repeatable(command) is may
