"""Who may write below a path by access control lists alone.

("learn.microsoft.com, Access control lists in Azure Data Lake Storage": traversing needs ``x`` on every
directory above, creating files ``wx`` on the directory itself; what does not exist yet is created by the writer.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kxrecon.kinds.adls.acl_entry import directories
from kxrecon.model import Failure
from kxrecon.storage_uri import Location
from kxrecon.verify import reads
from kxrecon.verify.known import Known

Entries = dict[tuple[str, str], str]  # (user | group | mask | other, object id or "") → permissions


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the lists let somebody write, and in words why or why not."""

    verdict: Literal["yes", "no", "unknown"]
    evidence: str


def access(known: Known, place: Location, object_id: str, groups: frozenset[str]) -> Access:
    """What the lists on the way to ``place`` give an object id; ``groups`` are the groups known to hold it."""
    found = list(_found(known, place))
    if not found or isinstance(found[0][1], Failure):
        why = found[0][1].message if found and isinstance(found[0][1], Failure) else "they were not asked"
        return Access("unknown", f"the access control lists could not be read ({why})")
    for position, (directory, answer) in enumerate(found):
        if isinstance(answer, Failure):
            return Access("unknown", f"the list of '{directory}' could not be read ({answer.message})")
        wanted = "wx" if position == len(found) - 1 else "x"
        verdict = _allows(answer, object_id, groups, wanted)
        if verdict != "yes":
            return Access(verdict, f"the list of '{directory}' gives it no {wanted}")
    return Access("yes", f"the lists on the way to '/{place.path}' let it write")


def _found(known: Known, place: Location) -> Iterator[tuple[str, Mapping[str, Any] | Failure]]:
    """The directories that exist, from the root on; the last may be a failure to read."""
    for directory in directories(place.path):
        answer = known.answers.get(reads.acl(place, directory))
        if isinstance(answer, Failure) and answer.reason == "absent":
            return
        if not isinstance(answer, Mapping | Failure):
            return
        yield directory, answer


def _allows(answer: Mapping[str, Any], object_id: str, groups: frozenset[str], wanted: str) -> Any:
    entries = _entries(str(answer.get("acl") or ""))
    if str(answer.get("owner") or "").lower() == object_id:
        return _yes(entries.get(("user", ""), ""), wanted)
    mask = entries.get(("mask", ""), "rwx")
    own = entries.get(("user", object_id))
    if own is not None:
        return _yes(_both(own, mask), wanted)
    named = {name: bits for (kind, name), bits in entries.items() if kind == "group" and name}
    if any(_yes(_both(named.get(group, ""), mask), wanted) == "yes" for group in groups):
        return "yes"
    if _yes(entries.get(("other", ""), ""), wanted) == "yes":
        return "yes"
    # Membership of groups is not read: a list that lets one in may let the identity in.
    lets_group = any(_yes(_both(bits, mask), wanted) == "yes" for name, bits in named.items() if name not in groups)
    return "unknown" if lets_group else "no"


def _entries(text: str) -> Entries:
    found: Entries = {}
    for entry in text.split(","):
        parts = entry.strip().split(":")
        if len(parts) == 3:
            found[parts[0], parts[1].lower()] = parts[2]
    return found


def _both(one: str, other: str) -> str:
    return "".join(bit for bit in one if bit in other)


def _yes(bits: str, wanted: str) -> Literal["yes", "no"]:
    return "yes" if all(bit in bits for bit in wanted) else "no"
