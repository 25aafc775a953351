"""Storage containers (a Data Lake file system is the same resource), and which account serves which host.

A container is created only where its target says ``createContainer: true``, and never deleted. It is read
and made through ARM, which neither the storage firewall nor data roles stand in the way of
(learn.microsoft.com, Blob Containers REST API of the storage resource provider; Azure Resource Graph).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from kxrecon.errors import Problem
from kxrecon.kinds import World
from kxrecon.kinds.arm._ids import needed, subscription
from kxrecon.model import (
    Answers,
    Change,
    Entity,
    Failure,
    Finding,
    Gap,
    Hazard,
    Need,
    Plane,
    Read,
    Reading,
    Ref,
    Request,
    State,
    Step,
)
from kxrecon.scope import Scope, Target
from kxrecon.storage_uri import Location, lake_store, locate

PLANE: Plane = "arm"
SECTION: tuple[str, ...] = ()
KIND = "container"
_LAKE_STORES = "microsoft.datalakestore/accounts"
ABSENT = "ContainerNotFound"


def container(account_id: str, location: Location, reasons: tuple[str, ...]) -> Entity:
    """The entity of a container that must exist; ``account_id`` is its storage account's ARM id."""
    resource_id = _resource_id(account_id, location.container)
    attributes = {"resourceId": resource_id}
    return Entity(_ref(location), {"exists": True}, attributes=attributes, reasons=reasons)


def _resource_id(account_id: str, name: str) -> str:
    return f"{account_id}/blobServices/default/containers/{name}"


def _ref(location: Location) -> Ref:
    return Ref(KIND, (location.account, location.container))


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """Nothing: containers follow from targets."""
    return ()


def describe(entity: Entity) -> Any:
    """What a target says so that its container is made."""
    return {"createContainer": True}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """One query for all accounts that only a URL names, then each target's container."""
    hosts = _unresolved(scope)
    if hosts:
        yield _query(hosts, scope)
    for location, account_id in _located(scope):
        yield _get(account_id, location)


def _storage(scope: Scope) -> Iterator[tuple[Target, Location]]:
    for target in scope.targets.values():
        location = locate(str(target.doc.get("url") or ""))
        if location is not None:
            yield target, location


def _stated(target: Target) -> str:
    """The account's ARM id as the target has it; that of a container in it is accepted too."""
    return str(target.doc.get("resourceId") or "").partition("/blobServices/")[0].rstrip("/")


def _lake_stores(scope: Scope) -> Iterator[tuple[Target, str]]:
    """Targets in the retired Data Lake Storage Gen1, which has accounts and no containers, with their hosts."""
    for target in scope.targets.values():
        host = lake_store(str(target.doc.get("url") or ""))
        if host:
            yield target, host


def _unresolved(scope: Scope) -> list[str]:
    served = [(target, location.host) for target, location in _storage(scope)]
    return sorted({host for target, host in (*served, *_lake_stores(scope)) if not _stated(target)})


def _is_lake_store(host: str) -> bool:
    return ".azuredatalakestore." in host


def _query(hosts: Sequence[str], scope: Scope) -> Read:
    names = ", ".join(f"'{name}'" for name in sorted({host.partition(".")[0] for host in hosts}))
    kind = "type =~ 'microsoft.storage/storageaccounts'"
    if any(map(_is_lake_store, hosts)):
        kind = f"type in~ ('microsoft.storage/storageaccounts', '{_LAKE_STORES}')"
    text = f"resources | where {kind} and name in~ ({names}) | project id, name, properties"
    arguments = (("subscriptions", ",".join(scope.subscriptions)), ("query", text))
    return Read("arm", "", "resources.query", arguments)


def _located(scope: Scope) -> Iterator[tuple[Location, str]]:
    for target, location in _storage(scope):
        account_id = _stated(target) or scope.directory.accounts.get(location.host)
        if account_id:
            yield location, account_id


def _get(account_id: str, location: Location) -> Read:
    resource_id = _resource_id(account_id, location.container)
    return Read("arm", subscription(account_id), "blobContainers.get", (("resourceId", resource_id),))


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """The containers that exist, a reading per storage host: its account's ARM id, and one per container that the
    service says is not there, with its code."""
    yield from _hosts(answers, scope)
    for location, account_id in _located(scope):
        answer = answers.get(_get(account_id, location))
        if isinstance(answer, Failure) and answer.reason != "absent":
            yield Gap(KIND, _ref(location).name, answer)
        elif isinstance(answer, Failure):
            yield Reading(_ref(location), {"absent": answer.code, "in": account_id})
        elif isinstance(answer, Mapping):
            properties = answer.get("properties") or {}
            attributes = {
                "resourceId": _resource_id(account_id, location.container),
                "hasImmutabilityPolicy": bool(properties.get("hasImmutabilityPolicy")),
                "hasLegalHold": bool(properties.get("hasLegalHold")),
            }
            yield Entity(_ref(location), {"exists": True}, attributes=attributes)


def _hosts(answers: Answers, scope: Scope) -> Iterator[Reading | Gap]:
    for target, location in _storage(scope):
        if _stated(target):
            yield _reading(location.host, _stated(target))
    for target, host in _lake_stores(scope):
        if _stated(target):
            yield _reading(host, _stated(target))
    hosts = _unresolved(scope)
    answer = answers.get(_query(hosts, scope)) if hosts else None
    if isinstance(answer, Failure):
        yield from (Gap(KIND, (host.partition(".")[0],), answer) for host in hosts)
    elif isinstance(answer, Mapping):
        for row in answer.get("data") or ():
            served = _endpoints(row)
            # Zone endpoints and custom domains do not follow the pattern; where none are shown the name decides.
            mine = [host for host in hosts if host in served or _same_account(host, row)]
            yield from (_reading(host, needed(row, "id", "/subscriptions/")) for host in mine)


def _reading(host: str, account_id: str) -> Reading:
    return Reading(Ref(KIND, (host, "")), {"accountId": account_id})


def _endpoints(row: Mapping[str, Any]) -> set[str]:
    endpoints = (row.get("properties") or {}).get("primaryEndpoints") or {}
    return {(urlsplit(str(url)).hostname or "").lower() for url in endpoints.values() if url}


def _same_account(host: str, row: Mapping[str, Any]) -> bool:
    same = not _endpoints(row) and host.partition(".")[0] == str(row.get("name") or "").lower()
    return same and _is_lake_store(host) == (f"/{_LAKE_STORES}/" in str(row.get("id") or "").lower())


def absent(location: Location, observed: State, *, made: bool) -> Finding | None:
    """What to do about a container that the service says is not there; None if it is there, nobody knows, or ``made``
    says that it will be."""
    reading = observed.readings.get(_ref(location))
    code = reading.values.get("absent") if reading else None
    if reading is None or code is None:
        return None
    account = str(reading.values["in"])
    if code not in ("", ABSENT):
        message = f"cannot exist: its storage account {account} does not ({code})"
        return Finding(
            "blocked", _ref(location), message, "correct url or resourceId of its target, or make the account"
        )
    make = f"az storage container-rm create --name {location.container} --storage-account {account}"
    remedy = f"set createContainer: true on its target, or: {make}"
    return None if made else Finding("blocked", _ref(location), "does not exist, so no run could write there", remedy)


def needs(entity: Entity) -> Iterable[Need]:
    """Nothing: the account is a prerequisite."""
    return ()


def group(change: Change) -> Hashable:
    """Each container is a resource of its own."""
    return change.ref.name


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """Create what is missing; what a deletion would lose is not ours to lose."""
    return tuple(_step(change) for change in changes)


def _step(change: Change) -> Step:
    resource_id = str(change.entity.attributes["resourceId"])
    if change.verb == "delete":
        hazard = Hazard("drops-data", change.ref, "a container goes with everything in it")
        return Step((), hazards=(hazard,), notes=("containers are never deleted",))
    body = {"resourceId": resource_id}
    return Step((Request("arm", subscription(resource_id), ("blobContainers.create",), body),))


def covers(entity: Entity, observed: State) -> str | None:
    """Nothing else stands in for a container."""
    return None
