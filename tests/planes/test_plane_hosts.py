"""A token goes to the spec's cloud or to loopback, and nowhere else."""

from __future__ import annotations

import pytest

from kxrecon.errors import PlaneError
from kxrecon.planes.hosts import CLOUDS, is_loopback, trusted, trusted_server

PUBLIC = CLOUDS["public"]


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://help.westeurope.kusto.windows.net", "kusto"),
        ("https://HELP.kusto.windows.net:443/", "kusto"),
        ("https://x.z0.kusto.fabric.microsoft.com", "kusto"),
        ("https://management.azure.com", "arm"),
        ("https://lake.dfs.core.windows.net", "dfs"),
        ("https://lake.z01.dfs.storage.azure.net", "dfs"),
        ("http://127.0.0.1:8080", "kusto"),
        ("http://localhost:1", "arm"),
        ("http://[::1]:1", "dfs"),
    ],
)
def test_known_hosts_are_trusted(url, service):
    assert trusted(url, service, PUBLIC) == url


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("http://help.kusto.windows.net", "kusto"),
        ("https://help.kusto.windows.net.evil.example", "kusto"),
        ("https://evilkusto.windows.net", "kusto"),
        ("https://evil.example/?kusto.windows.net", "kusto"),
        ("https://user:pw@help.kusto.windows.net", "kusto"),
        ("https://help.kusto.windows.net@evil.example", "kusto"),
        ("https://help.kusto.chinacloudapi.cn", "kusto"),
        ("https://management.azure.com.evil.example", "arm"),
        ("https://evilmanagement.azure.com", "arm"),
        ("https://lake.blob.core.windows.net", "dfs"),
        ("http://127.0.0.1.evil.example", "kusto"),
        ("http://127.evil.example", "kusto"),
        ("http://foo.localhost", "kusto"),
        ("http://192.168.0.1", "kusto"),
        ("ftp://127.0.0.1", "kusto"),
        ("", "kusto"),
    ],
)
def test_other_hosts_get_no_token(url, service):
    with pytest.raises(PlaneError) as caught:
        trusted(url, service, PUBLIC)
    assert caught.value.code == "UntrustedHost"
    assert "pw" not in str(caught.value)


def test_each_cloud_trusts_its_own_hosts_only():
    assert trusted("https://c.kusto.usgovcloudapi.net", "kusto", CLOUDS["usgov"])
    with pytest.raises(PlaneError):
        trusted("https://c.kusto.windows.net", "kusto", CLOUDS["usgov"])


def test_a_sql_server_is_judged_by_its_host():
    assert trusted_server("tcp:contoso.database.windows.net,1433", PUBLIC)
    with pytest.raises(PlaneError):
        trusted_server("contoso.database.windows.net.evil.example", PUBLIC)
    with pytest.raises(PlaneError):
        trusted_server("onprem", PUBLIC)


def test_loopback_is_an_address_and_not_a_name_that_looks_like_one():
    assert is_loopback("127.8.9.1")
    assert not is_loopback("127.0.0.1.nip.io")
    assert not is_loopback("10.0.0.1")
