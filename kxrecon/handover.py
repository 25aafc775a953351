"""What somebody else has to run: az commands, KQL and T-SQL that say the same as the requests that are withheld.

A value that is known only later stands as ``<what it is>``: whoever runs the script fills it in.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kxrecon.kinds import NAMES, World, kind
from kxrecon.leaves import shown
from kxrecon.model import Change, Deferred, Finding, Ref, Request, State, Unknown, Value
from kxrecon.scope import SYSTEM

KUSTO_API = "2025-02-14"
SAYS = "To run"  # at the head of each script
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def commands(change: Change, world: World) -> str:
    """The commands that make one change, one or more lines each."""
    steps = kind(change.ref.kind).act([change], world)
    return "\n".join(line for step in steps for request in step.requests for line in _lines(request, world))


def _lines(request: Request, world: World) -> Iterator[str]:
    if request.plane in ("kusto", "sql"):
        yield "".join(_filled(part) for part in request.text)
        return
    operation = str(request.text[0])
    body = {key: _plain(value) for key, value in request.body.items()}
    if operation == "clusters.identity":
        body["type"] = _identity_type(body, world.observed)
    yield from _AZ[operation](request, body)


def _filled(part: Value) -> str:
    if isinstance(part, Unknown):
        return f"<{part.attribute} of {part.ref.label}>"
    return f"<{part}>" if isinstance(part, Deferred) else shown(part)


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


def scripts(findings: Iterable[Finding]) -> list[Script]:
    """One script for each owner: a subscription's or an account's, a database's, a SQL database's."""
    owners: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.kind == "handover" and finding.ref is not None and finding.remedy:
            owners.setdefault((NAMES[finding.ref.kind], owner(finding.ref)), []).append(finding)
    return [_script(plane, owner, ones) for (plane, owner), ones in sorted(owners.items())]


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


def _script(plane: str, owner: str, findings: Iterable[Finding]) -> Script:
    ending, comment, head = {
        "kusto": (".kql", "//", f"// {SAYS} in {owner}"),
        "sql": (".sql", "--", f"-- {SAYS} in {owner}"),
    }.get(plane, (".sh", "#", f"#!/bin/sh\n# {SAYS} by whoever may write to {owner}\nset -eu"))
    wanted: dict[str, list[Finding]] = {}
    for finding in findings:
        wanted.setdefault(finding.remedy, []).append(finding)
    lines = [head]
    for remedy, ones in wanted.items():
        lines += ["", *(f"{comment} {one.ref}: {' '.join(one.message.split())}" for one in ones), remedy]
    return Script(f"{plane}-{_NOT_IN_NAME.sub('-', owner)}{ending}", "\n".join(lines) + "\n")
