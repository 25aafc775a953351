"""Many specs at once: which files make one spec, which wave it belongs to, and which shard looks after it.

A folder is a fleet: every spec in it that names a cluster, or that cannot be read, so that loading tells why; but no
base of others that cannot stand alone. Several files are one fleet, too, if more than one of them names a cluster by
itself; files that name none are merged over the one before them, as ever.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kxrecon.errors import Problem, UsageError
from kxrecon.model import Ref, State
from kxrecon.scope import MARK

if TYPE_CHECKING:
    from kxrecon.spec.source import Source
    from kxrecon.spec.variables import Expansion

_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})\Z")
# What one spec states whole. Elements of sets (roles, policy usages, list entries) may be in several specs.
STATED = frozenset({"continuous_export", "external_table", "function", "table"})


@dataclass(frozen=True, slots=True)
class Member:
    """One spec of a fleet: its files, the cluster that it names, its wave (lower ones go first).

    ``called`` is its name where the stem of its last file would be another member's too.
    """

    files: tuple[str, ...]
    cluster: str
    wave: int = 0
    called: str = ""

    @property
    def name(self) -> str:
        """How reports call it: the stem of its last file, or as much of its files as tells it apart."""
        return self.called or Path(self.files[-1]).stem

    @property
    def place(self) -> tuple[str, ...]:
        """Its files, however they were written on the command line: equal for one spec only."""
        return tuple(os.path.abspath(file) for file in self.files)


def members(
    paths: Sequence[str],
    given: Mapping[str, str],
    environ: Mapping[str, str],
    told: Callable[[str], object] = lambda said: None,
) -> list[Member]:
    """The specs that the paths mean, in waves. UsageError for a folder without any. ``told`` is given a sentence for
    each file of a folder that is the base of others and no spec of its own."""
    known = _Known(given, environ)
    groups: list[list[str]] = []
    named = False
    for path in paths:
        if Path(path).is_dir():
            groups += [[one] for one in _in_folder(Path(path), known, told)]
            named = True
            continue
        own = known.names_cluster(path)
        if not groups or (own and named) or Path(paths[0]).is_dir():
            groups.append([])
            named = False
        groups[-1].append(path)
        named = named or own
    found: dict[tuple[str, ...], Member] = {}
    for files in groups:
        one = Member(tuple(files), *known.cluster(files))
        found.setdefault(one.place, one)
    return sorted(told_apart(list(found.values())), key=lambda member: member.wave)


def told_apart(found: Sequence[Member]) -> Iterator[Member]:
    """The members, each with a name that no other has: its stem, else its last file, else all of its files."""
    stems = Counter(Path(one.files[-1]).stem for one in found)
    lasts = Counter(one.files[-1] for one in found)
    for one in found:
        last = one.files[-1]
        if stems[Path(last).stem] == 1:
            yield one
        else:
            yield replace(one, called=last if lasts[last] == 1 else " + ".join(one.files))


def wave(files: Sequence[str]) -> int:
    """The wave that files name; 0 if they cannot be read."""
    return _Known({}, {}).cluster(files)[1]


def _in_folder(folder: Path, known: _Known, told: Callable[[str], object]) -> list[str]:
    paths = sorted(one for one in folder.iterdir() if one.suffix in (".yaml", ".yml") and one.name[0] != ".")
    found = [one for one in map(str, paths) if known.cluster([one])[0] or known.is_unreadable(one)]
    extended = _extended(known, found)
    bases = {one: lacking for one in found if one in extended and (lacking := known.lacking(one))}
    for one, lacking in bases.items():
        by = ", ".join(extended[one])
        told(f"{one} is no spec of its own but a base, of {by}: the variable '{lacking}' has no value in it")
    if len(found) == len(bases):
        raise UsageError(f"{folder} holds no spec that names a cluster")
    return [one for one in found if one not in bases]


def _extended(known: _Known, files: Sequence[str]) -> dict[str, list[str]]:
    """Those of the files that others of them extend, directly or not, with the names of these."""
    places = {Path(one).resolve(): one for one in files}
    found: dict[str, list[str]] = {}
    for one in files:
        for source in known.read(one)[0][:-1]:
            base = places.get(Path(source.file).resolve())
            if base is not None:
                found.setdefault(base, []).append(Path(one).name)
    return found


class _Known:
    """What files say of themselves before they are loaded as specs; each is read once."""

    def __init__(self, given: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._given, self._environ = dict(given), environ
        self.read = cache(self._read)

    def _read(self, *files: str) -> tuple[list[Source], list[Problem]]:
        from kxrecon.spec.files import read

        return read(files)

    def is_unreadable(self, file: str) -> bool:
        """Whether something keeps it from being read."""
        return bool(self.read(file)[1])

    def names_cluster(self, file: str) -> bool:
        """Whether it names a cluster by itself; one with a variable that has no value yet is a base's."""
        uri = self.cluster([file])[0]
        return bool(uri) and "${" not in uri

    def cluster(self, files: Sequence[str]) -> tuple[str, int]:
        """The cluster that files name, in lower case, and their wave; empty if they cannot be read: loading tells."""
        from kxrecon.spec.files import merge

        sources, problems = self.read(*files)
        if problems or not sources:
            return "", 0
        document = merge(sources)
        cluster = document.get("cluster")
        uri: Any = cluster.get("uri") if isinstance(cluster, dict) else None
        text = str(self._expansion(sources).expand(uri or "", ("cluster", "uri")))
        wave = document.get("wave", 0)
        return text.rstrip("/").lower(), wave if isinstance(wave, int) else 0

    def lacking(self, file: str) -> str:
        """A variable that a file uses and that has no value in it; empty if there is none."""
        from kxrecon.spec.files import merge

        sources, _ = self.read(file)
        expansion = self._expansion(sources)
        expansion.expand({key: value for key, value in merge(sources).items() if key != "variables"}, ())
        return next(iter(expansion.unset), "")

    def _expansion(self, sources: Sequence[Source]) -> Expansion:
        from kxrecon.spec.variables import Expansion, declared

        return Expansion(declared(sources, self._given, self._environ)[0])


class _OfCluster(Protocol):
    @property
    def cluster(self) -> str:
        """The cluster that it is about."""


T = TypeVar("T", bound=_OfCluster)


def shard(fleet: Sequence[T], which: str, environ: Mapping[str, str]) -> list[T]:
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


@dataclass(frozen=True, slots=True)
class Clash:
    """What two specs of one cluster both say: a message that names both, and the two."""

    message: str
    between: tuple[Member, Member]


def clashes(stated: Sequence[tuple[Member, str, State]]) -> list[Clash]:
    """What the specs of one cluster may not share: a name, which is their mark, and what a spec states whole.
    (member, the spec's name, desired)."""
    return [*_named_alike(stated), *_claimed_twice(stated)]


def _named_alike(stated: Sequence[tuple[Member, str, State]]) -> Iterator[Clash]:
    """Two specs with one name would take each other's marks for their own, and prune what the other one needs."""
    first: dict[tuple[str, str], Member] = {}
    for member, name, _ in stated:
        other = first.setdefault((member.cluster, name), member)
        if other.place != member.place:
            both = f"{_files(other)} and {_files(member)} are both named {name} on {member.cluster}"
            why = f"what one of them marks {MARK}{name} the other takes for its own"
            yield Clash(f"{both}: {why}; give one of them another name:", (other, member))


def _claimed_twice(stated: Sequence[tuple[Member, str, State]]) -> Iterator[Clash]:
    owners: dict[tuple[str, Ref], Member] = {}
    for member, _, desired in stated:
        for ref in sorted(ref for ref in desired.entities if ref.kind in STATED):
            other = owners.setdefault((member.cluster, ref), member)
            if other.place != member.place:
                message = f"{ref} of {member.cluster} is claimed by two specs: {_files(other)} and {_files(member)}"
                yield Clash(message, (other, member))


def _files(member: Member) -> str:
    return " + ".join(member.files)
