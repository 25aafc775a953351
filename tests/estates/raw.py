"""Estates as people make them: raw KQL, ARM rows, ACLs and T-SQL on the sandbox's wires, without any of kxrecon's code."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from kxrecon.sandbox import switches
from kxrecon.sandbox.inventory import stock

CLUSTER = "https://telemetry.westeurope.kusto.windows.net"
GROUP = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/telemetry"
CLUSTER_ID = f"{GROUP}/providers/Microsoft.Kusto/clusters/telemetry"
EXPORTER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/exporter"
OTHER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"
PRINCIPAL = {"exporter": "11111111-aaaa-4aaa-8aaa-111111111111", "other": "11111111-bbbb-4bbb-8bbb-111111111111"}
CLIENT = "11111111-cccc-4ccc-8ccc-111111111111"
LAKE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/flatlake"
DEEP = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/deeplake"
COLUMNS = "Timestamp:datetime, Level:string, Message:string"
WRITER = "Storage Blob Data Contributor"


def inventory(databases=("Telemetry", "Reference")):
    table = {"columns": [part.strip().split(":") for part in COLUMNS.split(",")]}
    return {
        "version": 1,
        "identities": [
            {"resourceId": EXPORTER, "principalId": PRINCIPAL["exporter"], "clientId": CLIENT},
            {"resourceId": OTHER, "principalId": PRINCIPAL["other"]},
        ],
        "clusters": [
            {
                "uri": CLUSTER,
                "resourceId": CLUSTER_ID,
                "identity": {"system": True, "user": [EXPORTER, OTHER]},
                "databases": {
                    name: {"tables": {"Events": table, "Logs": table, "odd name": table}} for name in databases
                },
            }
        ],
        "storageAccounts": [
            {"name": "flatlake", "resourceId": LAKE, "containers": ["archive", "open"]},
            {"name": "deeplake", "resourceId": DEEP, "hierarchicalNamespace": True, "containers": ["fs"]},
        ],
        "sqlServers": [{"server": "dwh.database.windows.net", "databases": {"Dwh": {"tables": {"dbo.Events": []}}}}],
    }


@dataclass(frozen=True)
class Feed:
    """One export as somebody may have made it; ``missing`` are links that were forgotten or taken away."""

    name: str = "Feed"
    database: str = "Telemetry"
    identity: str | None = "exporter"  # exporter, other, system, or None: a key
    place: str = "role"  # role, acl, sql
    auth: str = "impersonate"  # impersonate, managed_identity
    data_format: str = "parquet"
    partitioned: bool = False
    properties: str = ""
    table_properties: str = ""
    query: str = "Events"
    over: bool = True
    missing: frozenset[str] = field(default_factory=frozenset)

    @property
    def table(self) -> str:
        return f"{self.name} target"


class Estate:
    """A sandbox that people write to."""

    def __init__(self, ends, databases=("Telemetry", "Reference"), **setting):
        self.ends = ends
        self.databases = databases
        self.users = set()
        world = inventory(databases)
        stock(ends.world, world)
        switches.save(ends.world.store, replace(switches.load(ends.world.store), **setting))
        document = ends.world.store.get("cluster", CLUSTER)
        self.principals = {**PRINCIPAL, "system": document["identity"]["system"]}
        self.tenant = ends.world.tenant

    def kql(self, database: str, command: str) -> None:
        body = json.dumps({"db": database, "csl": command}).encode()
        request = Request(f"{self.ends.kusto[CLUSTER]}/v1/rest/mgmt", body, {"Content-Type": "application/json"})
        try:
            urlopen(request).close()
        except HTTPError as error:
            raise AssertionError(f"{command}\n{error.read().decode()}") from error

    def function(self, name: str, body: str, database: str = "Telemetry") -> None:
        self.kql(database, f".create-or-alter function with (folder='x', docstring=\"it's\") ['{name}']() {{ {body} }}")

    def feed(self, feed: Feed) -> None:
        """Everything that one feed needs, then the feed, then take away what is missing."""
        who = feed.identity
        if who is not None:
            oid = self.principals[who]
            policy = json.dumps([{"ObjectId": oid, "AllowedUsages": "AutomatedFlows, ExternalTable"}])
            self.kql(feed.database, f".alter-merge database ['{feed.database}'] policy managed_identity ```{policy}```")
            self._roles(feed, oid)
        self._external_table(feed)
        self._export(feed)
        if who is not None and "viewer" in feed.missing:
            for name in self.databases:
                self.kql(name, f".drop database ['{name}'] viewers ('aadapp={self.principals[who]};{self.tenant}')")

    def _roles(self, feed: Feed, oid: str) -> None:
        for name in self.databases:
            self.kql(name, f".add database ['{name}'] viewers ('aadapp={oid};{self.tenant}') 'by hand'")
        if "target" in feed.missing:
            return
        if feed.place == "role":
            where = f"{LAKE}/blobServices/default/containers/archive"
            stock(self.ends.world, {"roleAssignments": [{"scope": where, "role": WRITER, "principalId": oid}]})
        elif feed.place == "acl":
            self._acl("", oid, "--x", default=False)
            self._acl("landing", oid, "rwx", default=True)
        else:
            self._sql(feed, oid)

    def _acl(self, path: str, oid: str, rights: str, *, default: bool) -> None:
        here = f"{self.ends.dfs}/deeplake/fs/{path}"
        if path:
            urlopen(Request(f"{here}?resource=directory", method="PUT")).close()
        with urlopen(Request(f"{here}?action=getAccessControl", method="HEAD")) as answer:
            acl = answer.headers["x-ms-acl"].split(",")
        kept = [one for one in acl if oid not in one]
        added = [f"user:{oid}:{rights}"] + ([f"default:user:{oid}:{rights}"] if default else [])
        acl = ",".join([*kept, *added])
        urlopen(Request(f"{here}?action=setAccessControl", method="PATCH", headers={"x-ms-acl": acl})).close()

    def _sql(self, feed: Feed, oid: str) -> None:
        document = self.ends.world.store.get("principal", oid)
        sid = "0x" + uuid.UUID(document["clientId"]).bytes_le.hex().upper()
        cursor = self.ends.sql("dwh.database.windows.net", "Dwh").cursor()
        known = [key[-1] for key, one in self.ends.world.store.all("sql_principal") if one.get("sid") == sid]
        name = known[0] if known else f"hand made {feed.identity}"
        if not known:
            cursor.execute(f"CREATE USER [{name}] WITH SID = {sid}, TYPE = E")
        cursor.execute(f"GRANT INSERT, UPDATE, SELECT ON OBJECT::[dbo].[Events] TO [{name}]")

    def _external_table(self, feed: Feed) -> None:
        head = f".create-or-alter external table ['{feed.table}'] ({COLUMNS})"
        if feed.place == "sql":
            way = (
                "Active Directory Managed Identity"
                if feed.auth == "managed_identity"
                else "Active Directory Integrated"
            )
            user = f";User Id={self.principals[feed.identity]}" if feed.auth == "managed_identity" else ""
            text = f"Server=tcp:dwh.database.windows.net,1433;Database=Dwh;Authentication={way}{user};"
            self.kql(feed.database, f"{head} kind=sql table=['dbo.Events'] (h@'{text}') {feed.table_properties}")
            return
        host = "flatlake.blob" if feed.place == "role" else "deeplake.dfs"
        where = f"https://{host}.core.windows.net/{'archive' if feed.place == 'role' else 'fs/landing'}/{uuid.uuid5(uuid.NAMESPACE_URL, feed.name).hex[:6]}"
        suffix = "impersonate" if feed.identity else "c2VjcmV0a2V5"
        if feed.auth == "managed_identity" and feed.identity:
            who = feed.identity if feed.identity == "system" else self.principals[feed.identity]
            suffix = f"managed_identity={who}"
        layout = (
            ' partition by (Day:datetime=startofday(Timestamp), Level:string=Level) pathformat=("l=" Level "/" datetime_pattern("yyyy/MM/dd", Day))'
            if feed.partitioned
            else ""
        )
        self.kql(
            feed.database,
            f"{head} kind=storage{layout} dataformat={feed.data_format} (h@'{where};{suffix}') {feed.table_properties}",
        )

    def _export(self, feed: Feed) -> None:
        over = " over (Events)" if feed.over else ""
        who = feed.identity if feed.identity in (None, "system") else self.principals[feed.identity]
        given = ([f"managedIdentity='{who}'"] if who else []) + ["intervalBetweenRuns=10m"] * (
            "interval" not in feed.properties
        )
        given += [feed.properties] if feed.properties else []
        self.kql(
            feed.database,
            f".create-or-alter continuous-export ['{feed.name}']{over} to table ['{feed.table}'] with ({', '.join(given)}) <| {feed.query}",
        )
