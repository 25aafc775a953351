"""The azure-mgmt clients, one per package and subscription, over one session and one short pipeline.

The pipeline is ours and not the SDKs' own: theirs registers resource providers by itself, on a read too,
follows redirects and retries underneath our policy. Packages are imported when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    ContentDecodePolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import RequestsTransport

from kxrecon import __version__
from kxrecon.errors import PlaneError
from kxrecon.planes.hosts import Cloud, is_loopback, trusted
from kxrecon.planes.terms import IMPORTING
from kxrecon.planes.transport import TIMEOUT

ANY_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
"""For clients that insist on a subscription although the operation's scope names its own."""


class LoopbackBearer(BearerTokenCredentialPolicy[Any, Any]):
    """A bearer token for the ARM endpoint's host over https, or for loopback; for no other request.

    Poll URLs and next links come from answers: they are held to the same host.
    """

    def __init__(self, credential: Any, scope: str, endpoint: str) -> None:
        super().__init__(credential, scope)
        self._host = (urlsplit(endpoint).hostname or "").lower()

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Sign the request. Raises PlaneError (code ``UntrustedHost``) for any other host."""
        url = str(request.http_request.url)
        host = (urlsplit(url).hostname or "").lower()
        if host != self._host and not host.endswith("." + self._host):
            raise PlaneError(f"no token is sent to {host}: an answer named it, and it is not ARM", code="UntrustedHost")
        if is_loopback(host):
            request.context.options["enforce_https"] = False
        super().on_request(request)

    @property
    def _need_new_token(self) -> bool:
        """Always: the shared credential keeps the tokens, and knows which of them a service refused."""
        return True


class Clients:
    """Makes each azure-mgmt client once; safe for threads."""

    def __init__(self, endpoint: str | None, cloud: Cloud, credential: Any, session: requests.Session) -> None:
        self.endpoint = trusted(endpoint or cloud.arm, "arm", cloud).rstrip("/")
        self._scope = cloud.arm_scope
        self._credential = credential
        self._transport = RequestsTransport(
            session=session, session_owner=False, connection_timeout=TIMEOUT[0], read_timeout=TIMEOUT[1]
        )
        self._bearer = LoopbackBearer(credential, cloud.arm_scope, self.endpoint)
        self._made: dict[tuple[str, str], Any] = {}

    def kusto(self, subscription: str) -> Any:
        """azure-mgmt-kusto's client for a subscription."""

        def load() -> Any:
            from azure.mgmt.kusto import KustoManagementClient

            return KustoManagementClient

        return self._client("kusto", subscription, load)

    def authorization(self, subscription: str = "") -> Any:
        """azure-mgmt-authorization's client, API 2022-04-01; scopes name their own subscription."""

        def load() -> Any:
            from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

            return AuthorizationManagementClient

        return self._client("authorization", subscription or ANY_SUBSCRIPTION, load)

    def storage(self, subscription: str) -> Any:
        """azure-mgmt-storage's client for a subscription."""

        def load() -> Any:
            from azure.mgmt.storage import StorageManagementClient

            return StorageManagementClient

        return self._client("storage", subscription, load)

    def identities(self, subscription: str = "") -> Any:
        """azure-mgmt-msi's client, API 2024-11-30."""

        def load() -> Any:
            from azure.mgmt.msi.v2024_11_30 import ManagedServiceIdentityClient

            return ManagedServiceIdentityClient

        return self._client("msi", subscription or ANY_SUBSCRIPTION, load)

    def graph(self) -> Any:
        """azure-mgmt-resourcegraph's client, which has no subscription."""

        def load() -> Any:
            from azure.mgmt.resourcegraph import ResourceGraphClient

            return ResourceGraphClient

        return self._client("graph", "", load)

    def _client(self, name: str, subscription: str, load: Callable[[], Callable[..., Any]]) -> Any:
        made = self._made.get((name, subscription))
        if made is not None:
            return made
        with IMPORTING:
            if (name, subscription) not in self._made:
                place = (subscription,) if subscription else ()
                self._made[name, subscription] = load()(self._credential, *place, **self._options())
            return self._made[name, subscription]

    def _options(self) -> dict[str, Any]:
        """What every client is made with: our endpoint, scope, session and policies, and no others."""
        return {
            "base_url": self.endpoint,
            "credential_scopes": [self._scope],
            "transport": self._transport,
            "authentication_policy": self._bearer,
            "policies": [
                RequestIdPolicy(),
                UserAgentPolicy(user_agent=f"kxrecon/{__version__}", user_agent_overwrite=True),
                ContentDecodePolicy(),
                self._bearer,
            ],
        }
