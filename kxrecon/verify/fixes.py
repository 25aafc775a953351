"""Fixes as somebody would send them: the same requests that an apply would send, printed for the tool at hand.

ARM is shown as ``az`` (learn.microsoft.com, Azure CLI reference); a value that nobody knows yet keeps its name.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from kxrecon.kinds import World, kind
from kxrecon.leaves import shown, shown_text
from kxrecon.model import Change, Entity, Failure, Request
from kxrecon.verdicts import Fix
from kxrecon.verify.known import Known

API = "2023-08-15"


def creation(entity: Entity, known: Known) -> tuple[Fix, ...]:
    """What creates a missing entity, and the command line that makes all of the spec true if it is in one."""
    return (*single(entity, known), *everything(entity, known))


def everything(entity: Entity, known: Known) -> tuple[Fix, ...]:
    """``kxrecon apply SPEC`` where that would create ``entity``; nothing for what is in no spec."""
    if not known.apply or entity.ref not in known.desired.entities:
        return ()
    return (Fix("shell", known.apply),)


def single(entity: Entity, known: Known) -> tuple[Fix, ...]:
    """The requests that create one entity, alone."""
    world = World(known.scope, known.observed, known.desired)
    change = Change(entity.ref, "create", None, entity)
    steps = kind(entity.ref.kind).act([change], world)
    return tuple(fix for step in steps for request in step.requests for fix in _printed(request, known))


def _printed(request: Request, known: Known) -> Iterator[Fix]:
    if request.plane == "kusto":
        yield Fix("kusto", shown_text(request.text), request.target)
    elif request.plane == "sql":
        yield Fix("sql", shown_text(request.text), request.target)
    elif request.plane == "arm":
        text = _az(str(request.text[0]), request.body, known)
        if text:
            yield Fix("shell", text)


def _az(operation: str, body: Mapping[str, Any], known: Known) -> str:
    if operation == "roleAssignments.create":
        properties = body["properties"]
        role = str(properties["roleDefinitionId"]).rpartition("/")[2]
        return command(
            *("az", "role", "assignment", "create", "--assignee-object-id", shown(properties["principalId"])),
            *("--assignee-principal-type", properties["principalType"], "--role", role, "--scope", body["scope"]),
        )
    if operation == "clusters.identity":
        return _identities(list(body["ensure"]), known)
    return ""


def _identities(ensure: list[str], known: Known) -> str:
    """A PATCH of the identity block that names all that is attached, so that nothing is lost."""
    answer = known.cluster
    block = (answer.get("identity") or {}) if isinstance(answer, Mapping) else {}
    attached: dict[str, dict[str, str]] = {one: {} for one in block.get("userAssignedIdentities") or {}}
    lowered = {one.lower() for one in attached}
    attached |= {one: {} for one in ensure if one != "system" and one.lower() not in lowered}
    system = "system" in ensure or bool(block.get("principalId"))
    words = ["SystemAssigned"] * system + ["UserAssigned"] * bool(attached)
    identity: dict[str, Any] = {"type": ", ".join(words)}
    if attached:
        identity["userAssignedIdentities"] = attached
    return cluster_patch(known, {"identity": identity})


def cluster_patch(known: Known, body: Mapping[str, Any]) -> str:
    """``az rest`` that patches the cluster's ARM resource."""
    url = f"https://management.azure.com{known.scope.cluster_id}?api-version={API}"
    return command("az", "rest", "--method", "patch", "--url", url, "--body", json.dumps(body))


def command(*words: str) -> str:
    """A command line for a POSIX shell."""
    return shlex.join(words)


def definition(known: Known) -> tuple[Fix, ...]:
    """``kxrecon apply SPEC``, for what only the spec knows how to mend."""
    return (Fix("shell", known.apply),) if known.apply else ()


def words(answer: Failure) -> str:
    """A failure in a sentence."""
    return f"{answer.reason}: {answer.message}"
