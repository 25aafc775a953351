"""What has to be edited in a spec so that an identity or a target takes another one's place, and when that is over.

Usually the name stays and what is behind it changes: whatever names ``exporter`` or ``lake`` need not be touched. The
old one gets a name of its own for as long as it has anything left to give back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kxrecon.errors import UsageError
from kxrecon.model import Value
from kxrecon.scope import SYSTEM
from kxrecon.spec.edit import Edit, Put, Take
from kxrecon.spec.rotations import SECTIONS
from kxrecon.storage_uri import same_place

Document = Mapping[str, Any]
Steps = tuple[str | int, ...]
HOMES = {"identity": ("cluster", "identities"), "target": ("targets",)}


@dataclass(frozen=True, slots=True)
class Asked:
    """A rotation as somebody asks for it: ``old`` is a name of the spec; ``new`` a name too, an Azure resource id, the
    address of a storage container or of a SQL server (with ``/database``). ``options`` are ``runs`` and ``revoke``,
    ``standing`` is what the names of the spec stand for, its variables expanded."""

    what: Literal["identity", "target"]
    old: str
    new: str
    resource_id: str = ""
    options: Mapping[str, Value] | None = None
    standing: Mapping[str, Value] = field(default_factory=dict)


def begin(asked: Asked, merged: Document, own: Document) -> list[Edit]:
    """The edits of the last file of a spec. ``merged`` is the whole spec as written, ``own`` that file. UsageError."""
    known = _known(asked.what, merged)
    if asked.old not in known:
        raise UsageError(f"the spec has no {asked.what} '{asked.old}': it has {', '.join(sorted(known)) or 'none'}")
    if asked.old == asked.new:
        raise UsageError(f"'{asked.old}' cannot take its own place")
    under_way: Document = (merged.get("rotations") or {}).get(SECTIONS[asked.what]) or {}
    if (under_way.get(asked.old) or {}).get("from") == asked.new:
        return list(_back(asked, known))
    busy = sorted({asked.old, asked.new} & {*under_way, *(str(one.get("from")) for one in under_way.values())})
    if busy:
        done = f"kxrecon rotate done SPEC --{asked.what} {busy[0]}"
        raise UsageError(f"a rotation of {asked.what} '{busy[0]}' is still in the spec: {done}, when it is complete")
    _refuse_idle(asked)
    if asked.new in known:
        return [*_rewritten(asked, merged, own), *_stated(asked.what, asked.new, asked.old, asked.options)]
    previous = _free(f"{asked.old}-old", known)
    moved = _identity(asked, known, previous) if asked.what == "identity" else _target(asked, known, own, previous)
    return [*moved, *_stated(asked.what, asked.old, previous, asked.options)]


def _refuse_idle(asked: Asked) -> None:
    """UsageError where the new one is what the old one is already: nothing would take anything's place."""
    old, new = asked.standing.get(asked.old), asked.standing.get(asked.new)
    if asked.what == "identity":
        if old not in (None, True) and _id(old) == _id(new or asked.new):
            raise UsageError(f"--to {asked.new}: '{asked.old}' is that identity already")
        return
    if old is not None and _lies_at(old, asked.new if new is None else new):
        there = (
            f"'{asked.old}' lies there already"
            if new is None
            else f"'{asked.old}' and '{asked.new}' lie in the same place"
        )
        raise UsageError(f"--to {asked.new}: {there}, so nothing would move (how it gets in is changed in the spec)")


def _id(value: Value) -> str:
    return str(value).rstrip("/").lower()


def _lies_at(doc: Document, new: Document | str) -> bool:
    """Whether a target lies where another target, or an address, is."""
    if "server" not in doc:
        url = str(new) if isinstance(new, str) else str(new.get("url") or "")
        return bool(url) and same_place(str(doc.get("url") or ""), url)
    if not isinstance(new, str):
        return (_server(doc.get("server")), doc.get("database")) == (_server(new.get("server")), new.get("database"))
    server, _, database = new.partition("/")
    return _server(doc["server"]) == _server(server) and database in ("", doc.get("database"))


def _server(value: Value) -> str:
    return str(value).lower().removeprefix("tcp:").removesuffix(",1433")


def _known(what: str, merged: Document) -> dict[str, Value]:
    if what == "target":
        return dict(merged.get("targets") or {})
    return {SYSTEM: True, **((merged.get("cluster") or {}).get("identities") or {})}


def _free(name: str, taken: Mapping[str, Value]) -> str:
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(one for one in names if one not in taken)


def _stated(what: str, name: str, previous: str, options: Mapping[str, Value] | None) -> Iterator[Edit]:
    yield Put(("rotations", SECTIONS[what], name), {"from": previous, **(options or {})})


def _back(asked: Asked, known: Mapping[str, Value]) -> Iterator[Edit]:
    """The other way round: the two names change what is behind them, and the rotation stays as it is stated."""
    if SYSTEM in (asked.old, asked.new):
        raise UsageError("the system identity has no other name: take the rotation out of the spec, and begin another")
    home = HOMES[asked.what]
    yield Put((*home, asked.old), known[asked.new])
    yield Put((*home, asked.new), known[asked.old])


def _identity(asked: Asked, known: Mapping[str, Value], previous: str) -> Iterator[Edit]:
    if "/userassignedidentities/" not in asked.new.lower():
        names = ", ".join(sorted(known))
        raise UsageError(
            f"--to {asked.new}: neither an identity of the spec ({names}) nor the id of a user-assigned one"
        )
    if asked.old == SYSTEM:
        raise UsageError("the system identity keeps its name: put the other one under cluster.identities, and name it")
    home = HOMES["identity"]
    yield Put((*home, previous), known[asked.old], after=asked.old)
    yield Put((*home, asked.old), asked.new)


def _target(asked: Asked, known: Mapping[str, Value], own: Document, previous: str) -> Iterator[Edit]:
    doc = dict(known[asked.old] or {})
    home = HOMES["target"]
    yield Put((*home, previous), doc, after=asked.old)
    here = (*home, asked.old)
    if "server" in doc:
        server, _, database = asked.new.partition("/")
        if "://" in asked.new or not server:
            raise UsageError(f"--to {asked.new}: '{asked.old}' is a SQL target, so SERVER or SERVER/DATABASE")
        yield Put((*here, "server"), server)
        yield from [Put((*here, "database"), database)] if database else []
        return
    if not asked.new.startswith(("https://", "abfss://")):
        address = "an address such as https://…/container"
        raise UsageError(f"--to {asked.new}: neither a target of the spec nor {address}")
    yield Put((*here, "url"), asked.new)
    if asked.resource_id:
        yield Put((*here, "resourceId"), asked.resource_id)
    elif "resourceId" in doc:
        mine = "resourceId" in ((own.get("targets") or {}).get(asked.old) or {})
        yield Take((*here, "resourceId")) if mine else Put((*here, "resourceId"), None)


# --- by another name ------------------------------------------------------------------------------------------


def _rewritten(asked: Asked, merged: Document, own: Document) -> Iterator[Edit]:
    """Everything that names the old one names the new one."""
    for path, value in _references(asked.what, merged):
        if value == asked.old:
            yield _replaced(path, asked.new, merged, own)
    for path in _policies(merged) if asked.what == "identity" else ():
        usages = _at(merged, path).get(asked.old)
        if usages is None:
            continue
        yield Put((*map(str, path), asked.new), usages, after=asked.old)
        here = (*map(str, path), asked.old)
        yield Take(here) if asked.old in (_at(own, path) or {}) else Put(here, None)


def _replaced(path: Steps, new: str, merged: Document, own: Document) -> Edit:
    """One value: where it stands in the file itself, in its place; else laid over, a list as a whole."""
    if not isinstance(path[-1], int) or _at(own, path[:-1]) is not None:
        return Put(path, new)
    whole = list(_at(merged, path[:-1]))
    whole[path[-1]] = new
    return Put(path[:-1], whole)


def _at(document: Any, path: Steps) -> Any:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


_VALUES: Mapping[str, tuple[Steps, ...]] = {
    "identity": (
        ("defaults", "continuousExports", "managedIdentity"),
        ("defaults", "targets", "identity"),
        ("databases", "*", "continuousExports", "*", "managedIdentity"),
        ("targets", "*", "identity"),
        ("roleAssignments", "*", "principal"),
        ("cluster", "roles", "*", "*", "*"),
        ("databases", "*", "roles", "*", "*", "*"),
    ),
    "target": (
        ("defaults", "externalTables", "target"),
        ("databases", "*", "externalTables", "*", "target"),
    ),
}


def _references(what: str, merged: Document) -> Iterator[tuple[Steps, Value]]:
    for pattern in _VALUES[what]:
        yield from _matching(merged, pattern, ())


def _policies(merged: Document) -> list[Steps]:
    wanted: Sequence[Steps] = (("cluster", "managedIdentityPolicy"), ("databases", "*", "managedIdentityPolicy"))
    return [path for pattern in wanted for path, _ in _matching(merged, pattern, ())]


def _matching(document: Any, pattern: Steps, path: Steps) -> Iterator[tuple[Steps, Value]]:
    if not pattern:
        yield path, document
        return
    step, rest = pattern[0], pattern[1:]
    if isinstance(document, Mapping):
        for key in document if step == "*" else [step] if step in document else []:
            yield from _matching(document[key], rest, (*path, key))
    elif isinstance(document, list) and step == "*":
        for index, one in enumerate(document):
            yield from _matching(one, rest, (*path, index))


# --- when it is over ------------------------------------------------------------------------------------------


def finish(what: Literal["identity", "target"], name: str, previous: str, merged: Document) -> list[Edit]:
    """The edits that take a complete rotation out, and the name of the old one if nothing else names it."""
    edits: list[Edit] = [Take(("rotations", SECTIONS[what], name))]
    named = any(value == previous for _, value in _references(what, merged))
    named = named or (what == "identity" and any(previous in (_at(merged, path) or {}) for path in _policies(merged)))
    if not named and previous != SYSTEM:
        edits.append(Take((*HOMES[what], previous)))
    return edits
