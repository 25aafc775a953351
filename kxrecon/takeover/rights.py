"""How each target lets its writers in: by a role, or by the access control list of a directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kxrecon.kinds.adls.acl_entry import directories
from kxrecon.kinds.arm import role_assignment
from kxrecon.kinds.kusto._connections import UNSTATED
from kxrecon.kinds.sql import _reads as sql_reads
from kxrecon.links import BLOB_WRITER
from kxrecon.model import Ref, State
from kxrecon.scope import Scope, Target
from kxrecon.storage_uri import Location, locate
from kxrecon.takeover.survey import Survey, unique, with_targets
from kxrecon.takeover.targets import Doc, Targets


@dataclass(frozen=True, slots=True)
class Writing:
    """Somebody who writes through a table to a target: ``entry`` is the table's place in the spec."""

    entry: Doc
    writer: str


def settle(targets: Targets, writings: Iterable[Writing], seen: Survey, *, workers: int = 8) -> Survey:
    """Fill in accounts, and put tables whose writers have no role, but a list, on targets with ``grant: acl``."""
    found = with_targets(seen, targets.as_scope(), workers=workers)
    for name in targets.new:
        location = locate(str(targets.docs[name].get("url") or ""))
        account = found.scope.directory.accounts.get(location.host) if location else None
        if account:
            targets.docs[name].setdefault("resourceId", account)
    without = [one for one in writings if _lacks_role(one, targets, found)]
    # Lists are usually kept some folders above the tables: those few are asked first, a table's own folder last.
    for above in (True, False):
        probes = list(_probes(without, targets, above))
        if probes:
            found = with_targets(found, [*targets.as_scope(), *probes], workers=workers)
            without = [one for one in without if not _by_list(one, targets, found.state)]
    _user_names(targets, found)
    return with_targets(found, targets.as_scope(), workers=workers)


def _location(one: Writing, targets: Targets) -> Location | None:
    doc = targets.docs.get(str(one.entry.get("target"))) or {}
    if doc.get("auth") not in ("impersonate", "managedIdentity", UNSTATED) or doc.get("grant"):
        return None
    return locate(str(doc.get("url") or ""))


def _lacks_role(one: Writing, targets: Targets, seen: Survey) -> bool:
    location = _location(one, targets)
    account = targets.docs[str(one.entry["target"])].get("resourceId") if location else None
    if location is None or not account:
        return location is not None
    where = f"{account}/blobServices/default/containers/{location.container}"
    wanted = role_assignment.assignment(where, BLOB_WRITER, one.writer, ())
    return wanted.ref not in seen.state.entities and not role_assignment.covers(wanted, seen.state)


def _probes(without: Iterable[Writing], targets: Targets, above: bool) -> Iterable[Target]:
    """A target for each directory in question, so that its lists are read."""
    urls: dict[str, None] = {}
    for one in without:
        path = str(one.entry.get("path") or "")
        root = str(targets.docs[str(one.entry["target"])]["url"]).rstrip("/")
        urls[f"{root}/{path.rpartition('/')[0] if above else path}".rstrip("/")] = None
    for number, url in enumerate(urls):
        yield Target(f"?{number}", {"url": url, "auth": "impersonate", "grant": "acl"})


def _by_list(one: Writing, targets: Targets, state: State) -> bool:
    """Move a table to a target with ``grant: acl`` if its writer may write to a directory above it by list."""
    location = _location(one, targets)
    path = str(one.entry.get("path") or "")
    if location is None:
        return True
    directory = acl_directory(path, (location.dfs_host, location.container), one.writer, state)
    if directory is None:
        return False
    old = targets.docs[str(one.entry["target"])]
    url = f"{str(old['url']).rstrip('/')}/{directory}".rstrip("/")
    doc = {**old, "url": url, "grant": "acl"}
    known = next((name for name, other in targets.docs.items() if other == doc), None)
    if known is None:
        known = unique(directory.rpartition("/")[2] or location.container, targets.docs)
        targets.docs[known] = doc
        targets.new.append(known)
    one.entry["target"] = known
    rest = path[len(directory) :].strip("/")
    one.entry.pop("path", None)
    if rest:
        one.entry["path"] = rest
    return True


def acl_directory(path: str, where: tuple[str, str], symbol: str, state: State) -> str | None:
    """The highest directory on the way to ``path`` where ``symbol`` may write and descend; None if there is none."""
    for directory in directories(path):
        entity = state.entities.get(Ref("acl_entry", (*where, directory, symbol)))
        fields: Mapping[str, str | None] = entity.fields if entity else {"access": "", "default": ""}
        if fields["access"] == "rwx" and fields["default"] == "rwx":
            return directory.strip("/")
        if "x" not in (fields["access"] or ""):
            return None
    return None


def _user_names(targets: Targets, seen: Survey) -> None:
    """A SQL user that has another name than kxrecon would give it keeps its name."""
    for name in targets.new:
        doc = targets.docs[name]
        server = sql_reads.server_key(str(doc.get("server") or ""))
        for user in seen.state.of_kind("sql_user"):
            own = (server, str(doc.get("database")))
            if user.ref.name[:2] == own and _differs(user.ref.name[2], user.fields["name"], seen.scope):
                doc["userName"] = user.fields["name"]


def _differs(symbol: str, name: str, scope: Scope) -> bool:
    return sql_reads.default_name(symbol, scope).lower() != name.lower()
