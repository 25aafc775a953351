"""What a proof says: links that hold, are broken or are unknown, each with its evidence and its fix.

Pure values, below reports and above the model: ``verify`` makes them, reports show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class Fix:
    """What mends a link, exactly as it is to be sent.

    ``where``: ``kusto`` (a management command; ``target`` is its database, "" the cluster), ``sql`` (a
    statement; ``target`` is ``server/database``), ``shell`` (a command line), or ``person`` (words: something
    that only somebody with knowledge of the estate can decide).
    """

    where: Literal["kusto", "sql", "shell", "person"]
    text: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain. ``evidence`` is what was seen, or why it cannot be known."""

    name: str
    verdict: Verdict
    evidence: str
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """All links of one export, in the order in which a run meets them."""

    export: str
    links: tuple[Link, ...]

    @property
    def first_broken(self) -> Link | None:
        """The link that stops the next run; None if none is known to be broken."""
        return next((link for link in self.links if link.verdict == "broken"), None)

    @property
    def verdict(self) -> Verdict:
        """Broken if one link is, unknown if one of the others is, else it holds."""
        if self.first_broken is not None:
            return "broken"
        return "unknown" if any(link.verdict == "unknown" for link in self.links) else "holds"

    @property
    def ordered(self) -> tuple[Link, ...]:
        """The first broken link on top, then the others as they follow each other."""
        first = self.first_broken
        return self.links if first is None else (first, *(link for link in self.links if link is not first))


def holds(evidence: str) -> Link:
    """A link that holds; its name is given by the chain."""
    return Link("", "holds", evidence)


def broken(evidence: str, *fixes: Fix) -> Link:
    """A link that stops the next run."""
    return Link("", "broken", evidence, fixes)


def unknown(evidence: str, *fixes: Fix) -> Link:
    """A link that cannot be judged, and why not."""
    return Link("", "unknown", evidence, fixes)


@dataclass(frozen=True, slots=True)
class Node:
    """A thing in a picture: ``kind`` is table, export, external-table, target, identity or database."""

    id: str
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Edge:
    """What one thing needs of another, with the worst verdict of the links that it stands for. ``exports``: by the ids
    of the exports that it is there for, the verdict of their own links."""

    source: str
    target: str
    label: str
    verdict: Verdict
    exports: tuple[tuple[str, Verdict], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes and edges of one or more chains, shared ones once."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def worst(verdicts: list[Verdict]) -> Verdict:
    """Broken before unknown before holds."""
    return "broken" if "broken" in verdicts else "unknown" if "unknown" in verdicts else "holds"
