"""Where a storage connection string points: host, container and path, in every documented spelling.

Source: learn.microsoft.com, Storage connection strings (Kusto).
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit


class Location(NamedTuple):
    """A place in a storage account; ``path`` has no leading or trailing slash."""

    host: str
    container: str
    path: str

    @property
    def account(self) -> str:
        """The first label of the host: the account's name, unless the account has DNS zone endpoints."""
        return self.host.split(".", 1)[0]

    @property
    def dfs_host(self) -> str:
        """The Data Lake host of the same account."""
        return self.host.replace(".blob.", ".dfs.", 1)


def lake_store(uri: str) -> str:
    """The host of an account of the retired Data Lake Storage Gen1 (``adl://ACCOUNT.azuredatalakestore.net/path``);
    empty for anything else."""
    scheme, _, rest = uri.split(";", 1)[0].strip().partition("://")
    return rest.partition("/")[0].lower() if scheme.lower() == "adl" else ""


def locate(uri: str) -> Location | None:
    """Parse ``https://ACCOUNT.blob…/CONTAINER/path``, ``https://ACCOUNT.dfs…`` or ``abfss://FS@ACCOUNT.dfs…/path``.

    Credentials behind ``;`` or ``?`` are ignored. None for what is no Azure storage account (OneLake, S3, ADLS Gen1).
    """
    bare = uri.split(";", 1)[0].split("?", 1)[0]
    try:
        parts = urlsplit(bare)
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    path = parts.path.strip("/")
    if parts.scheme in ("abfss", "abfs") and parts.username:
        return Location(host, parts.username, path)
    if parts.scheme != "https" or not (".blob." in host or ".dfs." in host) or host.startswith("onelake."):
        return None
    container, _, rest = path.partition("/")
    return Location(host, container, rest) if container else None


def same_place(one: str, other: str) -> bool:
    """Whether two storage addresses mean one place, in whatever spelling and by whichever endpoint of the account."""
    places = [_place(uri) for uri in (one, other)]
    return places[0] == places[1]


def _place(uri: str) -> tuple[str, str, str]:
    location = locate(uri)
    if location is None:
        return uri.partition("://")[2].rstrip("/"), "", ""
    return location.dfs_host, location.container, location.path
