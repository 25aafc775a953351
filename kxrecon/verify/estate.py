"""Reading an estate for a proof: what the kinds read, for exports of no spec too, and what only a proof asks.

Equal questions are asked once, however many rounds it takes to learn what to ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from kxrecon.derive import derive
from kxrecon.diff import adopt, diff
from kxrecon.kinds import NAMES
from kxrecon.kinds.adls.acl_entry import directories
from kxrecon.model import Answer, Answers, Entity, Hidden, Plane, Read, Request, State
from kxrecon.observe import (
    DATABASES,
    WORKERS,
    Observation,
    Planes,
    list_databases,
    managed_kinds,
    observe,
    require_cluster,
)
from kxrecon.planes import PlaneClient, WriteRefused
from kxrecon.scope import SYSTEM, Scope, Target
from kxrecon.storage_uri import locate
from kxrecon.surroundings import surroundings
from kxrecon.verify import reads
from kxrecon.verify.known import EXPORT, EXTERNAL, Known

SECTIONS = ("tables", "functions", "externalTables", "continuousExports")


class Remembering:
    """A plane that is asked each question once, and never writes."""

    def __init__(self, plane: PlaneClient, known: dict[Read, Answer]) -> None:
        self._plane, self._known = plane, known

    def read(self, read: Read) -> Answer:
        """The answer, remembered."""
        if read not in self._known:
            self._known[read] = self._plane.read(read)
        return self._known[read]

    def write(self, request: Request) -> Mapping[str, Any]:
        """A proof changes nothing."""
        raise WriteRefused("a proof tried to write")

    def close(self) -> None:
        """The plane belongs to whoever opened it."""


def survey(
    scope: Scope, desired: State, planes: Planes, *, everything: bool = False, apply: str = "", workers: int = WORKERS
) -> Known:
    """Read all that the chains of the spec's exports need; with ``everything`` those of all other exports too.

    Without databases in ``scope`` the cluster is asked for them. PlaneError where it cannot be asked at all.
    """
    answers: dict[Read, Answer] = {}
    asking: dict[Plane, PlaneClient] = {name: Remembering(plane, answers) for name, plane in planes.items()}
    scope = _widened(_with_identities(surroundings(desired, scope), asking), asking, everything)
    first = observe(scope, asking, kinds=_early(scope), workers=workers)
    require_cluster(first.answers)
    scope = _with_targets(scope, first.state, desired)
    seen = observe(scope, asking, workers=workers, desired=desired)
    exports = [ref for state in (seen.state, desired) for ref in state.entities if ref.kind == EXPORT]
    more = reads.wanted(seen.scope, seen.state.readings, sorted(set(exports)))
    _ask((read for read in more if seen.scope.manages(read.plane) != "off"), asking, workers)
    _ask(_lists(seen.scope, answers), asking, workers)
    return _known(desired, seen, answers, apply)


def _known(desired: State, seen: Observation, answers: Answers, apply: str) -> Known:
    derived = derive(desired, seen.state, seen.scope).desired
    changes = diff(adopt(derived, seen.state, seen.scope), seen.state).changes
    return Known(seen.state, derived, seen.scope, answers, {change.ref: change for change in changes}, apply)


def _ask(questions: Iterable[Read], planes: Planes, workers: int) -> None:
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        list(pool.map(lambda read: planes[read.plane].read(read), questions))


def _early(scope: Scope) -> list[str]:
    """What has to be seen before the targets of unknown exports are known."""
    return [name for name in managed_kinds(scope) if NAMES[name] == "kusto" or name == "cluster_identity"]


def _with_identities(scope: Scope, planes: Planes) -> Scope:
    """The scope with every identity of the cluster under a name: its own, where the spec has none for it."""
    asked = reads.cluster_read(scope)
    answer = planes["arm"].read(asked) if asked and scope.manages("arm") != "off" else None
    block = reads.part(answer, "identity")
    identities = dict(scope.identities)
    if block.get("principalId"):
        identities.setdefault(SYSTEM, "")
    named = {resource_id.lower() for resource_id in identities.values()}
    for resource_id in reads.part(block, "userAssignedIdentities"):
        if resource_id.lower() not in named:
            short = resource_id.rpartition("/")[2]
            identities[short if short not in identities else resource_id.lower()] = resource_id
    return replace(scope, identities=identities)


def _widened(scope: Scope, planes: Planes, everything: bool) -> Scope:
    """The scope with every section of its databases declared, so that all of them are read."""
    names = list(scope.databases)
    if everything:
        lowered = {name.lower() for name in names}
        names += [name for name in list_databases(planes["kusto"]) if name.lower() not in lowered]
    else:
        planes["kusto"].read(DATABASES)  # remembered: a chain tells a database that is not there from an unread one
    declared = {("databases", name, section) for name in names for section in SECTIONS}
    return replace(scope, databases=tuple(names), declared=scope.declared | declared)


def _with_targets(scope: Scope, observed: State, desired: State) -> Scope:
    """The scope with a target for every place that an external table of an export writes to."""
    targets = dict(scope.targets)
    used = {
        (ref.name[0], str(entity.fields.get("to")))
        for state in (observed, desired)
        for ref, entity in state.entities.items()
        if ref.kind == EXPORT
    }
    for state in (desired, observed):
        for table in state.of_kind(EXTERNAL):
            if table.ref.name in used:
                for name, doc in _places(table, list(targets.values())):
                    targets[name] = Target(name, doc)
    return replace(scope, targets=targets)


def _places(table: Entity, targets: Sequence[Target]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What no target of the spec covers, as targets."""
    if table.fields.get("kind") == "sql":
        connection = table.fields["connection"]
        server, database = connection["server"], connection["database"]
        known = {(str(one.doc.get("server")).lower(), one.doc.get("database")) for one in targets}
        if not isinstance(server, Hidden) and not isinstance(database, Hidden) and (server, database) not in known:
            yield f"{table.ref.label} {server}", {"server": server, "database": database, "auth": "impersonate"}
        return
    known_places = {(one.host, one.container) for t in targets if (one := locate(str(t.doc.get("url") or "")))}
    for uri in reads.uris(table):
        place = locate(uri)
        if place is not None and (place.host, place.container) not in known_places:
            yield f"{table.ref.label} {uri}", {"url": uri}


def _lists(scope: Scope, answers: Answers) -> Iterator[Read]:
    """The access control lists on the way to each target in an account with a hierarchical namespace."""
    if scope.manages("adls") == "off":
        return
    ids = reads.accounts(scope)
    for target in scope.targets.values():
        place = locate(str(target.doc.get("url") or ""))
        answer = answers.get(reads.account(ids[place.host])) if place and place.host in ids else None
        properties = reads.part(answer, "properties")
        if place is not None and properties.get("isHnsEnabled"):
            yield from (reads.acl(place, directory) for directory in directories(place.path))
