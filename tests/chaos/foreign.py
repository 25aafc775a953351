"""A cluster that two specs and three others share: what each does there, and what is whose, element by element."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kxrecon.sandbox.inventory import stock
from kxrecon.spec import Spec
from tests.estates.raw import CLUSTER, CLUSTER_ID, COLUMNS, DEEP, EXPORTER, GROUP, LAKE, OTHER, WRITER, Estate, Feed
from tests.ground import Ground, spec_of

IDENTITIES = ("exporter", "other", "system")
PLACES = ("role", "acl", "sql")
DATABASES = ("Telemetry", "Reference")
READER = "Storage Blob Data Reader"
ONCALL = "aadgroup=6f0e9c1e-0000-4000-8000-000000000001;contoso.com"
_RUNNING = frozenset(
    {"created", "startCursor", "cursor", "lastRunTime", "lastRunResult", "exportedTo", "lastSuccess", "failingSince"}
    | {"isRunning", "disabledBy", "version", "etag", "modified"}
)


class Element(NamedTuple):
    """The smallest thing that somebody can own: an entry of a list counts by itself."""

    kind: str
    key: tuple[str, ...]
    content: str = ""


def elements(store: Any) -> frozenset[Element]:
    """Everything that is there."""
    return frozenset(_elements(store))


WHOLE = (
    *("table", "function", "external_table", "continuous_export", "container"),
    *("sql_principal", "sql_permission"),
)


def _elements(store: Any) -> Iterator[Element]:
    for kind in WHOLE:
        for key, document in store.all(kind):
            still = {name: value for name, value in document.items() if name not in _RUNNING}
            yield Element(kind, key, json.dumps(still, sort_keys=True))
    for key, document in store.all("role"):
        yield Element("role", (*key[:-1], document["objectId"]), str(document.get("notes") or ""))
    for key, row in store.all("role_assignment"):
        said = {name: row.get(name) for name in ("description", "condition")}
        yield Element("role_assignment", (key[0], row["roleDefinitionId"][-36:], row["principalId"]), json.dumps(said))
    yield from _entries(store)


def _entries(store: Any) -> Iterator[Element]:
    """What stands in lists that many write to: identities, policies, access control."""
    for (uri,), document in store.all("cluster"):
        yield from (Element("identity", (uri, one.lower())) for one in document["identity"].get("user") or ())
    for key, document in store.all("policy"):
        if key[-1] != "managed_identity":
            yield Element("policy", key, json.dumps(document, sort_keys=True))
            continue
        for entry in document["policy"] or ():
            usages = str(entry["AllowedUsages"]).split(",")
            yield from (Element("usage", (*key[:-1], str(entry["ObjectId"]).lower(), one.strip())) for one in usages)
    for key, document in store.all("path"):
        for entry in str(document["acl"]).split(","):
            who, _, rights = entry.rpartition(":")
            if "mask" not in who and not who.endswith(":"):
                yield Element("acl", (*key, who), rights)


def kept(element: Element, now: frozenset[Element]) -> bool:
    """Whether something is there as it was; an access control entry may have got more rights, never less."""
    if element in now:
        return True
    if element.kind != "acl":
        return False
    wider = (one.content for one in now if (one.kind, one.key) == (element.kind, element.key))
    return any(all(had in ("-", has) for had, has in zip(element.content, rights, strict=True)) for rights in wider)


# --- the specs ------------------------------------------------------------------------------------------------


class Team:
    """A team with a spec: what it states now, and how it changes its mind."""

    def __init__(self, name: str, order: random.Random) -> None:
        self.name, self._order = name, order
        self.exports: dict[str, dict[str, str]] = {}
        self.functions: set[str] = set()
        self.prune, self.check, self.role = "owned", False, False
        self.rotation: tuple[str, str] | None = None

    def change(self) -> None:
        """One edit of its spec."""
        choices: list[Callable[[], None]] = [self._add, self._add, self._drop, self._turn, self._settings, self._rotate]
        self._order.choice(choices)()

    def _add(self) -> None:
        name = f"{self.name}{self._order.randrange(4)}"
        where, who = self._order.choice(PLACES), self._order.choice(IDENTITIES)
        self.exports[name] = {"place": where, "identity": who, "database": self._order.choice(DATABASES)}

    def _drop(self) -> None:
        if self.exports:
            del self.exports[self._order.choice(sorted(self.exports))]

    def _turn(self) -> None:
        for one in self.exports.values():
            one["identity"] = self._order.choice(IDENTITIES)

    def _rotate(self) -> None:
        new, old = self._order.sample(IDENTITIES, 2)
        self.rotation = None if self.rotation else (new, old)
        for one in self.exports.values() if self.rotation else ():
            one["identity"] = new if one["identity"] == old else one["identity"]

    def _settings(self) -> None:
        self.prune = self._order.choice(("none", "owned"))
        self.check, self.role = self._order.random() < 0.3, self._order.random() < 0.5
        self.functions ^= {f"{self.name}F{self._order.randrange(2)}"}

    def spec(self, ground: Ground) -> Spec:
        """Its spec as it is now."""
        return spec_of(json.dumps(self._document()), ground.folder, f"{self.name}.yaml")

    def _document(self) -> dict[str, Any]:
        databases: dict[str, Any] = {}
        for name, one in self.exports.items():
            database = databases.setdefault(one["database"], {"externalTables": {}, "continuousExports": {}})
            database["externalTables"][f"{name}T"] = _table(one["place"], name)
            database["continuousExports"][name] = _export(name, one["identity"])
        for name in self.functions:
            databases.setdefault("Telemetry", {}).setdefault("functions", {})[name] = {"body": "{ Events }"}
        if self.role:
            databases.setdefault("Telemetry", {})["roles"] = {"viewers": {"add": ["oncall"]}}
        found = {
            "version": 1,
            "name": self.name,
            "cluster": {"uri": CLUSTER, "resourceId": CLUSTER_ID, "identities": {"exporter": EXPORTER, "other": OTHER}},
            "principals": {"oncall": ONCALL},
            "targets": {
                "role": {"url": "https://flatlake.blob.core.windows.net/archive", "auth": "impersonate", "resourceId": LAKE},
                "acl": {"url": "https://deeplake.dfs.core.windows.net/fs/landing", "auth": "impersonate", "grant": "acl", "resourceId": DEEP},
                "sql": {"server": "dwh.database.windows.net", "database": "Dwh", "auth": "impersonate"},
            },
            "prune": {"grants": self.prune},
            "databases": databases or {"Telemetry": {}},
        }  # fmt: skip
        if self.check:
            found["manage"] = {"arm": "check"}
        if self.rotation:
            found["rotations"] = {"identities": {self.rotation[0]: {"from": self.rotation[1]}}}
        return found


def _table(place: str, name: str) -> dict[str, Any]:
    if place == "sql":
        return {"kind": "sql", "target": place, "table": "dbo.Events", "columns": COLUMNS}
    return {"kind": "storage", "target": place, "path": name, "dataFormat": "csv", "columns": COLUMNS}


def _export(name: str, identity: str) -> dict[str, Any]:
    return {
        "over": ["Events"],
        "to": f"{name}T",
        "query": "Events",
        "managedIdentity": identity,
        "intervalBetweenRuns": "10m",
    }


# --- the others -----------------------------------------------------------------------------------------------


class Others:
    """Three who share the cluster: a team that types KQL, one that has another tool, and a database administrator."""

    def __init__(self, ground: Ground, order: random.Random) -> None:
        self._ground, self._order = ground, order
        self._estate = Estate(ground.ends)
        self._made: list[tuple[str, str]] = []

    def act(self) -> None:
        """One of them does something."""
        self._order.choice((self._by_hand, self._by_hand, self._by_tool, self._by_tool, self._by_admin, self._tidies))()

    def _by_hand(self) -> None:
        name = f"hand{self._order.randrange(6)}"
        feed = Feed(
            name=name,
            database=self._order.choice(DATABASES),
            identity=self._order.choice(IDENTITIES),
            place=self._order.choice(PLACES),
            auth=self._order.choice(("impersonate", "managed_identity")),
        )
        self._estate.feed(feed)
        self._made.append((feed.database, name))

    def _by_tool(self) -> None:
        """Rows, identities, roles, tables and functions, as a deployment tool writes them."""
        who = self._estate.principals[self._order.choice(IDENTITIES)]
        number = self._order.randrange(4)
        scope = self._order.choice((LAKE, DEEP, f"{LAKE}/blobServices/default/containers/open"))
        row = {"scope": scope, "role": self._order.choice((WRITER, READER)), "principalId": who}
        stock(self._ground.ends.world, {"roleAssignments": [row]})
        database = self._order.choice(DATABASES)
        for command in self._order.sample(
            [
                f".create-merge table tool{number} (A:string)",
                f".create-or-alter function tool{number}F() {{ Events }}",
                f".add database {database} users ('aadapp={who};{self._estate.tenant}') 'by tool'",
                f".add database {database} viewers ('{ONCALL}') 'by tool'",
                f'.alter-merge cluster policy managed_identity ```[{{"ObjectId":"{who}","AllowedUsages":"NativeIngestion"}}]```',
                f".alter table Events policy caching hot = {number + 1}d",
            ],
            2,
        ):
            self._estate.kql(database, command)
        if self._order.random() < 0.3:
            self._attach(number)

    def _attach(self, number: int) -> None:
        resource = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tool{number}"
        stock(self._ground.ends.world, {"identities": [{"resourceId": resource}]})
        store = self._ground.store
        document = store.get("cluster", CLUSTER)
        users = sorted({*document["identity"]["user"], resource.lower()})
        store.put("cluster", (CLUSTER,), {**document, "identity": {**document["identity"], "user": users}})

    def _by_admin(self) -> None:
        """Entries of access control lists, users and permissions, for everybody."""
        stranger = f"77777777-0000-4000-8000-00000000000{self._order.randrange(4)}"
        who = self._order.choice((stranger, *self._estate.principals.values()))
        self._estate._acl(self._order.choice(("", "landing")), who, self._order.choice(("--x", "r-x")), default=False)
        cursor = self._ground.ends.sql("dwh.database.windows.net", "Dwh").cursor()
        name = f"admin {self._order.randrange(3)}"
        if name not in self._estate.users:
            sid = f"0x{self._order.getrandbits(120):032x}"
            cursor.execute(f"CREATE USER [{name}] WITH SID = {sid}, TYPE = E")
            self._estate.users.add(name)
        cursor.execute(f"GRANT {self._order.choice(('SELECT', 'INSERT'))} ON OBJECT::[dbo].[Events] TO [{name}]")

    def _tidies(self) -> None:
        """An export by hand goes again; what it needed stays."""
        there = {key[1:] for key, _ in self._ground.store.all("continuous_export")}
        mine = [one for one in self._made if one in there]
        if mine:
            database, name = self._order.choice(mine)
            self._estate.kql(database, f".drop continuous-export ['{name}']")


def listed(found: frozenset[Element]) -> str:
    """For a failure that somebody has to read."""
    return "\n".join(f"{one.kind} {' '.join(one.key)} {one.content[:200]}" for one in sorted(found))
