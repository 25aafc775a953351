"""Which hosts may get a token, per cloud and service, and where each cloud's own services are.

A token goes to an https host of the spec's cloud, or to loopback; to nothing else, whatever a spec, a
redirect or a service's answer says. Suffixes: learn.microsoft.com, Azure Data Explorer "Trusted
endpoints"; Azure storage account endpoints; Azure Government and Azure China developer guides.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from kxrecon.errors import PlaneError

Service = Literal["kusto", "arm", "dfs", "sql"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """One Azure cloud: its authority, ARM endpoint and scope, token scopes and the suffixes of its hosts."""

    authority: str
    arm: str
    arm_scope: str
    sql_scope: str
    kusto: tuple[str, ...]
    dfs: tuple[str, ...]
    sql: tuple[str, ...]

    def suffixes(self, service: Service) -> tuple[str, ...]:
        """Host suffixes of a service, each with its leading dot; ARM's is the endpoint's own host."""
        if service == "arm":
            return ("." + _host(self.arm),)
        return {"kusto": self.kusto, "dfs": self.dfs, "sql": self.sql}[service]


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


CLOUDS: dict[str, Cloud] = {
    "public": Cloud(
        "login.microsoftonline.com",
        "https://management.azure.com",
        "https://management.azure.com/.default",
        "https://database.windows.net/.default",
        (
            ".kusto.windows.net",
            ".kustomfa.windows.net",
            ".kusto.azuresynapse.net",
            ".kusto.fabric.microsoft.com",
            ".kusto.data.microsoft.com",
        ),
        (".dfs.core.windows.net", ".dfs.storage.azure.net"),
        (".database.windows.net", ".sql.azuresynapse.net", ".database.fabric.microsoft.com"),
    ),
    "usgov": Cloud(
        "login.microsoftonline.us",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
        "https://database.usgovcloudapi.net/.default",
        (".kusto.usgovcloudapi.net", ".kustomfa.usgovcloudapi.net"),
        (".dfs.core.usgovcloudapi.net",),
        (".database.usgovcloudapi.net",),
    ),
    "china": Cloud(
        "login.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "https://database.chinacloudapi.cn/.default",
        (".kusto.chinacloudapi.cn", ".kustomfa.chinacloudapi.cn", ".kusto.azuresynapse.azure.cn"),
        (".dfs.core.chinacloudapi.cn",),
        (".database.chinacloudapi.cn",),
    ),
}


def is_loopback(url_or_host: str) -> bool:
    """True for ``localhost``, 127.0.0.0/8 and ::1, as a URL or a bare host; a name like ``x.localhost`` is not."""
    host = _host(url_or_host) if "://" in url_or_host else url_or_host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def trusted(url: str, service: Service, cloud: Cloud) -> str:
    """``url``, if a token may be sent there: https to a host of the cloud's service, or loopback.

    Raises PlaneError (code ``UntrustedHost``) with what would be accepted.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.username is not None or parts.password is not None:
        raise _untrusted(host or "a URL", "it carries a user name or password")
    if is_loopback(host) and parts.scheme in ("http", "https"):
        return url
    if parts.scheme != "https":
        raise _untrusted(
            host or "a URL without a host", f"{parts.scheme or 'no'} scheme; a token travels by https only"
        )
    suffixes = cloud.suffixes(service)
    if not any(host == suffix[1:] or host.endswith(suffix) for suffix in suffixes):
        raise _untrusted(host, f"no {service} host of this cloud; known: {', '.join('*' + one for one in suffixes)}")
    return url


def trusted_server(server: str, cloud: Cloud) -> str:
    """A SQL server's name (``tcp:host,1433`` allowed), if a token may be sent to it. Raises PlaneError."""
    host = server.strip().lower().removeprefix("tcp:").partition(",")[0]
    trusted(f"https://{host}", "sql", cloud)
    return server


def _untrusted(host: str, why: str) -> PlaneError:
    return PlaneError(f"no token is sent to {host}: {why}", code="UntrustedHost")
