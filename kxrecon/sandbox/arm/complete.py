"""What a long-running operation does when it ends."""

from __future__ import annotations

from uuid import uuid4

from kxrecon.sandbox.arm import identity
from kxrecon.sandbox.arm.ids import parse
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World


def complete(world: World, operation: Document) -> None:
    """Make the operation's change."""
    change = operation["change"]
    for entry in change.get("put", ()):
        world.store.put(entry["kind"], tuple(entry["key"]), entry["document"])
    for entry in change.get("delete", ()):
        world.store.delete(entry["kind"], *entry["key"])
    if change.get("cluster"):
        _update(world, operation["cluster"], change["cluster"])


def _update(world: World, uri: str, change: Document) -> None:
    """Change the cluster's own document; its etag changes with it."""
    cluster = world.store.get("cluster", uri)
    if cluster is None:
        return
    if "identity" in change:
        place = parse(str(cluster["resourceId"]))
        identity.settle(world, cluster, change["identity"], place.name if place else uri)
    for name in ("tags", "state"):
        if name in change:
            cluster[name] = change[name]
    if "properties" in change:
        cluster["properties"] = {**(cluster.get("properties") or {}), **change["properties"]}
    cluster["etag"] = new_etag()
    world.store.put("cluster", (uri,), cluster)


def new_etag() -> str:
    """A fresh entity tag."""
    return f'"{uuid4().hex[:16]}"'
