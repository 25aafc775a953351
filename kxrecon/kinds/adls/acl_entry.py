"""Data Lake access control: what an identity needs to write into a directory without any Azure role.

``--x`` on every directory above, ``rwx`` on the directory itself and as its default entry, so that
sub-directories made later inherit it. Rights are only ever added, and entries of others are kept by the
plane (learn.microsoft.com, Access control lists in Azure Data Lake Storage).
"""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kxrecon.errors import Problem
from kxrecon.kinds import World
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
from kxrecon.scope import Scope
from kxrecon.storage_uri import locate

PLANE: Plane = "adls"
SECTION: tuple[str, ...] = ()
KIND = "acl_entry"
TRAVERSE, WRITE = "--x", "rwx"

# (access or default, object id) → permissions; the mask stands under the object id "mask".
Parsed = dict[tuple[str, str], str]


def entries(host: str, filesystem: str, path: str, symbol: str, reasons: tuple[str, ...]) -> list[Entity]:
    """All entries that let ``symbol`` write below ``path`` (absolute, ``/`` is the file system itself)."""
    *above, target = directories(path)
    found = [
        Entity(Ref(KIND, (host, filesystem, directory, symbol)), {"access": TRAVERSE, "default": None}, reasons=reasons)
        for directory in above
    ]
    ref = Ref(KIND, (host, filesystem, target, symbol))
    return [*found, Entity(ref, {"access": WRITE, "default": WRITE}, reasons=reasons)]


def directories(path: str) -> list[str]:
    """The root, every directory on the way, and ``path`` itself last."""
    names = [name for name in path.split("/") if name]
    return ["/" + "/".join(names[:count]) for count in range(len(names) + 1)]


def desire(name: tuple[str, ...], doc: Any, scope: Scope) -> Iterable[Entity | Problem]:
    """Nothing: entries follow from targets with ``grant: acl``."""
    return ()


def describe(entity: Entity) -> Any:
    """What a target says so that its entries are made."""
    return {"grant": "acl"}


def reads(scope: Scope, known: Answers) -> Iterable[Read]:
    """The list of every directory on the way to a target with ``grant: acl``."""
    return (_get(*where) for where in _where(scope))


def _where(scope: Scope) -> Iterator[tuple[str, str, str]]:
    """(host, file system, directory), each once."""
    found: dict[tuple[str, str, str], None] = {}
    for target in scope.targets.values():
        location = locate(str(target.doc.get("url") or ""))
        if target.doc.get("grant") == "acl" and location is not None:
            for directory in directories(location.path):
                found[location.dfs_host, location.container, directory] = None
    return iter(found)


def _get(host: str, filesystem: str, directory: str) -> Read:
    return Read("adls", host, "acl.get", (("filesystem", filesystem), ("path", directory)))


def observe(answers: Answers, scope: Scope) -> Iterable[Entity | Reading | Gap]:
    """The entries of identities that the spec knows; a list that cannot be read is unknown, not empty. A reading for
    each directory that the service says is not there."""
    for where in _where(scope):
        answer = answers.get(_get(*where))
        if isinstance(answer, Failure) and answer.reason != "absent":
            yield Gap(KIND, where, answer)
        elif isinstance(answer, Failure):
            yield Reading(Ref(KIND, where), {"absent": answer.code})
        elif isinstance(answer, Mapping):
            yield from _entities(where, str(answer.get("acl") or ""), scope)


def _entities(where: tuple[str, str, str], acl: str, scope: Scope) -> Iterator[Entity]:
    parsed = parse(acl)
    masks = {level: parsed.get((level, "mask"), WRITE) for level in ("access", "default")}
    found: dict[str, dict[str, str | None]] = {}
    for (level, object_id), permissions in parsed.items():
        symbol = scope.directory.symbol(object_id)
        if symbol is not None:
            fields = found.setdefault(symbol, {"access": None, "default": None})
            # What the mask takes away does not count: the plane recomputes the mask when the entry is written.
            fields[level] = _both(permissions, masks[level])
    for symbol, fields in found.items():
        yield Entity(Ref(KIND, (*where, symbol)), fields)


def parse(acl: str) -> Parsed:
    """Named users and the mask of ``user::rwx,user:<object id>:r-x,mask::rwx,default:user:<object id>:rwx,…``."""
    found: Parsed = {}
    for entry in acl.split(","):
        parts = entry.strip().split(":")
        level = "default" if parts[0] == "default" else "access"
        kind, name, permissions = parts[-3:] if len(parts) >= 3 else ("", "", "")
        if kind == "user" and name:
            found[level, name.lower()] = permissions
        elif kind == "mask":
            found[level, "mask"] = permissions
    return found


def _both(permissions: str, mask: str) -> str:
    return "".join(one if one == other else "-" for one, other in zip(permissions, mask, strict=False))


def _either(wanted: str | None, seen: str | None) -> str | None:
    if not wanted or not seen:
        return wanted or seen
    return "".join(one if one != "-" else other for one, other in zip(wanted, seen, strict=False))


def adopt(desired: Entity, observed: Entity) -> Entity:
    """Wider rights than needed are enough: desired becomes the union, so that nothing is taken away."""
    fields = {name: _either(desired.fields[name], observed.fields[name]) for name in ("access", "default")}
    return replace(desired, fields=fields)


def lacking(entries: Iterable[Entity], observed: State) -> Iterator[Finding]:
    """The entries of a target whose directories are not there: nothing can be granted on them before somebody makes
    them. The root comes and goes with its file system, which is a container."""
    absent = [one for one in entries if one.ref.name[2] != "/" and Ref(KIND, one.ref.name[:3]) in observed.readings]
    for entry in absent:
        host, filesystem, directory, _ = entry.ref.name
        whole = absent[-1].ref.name[2].strip("/")
        make = f"az storage fs directory create --account-name {host.partition('.')[0]} --file-system {filesystem}"
        remedy = f"{make} --name {shlex.quote(whole)} --auth-mode login, or let the target's grant be a role"
        yield Finding("blocked", entry.ref, f"the directory {directory} does not exist in {filesystem}", remedy)


def join(one: Entity, other: Entity) -> Entity:
    """A directory on the way to one target and itself another one gets what both need."""
    return adopt(one, other)


def needs(entity: Entity) -> Iterable[Need]:
    """The identity, and the file system."""
    host, filesystem, _, symbol = entity.ref.name
    yield Need(Ref("cluster_identity", (symbol,)))
    yield Need(Ref("container", (host.partition(".")[0], filesystem)))


def group(change: Change) -> Hashable:
    """One directory's list is written whole."""
    return change.ref.name[:3]


def act(changes: Sequence[Change], world: World) -> Sequence[Step]:
    """One merge per directory: entries to ensure, entries to remove."""
    host, filesystem, directory, _ = changes[0].ref.name
    ensure = [one for change in changes if change.verb != "delete" for one in _ensure(change.entity, world.scope)]
    gone = [change for change in changes if change.verb == "delete"]
    remove = [one for change in gone for one in _remove(change.entity, world.scope)]
    body = {"filesystem": filesystem, "path": directory, "ensure": ensure, "remove": remove}
    request = Request("adls", host, ("acl.update",), body, exclusive=f"acl:{host}/{filesystem}{directory}")
    return (Step((request,), hazards=tuple(_hazard(change.ref) for change in gone)),)


def _ensure(entity: Entity, scope: Scope) -> Iterator[dict[str, Any]]:
    identity = scope.identity(entity.ref.name[3], "principalId")
    for level in ("access", "default"):
        if entity.fields[level]:
            yield {"scope": level, "id": identity, "permissions": entity.fields[level]}


def _remove(entity: Entity, scope: Scope) -> Iterator[dict[str, Any]]:
    identity = scope.identity(entity.ref.name[3], "principalId")
    return ({"scope": level, "id": identity} for level in ("access", "default") if entity.fields[level])


def _hazard(ref: Ref) -> Hazard:
    host, filesystem, directory, symbol = ref.name
    return Hazard("removes-access", ref, f"{symbol} loses its rights on {filesystem}{directory} of {host}")


def covers(entity: Entity, observed: State) -> str | None:
    """The entry of the same directory, if it is wide enough; roles are looked at by whoever wants no list at all."""
    return None
