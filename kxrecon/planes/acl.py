"""POSIX access control lists of Data Lake Storage, as text and as a mapping; merging them, mask included.

An entry is ``[default:]type:[id]:permissions``; order means nothing. Named users, named groups and the
owning group get at most what ``mask`` lets through, so a mask that is not recomputed takes a grant back.
learn.microsoft.com, "Access control lists (ACLs) in Azure Data Lake Storage".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Key = tuple[str, str, str]
"""(scope, type, id): scope ``access`` or ``default``; type ``user``, ``group``, ``mask`` or ``other``."""

USABLE = 28
"""Named entries that fit into the access list, and as many into the default list, of one item."""

_PARTS = 3
_TYPES = ("user", "group", "mask", "other")


def parse(text: str) -> dict[Key, str]:
    """The entries of an ACL as the service writes it. Raises ValueError for what is no entry."""
    entries: dict[Key, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        scope, rest = ("default", entry[len("default:") :]) if entry.startswith("default:") else ("access", entry)
        parts = rest.split(":")
        if len(parts) != _PARTS or parts[0] not in _TYPES:
            raise ValueError(f"not an ACL entry: {entry}")
        entries[scope, parts[0], parts[1].lower()] = parts[2]
    return entries


def text(entries: Mapping[Key, str]) -> str:
    """The ACL as the service takes it."""
    return ",".join(
        ("default:" if scope == "default" else "") + f"{kind}:{who}:{bits}"
        for (scope, kind, who), bits in sorted(entries.items(), key=_order)
    )


def merged(
    entries: Mapping[Key, str], ensure: Iterable[Mapping[str, str]], remove: Iterable[Mapping[str, str]]
) -> dict[Key, str]:
    """``entries`` with the users of ``ensure`` set, those of ``remove`` gone, everybody else kept, masks recomputed.

    A default list that comes into being gets the owner's, group's and others' entries that it must have.
    """
    result = dict(entries)
    needed: dict[str, list[str]] = {"access": [], "default": []}
    for one in remove:
        result.pop((one["scope"], "user", one["id"].lower()), None)
    for one in ensure:
        result[one["scope"], "user", one["id"].lower()] = one["permissions"]
        needed[one["scope"]].append(one["permissions"])
    for scope, permissions in needed.items():
        if any(key[0] == scope for key in result):
            _complete(result, entries, scope)
            _set_mask(result, scope, permissions)
    return result


def crowded(entries: Mapping[Key, str]) -> str | None:
    """The scope whose list has more named entries than the service takes; None if both fit."""
    for scope in ("access", "default"):
        if sum(1 for key in entries if key[0] == scope and key[2]) > USABLE:
            return scope
    return None


def _complete(result: dict[Key, str], before: Mapping[Key, str], scope: str) -> None:
    """Owner, owning group and other: every list has them; a new default list takes the access list's."""
    for kind in ("user", "group", "other"):
        result.setdefault((scope, kind, ""), before.get(("access", kind, ""), "---"))


def _set_mask(result: dict[Key, str], scope: str, needed: list[str]) -> None:
    """A mask that lets ``needed`` through, and no more than that beyond what it let through before.

    Where there was none, it is the union of all that it will limit, so that nobody loses anything.
    """
    mask = (scope, "mask", "")
    named = [bits for (at, kind, who), bits in result.items() if at == scope and kind in ("user", "group") and who]
    if not named:
        result.pop(mask, None)
    elif mask in result:
        result[mask] = _union([result[mask], *needed])
    else:
        result[mask] = _union([*named, result[scope, "group", ""]])


def _union(permissions: Iterable[str]) -> str:
    bits = "".join(permissions)
    return "".join(letter if letter in bits else "-" for letter in "rwx")


def _order(item: tuple[Key, str]) -> tuple[bool, int, str]:
    (scope, kind, who), _ = item
    return scope == "default", _TYPES.index(kind), who
