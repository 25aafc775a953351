"""Many specs at once: which files make one spec, which wave it belongs to, and which shard looks after it.

A folder is a fleet: every spec in it that names a cluster, or that cannot be read, so that loading tells why. Several
files are one fleet, too, if more than one of them names a cluster by itself; files that name none are merged over the
one before them, as ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kxrecon.errors import UsageError
from kxrecon.model import Ref, State

_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})\Z")
# What one spec states whole. Elements of sets (roles, policy usages, list entries) may be in several specs.
STATED = frozenset({"continuous_export", "external_table", "function", "table"})


@dataclass(frozen=True, slots=True)
class Member:
    """One spec of a fleet: its files, the cluster that it names, its wave (lower ones go first)."""

    files: tuple[str, ...]
    cluster: str
    wave: int = 0

    @property
    def name(self) -> str:
        """How reports call it: the stem of its last file."""
        return Path(self.files[-1]).stem


def members(paths: Sequence[str], given: Mapping[str, str], environ: Mapping[str, str]) -> list[Member]:
    """The specs that the paths mean, in waves. UsageError for a folder without any."""
    cluster = cache(lambda *files: _cluster(files, given, environ))  # each file is read once for this
    groups: list[list[str]] = []
    named = False
    for path in paths:
        if Path(path).is_dir():
            groups += [[one] for one in _in_folder(Path(path), cluster)]
            named = True
            continue
        own = bool(cluster(path)[0])
        if not groups or (own and named) or Path(paths[0]).is_dir():
            groups.append([])
            named = False
        groups[-1].append(path)
        named = named or own
    found = [Member(tuple(files), *cluster(*files)) for files in groups]
    return sorted(found, key=lambda member: member.wave)


def _in_folder(folder: Path, cluster: Callable[[str], tuple[str, int]]) -> list[str]:
    paths = sorted(one for one in folder.iterdir() if one.suffix in (".yaml", ".yml") and one.name[0] != ".")
    found = [one for one in map(str, paths) if cluster(one)[0] or _is_unreadable(one)]
    if not found:
        raise UsageError(f"{folder} holds no spec that names a cluster")
    return found


def _is_unreadable(file: str) -> bool:
    from kxrecon.spec.files import read

    return bool(read([file])[1])


def _cluster(files: Sequence[str], given: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, int]:
    """The cluster that files name, in lower case, and their wave; empty if they cannot be read: loading will tell."""
    from kxrecon.spec.files import merge, read
    from kxrecon.spec.variables import Expansion, declared

    sources, problems = read(files)
    if problems or not sources:
        return "", 0
    document = merge(sources)
    cluster = document.get("cluster")
    uri: Any = cluster.get("uri") if isinstance(cluster, dict) else None
    known, _ = declared(sources, {name: one for name, one in given.items()}, environ)
    text = str(Expansion(known).expand(uri or "", ("cluster", "uri")))
    wave = document.get("wave", 0)
    return text.rstrip("/").lower(), wave if isinstance(wave, int) else 0


def shard(fleet: Sequence[Member], which: str, environ: Mapping[str, str]) -> list[Member]:
    """The members of shard ``i/n`` (from 1), or of this pod of a Kubernetes Indexed Job (``auto``).

    Clusters are dealt out in the order of their names, so each shard is the same on every run, and two specs of
    one cluster are never in two shards.
    """
    number, count = _which(which, environ)
    clusters = sorted({member.cluster for member in fleet})
    mine = {cluster for place, cluster in enumerate(clusters) if place % count == number}
    return [member for member in fleet if member.cluster in mine]


def _which(which: str, environ: Mapping[str, str]) -> tuple[int, int]:
    """(number from 0, count) of a shard."""
    if which == "auto":
        index, count = environ.get("JOB_COMPLETION_INDEX", ""), environ.get("JOB_COMPLETIONS", "")
        if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
            raise UsageError("--shard auto needs JOB_COMPLETION_INDEX and JOB_COMPLETIONS in the environment")
        return int(index), int(count)
    found = _SHARD.match(which)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard takes i/n, as 2/5, or auto: not {which!r}")
    return int(found[1]) - 1, int(found[2])


def claims(stated: Iterable[tuple[str, str, State]]) -> list[str]:
    """What two specs both say of one cluster: a message for each, which names both. (spec, cluster, desired)."""
    owners: dict[tuple[str, Ref], str] = {}
    found: list[str] = []
    for name, cluster, desired in stated:
        for ref in sorted(ref for ref in desired.entities if ref.kind in STATED):
            other = owners.setdefault((cluster, ref), name)
            if other != name:
                found.append(f"{ref} of {cluster} is claimed by two specs: {other} and {name}")
    return found
