"""Who we are: one azure-identity credential for all planes, asked once per scope until its token grows old.

``DefaultAzureCredential`` finds workload identity, managed identity, environment secrets or the Azure
CLI (learn.microsoft.com, Credential chains in the Azure Identity library for Python). Asking the CLI
starts a process of about a second, and the Kusto client asks for every command: hence the cache.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kxrecon.errors import PlaneError
from kxrecon.planes.hosts import Cloud

EARLY = 300
"""Seconds before its end at which a token is no longer used."""

FAILED = 60
"""Seconds for which a refusal is remembered: asking again at once would only start the same processes."""

RENEWED = 30
"""Seconds within which requests that were refused for their token share one new one."""

_CHAIN = "Attempted credentials:"  # what azure-identity writes over the refusals of each way to sign in

_Key = tuple[tuple[str, ...], str | None]


@dataclass(frozen=True, slots=True)
class _Token:
    token: str
    expires_on: int
    token_type: str = "Bearer"


class SharedCredential:
    """A credential around another one: cached per scope, safe for threads, closed by nobody.

    ``source`` makes the real credential when it is first needed. Speaks both protocols of azure-core
    (``get_token`` and ``get_token_info``). Raises PlaneError (code ``NoToken``) where azure-identity fails.
    """

    def __init__(self, source: Callable[[], Any], clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._credential: Any = None
        self._tokens: dict[_Key, _Token] = {}
        self._refusals: dict[_Key, tuple[float, PlaneError]] = {}
        self._locks: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()
        self._renewed = float("-inf")

    def renew(self) -> bool:
        """Forget the tokens: a service took one for expired or revoked. Many requests may find that out at once."""
        with self._lock:
            if self._clock() - self._renewed > RENEWED:
                self._renewed = self._clock()
                self._tokens.clear()
        return True

    def get_token(self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **_: Any) -> Any:
        """An ``AccessToken`` for the scopes; ``claims`` (a challenge) always asks anew."""
        from azure.core.credentials import AccessToken

        token = self._token(scopes, claims, tenant_id)
        return AccessToken(token.token, token.expires_on)

    def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> Any:
        """The same as an ``AccessTokenInfo``."""
        from azure.core.credentials import AccessTokenInfo

        asked = options or {}
        token = self._token(scopes, asked.get("claims"), asked.get("tenant_id"))
        return AccessTokenInfo(token.token, token.expires_on, token_type=token.token_type)

    def close(self) -> None:
        """Nothing: the credential is shared, and the Kusto client closes whatever it is given."""

    def _token(self, scopes: tuple[str, ...], claims: str | None, tenant: str | None) -> _Token:
        key: _Key = (scopes, tenant)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            held = self._tokens.get(key)
            if held and not claims and held.expires_on - EARLY > self._clock():
                return held
            refused = self._refusals.get(key)
            if refused and refused[0] > self._clock():
                raise refused[1]
            self._tokens[key] = token = self._ask(key, claims)
            return token

    def _ask(self, key: _Key, claims: str | None) -> _Token:
        """A new token from the source; a refusal is remembered for a minute."""
        scopes, tenant = key
        options = {name: value for name, value in (("claims", claims), ("tenant_id", tenant)) if value}
        try:
            source = self._made()
            if hasattr(source, "get_token_info"):
                answer = source.get_token_info(*scopes, options=options)
            else:
                answer = source.get_token(*scopes, **options)
        except Exception as error:  # azure-identity wraps the failures of eight mechanisms, some not its own
            refusal = _no_token(scopes, error)
            self._refusals[key] = (self._clock() + FAILED, refusal)
            raise refusal from error
        return _Token(answer.token, int(answer.expires_on), getattr(answer, "token_type", "Bearer"))

    def _made(self) -> Any:
        with self._lock:
            if self._credential is None:
                self._credential = self._source()
            return self._credential


class LocalCredential:
    """What is shown to the sandbox on loopback when nobody says otherwise: a word, never a real token."""

    def get_token(self, *_: str, **__: Any) -> Any:
        """A token that opens nothing outside the sandbox."""
        from azure.core.credentials import AccessToken

        return AccessToken("sandbox", int(time.time()) + 86400)

    def close(self) -> None:
        """Nothing."""


def credential_for(cloud: Cloud, given: Any = None, *, local: bool = False) -> SharedCredential:
    """The shared credential of one run: ``given``, else for a local wire a word, else DefaultAzureCredential."""
    if given is not None:
        return SharedCredential(lambda: given)
    return SharedCredential(LocalCredential if local else lambda: _default(cloud))


def _default(cloud: Cloud) -> Any:
    from azure.identity import DefaultAzureCredential

    # Where nobody set up logging, Python prints an SDK's warnings: a page of them for each failed sign-in. Our
    # error says what is in them. Whoever does set up logging still gets them.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    # AZURE_AUTHORITY_HOST also reaches workload identity, which the keyword does not: it wins if it is set.
    if os.environ.get("AZURE_AUTHORITY_HOST"):
        return DefaultAzureCredential()
    return DefaultAzureCredential(authority=cloud.authority)


def _no_token(scopes: tuple[str, ...], error: Exception) -> PlaneError:
    return PlaneError(
        f"nobody is signed in to Azure (no token for {' '.join(scopes)}): {_refusals(error)}. Sign in with 'az login', "
        "or give the pipeline a workload identity, a managed identity or AZURE_CLIENT_ID, AZURE_TENANT_ID and "
        "AZURE_CLIENT_SECRET.",
        code="NoToken",
    )


def _refusals(error: Exception) -> str:
    """What went wrong in the ways to sign in that are set up; the others only say that they are not."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()] or [type(error).__name__]
    if _CHAIN not in lines:
        return lines[0].rstrip(".")
    tried = [line for line in lines[lines.index(_CHAIN) + 1 :] if "AADSTS" in line or "failed" in line.lower()]
    return "; ".join(tried).rstrip(".") or "no way to sign in is set up here"
