"""Chains as text, Markdown and JSON: the first broken link on top, with its evidence and its fix beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kxrecon.report.lines import Line, Style, line
from kxrecon.report.safe import block, code, markdown, visible
from kxrecon.verdicts import Chain, Fix, Link, Verdict

if TYPE_CHECKING:
    from kxrecon.report.fleet import Told

GLYPHS: Mapping[Verdict, str] = {"holds": "✓", "broken": "✗", "unknown": "?"}
STYLES: Mapping[Verdict, Style] = {"holds": "add", "broken": "remove", "unknown": "warn"}
EMOJI: Mapping[Verdict, str] = {"holds": "✅", "broken": "❌", "unknown": "❔"}


def text(chains: Sequence[Chain], *, whole: bool = False) -> Iterator[Line]:
    """Every export with its links; those of an export that works are folded into one line unless ``whole``."""
    for chain in chains:
        yield (
            (f"{GLYPHS[chain.verdict]} ", STYLES[chain.verdict]),
            (visible(chain.export), "bold"),
            (f"  {verdict(chain)}", ""),
        )
        for link in chain.ordered:
            if whole or chain.verdict == "broken" or link.verdict != "holds":
                yield from _link(link)
    yield line(summary(chains) + ".", "bold")


def verdict(chain: Chain) -> str:
    """In a sentence, without the export's name."""
    first = chain.first_broken
    if first is not None:
        return f"broken at {first.name}"
    unsure = [link.name for link in chain.links if link.verdict == "unknown"]
    return f"holds as far as it is known (unknown: {', '.join(unsure)})" if unsure else "every link holds"


def _link(link: Link) -> Iterator[Line]:
    yield (
        (f"    {GLYPHS[link.verdict]} ", STYLES[link.verdict]),
        (f"{link.name:<15} ", "bold" if link.verdict == "broken" else ""),
        (visible(link.evidence), ""),
    )
    for fix in link.fixes:
        yield line(f"{label(fix)}{fix.text}", "change", indent=22)


def label(fix: Fix) -> str:
    """Where a fix is to be said: ``in database Telemetry: ``."""
    place = {"kusto": f"in database {fix.target}: " if fix.target else "on the cluster: ", "sql": f"in {fix.target}: "}
    return place.get(fix.where, "$ " if fix.where == "shell" else "fix: ")


def summary(chains: Sequence[Chain]) -> str:
    """``5 exports: 1 broken, 4 hold``."""
    counted = {verdict: sum(chain.verdict == verdict for chain in chains) for verdict in GLYPHS}
    words = {"broken": "broken", "unknown": "not fully known", "holds": "hold"}
    told = [f"{counted[verdict]} {words[verdict]}" for verdict in ("broken", "unknown", "holds") if counted[verdict]]
    plural = "" if len(chains) == 1 else "s"
    return f"{len(chains)} export{plural}: {', '.join(told) or 'nothing to verify'}"


def document(chains: Sequence[Chain]) -> dict[str, Any]:
    """All links with verdict, evidence and fixes, for JSON."""
    return {"exports": [_record(chain) for chain in chains]}


def _record(chain: Chain) -> dict[str, Any]:
    first = chain.first_broken
    return {
        "export": chain.export,
        "verdict": chain.verdict,
        "firstBroken": first.name if first else None,
        "links": [
            {
                "link": link.name,
                "verdict": link.verdict,
                "evidence": link.evidence,
                "fixes": [{"where": fix.where, "target": fix.target, "text": fix.text} for fix in link.fixes],
            }
            for link in chain.links
        ],
    }


def as_markdown(chains: Sequence[Chain], of: Told[Any]) -> str:
    """A table of exports, then each broken or unknown link with its fix; for one of several specs with its name."""
    about = f" {code(of.name)}" if of.name else ""
    if of.error:
        return f"### kxrecon verify{about}\n\n{block(of.error)}\n"
    lines = [f"### kxrecon verify{about}: {summary(chains)}", "", "| export | verdict |", "|---|---|"]
    lines += [f"| {code(one.export, cell=True)} | {EMOJI[one.verdict]} {markdown(verdict(one))} |" for one in chains]
    for chain in chains:
        for link in chain.ordered:
            if link.verdict != "holds":
                lines += ["", f"{EMOJI[link.verdict]} {code(chain.export)} **{link.name}**: {markdown(link.evidence)}"]
                lines += [f"\n{block(label(fix) + fix.text)}" for fix in link.fixes]
    return "\n".join(lines) + "\n"
