"""One credential, asked once per scope; refusals say how to sign in."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from azure.core.exceptions import ClientAuthenticationError

from kxrecon.errors import PlaneError
from kxrecon.planes.credentials import LocalCredential, SharedCredential, credential_for
from kxrecon.planes.hosts import CLOUDS


class Source:
    """A credential that counts; tokens live an hour."""

    def __init__(self, clock):
        self.clock, self.asked = clock, []

    def get_token(self, *scopes, **options):
        self.asked.append((scopes, options))
        return SimpleNamespace(token=f"token{len(self.asked)}", expires_on=self.clock.at + 3600)


class Refusing:
    def __init__(self):
        self.asked = 0

    def get_token(self, *scopes, **_):
        self.asked += 1
        raise RuntimeError("az is not installed\nand a long explanation")


@pytest.fixture
def clock():
    return SimpleNamespace(at=1000.0)


@pytest.fixture
def source(clock):
    return Source(clock)


@pytest.fixture
def shared(source, clock):
    return SharedCredential(lambda: source, lambda: clock.at)


def test_a_token_is_kept_per_scope_until_five_minutes_before_its_end(shared, source, clock):
    assert shared.get_token("a").token == shared.get_token_info("a").token == "token1"
    assert shared.get_token("b").token == "token2"
    clock.at += 3299
    assert shared.get_token("a").token == "token1"
    clock.at += 2
    assert shared.get_token("a").token == "token3"
    assert len(source.asked) == 3


def test_a_challenge_asks_anew_and_replaces(shared, source):
    shared.get_token("a")
    assert shared.get_token("a", claims="{}").token == "token2"
    assert shared.get_token_info("a", options={}).token == "token2"
    assert source.asked[1] == (("a",), {"claims": "{}"})


def test_a_token_that_a_service_refused_is_replaced_once_for_all_who_find_out(shared, source, clock):
    shared.get_token("a")
    clock.at += 100
    assert shared.renew() and shared.get_token("a").token == "token2"
    clock.at += 5
    assert shared.renew() and shared.get_token("a").token == "token2"
    clock.at += 100
    assert shared.renew() and shared.get_token("a").token == "token3"


def test_threads_that_ask_together_start_one_request(clock):
    ready = threading.Barrier(8)

    class Slow(Source):
        pass

    source = Slow(clock)
    shared = SharedCredential(lambda: source, lambda: clock.at)

    def ask():
        ready.wait()
        shared.get_token("a")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(source.asked) == 1


def test_a_refusal_says_how_to_sign_in_and_is_remembered_for_a_minute(clock):
    source = Refusing()
    shared = SharedCredential(lambda: source, lambda: clock.at)
    for _ in range(3):
        with pytest.raises(PlaneError) as caught:
            shared.get_token("a")
    assert source.asked == 1
    assert caught.value.code == "NoToken"
    assert "az is not installed" in str(caught.value)
    assert "az login" in str(caught.value)
    assert "long explanation" not in str(caught.value)
    clock.at += 61
    with pytest.raises(PlaneError):
        shared.get_token("a")
    assert source.asked == 2


def test_closing_is_nothing(shared):
    shared.close()
    assert shared.get_token("a").token == "token1"


def test_a_local_wire_never_asks_azure():
    assert credential_for(CLOUDS["public"], local=True).get_token("x").token == "sandbox"
    assert LocalCredential().get_token("x").token == "sandbox"


def test_a_given_credential_wins(source):
    assert credential_for(CLOUDS["public"], source, local=True).get_token("x").token == "token1"


CHAIN = """\
DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: {}
\tAzureCliCredential: Azure CLI not found on path
To mitigate this issue, please refer to the troubleshooting guidelines here."""


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("EnvironmentCredential authentication unavailable.", "no way to sign in is set up here"),
        ("Authentication failed: AADSTS7000215: Invalid client secret.", "AADSTS7000215: Invalid client secret"),
    ],
)
def test_of_the_ways_to_sign_in_only_those_that_are_set_up_are_told(clock, first, said):
    class Chain:
        def get_token(self, *scopes, **options):
            raise ClientAuthenticationError(CHAIN.format(first))

    with pytest.raises(PlaneError) as caught:
        SharedCredential(Chain, lambda: clock.at).get_token("a")
    assert said in str(caught.value) and "CLI not found" not in str(caught.value)


def test_a_failed_sign_in_prints_no_page_of_warnings(capfd):
    code = (
        "import logging; from kxrecon.planes import credentials, hosts; "
        "credentials._default(hosts.CLOUDS['public']); logging.getLogger('azure.identity').warning('page')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert capfd.readouterr().err == ""
