"""Access control lists of Data Lake Storage over azure-storage-file-datalake.

A write reads, merges, recomputes the mask and replaces the list under If-Match, so that nobody else's
entry is lost. learn.microsoft.com, "Use Python to manage ACLs in Azure Data Lake Storage".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport

from kxrecon.errors import MALFORMED, PlaneError
from kxrecon.model import Answer, Read, Request
from kxrecon.planes import WriteRefused, acl
from kxrecon.planes.azure_errors import plane_error
from kxrecon.planes.failures import masked, to_failure
from kxrecon.planes.hosts import Cloud, is_loopback, trusted
from kxrecon.planes.terms import IMPORTING, Terms
from kxrecon.planes.transport import TIMEOUT, Gate

READ, WRITE = "acl.get", "acl.update"

SCOPE = "https://storage.azure.com/.default"

_CHANGED_MEANWHILE = 412
_NOT_FOUND = 404
_SHOWN = ("acl", "owner", "group", "permissions", "etag")


class AdlsPlane:
    """The Data Lake endpoints of all accounts; ``dfs`` is put before ``/account`` where a sandbox plays them."""

    def __init__(self, dfs: str | None, cloud: Cloud, credential: Any, terms: Terms) -> None:
        self._dfs = dfs
        self._cloud = cloud
        self._credential = credential
        self._terms = terms
        self._gate = Gate(read_only=terms.read_only, record=terms.record)
        self._session = self._gate.mount(requests.Session(), dfs)
        self._transport = RequestsTransport(
            session=self._session, session_owner=False, connection_timeout=TIMEOUT[0], read_timeout=TIMEOUT[1]
        )

    @property
    def requests(self) -> int:
        """How many requests were sent, retries included."""
        return self._gate.requests

    def read(self, read: Read) -> Answer:
        """Answer ``acl.get``: acl, owner, group, permissions, etag of a directory. Errors become a Failure."""
        if read.text != READ:
            raise KeyError(read.text)
        place = (read.target, read.argument("filesystem"), read.argument("path"))
        try:
            return self._terms.retry.read(lambda: self._get(*place))
        except PlaneError as error:
            return to_failure(self._shown(error))

    def write(self, request: Request) -> Mapping[str, Any]:
        """Do ``acl.update``; the access control as read afterwards. Raises PlaneError."""
        name = "".join(str(part) for part in request.text)
        if name != WRITE:
            raise KeyError(name)
        if self._terms.read_only:
            raise WriteRefused(f"a read-only command tried {name}; nothing was sent")
        try:
            return self._terms.retry.write(lambda: self._update(request.target, request.body), repeatable=True)
        except PlaneError as error:
            if error.code and error.code in request.accepts:
                return {"accepted": error.code}
            raise self._shown(error) from None

    def close(self) -> None:
        """Close the session that all clients share."""
        self._session.close()

    def _update(self, account: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """One read-merge-write; another attempt starts from a new read."""
        place = (account, body["filesystem"], body["path"])
        found = self._get(*place)
        before = acl.parse(str(found["acl"]))
        after = acl.merged(before, body.get("ensure") or (), body.get("remove") or ())
        if after == before:
            return found
        full = acl.crowded(after)
        if full:
            raise PlaneError(f"{_named(*place)}: the {full} list would have more than {acl.USABLE} named entries")
        self._set(place, acl.text(after), found.get("etag"))
        return self._get(*place)

    def _get(self, account: str, filesystem: str, path: str) -> Mapping[str, Any]:
        what = f"{READ} {_named(account, filesystem, path)}"
        try:
            found = self._directory(account, filesystem, path).get_access_control(upn=False)
            if not acl.parse(str(found.get("acl") or "")):
                raise ValueError("no x-ms-acl header")
            return {name: found.get(name) for name in _SHOWN}
        except (AzureError, *MALFORMED) as error:
            raise plane_error(error, what) from error

    def _set(self, place: tuple[str, str, str], entries: str, etag: str | None) -> None:
        # An etag without match_condition is silently not sent.
        condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        try:
            self._directory(*place).set_access_control(acl=entries, **condition)
        except (AzureError, *MALFORMED) as error:
            mapped = plane_error(error, f"{WRITE} {_named(*place)}")
            if mapped.status == _CHANGED_MEANWHILE:
                mapped.permanent = False
            if mapped.status == _NOT_FOUND:
                mapped.args = (f"{mapped}; create the directory, or let the target's grant be a role",)
            raise mapped from error

    def _directory(self, account: str, filesystem: str, path: str) -> Any:
        with IMPORTING:
            from azure.storage.filedatalake import DataLakeDirectoryClient

        url = trusted(self._url(account), "dfs", self._cloud)
        options: dict[str, Any] = {"transport": self._transport, "retry_total": 0, "permit_redirects": False}
        if is_loopback(url):
            # The client refuses a token over http without looking at the host.
            token = self._credential.get_token(SCOPE).token
            options |= {"credential": None, "headers": {"Authorization": f"Bearer {token}"}}
        else:
            options["credential"] = self._credential
        return DataLakeDirectoryClient(url, filesystem, path.strip("/") or "/", **options)

    def _url(self, account: str) -> str:
        """The account's dfs endpoint: a blob host has another one for ACLs."""
        host = account.lower().replace(".blob.", ".dfs.")
        return f"{self._dfs.rstrip('/')}/{host.partition('.')[0]}" if self._dfs else f"https://{host}"

    def _shown(self, error: PlaneError) -> PlaneError:
        error.args = (masked(str(error), self._terms.secrets),)
        return error


def _named(account: str, filesystem: str, path: str) -> str:
    return f"{account}/{filesystem}/{path.strip('/')}".rstrip("/")
