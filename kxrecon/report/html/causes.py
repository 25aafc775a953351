"""What breaks several exports at once: mended once, all of them go on to their next link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kxrecon.report.chains import label

if TYPE_CHECKING:
    from kxrecon.verdicts import Chain, Fix, Picture

NAMED = 12  # exports that a cause names; the others are counted


@dataclass(frozen=True, slots=True)
class Proved:
    """One export of a page: its anchor, its cluster by number and name, its chain and picture."""

    anchor: str
    member: int
    at: str
    chain: Chain
    picture: Picture


@dataclass(frozen=True, slots=True)
class Cause:
    """A first broken link that several exports of a cluster share, with all of its fixes."""

    link: str
    evidence: str  # empty if it differs from export to export
    fixes: Sequence[tuple[str, str, bool]]
    at: str
    exports: Sequence[Proved]

    @property
    def named(self) -> Sequence[Proved]:
        """The first of them."""
        return self.exports[:NAMED]


def causes(proved: Iterable[Proved]) -> list[Cause]:
    """Those of more than one export, that of most exports first."""
    found: dict[tuple[int, str, tuple[Fix, ...]], list[Proved]] = {}
    for one in proved:
        first = one.chain.first_broken
        if first is not None and first.fixes:
            found.setdefault((one.member, first.name, first.fixes), []).append(one)
    shared = [_cause(name, fixes, ones) for (_, name, fixes), ones in found.items() if len(ones) > 1]
    return sorted(shared, key=lambda one: -len(one.exports))


def _cause(name: str, fixes: Sequence[Fix], ones: Sequence[Proved]) -> Cause:
    said = {first.evidence for one in ones if (first := one.chain.first_broken)}
    return Cause(name, said.pop() if len(said) == 1 else "", fixed(fixes), ones[0].at, ones)


def fixed(fixes: Sequence[Fix]) -> list[tuple[str, str, bool]]:
    """Where each fix is to be said ("" in a shell), its text, and whether that is to be copied: words are not."""
    said = {"shell": "", "person": ""}
    return [
        (said.get(fix.where, label(fix).strip().removesuffix(":")), fix.text, fix.where != "person") for fix in fixes
    ]
