"""What is tried again, when, and for how long: on a clock that the test moves."""

from __future__ import annotations

import pytest

from kxrecon.errors import PlaneError, Throttled, Unanswered
from kxrecon.planes.failures import literal_secrets, masked, retry_after, to_failure
from kxrecon.planes.retry import UNREACHABLE, Budget, Retry, is_transient


class Script:
    """Raises its errors in turn, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


BUSY = PlaneError("busy", code="RequestConflict", status=409, permanent=False)
WRONG = PlaneError("wrong", code="BadRequest", status=400)
LOST = Unanswered("lost", permanent=False)
SLOW = Throttled("slow", permanent=False, status=429)


@pytest.mark.parametrize(
    ("error", "read", "repeatable", "once"),
    [
        (BUSY, True, True, True),
        (SLOW, True, True, True),
        (LOST, True, True, False),
        (WRONG, False, False, False),
        (Throttled("said permanent, is not", permanent=True), True, True, True),
        (ValueError("a defect"), False, False, False),
    ],
)
def test_the_table_of_what_is_transient(error, read, repeatable, once):
    assert is_transient(error, repeatable=True) is read
    assert is_transient(error, repeatable=True) is repeatable
    assert is_transient(error, repeatable=False) is once


def test_pauses_grow_with_jitter_up_to_a_limit(retry, hand):
    assert retry.read(Script(BUSY, BUSY, BUSY)) == "answer"
    assert hand.slept == [0.5, 1.0, 2.0]


def test_what_the_service_asks_for_is_waited(retry, hand):
    asked = Throttled("slow", permanent=False, retry_after=17.0)
    assert retry.read(Script(asked, asked)) == "answer"
    assert hand.slept == [17.0, 17.0]


def test_a_pause_longer_than_the_time_left_ends_at_once(retry, hand):
    with pytest.raises(Throttled):
        retry.read(Script(Throttled("slow", permanent=False, retry_after=3600.0)))
    assert hand.slept == []


def test_the_overall_deadline_ends_it(retry, hand):
    script = Script(*[BUSY] * 1000)
    with pytest.raises(PlaneError):
        retry.read(script)
    assert sum(hand.slept) <= retry.budget.read
    assert script.calls <= retry.budget.attempts


def test_a_host_that_is_not_there_shows_soon(retry, hand):
    script = Script(*[PlaneError("no", code=UNREACHABLE, permanent=False)] * 1000)
    with pytest.raises(PlaneError):
        retry.read(script)
    assert script.calls == retry.budget.unreachable


def test_a_write_whose_answer_was_lost_is_repeated_only_if_it_may_be(retry):
    careful, free = Script(LOST), Script(LOST)
    with pytest.raises(Unanswered):
        retry.write(careful, repeatable=False)
    assert retry.write(free, repeatable=True) == "answer"
    assert (careful.calls, free.calls) == (1, 2)


def test_a_refused_token_is_renewed_once_and_never_for_ever(hand):
    """A 401 did nothing, so that even a write that may not be repeated is sent again."""
    renewed, sent = [], []
    patient = Retry(Budget(), hand.clock(), renew=lambda: bool(renewed.append(1)) or True)
    expired = PlaneError("the token has expired", status=401)

    def act(times):
        sent.append(1)
        if len(sent) <= times:
            raise expired
        return "done"

    assert patient.write(lambda: act(1), repeatable=False) == "done" and (len(renewed), len(sent)) == (1, 2)
    sent.clear()
    with pytest.raises(PlaneError):
        patient.read(lambda: act(9))
    assert len(sent) == 2 and hand.slept == []
    sent.clear()
    with pytest.raises(PlaneError):
        Retry(Budget(), hand.clock()).read(lambda: act(1))
    assert len(sent) == 1


def test_the_first_call_that_works_costs_no_pause(retry, hand):
    assert retry.write(Script(), repeatable=False) == "answer"
    assert hand.slept == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_retry_after_in_all_its_forms(headers, seconds):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PlaneError("x", status=404), "absent"),
        (PlaneError("x", status=403), "denied"),
        (PlaneError("x", code="NoToken"), "denied"),
        (PlaneError("x", code=UNREACHABLE), "unreachable"),
        (Unanswered("x"), "unreachable"),
        (Unanswered("x", status=503), "failed"),
        (Throttled("x", status=429), "failed"),
    ],
)
def test_reasons_of_failures(error, reason):
    assert to_failure(error).reason == reason


def test_a_failure_keeps_words_code_and_request_id():
    failure = to_failure(PlaneError("not found", code="NotThere", request_id="abc"))
    assert failure.message == "not found [NotThere] (request abc)"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("bad h@'https://a.blob.core.windows.net/c;KEY==' here", "bad h@'https://a.blob.core.windows.net/c***' here"),
        ('h"https://a/c?sv=1&sig=s3cret"', 'h"https://a/c***"'),
        ("h@'https://a/c;impersonate'", "h@'https://a/c;impersonate'"),
        ("Server=x;Password=hunter2;Encrypt=yes", "Server=x;Password=***;Encrypt=yes"),
        ("with 'abc'", "with 'abc'"),
        ("path'x'", "path'x'"),
        ("https://a/c?sp=r&sig=abc%2F&se=1", "https://a/c?sp=r&sig=***&se=1"),
        ("Authorization: Bearer eyJhbGciOiJSUzI1NiIsIng1dCI6Ik1.abc.def", "Authorization: Bearer ***"),
        ("the planted word", "the *** word"),
    ],
)
def test_messages_show_no_secret(said, shown):
    assert masked(said, ("planted",)) == shown


def test_the_secrets_of_a_command_are_known_by_its_literals():
    command = ".create external table T (a:int) kind=storage (h@'https://a/c;KEY4567==', h'https://b/d;impersonate')"
    assert literal_secrets(command) == ("KEY4567==", "KEY4567")
    assert literal_secrets("T (h'Server=x;Password=hunter2;')") == ("Server=x", "Password=hunter2", "hunter2")
    assert literal_secrets("T (h'https://a/c?sv=1&sig=abcdef%2F')") == ("sig=abcdef%2F", "abcdef%2F")
