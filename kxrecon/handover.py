"""What somebody else has to run: az commands, KQL and T-SQL that say the same as the requests that are withheld.

A value that is known only later is looked up (``lookups.py``): by the script itself in a shell, by whoever runs it
where it is KQL or T-SQL, which holds ``<what it is>`` there.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kxrecon.called import called
from kxrecon.kinds import NAMES, World, kind
from kxrecon.leaves import shown, unknowns
from kxrecon.lookups import in_shell, is_lookup, placeholder, told
from kxrecon.model import Change, Deferred, Entity, Finding, Ref, Request, State, Unknown, Value
from kxrecon.principals import is_guid
from kxrecon.scope import SYSTEM

KUSTO_API = "2025-02-14"
MADE = "Made by kxrecon plan"
ENDINGS = {"kusto": ".kql", "sql": ".sql"}
COMMENTS = {"kusto": "//", "sql": "--"}
# Kinds whose name alone says what they need.
GRANTS = frozenset(
    {
        "managed_identity_policy",
        "database_role",
        "cluster_role",
        "role_assignment",
        "acl_entry",
        "sql_user",
        "sql_grant",
    }
)
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def commands(change: Change, world: World) -> str:
    """The commands that make one change, one or more lines each."""
    steps = kind(change.ref.kind).act([change], world)
    return "\n".join(line for step in steps for request in step.requests for line in _lines(request, world))


def _lines(request: Request, world: World) -> Iterator[str]:
    if request.plane in ("kusto", "sql"):
        leaves = [part for part in request.text if isinstance(part, Unknown | Deferred)]
        yield from told(leaves, world.scope, COMMENTS[request.plane])
        yield "".join(_filled(part) for part in request.text)
        return
    operation = str(request.text[0])
    body = {key: _plain(value) for key, value in request.body.items()}
    if operation == "clusters.identity":
        body["type"] = _identity_type(body, world.observed)
    late = list(unknowns({key: value for key, value in request.body.items() if key != "name"}))
    if isinstance(request.body.get("name"), Deferred):  # any name will do: rows are told by what they say
        body["name"] = _NOT_IN_NAME.sub("-", "-".join(["kxrecon", *(leaf.ref.label for leaf in late)]))
    yield from in_shell(_AZ[operation](request, body), late, world.scope)


def _filled(part: Value) -> str:
    return placeholder(part) if isinstance(part, Unknown | Deferred) else shown(part)


def _plain(value: Value) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, bool | int | str) or value is None else _filled(value)


def _az(*words: str) -> str:
    return "az " + " ".join(shlex.quote(word) for word in words)


def _assign(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    properties = body["properties"]
    principal = ("--assignee-object-id", properties["principalId"])
    kind_of = ("--assignee-principal-type", properties["principalType"])
    role = ("--role", properties["roleDefinitionId"].rpartition("/")[2])
    note = ("--description", properties["description"])
    yield _az("role", "assignment", "create", *principal, *kind_of, *role, "--scope", body["scope"], *note)


def _unassign(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    path = f"{body['scope']}/providers/Microsoft.Authorization/roleAssignments/{body['name']}"
    yield _az("role", "assignment", "delete", "--ids", path)


def _identity(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    """A merge patch keeps other identities, but its ``type`` has to name all that will be there."""
    users: dict[str, Any] = {one: {} for one in body["ensure"] if one != SYSTEM}
    users |= {one: None for one in body["remove"] if one != SYSTEM}
    block = {"type": body["type"], "userAssignedIdentities": users}
    patch = json.dumps({"identity": {key: value for key, value in block.items() if value}})
    url = f"https://management.azure.com{body['resourceId']}?api-version={KUSTO_API}"
    yield _az("rest", "--method", "patch", "--url", url, "--body", patch)


def _identity_type(body: Mapping[str, Any], observed: State) -> str:
    """The ``type`` of the identity block once ``body`` is done."""
    there = {str(one.fields["resourceId"]) or SYSTEM for one in observed.of_kind("cluster_identity")}
    then = (there | {one.lower() for one in body["ensure"]}) - {one.lower() for one in body["remove"]}
    names = ["SystemAssigned"] * (SYSTEM in then) + ["UserAssigned"] * bool(then - {SYSTEM})
    return ", ".join(names) or "None"


def _principal(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    properties = body["properties"]
    parts = body["resourceId"].split("/")
    where = ("--resource-group", parts[4], "--cluster-name", parts[-1], "--principal-assignment-name", body["name"])
    who = ("--principal-id", properties["principalId"], "--principal-type", properties["principalType"])
    yield _az("kusto", "cluster-principal-assignment", "create", *where, *who, "--role", properties["role"])


def _no_principal(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    parts = body["resourceId"].split("/")
    where = ("--resource-group", parts[4], "--cluster-name", parts[-1], "--principal-assignment-name", body["name"])
    yield _az("kusto", "cluster-principal-assignment", "delete", *where)


def _container(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    account, _, name = body["resourceId"].partition("/blobServices/default/containers/")
    yield _az("storage", "container-rm", "create", "--storage-account", account, "--name", name)


def _acl(request: Request, body: Mapping[str, Any]) -> Iterator[str]:
    """The list is set whole: the entries of others are read first and sent again."""
    account = request.target.partition(".")[0]
    where = ("--file-system", body["filesystem"], "--path", body["path"], "--account-name", account)
    login = ("--auth-mode", "login")
    added = "".join(
        f",{'default:' * (one['scope'] == 'default')}user:{one['id']}:{one['permissions']}" for one in body["ensure"]
    )
    gone = "|".join(str(one["id"]) for one in body["remove"])
    kept = f" | tr , '\\n' | grep -vE {shlex.quote(gone)} | paste -sd,)" if gone else ")"
    yield f"acl=$({_az('storage', 'fs', 'access', 'show', *where, *login, '--query', 'acl', '--output', 'tsv')}{kept}"
    yield f'{_az("storage", "fs", "access", "set", *where, *login)} --acl "$acl{added}"'


_AZ: Mapping[str, Callable[[Request, Mapping[str, Any]], Iterator[str]]] = {
    "roleAssignments.create": _assign,
    "roleAssignments.delete": _unassign,
    "clusters.identity": _identity,
    "clusterPrincipals.create": _principal,
    "clusterPrincipals.delete": _no_principal,
    "blobContainers.create": _container,
    "acl.update": _acl,
}


@dataclass(frozen=True, slots=True)
class Script:
    """What one owner has to run: a file's name and its text."""

    name: str
    text: str


def made_for(spec: str, cluster: str) -> str:
    """The words by which a script is known as one of a spec's, whenever it was written."""
    return f"{MADE} for the spec {spec} on {cluster}"


def scripts(findings: Iterable[Finding], spec: str, cluster: str) -> list[Script]:
    """One script for each owner, in the order to run them: a subscription's or an account's, a database's, a SQL
    database's. Each says where it belongs, and which go before it."""
    owners: dict[tuple[str, str], dict[int, Finding]] = {}
    for number, finding in enumerate(_in_order(findings)):
        assert finding.ref is not None
        owners.setdefault((NAMES[finding.ref.kind], owner(finding.ref)), {})[number] = finding
    # Whose last command comes first waits for nobody whose last comes later.
    ordered = sorted(owners, key=lambda one: max(owners[one]))
    names = [_file(*one) for one in ordered]
    return [
        Script(name, _text(place, owners[place].values(), names[:number], len(names), (spec, cluster)))
        for number, (name, place) in enumerate(zip(names, ordered, strict=True))
    ]


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Handovers as they have to be done: in the order of the plan, but what a grant's name says that it needs first."""
    wanted = [one for one in findings if one.kind == "handover" and one.ref is not None and one.remedy]
    by_ref = {one.ref: one for one in wanted if not one.message.startswith("delete ")}
    done: dict[int, Finding] = {}

    def put(one: Finding) -> None:
        if id(one) in done or one.ref is None:
            return
        if one.ref.kind in GRANTS and one.ref in by_ref:
            for need in kind(one.ref.kind).needs(Entity(one.ref, {})):
                if need.ref in by_ref and need.ref != one.ref:
                    put(by_ref[need.ref])
        done[id(one)] = one

    for one in wanted:
        put(one)
    return list(done.values())


def owner(ref: Ref) -> str:
    """Who looks after the place that an entity lies in."""
    plane = NAMES[ref.kind]
    if plane == "arm":
        parts = ref.name[0].split("/")
        if ref.kind == "container":
            return ref.name[0]
        return parts[2] if ref.kind == "role_assignment" and len(parts) > 2 else "cluster"
    if plane == "sql":
        return "/".join(ref.name[:2])
    if ref.kind == "managed_identity_policy":
        return "cluster" if ref.name[0] == "cluster" else ref.name[1]
    return ref.name[0]


def _file(plane: str, owner: str) -> str:
    return f"{plane}-{_NOT_IN_NAME.sub('-', owner)}{ENDINGS.get(plane, '.sh')}"


def _text(
    place: tuple[str, str], findings: Iterable[Finding], before: Sequence[str], total: int, by: tuple[str, str]
) -> str:
    """A script: its head, then each command below why it is there."""
    plane, owner = place
    comment = COMMENTS.get(plane, "#")
    lines = [] if plane in ("kusto", "sql") else ["#!/bin/sh"]
    lines.append(f"{comment} To run {_where(plane, owner, by[1])}")
    if total > 1:
        first = f"after {', '.join(before)}" if before else "before all others"
        lines.append(f"{comment} Number {len(before) + 1} of {total}: {first}")
    lines.append(f"{comment} {made_for(*by)}")
    lines += [] if plane in ("kusto", "sql") else ["set -eu"]
    wanted: dict[str, list[Finding]] = {}
    for finding in findings:
        wanted.setdefault(finding.remedy, []).append(finding)
    for remedy, ones in wanted.items():
        lines += ["", *(f"{comment} {called(one.ref)}: {' '.join(one.message.split())}" for one in ones if one.ref)]
        lines += [line for line in remedy.splitlines() if not (is_lookup(line) and line in lines)]
    return "\n".join(lines) + "\n"


def _where(plane: str, owner: str, cluster: str) -> str:
    if plane == "kusto":
        return f"in any database of {cluster}" if owner == "cluster" else f"in database {owner} of {cluster}"
    if plane == "sql":
        return f"in {owner}"
    wide = f"the subscription {owner}" if plane == "arm" and is_guid(owner) else owner
    return f"by whoever may write to {f'the cluster {cluster}' if owner == 'cluster' else wide}"
