"""Services that only wait: each request is answered after a fixed time, with what a converged cluster says.

``python -m tests.benchmarks.services LATENCY FEEDS DATABASES`` prints its port and serves until its input ends. One
thread, one event loop: it can wait for thousands of requests at once, and costs next to nothing itself.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from typing import Any
from urllib.parse import unquote

from kxrecon.model import Failure, Read, Table
from tests.benchmarks.estate import CLUSTERS, CONTAINER, Estate

# What a client asks once per cluster before it asks for a token (learn.microsoft.com, no page: azure-kusto-data).
METADATA = {
    "AzureAD": {
        "LoginEndpoint": "https://login.microsoftonline.com",
        "LoginMfaRequired": False,
        "KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58",
        "KustoClientRedirectUri": "https://microsoft/kustoclient",
        "KustoServiceResourceId": "https://kusto.kusto.windows.net",
        "FirstPartyAuthorityUrl": "https://login.microsoftonline.com/f8cdef31-a31e-4b4a-93e4-5f571e91255a",
    }
}


class Services:
    """Kusto and ARM of any number of equal clusters."""

    def __init__(self, estate: Estate, latency: float) -> None:
        self._estate, self._latency = estate, latency
        self.command = functools.cache(self._command)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while request := await _request(reader):
                arrived = asyncio.get_running_loop().time()
                status, body = self._answer(*request)
                # The time counts from the arrival: what making the answer costs is not the client's to wait for.
                await asyncio.sleep(arrived + self._latency - asyncio.get_running_loop().time())
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is done
        finally:
            writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[str, bytes]:
        if path.startswith("/v1/rest/auth/metadata"):
            return "200 OK", json.dumps(METADATA).encode()
        if path.startswith("/v1/rest/mgmt"):
            asked = json.loads(body)
            return "200 OK", self.command(asked.get("db") or "", asked["csl"])
        plain = unquote(path.partition("?")[0])
        if plain.lower().startswith(f"{CLUSTERS}/".lower()) and plain.count("/") == CLUSTERS.count("/") + 1:
            return "200 OK", json.dumps(self._estate.answer(Read("arm", "", "clusters.get"))).encode()
        if plain.lower().startswith(CONTAINER.lower()) and plain.endswith("/roleAssignments"):
            return "200 OK", json.dumps(
                {"value": self._estate.answer(Read("arm", "", "roleAssignments.list"))}
            ).encode()
        return "404 Not Found", json.dumps(
            {"error": {"code": "ResourceNotFound", "message": f"{method} {path}"}}
        ).encode()

    def _command(self, database: str, text: str) -> bytes:
        known = database.startswith("Db") or not database or database == "NetDefaultDB"
        found: Any = self._estate.answer(Read("kusto", database if database.startswith("Db") else "", text))
        if not known or isinstance(found, Failure):
            raise ValueError(f"nobody expected {text} in {database}")
        assert isinstance(found, Table)
        columns = [{"ColumnName": name, "DataType": "String", "ColumnType": "string"} for name in found.columns]
        return json.dumps({"Tables": [{"TableName": "Table_0", "Columns": columns, "Rows": found.rows}]}).encode()


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes] | None:
    """Method, path and body; None at the end of the connection."""
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    length = 0
    while (header := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = header.decode().partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return method, path, await reader.readexactly(length)


async def _main(latency: float, feeds: int, databases: int) -> None:
    services = Services(Estate(feeds, databases), latency)
    server = await asyncio.start_server(services.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
