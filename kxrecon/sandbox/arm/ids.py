"""ARM resource ids: taking them apart, comparing them without case, walking up their scopes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ID = re.compile(
    r"^/subscriptions/(?P<subscription>[^/]+)"
    r"(?:/resourceGroups/(?P<group>[^/]+))?"
    r"(?:/providers/(?P<provider>[^/]+)(?P<rest>(?:/[^/]+/[^/]+)+))?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The parts of an id, as written. ``kind`` is ``Provider/type/childType``; ``names`` go with its types."""

    subscription: str
    group: str
    kind: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The resource's own name; the last segment."""
        return self.names[-1] if self.names else ""


def parse(text: str) -> ResourceId | None:
    """The parts of an id of a subscription, group or resource; None if it is none of these."""
    match = _ID.match(text.rstrip("/"))
    if not match:
        return None
    pairs = [part for part in (match["rest"] or "").split("/") if part]
    kind = "/".join([match["provider"], *pairs[0::2]]) if match["provider"] else ""
    return ResourceId(match["subscription"], match["group"] or "", kind, tuple(pairs[1::2]))


def same(one: str, other: str) -> bool:
    """Whether two ids name the same resource; ARM ignores case."""
    return normal(one) == normal(other)


def normal(text: str) -> str:
    """The key of an id in the store: lower case, one leading slash, none at the end."""
    return "/" + text.strip().strip("/").lower()


def covers(upper: str, lower: str) -> bool:
    """Whether what holds at the scope ``upper`` holds at ``lower`` (both normal).

    The sandbox has one hierarchy: every management group is above every subscription.
    """
    if upper == "/" or lower == upper or lower.startswith(upper + "/"):
        return True
    return upper.startswith("/providers/microsoft.management/managementgroups/") and lower.startswith("/subscriptions/")
