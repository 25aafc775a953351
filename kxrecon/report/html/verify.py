"""Chains as a page: each export with its chain as a picture, the broken link in red and its fix beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kxrecon.report.chains import GLYPHS, summary, verdict
from kxrecon.report.folded import folded
from kxrecon.report.html.causes import Cause, Proved, causes, fixed
from kxrecon.report.html.page import Choice, Entry, Heading, Section, Summary, macro, render
from kxrecon.report.html.room import Room
from kxrecon.report.layout import drawing

if TYPE_CHECKING:
    from markupsafe import Markup

    from kxrecon.report.fleet import Told
    from kxrecon.verdicts import Chain, Fix, Picture, Verdict

    Drawn = Sequence[tuple[Chain, Picture]]

TONES: Mapping[Verdict, str] = {"holds": "good", "broken": "bad", "unknown": "warn"}
GROUPS: Mapping[Verdict, tuple[str, str]] = {  # heading, word on a button
    "broken": ("Broken", "broken"),
    "unknown": ("Not fully known", "not fully known"),
    "holds": ("Every link holds", "hold"),
}
SAYS: Mapping[Verdict, str] = {"holds": "holds", "broken": "is broken", "unknown": "is unknown"}
STEP = 14  # from one symbol of a row to the next
OPEN = 3  # the first broken exports are open from the start


@dataclass(frozen=True, slots=True)
class Ill:
    """Links of a chain that are broken or unknown for one reason."""

    names: Sequence[str]
    verdict: Verdict
    evidence: str
    fixes: Sequence[tuple[str, str, bool]]


def page(told: Sequence[Told[Drawn]], heading: Heading, room: Room | None = None) -> str:
    """The whole page; ``heading.title`` is made here."""
    room = room or Room()
    proved = _proved(told)
    shared = causes(proved)
    opened = _opened(proved, shared)
    entries = [_entry(one, room, open=one.anchor in opened) for one in proved if room.line()]
    sections = [
        Section(found, title, [entry for entry in entries if found in entry.tags])
        for found, (title, _) in GROUPS.items()
    ]
    choices = [
        Choice(word, _count(proved, found), found, "verdict", GLYPHS[found], TONES[found])
        for found, (_, word) in GROUPS.items()
    ]
    return render(
        "verify.html.j2",
        replace(heading, title=_title(told, [one.chain for one in proved])),
        sections,
        choices,
        room=room,
        causes=shared,
        summary=Summary(("cluster", "exports", *(word for _, word in GROUPS.values())), list(_rows(told))),
        nothing="No exports to verify.",
        elsewhere="kxrecon verify --json has them all; with names of exports it verifies, and shows, those alone.",
    )


def _title(told: Sequence[Told[Drawn]], chains: Sequence[Chain]) -> str:
    failed = sum(bool(one.error) for one in told)
    where = f" on {len(told)} clusters" if len(told) > 1 else ""
    return summary(chains) + where + (f"; {failed} could not be asked" if failed else "")


def _proved(told: Sequence[Told[Drawn]]) -> list[Proved]:
    """Every export of every cluster, broken ones first."""
    order = list(GROUPS)
    found = [Proved("", member, one.name, *pair) for member, one in enumerate(told) for pair in one.answer or ()]
    found.sort(key=lambda one: order.index(one.chain.verdict))
    return [replace(one, anchor=f"export-{number}") for number, one in enumerate(found)]


def _count(proved: Sequence[Proved], verdict: Verdict) -> int:
    return sum(one.chain.verdict == verdict for one in proved)


def _opened(proved: Sequence[Proved], shared: Sequence[Cause]) -> set[str]:
    """The first broken exports, of those with one cause the first only."""
    alike = {one.anchor for cause in shared for one in cause.exports[1:]}
    broken = [one.anchor for one in proved if one.chain.verdict == "broken" and one.anchor not in alike]
    return set(broken[:OPEN])


def _entry(one: Proved, room: Room, *, open: bool) -> Entry:
    chain = one.chain

    def details() -> Markup:
        drawn = drawing(folded(one.picture), down=True)
        holding = [link for link in chain.links if link.verdict == "holds"]
        return macro(
            "chain.html.j2", "details", ill(chain), holding, drawn, GLYPHS, f"{one.anchor}-picture", _told(one)
        )

    return Entry(
        one.anchor,
        chain.export,
        (chain.verdict, f"at-{one.member}"),
        GLYPHS[chain.verdict],
        TONES[chain.verdict],
        line=verdict(chain),
        at=one.at,
        side=macro("parts.html.j2", "strip", _strip(chain), STEP * len(chain.links), _said(chain)),
        details=room.fit(details),
        open=open,
        well=chain.verdict == "holds",
    )


def ill(chain: Chain) -> list[Ill]:
    """What does not hold, the first broken link on top; links of which the same is said are said once."""
    found: dict[tuple[Verdict, str, tuple[Fix, ...]], list[str]] = {}
    for link in sorted(chain.ordered, key=lambda link: link.verdict != "broken"):
        if link.verdict != "holds":
            found.setdefault((link.verdict, link.evidence, link.fixes), []).append(link.name)
    return [Ill(names, said, evidence, fixed(fixes)) for (said, evidence, fixes), names in found.items()]


def _told(one: Proved) -> str:
    """The picture in words."""
    edges = (f"{edge.label} {edge.target.partition(' ')[2]} {SAYS[edge.verdict]}" for edge in one.picture.edges)
    return f"{one.chain.export}: " + "; ".join(edges)


def _strip(chain: Chain) -> list[tuple[str, str]]:
    """A chain as a row of symbols: (class, path) each, STEP wide and high."""
    middles = {
        said: [place * STEP + STEP // 2 for place, one in enumerate(chain.links) if one.verdict == said]
        for said in GROUPS
    }
    paths = {
        "thread": f"M{STEP // 2} 7H{STEP * len(chain.links) - STEP // 2}",
        "holds": "".join(f"M{x} 7h0" for x in middles["holds"]),
        "broken": "".join(f"M{x - 6} 1h12v12h-12z" for x in middles["broken"]),
        "cross": "".join(f"M{x - 3} 4l6 6m0-6l-6 6" for x in middles["broken"]),
        "unknown": "".join(f"M{x - 5} 7l5-5 5 5-5 5z" for x in middles["unknown"]),
    }
    return [(name, path) for name, path in paths.items() if path]


def _said(chain: Chain) -> str:
    """The same in words."""
    ill = {said: [one.name for one in chain.links if one.verdict == said] for said in ("broken", "unknown")}
    held = sum(link.verdict == "holds" for link in chain.links)
    parts = [f"{said}: {', '.join(names)}" for said, names in ill.items() if names]
    return "; ".join([f"{held} of {len(chain.links)} links hold", *parts])


def _rows(told: Sequence[Told[Drawn]]) -> Iterator[tuple[Choice, Sequence[str], str]]:
    """One for each cluster of several."""
    for number, one in enumerate(told if len(told) > 1 else ()):
        verdicts = [chain.verdict for chain, _ in one.answer or ()]
        cells = [str(verdicts.count(found) or "") for found in GROUPS]
        choice = Choice(one.name, len(verdicts), f"at-{number}", "cluster")
        yield choice, (one.cluster, str(len(verdicts) or ""), *cells), one.error
