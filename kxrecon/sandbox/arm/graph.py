"""Azure Resource Graph: a POST with a query over ``resources``.

Imitated are ``where`` with comparisons joined by and/or/not, ``project``, ``extend``, ``order by``,
``take``/``limit``, ``count`` and ``tolower``; anything else is refused as the service refuses a bad query.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kxrecon.sandbox.arm import clusters, identities, storage
from kxrecon.sandbox.arm.call import Answer, Call, route
from kxrecon.sandbox.arm.errors import Refusal, bad_content
from kxrecon.sandbox.arm.ids import parse
from kxrecon.sandbox.arm.rights import caller_roles, grants
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

PAGE = 1000
QUOTA = {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
"""The service answers how many of 15 queries in five seconds are left; the sandbox does not count (weather can)."""


def query(call: Call) -> Answer:
    """Resources: answers only what the caller may read, within the subscriptions that were named."""
    from kxrecon.sandbox.arm.question import BadQuery, evaluate

    body = call.body()
    text, options = body.get("query"), body.get("options") or {}
    if not isinstance(text, str) or not isinstance(options, dict):
        raise bad_content("Required property 'query' not found in JSON")
    try:
        rows = evaluate(text, list(visible(call.world, body.get("subscriptions"))))
    except BadQuery as error:
        raise Refusal(400, "BadRequest", f"Please provide below info when asking for support: {error}") from None
    return Answer(_page(rows, options), 200, QUOTA)


def _page(rows: list[Document], options: Document) -> Document:
    """One page of rows; ``$skipToken`` in the answer leads to the next."""
    token, top = options.get("$skipToken") or "0", options.get("$top") or PAGE
    skip = options.get("$skip") or 0
    if not str(token).isdigit() or not isinstance(top, int) or not isinstance(skip, int) or top < 1:
        raise Refusal(400, "BadRequest", "The query options are not valid.")
    start = int(token) + skip
    page = rows[start : start + min(top, PAGE)]
    body: Document = {
        "totalRecords": len(rows),
        "count": len(page),
        "data": page,
        "facets": [],
        "resultTruncated": "false",
    }
    if options.get("resultFormat") == "table":
        body["data"] = _table(page)
    if start + len(page) < len(rows):
        body["$skipToken"] = str(start + len(page))
    return body


def _table(rows: list[Document]) -> Document:
    """The older answer form: columns and rows."""
    names = list(rows[0]) if rows else []
    columns = [
        {"name": name, "type": "object" if rows and isinstance(rows[0][name], dict | list) else "string"}
        for name in names
    ]
    return {"columns": columns, "rows": [[row.get(name) for name in names] for row in rows]}


def visible(world: World, subscriptions: Any) -> Iterator[Document]:
    """All resources of the sandbox as rows that the caller may see."""
    wanted = {str(one).lower() for one in subscriptions} if isinstance(subscriptions, list) and subscriptions else None
    for body in _resources(world):
        place = parse(str(body["id"]))
        if not place or (wanted is not None and place.subscription.lower() not in wanted):
            continue
        roles = caller_roles(world, str(body["id"]))
        if roles is None or grants(roles, f"{place.kind}/read"):
            yield _row(world, body, place.subscription, place.group)


def _resources(world: World) -> Iterator[Document]:
    for (uri,), document in world.store.all("cluster"):
        yield clusters.describe(world, uri, document)
    for _, document in world.store.all("account"):
        yield storage.describe(document)
    for (name,), document in world.store.all("lake_store"):
        yield _lake_store(name, document)
    for (key,), document in world.store.all("identity"):
        yield identities.describe(key, document)


def _lake_store(name: str, document: Document) -> Document:
    """An account of the retired Data Lake Storage Gen1, of which nothing but its place is known."""
    kind, at = "Microsoft.DataLakeStore/accounts", document["location"]
    properties = {"endpoint": f"{name}.azuredatalakestore.net", "provisioningState": "Succeeded"}
    return {"id": document["resourceId"], "name": name, "type": kind, "location": at, "properties": properties}


def _row(world: World, body: Document, subscription: str, group: str) -> Document:
    """A resource as a row: Resource Graph writes types and groups in lower case."""
    row = {
        "id": str(body["id"]).replace("/Clusters/", "/clusters/"),
        "name": body["name"],
        "type": str(body["type"]).lower(),
        "tenantId": world.tenant,
        "kind": body.get("kind", ""),
        "location": str(body["location"]).lower().replace(" ", ""),
        "resourceGroup": group.lower(),
        "subscriptionId": subscription,
        "managedBy": "",
        "sku": body.get("sku"),
        "plan": None,
        "properties": body["properties"],
        "tags": body.get("tags") or {},
        "identity": body.get("identity"),
        "zones": None,
        "extendedLocation": None,
    }
    return dict(json.loads(json.dumps(row)))


ROUTES = (route("POST", "/providers/Microsoft.ResourceGraph/resources", "Resources", query),)
