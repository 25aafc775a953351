"""ARM resource ids and the reads that several ARM kinds share; nothing here knows what an entity is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kxrecon.model import Failure, Read
from kxrecon.scope import Scope

UNSTATED = Failure(
    "failed",
    "the spec has no cluster.resourceId, so nobody can look: state it, or leave Azure alone (manage: arm: off)",
)
"""The answer about the cluster's own resource where nobody said which it is: unknown, never absent."""


def needed(record: Mapping[str, Any], name: str, holds: str = "/") -> str:
    """A text of an answer that is always there and holds ``holds``, in any letter case: an id, a scope.

    Raises KeyError or TypeError.
    """
    found = record[name]
    if not isinstance(found, str) or holds.lower() not in found.lower():
        raise TypeError(f"{name} is {str(found)[:60]!r}")
    return found


def subscription(resource_id: str) -> str:
    """The subscription of a resource id, lower-case; empty for ids above subscriptions."""
    parts = resource_id.strip("/").lower().split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "subscriptions" else ""


def last_segment(resource_id: str) -> str:
    """The name at the end of a resource id, or of a compound name such as ``cluster/assignment``."""
    return resource_id.rstrip("/").rpartition("/")[2]


def enclosing(scope_id: str) -> Iterator[str]:
    """The scopes whose role assignments hold for ``scope_id``: itself, then each one above it, lower-case.

    Above a subscription only ``/`` can be named from the id; management groups are learned from answers.
    """
    parts = scope_id.strip("/").lower().split("/")
    # subscriptions/S · resourceGroups/G · providers/N/type/name · then pairs type/name
    cuts = [2, 4, *range(8, len(parts) + 1, 2)]
    for cut in sorted({cut for cut in cuts if cut < len(parts)} | {len(parts)}, reverse=True):
        yield "/" + "/".join(parts[:cut])
    yield "/"


def cluster_read(scope: Scope) -> Read:
    """The cluster's ARM resource: its identities, state and location."""
    return Read("arm", subscription(scope.cluster_id), "clusters.get", (("resourceId", scope.cluster_id),))


def exclusive(scope: Scope) -> str:
    """The key under which the cluster's mutations queue: ARM refuses a second one while the first runs."""
    return f"arm:{scope.cluster_id.lower()}"
