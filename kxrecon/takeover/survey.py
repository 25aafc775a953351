"""Reading an estate that no spec describes: databases first, then everything in them, then who writes where.

Every question goes through ``Remembered``, so that asking again with a better scope costs only what is new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal
from urllib.parse import urlsplit

from kxrecon.errors import UsageError
from kxrecon.model import Answer, Plane, Read, Request, State
from kxrecon.observe import list_databases, observe
from kxrecon.planes import PlaneClient, WriteRefused
from kxrecon.scope import SYSTEM, Scope, Target

SECTIONS = ("roles", "managedIdentityPolicy", "tables", "functions", "externalTables", "continuousExports")
_KUSTO = ("managed_identity_policy", "database_role", "table", "function", "external_table", "continuous_export")
_FIRST = ("cluster_identity", *_KUSTO)
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Remembered:
    """A plane that asks each question once and writes nothing, whatever it is told."""

    def __init__(self, plane: PlaneClient) -> None:
        self._plane = plane
        self._known: dict[Read, Answer] = {}
        self._lock = Lock()

    def read(self, read: Read) -> Answer:
        """The answer, from memory if it was asked before."""
        with self._lock:
            if read in self._known:
                return self._known[read]
        answer = self._plane.read(read)
        with self._lock:
            return self._known.setdefault(read, answer)

    def write(self, request: Request) -> Mapping[str, Any]:
        """Refused: a take-over only reads."""
        raise WriteRefused(f"import does not write ({request.plane})")

    def close(self) -> None:
        """Nothing: the plane behind it has an owner."""


@dataclass(frozen=True, slots=True)
class Survey:
    """An estate as it was found; ``scope`` names its identities, ``planes`` remember every answer."""

    scope: Scope
    state: State
    planes: Mapping[Plane, PlaneClient]


def survey(
    scope: Scope, clients: Mapping[Plane, PlaneClient], *, databases: Sequence[str] = (), workers: int = 8
) -> Survey:
    """Read the databases named, or all. ``scope`` needs the cluster's URI; its id is looked for if it has none.

    Raises PlaneError if the databases cannot be listed, UsageError if one that is named does not exist.
    """
    planes: dict[Plane, PlaneClient] = {plane: Remembered(client) for plane, client in clients.items()}
    names = _databases(list_databases(planes["kusto"]), databases)
    found = replace(
        scope,
        cluster_id=scope.cluster_id or _cluster_id(planes["arm"], scope.cluster_uri),
        databases=names,
        declared=frozenset(("databases", name, section) for name in names for section in SECTIONS),
        cloud=cloud_of(scope.cluster_uri),
    )
    seen = observe(found, planes, kinds=_FIRST, workers=workers)
    named = replace(found, identities=_identities(scope.identities, seen.state))
    state = observe(named, planes, kinds=_FIRST, workers=workers)
    return Survey(state.scope, state.state, planes)


def with_targets(seen: Survey, targets: Iterable[Target], *, workers: int = 8) -> Survey:
    """The same estate, with what is granted on these targets."""
    scope = replace(seen.scope, targets={target.name: target for target in targets})
    kinds = (*_FIRST, "cluster_role", "container", "role_assignment", "acl_entry", "sql_user", "sql_grant")
    again = observe(scope, seen.planes, kinds=kinds, workers=workers)
    return Survey(again.scope, again.state, seen.planes)


def cloud_of(uri: str) -> Literal["public", "usgov", "china"]:
    """The cloud that a cluster's address belongs to."""
    host = urlsplit(uri).hostname or ""
    if host.endswith(".kusto.usgovcloudapi.net"):
        return "usgov"
    return "china" if host.endswith(".kusto.chinacloudapi.cn") else "public"


def _databases(listed: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    names = sorted(listed)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UsageError(f"the cluster has no database {', '.join(missing)}; it has {', '.join(names) or 'none'}")
    return tuple(name for name in names if not wanted or name in wanted)


def _cluster_id(arm: PlaneClient, uri: str) -> str:
    """The cluster's ARM id by its address, from Resource Graph; empty if it does not show it."""
    text = "resources | where type =~ 'microsoft.kusto/clusters' | project id, name, properties"
    answer = arm.read(Read("arm", "", "resources.query", (("subscriptions", ""), ("query", text))))
    rows = answer.get("data") or () if isinstance(answer, Mapping) else ()
    for row in rows:
        if str((row.get("properties") or {}).get("uri") or "").rstrip("/").lower() == uri.rstrip("/").lower():
            return str(row["id"])
    return ""


def _identities(known: Mapping[str, str], state: State) -> dict[str, str]:
    """A symbol for every identity of the cluster: the spec's if it has one, else the name of its resource."""
    names = {resource_id.lower(): symbol for symbol, resource_id in known.items() if resource_id}
    found = dict(known)
    for entity in sorted(state.of_kind("cluster_identity"), key=lambda one: one.ref):
        resource_id = str(entity.fields["resourceId"])
        if not resource_id:
            found.setdefault(SYSTEM, "")
        elif resource_id.lower() not in names:
            symbol = unique(resource_id.rpartition("/")[2], found)
            found[symbol] = str(entity.attributes.get("spelled") or resource_id)
    return found


def unique(wanted: str, taken: Iterable[str]) -> str:
    """A name that a spec accepts and nobody has: ``exporter``, else ``exporter-2``."""
    used = set(taken)
    name = _NOT_IN_NAME.sub("-", wanted).strip("-.") or "unnamed"
    name = name if name[0].isalpha() or name[0] == "_" else f"x{name}"
    number = 2
    candidate = name
    while candidate in used:
        candidate = f"{name}-{number}"
        number += 1
    return candidate
