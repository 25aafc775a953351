"""POSIX access control lists as Data Lake Storage Gen2 keeps them (learn.microsoft.com, ACLs in ADLS Gen2).

Pure: text in, text out. An entry is ``[default:]type:[id]:rwx``; the order of entries means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Entry = tuple[bool, str, str]  # default?, type, qualifier
Acl = dict[Entry, str]

ROOT = "user::rwx,group::r-x,other::---"
LIMIT = 32
_ENTRY = re.compile(
    r"^(?P<default>default:)?(?P<type>user|group|mask|other):(?P<id>[^:,]*)(?::(?P<bits>[r-][w-][x-]))?$"
)
_ORDER = ("user", "group", "mask", "other")


class BadAcl(ValueError):
    """The text is no ACL, or one that the service does not take."""


def parse(text: str, bits: bool = True) -> Acl:
    """Entries of a list; ``bits=False`` for the list of a removal, which names entries only."""
    found: Acl = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        match = _ENTRY.match(part)
        if not match or bool(match["bits"]) != bits or (match["id"] and match["type"] in ("mask", "other")):
            raise BadAcl(f"The ACL entry '{part}' is malformed")
        entry = (bool(match["default"]), match["type"], match["id"].lower())
        if entry in found:
            raise BadAcl(f"The ACL entry '{part}' is given twice")
        found[entry] = match["bits"] or ""
    return found


def text(acl: Mapping[Entry, str]) -> str:
    """The list as the service answers it: access entries, then defaults, each owner first."""
    ordered = sorted(acl, key=lambda entry: (entry[0], _ORDER.index(entry[1]), entry[2]))
    return ",".join(
        f"{'default:' if default else ''}{kind}:{name}:{acl[default, kind, name]}" for default, kind, name in ordered
    )


def replaced(wanted: Acl) -> Acl:
    """A whole new list, completed; BadAcl if owner, group or other is missing."""
    for kind in ("user", "group", "other"):
        if (False, kind, "") not in wanted:
            raise BadAcl(f"The ACL has no entry for the owning {kind}")
    return _completed(dict(wanted), set(wanted))


def merged(current: Acl, changes: Acl) -> Acl:
    """A list with entries changed or added; masks that were not given are computed anew."""
    return _completed({**current, **changes}, set(changes))


def without(current: Acl, removed: Iterable[Entry]) -> Acl:
    """A list with entries taken away; the owner's, the group's and other's stay."""
    gone = {entry for entry in removed if entry[2] or entry[0]}
    return _completed({entry: bits for entry, bits in current.items() if entry not in gone}, set())


def _completed(acl: Acl, given: set[Entry]) -> Acl:
    """Fill in what POSIX asks for: the default owner entries and the masks."""
    if any(entry[0] for entry in acl):
        for kind in ("user", "group", "other"):
            acl.setdefault((True, kind, ""), acl[False, kind, ""])
    for default in (False, True):
        _mask(acl, default, given)
        if sum(1 for entry in acl if entry[0] == default) > LIMIT:
            raise BadAcl(f"The ACL has more than {LIMIT} entries")
    return acl


def _mask(acl: Acl, default: bool, given: set[Entry]) -> None:
    """Named entries need a mask; unless given it is the union of what it limits."""
    mask = (default, "mask", "")
    named = [entry for entry in acl if entry[0] == default and entry[2]]
    if not named:
        if mask not in given:
            acl.pop(mask, None)
        return
    if mask not in given:
        limited = [acl[entry] for entry in (*named, (default, "group", ""))]
        acl[mask] = "".join(bit if any(bit in bits for bits in limited) else "-" for bit in "rwx")


def from_permissions(permissions: str, current: Acl) -> Acl:
    """``chmod``: symbolic (``rwxr-x---``) or octal (``0750``) permissions put into a list."""
    if re.fullmatch(r"[0-7]?[0-7]{3}", permissions):
        triads = [
            "".join(bit if int(digit) & value else "-" for bit, value in zip("rwx", (4, 2, 1), strict=True))
            for digit in permissions[-3:]
        ]
    elif re.fullmatch(r"([r-][w-][xsStT-]){3}\+?", permissions):
        triads = [permissions[at : at + 3].lower().replace("s", "x").replace("t", "x") for at in (0, 3, 6)]
    else:
        raise BadAcl(f"The permissions '{permissions}' are malformed")
    group = (False, "mask", "") if (False, "mask", "") in current else (False, "group", "")
    return {**current, (False, "user", ""): triads[0], group: triads[1], (False, "other", ""): triads[2]}


def permissions(acl: Mapping[Entry, str]) -> str:
    """The nine letters, the mask standing for the group if there is one; ``+``: more than these."""
    group = acl.get((False, "mask", ""), acl[False, "group", ""])
    more = "+" if any(entry[2] or entry[0] for entry in acl) else ""
    return acl[False, "user", ""] + group + acl[False, "other", ""] + more


def inherited(parent: Acl) -> Acl:
    """The list of a directory made below one with default entries: they become its own, and stay default."""
    defaults = {entry: bits for entry, bits in parent.items() if entry[0]}
    if not defaults:
        return parse(ROOT)
    return {**{(False, kind, name): bits for (_, kind, name), bits in defaults.items()}, **defaults}


def allows(acl: Mapping[Entry, str], principal: str, groups: Iterable[str], bits: str) -> bool:
    """Whether named entries give a principal all of ``bits`` (such as ``wx``), the mask considered."""
    mask = acl.get((False, "mask", ""), "rwx")
    own = acl.get((False, "user", principal.lower()))
    if own is not None:
        return all(bit in own and bit in mask for bit in bits)
    held = [acl[entry] for entry in ((False, "group", group.lower()) for group in groups) if entry in acl]
    if held:
        return any(all(bit in one and bit in mask for bit in bits) for one in held)
    return all(bit in acl.get((False, "other", ""), "---") for bit in bits)
