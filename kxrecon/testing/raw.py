"""Commands and requests of somebody else: straight to the sandbox's services, past kxrecon and past all weather."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from kxrecon.sandbox.arm.app import ArmApp
from kxrecon.sandbox.arm.builtin import BY_GUID
from kxrecon.sandbox.arm.rights import role_guid
from kxrecon.sandbox.kusto.service import KustoService
from kxrecon.sandbox.world import World
from kxrecon.testing.words import Grant, Refused


def kql(world: World, cluster: str, database: str, text: str) -> list[dict[str, Any]]:
    """The rows of the first table that a command or query answers with. Raises Refused."""
    known = [key[0] for key, _ in world.store.all("cluster")]
    chosen = [uri for uri in known if cluster.rstrip("/").lower() in ("", uri)]
    if len(chosen) != 1:
        raise KeyError(f"which cluster? the sandbox has {', '.join(known) or 'none: plan or apply a spec first'}")
    service = KustoService(world.store, world.clock, chosen[0])
    if text.lstrip().startswith("."):
        status, body = service.handle_management(database, text, {})
    else:
        status, body = service.handle_query(database, text, {}, version=1)
    if status != 200:
        raise Refused(status, str(body["error"]["@message"]))
    first = body["Tables"][0]
    names = [str(column["ColumnName"]) for column in first["Columns"]]
    return [dict(zip(names, row, strict=True)) for row in first["Rows"]]


def send(world: World, method: str, path: str, body: Any = None) -> Any:
    """The JSON that Azure Resource Manager answers. Raises Refused."""
    content = None if body is None else json.dumps(body)
    builder = EnvironBuilder(path=path, method=method, data=content, content_type="application/json")
    try:
        answer = ArmApp(world).answer(Request(builder.get_environ()))
    finally:
        builder.close()
    if answer.status >= 400:
        error = answer.body["error"]
        raise Refused(answer.status, f"{error['code']}: {error['message']}")
    return answer.body


def grants(world: World, role: str, scope: str) -> list[Grant]:
    """The role assignments of a role's name whose scope ends so."""
    found = []
    for (_, name), one in world.store.all("role_assignment"):
        known = BY_GUID.get(role_guid(str(one["roleDefinitionId"])))
        named = known.name if known else str(one["roleDefinitionId"])
        place = str(one["scope"])
        if role.lower() in ("", named.lower()) and place.lower().endswith(scope.lower()):
            identity = f"{place.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"
            found.append(Grant(identity, named, place, str(one["principalId"])))
    return found
